/**
 * Tries numbers of threads on a loaded model: for each it reads a little and writes a little, in turns, so that a moment in which
 * the machine was busy falls on all of them. Between two evaluations it looks at the abort.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import type { ThreadMeasurement } from '../core/threadChoice.ts';
import { median } from './measured.ts';

export interface ThreadTrial {
  readonly model: LlamaModel;
  /** Its content is lost. */
  readonly sequence: LlamaContextSequence;
  /** The default comes first. */
  readonly counts: readonly number[];
  /** Has what is evaluated next use so many threads. */
  readonly use: (threads: number) => void;
  readonly signal: AbortSignal;
}

interface Try {
  readonly readTokens: number;
  readonly readMs: number;
  readonly writtenTokens: number;
  readonly writeMs: number;
  readonly cpuMs: number;
}

const ROUNDS = 3;
/** No further round begins after it. */
const LIMIT_MS = 1500;
const FIRST_SLICE_TOKENS = 8;
const READ_TOKENS = 40;
const WRITE_TOKENS = 6;
/** What an abort should wait for at most; a number that would take longer for one token is not tried. */
const STEP_MS = 250;
/** A number that takes so many times as long as the best is slower, whatever its last tokens would say. */
const HOPELESS = 2;
/** Tokens of context that a trial needs. */
export const TRIAL_TOKENS = READ_TOKENS + WRITE_TOKENS + 2;
const TEXT =
  'A function reads the file, counts its lines and returns them in the order of the list. ';

/** Resolves to `undefined` when the signal aborted before every number had its first turn. */
export async function tryThreads(trial: ThreadTrial): Promise<ThreadMeasurement[] | undefined> {
  const [first, ...others] = trial.counts;
  if (first === undefined) return undefined;
  const tokens = trial.model.tokenize(TEXT.repeat(READ_TOKENS)).slice(0, READ_TOKENS + 1);
  const tries = new Map<number, Try[]>();
  const begun = performance.now();
  let bestMs = Number.POSITIVE_INFINITY;

  async function attempt(count: number): Promise<Try | undefined> {
    const one = await tryOnce(trial, tokens, count, bestMs * HOPELESS);
    if (one === undefined) return undefined;
    tries.set(count, [...(tries.get(count) ?? []), one]);
    if (one.writtenTokens === WRITE_TOKENS) bestMs = Math.min(bestMs, one.readMs + one.writeMs);
    return one;
  }

  try {
    const usual = await attempt(first);
    if (usual === undefined) return undefined;
    const tokenMs = usual.writeMs / usual.writtenTokens;
    let left = others.filter((count) => (tokenMs * first) / count <= STEP_MS || count > first);
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round > 0 && performance.now() - begun > LIMIT_MS) break;
      for (const count of round === 0 ? left : [first, ...left]) {
        const one = await attempt(count);
        if (one === undefined) return round === 0 ? undefined : measurementsOf(tries);
        if (one.writtenTokens < WRITE_TOKENS) left = left.filter((other) => other !== count);
      }
    }
    return measurementsOf(tries);
  } finally {
    await trial.sequence.clearHistory();
  }
}

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
  let readTokens = 0;
  let slice = FIRST_SLICE_TOKENS;
  while (readTokens < READ_TOKENS) {
    if (signal.aborted) return undefined;
    if (readTokens > 0 && spent() > giveUpMs) break;
    const part = tokens.slice(readTokens, Math.min(readTokens + slice, READ_TOKENS));
    await sequence.evaluateWithoutGeneratingNewTokens([...part]);
    readTokens += part.length;
    slice = Math.max(1, Math.floor((STEP_MS * readTokens) / spent()));
  }
  const readMs = spent();
  let writtenTokens = 0;
  let next = tokens[READ_TOKENS];
  while (writtenTokens < WRITE_TOKENS && next !== undefined) {
    if (signal.aborted) return undefined;
    if (writtenTokens > 0 && spent() > giveUpMs) break;
    const [output] = await sequence.controlledEvaluate([
      [next, { generateNext: { token: true, options: { temperature: 0 } } }],
    ]);
    writtenTokens += 1;
    next = output?.next.token ?? next;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  const writeMs = spent() - readMs;
  return { readTokens, readMs, writtenTokens, writeMs, cpuMs: (user + system) / 1000 };
}

function measurementsOf(tries: ReadonlyMap<number, readonly Try[]>): ThreadMeasurement[] {
  return [...tries].map(([threads, each]) => ({
    threads,
    promptTokensPerSecond: median(each.map((one) => (one.readTokens / one.readMs) * 1000)),
    outputTokensPerSecond: median(each.map((one) => (one.writtenTokens / one.writeMs) * 1000)),
    cpuShare: median(each.map((one) => one.cpuMs / ((one.readMs + one.writeMs) * threads))),
  }));
}
