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
}

/** Sums of fractions miss a half by a hair. */
const ROUNDING = 1e-9;

/** Prompts with equal scores count as being in random order: their gain is spread evenly among them. */
export function routingQuality(rows: readonly Routed[]): RoutingQuality {
  const sorted = [...rows].sort((a, b) => b.score - a.score);
  const gap = total(rows.map((row) => row.strong - row.weak));
  let recovered = 0;
  let area = 0;
  let cpt50 = 100;
  let cpt80 = 100;
  let reached50 = false;
  let reached80 = false;
  for (let at = 0; at < sorted.length; ) {
    let end = at;
    let gain = 0;
    while (end < sorted.length && sorted[end]?.score === sorted[at]?.score) {
      const row = sorted[end];
      gain += row === undefined ? 0 : row.strong - row.weak;
      end += 1;
    }
    const each = gain / (end - at);
    for (; at < end; at += 1) {
      const before = recovered / gap;
      recovered += each;
      const after = recovered / gap;
      area += (before + after) / 2 / sorted.length;
      const share = (100 * (at + 1)) / sorted.length;
      if (!reached50 && after >= 0.5 - ROUNDING) {
        cpt50 = share;
        reached50 = true;
      }
      if (!reached80 && after >= 0.8 - ROUNDING) {
        cpt80 = share;
        reached80 = true;
      }
    }
  }
  return { apgr: area, cpt50, cpt80 };
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The middle 95 % of what resampled prompts give. */
export function bootstrap(
  rows: readonly Routed[],
  rounds: number,
  seed: number,
): Record<keyof RoutingQuality, Interval> {
  const random = createSeededRandom(seed);
  const samples = Array.from({ length: rounds }, () =>
    routingQuality(rows.map((row) => rows[random.below(rows.length)] ?? row)),
  );
  const middle = (key: keyof RoutingQuality): Interval => {
    const values = samples.map((sample) => sample[key]);
    return { low: quantile(values, 0.025), high: quantile(values, 0.975) };
  };
  return { apgr: middle('apgr'), cpt50: middle('cpt50'), cpt80: middle('cpt80') };
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
