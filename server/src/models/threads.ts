/**
 * Numbers of threads in force, by the model's identity: the one that was set, else the one that was measured here, else all cores
 * but one. What was measured is kept in a small file beside the ledger; a damaged one starts empty.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { z } from 'zod';
import {
  chooseThreads,
  defaultThreads,
  type ThreadMeasurement,
  type ThreadsInForce,
} from '../core/threadChoice.ts';
import { writeMeasured } from './measured.ts';

export interface Threads {
  inForce(identity: string): ThreadsInForce;
  /** Whether a trial is due in the next quiet moment. */
  isDue(identity: string): boolean;
  keep(identity: string, measured: readonly ThreadMeasurement[]): void;
  /** Has it measured again where answers are far slower than the trial said: the machine may be another one by now. */
  noteAnswer(identity: string, outputTokens: number, writingMs: number): void;
}

export interface ThreadsOptions {
  /** Nothing is kept where it is left out. */
  readonly path?: string;
  /** A person's own number wins, and nothing is measured. */
  readonly set?: number;
  /** Processor, cores and library, as one text: another one is measured anew. */
  readonly machine: string;
  readonly now: () => number;
}

/** The next trial waits so long, and twice as long after each further one beside other programs. */
const AGAIN_MS = 10 * 60_000;
const DOUBLINGS = 7;
/** Answers shorter than this tell little. */
const TELLING_TOKENS = 16;
const FAR_SLOWER = 3;

export const threadMeasurementSchema = z.strictObject({
  threads: z.int().positive(),
  promptTokensPerSecond: z.number().positive(),
  outputTokensPerSecond: z.number().positive(),
  cpuShare: z.number().nonnegative(),
});

const keptSchema = z.object({
  machine: z.string(),
  threads: z.int().positive(),
  busy: z.boolean(),
  /** Trials in a row beside other programs. */
  busyTrials: z.int().nonnegative(),
  atMs: z.number(),
  each: z.array(threadMeasurementSchema),
});
type Kept = z.infer<typeof keptSchema>;
const fileSchema = z.record(z.string(), keptSchema);

export function createThreads({ path, set, machine, now }: ThreadsOptions): Threads {
  const all = new Map(Object.entries(path === undefined ? {} : readKept(path)));
  const slow = new Set<string>();
  const cores = availableParallelism();

  function keptHere(identity: string): Kept | undefined {
    const kept = all.get(identity);
    return kept?.machine === machine ? kept : undefined;
  }

  return {
    inForce(identity) {
      if (set !== undefined) return { threads: set, cores, from: 'setting' };
      const kept = keptHere(identity);
      if (kept === undefined) return { threads: defaultThreads(cores), cores, from: 'default' };
      const { threads, each, busy } = kept;
      return { threads, cores, from: 'measured', measured: { each, busy } };
    },
    isDue(identity) {
      if (set !== undefined) return false;
      const kept = keptHere(identity);
      if (kept === undefined) return true;
      const waitMs = AGAIN_MS * 2 ** Math.min(DOUBLINGS, Math.max(0, kept.busyTrials - 1));
      return (kept.busy || slow.has(identity)) && Math.abs(now() - kept.atMs) >= waitMs;
    },
    keep(identity, each) {
      const choice = chooseThreads(each);
      if (choice === undefined) return;
      const busyTrials = choice.busy ? (keptHere(identity)?.busyTrials ?? 0) + 1 : 0;
      slow.delete(identity);
      all.set(identity, { machine, ...choice, busyTrials, atMs: now(), each: [...each] });
      if (path !== undefined) writeMeasured(path, JSON.stringify(Object.fromEntries(all)));
    },
    noteAnswer(identity, outputTokens, writingMs) {
      const kept = keptHere(identity);
      const trial = kept?.each.find(({ threads }) => threads === kept.threads);
      if (trial === undefined || outputTokens < TELLING_TOKENS) return;
      const expectedMs = ((outputTokens - 1) / trial.outputTokensPerSecond) * 1000;
      if (writingMs > expectedMs * FAR_SLOWER) slow.add(identity);
    },
  };
}

/** Processor, cores and llama.cpp's binding. */
export function machineName(): string {
  return [cpus()[0]?.model.trim() ?? 'unknown', availableParallelism(), libraryVersion()].join(
    ' · ',
  );
}

function libraryVersion(): string {
  try {
    const url = new URL('../package.json', import.meta.resolve('node-llama-cpp'));
    return z.object({ version: z.string() }).parse(JSON.parse(readFileSync(url, 'utf8'))).version;
  } catch {
    return 'unknown';
  }
}

function readKept(path: string): Record<string, Kept> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return {};
  }
}
