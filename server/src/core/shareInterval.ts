/** How sure a share is that was counted on a few cases. */

/** The middle 95 % of a normal distribution. */
const Z = 1.959964;

export interface ShareInterval {
  readonly share: number;
  /** Wilson's score interval of 95 %, in [0,1]; it holds for few cases and for shares near 0 and 1 too. */
  readonly low: number;
  readonly high: number;
}

/** @param hits how many of `count` cases, fractions of a case allowed; `undefined` without cases */
export function shareInterval(hits: number, count: number): ShareInterval | undefined {
  if (count <= 0) return undefined;
  const share = hits / count;
  const width = 1 + (Z * Z) / count;
  const middle = (share + (Z * Z) / (2 * count)) / width;
  const spread =
    (Z / width) * Math.sqrt((share * (1 - share)) / count + (Z * Z) / (4 * count * count));
  return {
    share,
    low: Math.max(0, Math.min(share, middle - spread)),
    high: Math.min(1, Math.max(share, middle + spread)),
  };
}
