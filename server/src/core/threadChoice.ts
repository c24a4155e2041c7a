/**
 * How many threads a local model evaluates with, chosen by what was measured. llama.cpp's threads spin while they wait for each
 * other, so one too many costs more than one too few: on a machine whose cores are busy it is many times slower. Pure.
 */
import type { Translate } from './translate.ts';

export interface ThreadMeasurement {
  readonly threads: number;
  readonly promptTokensPerSecond: number;
  readonly outputTokensPerSecond: number;
  /** CPU time that the threads had, of what as many cores have: below 1 others ran on them. */
  readonly cpuShare: number;
}

/** How many threads a local model evaluates with here, and why. */
export interface ThreadsInForce {
  readonly threads: number;
  /** Logical ones that the program may use. */
  readonly cores: number;
  readonly from: 'setting' | 'measured' | 'default';
  /** Each number that was tried, and whether others ran on the cores meanwhile. */
  readonly measured?: { readonly each: readonly ThreadMeasurement[]; readonly busy: boolean };
}

export interface ThreadChoice {
  readonly threads: number;
  /** Others ran on the cores meanwhile, so that a quiet moment may choose otherwise. */
  readonly busy: boolean;
}

/** Slower by so little is worth the cores that it leaves to others. */
const NEARLY_AS_FAST = 1.05;
/** An idle machine's threads had 0.9 of their cores and more, two beside one busy program at most 0.75. */
const QUIET_SHARE = 0.8;
/** A usual question of an editor with some code, and its answer: what one number is made of. */
const USUAL_PROMPT_TOKENS = 256;
const USUAL_OUTPUT_TOKENS = 64;

export function defaultThreads(cores: number): number {
  return Math.max(1, cores - 1);
}

export function haveTheirCores(cpuShare: number): boolean {
  return cpuShare >= QUIET_SHARE;
}

/**
 * The numbers worth trying, upwards. One core is always left to the editor: a trial in a quiet moment would take it too, and
 * the next build would make every answer many times slower.
 *
 * @param cores logical ones that this process may use
 * @param mathCores physical ones, without those that save power
 */
export function threadCounts(cores: number, mathCores: number): readonly number[] {
  const most = defaultThreads(cores);
  const all = [1, Math.floor(mathCores / 2), mathCores, most];
  return [...new Set(all.filter((count) => count >= 1 && count <= most))].toSorted((a, b) => a - b);
}

/** The smallest number that is nearly as fast as the fastest; `undefined` where nothing was measured. */
export function chooseThreads(measured: readonly ThreadMeasurement[]): ThreadChoice | undefined {
  const fastest = Math.min(...measured.map(usualAnswerSeconds));
  const enough = measured.filter((each) => usualAnswerSeconds(each) <= fastest * NEARLY_AS_FAST);
  if (enough.length === 0) return undefined;
  return {
    threads: Math.min(...enough.map(({ threads }) => threads)),
    busy: measured.some(({ cpuShare }) => !haveTheirCores(cpuShare)),
  };
}

function usualAnswerSeconds(measured: ThreadMeasurement): number {
  return (
    USUAL_PROMPT_TOKENS / measured.promptTokensPerSecond +
    USUAL_OUTPUT_TOKENS / measured.outputTokensPerSecond
  );
}

/** `3 of 8 cores; tokens/s written with each number: 1: 12, 3: 31, 7: 32`: what was chosen, and what from. */
export function threadsText({ threads, cores, from, measured }: ThreadsInForce, t: Translate) {
  const facts = { threads, cores };
  if (from === 'setting') return t('{threads} of {cores} cores, as set', facts);
  if (measured === undefined) return t('{threads} of {cores} cores, not measured yet', facts);
  const figures = measured.each
    .toSorted((a, b) => a.threads - b.threads)
    .map((each) => `${each.threads}: ${each.outputTokensPerSecond.toFixed(0)}`)
    .join(', ');
  return measured.busy
    ? t(
        '{threads} of {cores} cores; tokens/s written with each number, beside other programs: {figures}',
        { ...facts, figures },
      )
    : t('{threads} of {cores} cores; tokens/s written with each number: {figures}', {
        ...facts,
        figures,
      });
}
