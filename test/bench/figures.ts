/** The figures that benchmarks are told in. */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** `0.98 (0.95 to 1.05)`: median, least and most. */
export function spread(values: readonly number[], digits = 2): string {
  const text = (value: number) => value.toFixed(digits);
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`;
}

/** Of pairs that were measured in turns: what else runs on the machine meets both of a pair. */
export function ratios(ones: readonly number[], others: readonly number[]): readonly number[] {
  return ones.map((one, at) => one / (others[at] ?? Number.NaN));
}
