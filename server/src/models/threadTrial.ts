/**
 * Tries numbers of threads on a loaded model: for each it writes a little and reads a little, in turns, so that a moment in which
 * the machine was busy falls on all of them. It goes up only while the threads have cores to run on, since those that have
 * none make the others spin, and between two evaluations it looks at the abort.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import { haveTheirCores, type ThreadMeasurement } from '../core/threadChoice.ts';
import { median } from './measured.ts';

export interface ThreadTrial {
  readonly model: LlamaModel;
  /** Its content is lost. */
  readonly sequence: LlamaContextSequence;
  /** Upwards. */
  readonly counts: readonly number[];
  /** Has what is evaluated next use so many threads. */
  readonly use: (threads: number) => void;
  /** False where a graphics processor computes, and threads wait for it. */
  readonly computes: boolean;
  readonly signal: AbortSignal;
}

interface Try {
  readonly writtenTokens: number;
  readonly writeMs: number;
  readonly readTokens: number;
  readonly readMs: number;
  readonly cpuMs: number;
}

const ROUNDS = 3;
/** No further round begins after it. */
const LIMIT_MS = 1000;
const WRITE_TOKENS = 6;
const READ_TOKENS = 24;
const FIRST_SLICE_TOKENS = 8;
/** What an abort should wait for at most; a number that would take longer for one token is not tried. */
const STEP_MS = 250;
/** What one core reads of a model's weights for a token, in bytes a millisecond: SmolLM2's 98 MB took one 20 ms. */
const BYTES_PER_MS = 5e6;
/** A number that takes so many times as long as the best for all of it is given up. */
const HOPELESS = 2;
/** Tokens of context that a trial needs. */
export const TRIAL_TOKENS = READ_TOKENS + WRITE_TOKENS + 2;
const TEXT =
  'A function reads the file, counts its lines and returns them in the order of the list. ';

/** Resolves to `undefined` when the signal aborted before every number had its first turn. */
export async function tryThreads(trial: ThreadTrial): Promise<ThreadMeasurement[] | undefined> {
  const tokens = trial.model.tokenize(TEXT.repeat(READ_TOKENS)).slice(0, READ_TOKENS + 1);
  const tries = new Map<number, Try[]>();
  let bestMs = Number.POSITIVE_INFINITY;
  let left = trial.counts.filter(
    (count) => trial.model.size / BYTES_PER_MS / count <= STEP_MS || count === trial.counts.at(-1),
  );
  try {
    // Brings the file's pages into memory, which is no matter of threads.
    await trial.sequence.clearHistory();
    trial.use(left[0] ?? 1);
    await trial.sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(0, 1));
    const begun = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round > 0 && performance.now() - begun > LIMIT_MS) break;
      for (const count of left) {
        const one = await tryOnce(trial, tokens, count, bestMs * HOPELESS);
        if (one === undefined) return round === 0 ? undefined : measurementsOf(tries);
        tries.set(count, [...(tries.get(count) ?? []), one]);
        const whole = one.readTokens === READ_TOKENS;
        if (whole) bestMs = Math.min(bestMs, one.readMs + one.writeMs);
        if (!whole) left = left.filter((other) => other !== count);
        if (round > 0 || haveTheirCores(shareOf(one, count)) || !trial.computes) continue;
        left = left.filter((other) => other <= count);
        break;
      }
    }
    return measurementsOf(tries);
  } finally {
    await trial.sequence.clearHistory();
  }
}

/** Writing comes first: one token is the smallest step there is. What is hopeless by then reads nothing. */
async function tryOnce(
  { sequence, use, signal }: ThreadTrial,
  tokens: readonly Token[],
  count: number,
  giveUpMs: number,
): Promise<Try | undefined> {
  await sequence.clearHistory();
  use(count);
  // The library keeps the threads of one evaluation for the next until this turn is over.
  await delay(1);
  const cpuBefore = process.cpuUsage();
  const begun = performance.now();
  const spent = () => performance.now() - begun;
  const hopeless = () => spent() > giveUpMs;

  let writtenTokens = 0;
  let next = tokens[READ_TOKENS];
  while (writtenTokens < WRITE_TOKENS && next !== undefined && !hopeless()) {
    if (signal.aborted) return undefined;
    const [output] = await sequence.controlledEvaluate([
      [next, { generateNext: { token: true, options: { temperature: 0 } } }],
    ]);
    writtenTokens += 1;
    next = output?.next.token ?? next;
  }
  const writeMs = spent();
  let readTokens = 0;
  let slice = FIRST_SLICE_TOKENS;
  while (readTokens < READ_TOKENS && !hopeless()) {
    if (signal.aborted) return undefined;
    const part = tokens.slice(readTokens, Math.min(readTokens + slice, READ_TOKENS));
    await sequence.evaluateWithoutGeneratingNewTokens([...part]);
    readTokens += part.length;
    slice = Math.max(1, Math.floor((STEP_MS * readTokens) / (spent() - writeMs)));
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  const readMs = spent() - writeMs;
  return { writtenTokens, writeMs, readTokens, readMs, cpuMs: (user + system) / 1000 };
}

function shareOf(one: Try, threads: number): number {
  return one.cpuMs / ((one.readMs + one.writeMs) * threads);
}

function measurementsOf(tries: ReadonlyMap<number, readonly Try[]>): ThreadMeasurement[] {
  return [...tries].map(([threads, each]) => {
    const outputTokensPerSecond = median(
      each.map((one) => (one.writtenTokens / one.writeMs) * 1000),
    );
    const read = each.filter((one) => one.readTokens > 0);
    return {
      threads,
      outputTokensPerSecond,
      // Reading is the faster of the two; where it was not even tried, it would not have mattered.
      promptTokensPerSecond:
        read.length === 0
          ? outputTokensPerSecond
          : median(read.map((one) => (one.readTokens / one.readMs) * 1000)),
      cpuShare: median(each.map((one) => shareOf(one, threads))),
    };
  });
}
