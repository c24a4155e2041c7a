/** Shares, intervals and amounts in the tables of measurements; what is not known says so. */
import { dollars } from '../core/price.ts';
import { formatShare, formatUsd } from '../core/report.ts';
import type { ShareInterval } from '../core/shareInterval.ts';

export function interval({ share, low, high }: ShareInterval): string {
  return `${formatShare(share)} (${formatShare(low)} to ${formatShare(high)})`;
}

export function intervalJson(of: ShareInterval | undefined) {
  return of === undefined ? null : { value: of.share, low: of.low, high: of.high };
}

export function money(nanoUsd: number | undefined): string {
  return nanoUsd === undefined ? 'unknown' : formatUsd(nanoUsd);
}

export function moneyJson(nanoUsd: number | undefined): number | null {
  return nanoUsd === undefined ? null : dollars(nanoUsd);
}
