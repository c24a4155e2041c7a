/**
 * How good a ranking of prompts is for routing, by RouteLLM's definitions: send the share x of prompts with the highest
 * scores to the strong model, the rest to the weak one, and see which part of the gap in quality that recovers (PGR).
 */
import { createSeededRandom } from './seededRandom.ts';

/** One prompt: where the router ranks it and what either model's answer was worth. */
export interface Routed {
  readonly score: number;
  readonly weak: number;
  readonly strong: number;
}

export interface RoutingQuality {
  /** Area under PGR over the share sent to the strong model; random is 0.5. */
  readonly apgr: number;
  /** The smallest share, in percent, that recovers half and four fifths of the gap. */
  readonly cpt50: number;
  readonly cpt80: number;
  /**
   * The smallest share, in percent, at which the mean quality is 95 % of the strong model's. Where the weak model costs
   * nothing and prompts cost alike, that is the cost in percent of sending all to the strong one.
   */
  readonly cost95: number;
}

/** Sums of fractions miss a half by a hair. */
const ROUNDING = 1e-9;
const WANTED_QUALITY = 0.95;

/** Prompts with equal scores count as being in random order: their gain is spread evenly among them. */
export function routingQuality(rows: readonly Routed[]): RoutingQuality {
  return qualityOf(inOrder(rows), undefined);
}

function inOrder(rows: readonly Routed[]): readonly Routed[] {
  return [...rows].sort((a, b) => b.score - a.score);
}

/** @param counts how often each row was drawn; once each where left out */
function qualityOf(sorted: readonly Routed[], counts: Int32Array | undefined): RoutingQuality {
  let [weak, strong, rows] = [0, 0, 0];
  sorted.forEach((row, at) => {
    const times = counts?.[at] ?? 1;
    weak += times * row.weak;
    strong += times * row.strong;
    rows += times;
  });
  const gap = strong - weak;
  const cpt50 = createGoal(0.5 * gap);
  const cpt80 = createGoal(0.8 * gap);
  const cost95 = createGoal(WANTED_QUALITY * strong - weak);
  let [recovered, sent, area] = [0, 0, 0];
  for (let at = 0; at < sorted.length; ) {
    const { score } = sorted[at] ?? { score: 0 };
    let [gain, size] = [0, 0];
    for (; at < sorted.length && sorted[at]?.score === score; at += 1) {
      const times = counts?.[at] ?? 1;
      const row = sorted[at];
      if (row !== undefined) gain += times * (row.strong - row.weak);
      size += times;
    }
    if (size === 0) continue;
    for (const goal of [cpt50, cpt80, cost95]) goal.pass(recovered, sent, gain, size);
    area += ((recovered + gain / 2) / gap) * (size / rows);
    recovered += gain;
    sent += size;
  }
  const percent = (goal: Goal) => (100 * (goal.reachedAt() ?? rows)) / rows;
  return {
    apgr: area,
    cpt50: percent(cpt50),
    cpt80: percent(cpt80),
    cost95: percent(cost95),
  };
}

interface Goal {
  /** A group of `size` prompts that are worth `gain` together, sent after `sent` prompts worth `recovered`. */
  pass(recovered: number, sent: number, gain: number, size: number): void;
  reachedAt(): number | undefined;
}

