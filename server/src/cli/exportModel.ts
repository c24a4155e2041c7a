/** `export`: a checkpoint as a GGUF file. */
import { existsSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import type { Session } from './session.ts';
import { withTraining } from './trainingSession.ts';

export interface ExportModelFlags {
  readonly ckpt: string;
  readonly out: string;
  readonly tok?: string;
  readonly type: 'f32' | 'f16' | 'q8_0';
  readonly name?: string;
}

export async function exportModel({ io }: Session, flags: ExportModelFlags): Promise<number> {
  return await withTraining(io, async (progress) => {
    const { checkpointFolder, readModel } = await import('../training/checkpoint.ts');
    const { exportGguf } = await import('../training/exportGguf.ts');
    const { readVocabulary } = await import('../training/tokenizer/modelFile.ts');
    const { TrainingError } = await import('../training/trainingError.ts');
    const folder = await checkpointFolder(resolve(io.cwd, flags.ckpt));
    const tokenizer =
      flags.tok === undefined ? tokenizerBeside(folder) : resolve(io.cwd, flags.tok);
    if (tokenizer === undefined) {
      throw new TrainingError(
        `expected --tok with the tokenizer of the model, or tokenizer.model in ${folder}, got neither`,
      );
    }
    progress.show('reading the checkpoint', undefined);
    const [model, vocabulary] = [await readModel(folder), await readVocabulary(tokenizer)];
    progress.show(`writing ${flags.out}`, undefined);
    const out = resolve(io.cwd, flags.out);
    const name = flags.name ?? basename(flags.out, '.gguf');
    await exportGguf(model, vocabulary, out, { name, type: flags.type, signal: io.signal });
    progress.clear();
    const megabytes = (statSync(out).size / 1e6).toFixed(1);
    await writeLine(io.stdout, `${flags.out}: ${megabytes} MB in ${flags.type}`);
    return exitCodes.ok;
  });
}

/** Where fine-tuning leaves the tokenizer of a merged model. */
function tokenizerBeside(folder: string): string | undefined {
  const path = join(folder, 'tokenizer.model');
  return existsSync(path) ? path : undefined;
}
