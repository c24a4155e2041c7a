/** One run of the torch engine: a Python process, or several under torchrun, that tell how it goes in lines of JSON. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { torchPackage } from './torchEnvironment.ts';
import { TrainingError } from './trainingError.ts';

const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('started'), max_steps: z.number(), text: z.string() }),
  z.object({
    type: z.literal('step'),
    step: z.number(),
    max_steps: z.number(),
    loss: z.number(),
    text: z.string(),
  }),
  z.object({
    type: z.literal('validated'),
    val_loss: z.number(),
    /** Of a fine-tuning: before its first step. */
    before: z.number().optional(),
    text: z.string(),
  }),
  z.object({ type: z.literal('saved'), folder: z.string(), text: z.string() }),
  z.object({ type: z.literal('stopped'), step: z.number(), text: z.string() }),
  z.object({ type: z.literal('failed'), message: z.string(), text: z.string() }),
]);

export type TorchEvent = z.infer<typeof eventSchema>;

export interface TorchRunOptions {
  readonly python: string;
  readonly script: 'train.py' | 'lora.py';
  readonly args: readonly string[];
  /** Options of torchrun; `undefined` runs one process without it. */
  readonly torchrun?: readonly string[] | undefined;
  readonly cwd: string;
  readonly onEvent: (event: TorchEvent) => void;
  /** Asks for a checkpoint and the end. */
  readonly signal: AbortSignal;
}

const STOPPED = 130;
const LAST_LINES = 6;

/** @returns whether it was stopped before its end; throws a TrainingError with what Python said when it failed */
export async function runTorch(options: TorchRunOptions): Promise<{ readonly stopped: boolean }> {
  const { python, script, args, torchrun, signal } = options;
  const launch = torchrun === undefined ? [] : ['-m', 'torch.distributed.run', ...torchrun];
  // The tokenizer's file is read with the package of the environment; no key is passed on.
  const { OPENAI_API_KEY: _, ...env } = process.env;
  const child = spawn(python, [...launch, join(torchPackage, script), ...args, '--events'], {
    cwd: options.cwd,
    env: {
      ...env,
      PYTHONUNBUFFERED: '1',
      TOKENIZERS_PARALLELISM: 'false',
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches it once, by this process, and not by the terminal as well.
    detached: process.platform !== 'win32',
  });
  const stop = () => child.kill('SIGTERM');
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  let failed: string | undefined;
  const last: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = parseEvent(line);
    if (event?.type === 'failed') failed = event.message;
    if (event !== undefined) options.onEvent(event);
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.trim() !== '') last.push(line.trim());
    if (last.length > LAST_LINES) last.shift();
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => {
    signal.removeEventListener('abort', stop);
    process.off('exit', end);
  });
  if (failed !== undefined) throw new TrainingError(failed);
  if (code === 0) return { stopped: false };
  if (code === STOPPED || signal.aborted) return { stopped: true };
  throw new TrainingError(`the torch engine ended with exit code ${code}: ${last.join(' · ')}`);
}

function parseEvent(line: string): TorchEvent | undefined {
  try {
    return eventSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