/** The first number of prompts whose gain adds up to `wanted`. */
function createGoal(wanted: number): Goal {
  let reachedAt = wanted <= ROUNDING ? 0 : undefined;
  return {
    pass(recovered, sent, gain, size) {
      if (reachedAt !== undefined || recovered + gain < wanted - ROUNDING) return;
      const needed = Math.ceil(((wanted - recovered) * size) / gain - ROUNDING);
      reachedAt = sent + Math.min(size, Math.max(1, needed));
    },
    reachedAt: () => reachedAt,
  };
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The middle 95 % of what resampled prompts give; a sample without a gap has no PGR and is drawn again. */
export function bootstrap(
  rows: readonly Routed[],
  rounds: number,
  seed: number,
): Record<keyof RoutingQuality, Interval> {
  const random = createSeededRandom(seed);
  const sorted = inOrder(rows);
  const gaps = sorted.map((row) => row.strong - row.weak);
  const counts = new Int32Array(sorted.length);
  const samples: RoutingQuality[] = [];
  for (let drawn = 0; drawn < 2 * rounds && samples.length < rounds; drawn += 1) {
    counts.fill(0);
    let gap = 0;
    for (let draw = 0; draw < sorted.length; draw += 1) {
      const at = random.below(sorted.length);
      counts[at] = (counts[at] ?? 0) + 1;
      gap += gaps[at] ?? 0;
    }
    if (gap > ROUNDING) samples.push(qualityOf(sorted, counts));
  }
  const middle = (key: keyof RoutingQuality): Interval => {
    const values = samples.map((sample) => sample[key]);
    return { low: quantile(values, 0.025), high: quantile(values, 0.975) };
  };
  return {
    apgr: middle('apgr'),
    cpt50: middle('cpt50'),
    cpt80: middle('cpt80'),
    cost95: middle('cost95'),
  };
}

export interface CurvePoint {
  /** Of the prompts sent to the strong model, in [0,1]. */
  readonly share: number;
  /** Part of the gap that is recovered (PGR). */
  readonly recovered: number;
}

/** PGR over the share sent to the strong model, at evenly spaced shares. */
export function recoveryCurve(rows: readonly Routed[], points: number): CurvePoint[] {
  const sorted = inOrder(rows);
  const gap = total(sorted.map((row) => row.strong - row.weak));
  const curve: CurvePoint[] = [{ share: 0, recovered: 0 }];
  let [at, recovered] = [0, 0];
  for (let point = 1; point <= points; point += 1) {
    const until = Math.round((point * sorted.length) / points);
    for (; at < until; at += 1) {
      const row = sorted[at];
      if (row !== undefined) recovered += row.strong - row.weak;
    }
    curve.push({ share: at / sorted.length, recovered: recovered / gap });
  }
  return curve;
}

/** Chance that a positive ranks above a negative, ties counting half; `undefined` when one side is empty. */
export function areaUnderRoc(
  rows: readonly { readonly score: number; readonly positive: boolean }[],
): number | undefined {
  const sorted = [...rows].sort((a, b) => a.score - b.score);
  const positives = sorted.filter((row) => row.positive).length;
  const negatives = sorted.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  let rankSum = 0;
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    while (end < sorted.length && sorted[end]?.score === sorted[at]?.score) end += 1;
    const rank = (at + 1 + end) / 2;
    for (; at < end; at += 1) if (sorted[at]?.positive) rankSum += rank;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Mean distance between what was foretold and what happened, over ten bins of equal size. */
export function calibrationError(
  rows: readonly { readonly estimate: number; readonly happened: number }[],
): number {
  const sorted = [...rows].sort((a, b) => a.estimate - b.estimate);
  const bins = 10;
  let error = 0;
  for (let bin = 0; bin < bins; bin += 1) {
    const part = sorted.slice(
      Math.floor((bin * sorted.length) / bins),
      Math.floor(((bin + 1) * sorted.length) / bins),
    );
    const difference = total(part.map((row) => row.estimate - row.happened));
    error += Math.abs(difference) / Math.max(1, sorted.length);
  }
  return error;
}

/**
 * What `calibrationError` would show of estimates that are true: on few rows it is far from zero, because a bin of 28 coins
 * seldom shows half. Mean and middle 95 % over drawn outcomes.
 */
export function calibrationNoise(
  estimates: readonly number[],
  rounds: number,
  seed: number,
): Interval & { readonly mean: number } {
  const random = createSeededRandom(seed);
  const errors = Array.from({ length: rounds }, () =>
    calibrationError(
      estimates.map((estimate) => ({ estimate, happened: Number(random.next() < estimate) })),
    ),
  );
  return { mean: mean(errors), low: quantile(errors, 0.025), high: quantile(errors, 0.975) };
}

/** The value below which the share `at` of the values lies; interpolated. */
export function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = at * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

export function mean(values: readonly number[]): number {
  return total(values) / values.length;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
