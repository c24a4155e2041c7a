/** Words and figures of the wire that `core/report.ts` does not have: estimates, bounds, budgets and dates as the surfaces show them. */
import { formatCost, formatSavings, formatSeconds, formatUsd } from '../../core/report.ts';
import type { Sums } from '../../core/routeReports.ts';
import type { NanoUsd, Savings } from '../../core/types.ts';
import type { Money, SavingsWire } from '../../protocol.ts';

export function moneyOf(nanoUsd: number): Money {
  return { nanoUsd, text: formatUsd(nanoUsd) };
}

export function costMoney(cost: Parameters<typeof formatCost>[0]): Money {
  return { nanoUsd: cost.costNanoUsd, text: formatCost(cost) };
}

/** A limit as people write it: `$20`, `$7.50`. */
export function budgetMoney(nanoUsd: NanoUsd): Money {
  return { nanoUsd, text: formatUsd(nanoUsd).replace(/\.00$/, '') };
}

export function savingsWire(savings: Savings): SavingsWire {
  return {
    nanoUsd: savings.kind === 'known' ? savings.savedNanoUsd : null,
    text: formatSavings(savings),
  };
}

/** A sum of savings; answers of which none is known have none, which is not zero. */
export function savedText(sums: Sums | undefined): string {
  if (sums === undefined || sums.answers === 0) return formatUsd(0);
  return sums.answers === sums.unknownSavings ? 'unknown' : formatUsd(sums.savedNanoUsd);
}

/** `free` where nothing is paid for the answer, otherwise an estimate. */
export function estimateText(nanoUsd: NanoUsd | undefined): string {
  if (nanoUsd === undefined) return 'unknown';
  return nanoUsd === 0 ? 'free' : `≈ ${formatUsd(nanoUsd)}`;
}

export function boundText(nanoUsd: NanoUsd | undefined): string {
  if (nanoUsd === undefined) return 'unknown';
  return nanoUsd === 0 ? 'free' : `at most ${formatUsd(nanoUsd)}`;
}

export function latencyText(ms: number | undefined): string {
  return ms === undefined ? 'unknown' : `≈ ${formatSeconds(ms)}`;
}

/** `1 December` from an ISO date; dates are UTC, as the budget's months are. */
export function dayText(isoDate: string, month: 'long' | 'short' = 'long'): string {
  return new Intl.DateTimeFormat('en-GB', { day: 'numeric', month, timeZone: 'UTC' }).format(
    new Date(`${isoDate}T00:00:00Z`),
  );
}
