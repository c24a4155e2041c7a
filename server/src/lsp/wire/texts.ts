/** Words and figures of the wire that `core/report.ts` does not have: estimates, bounds, budgets and dates as the surfaces show them. */
import { formatCost, formatSavings, formatSeconds, formatUsd } from '../../core/report.ts';
import type { Sums } from '../../core/routeReports.ts';
import { english, type Translate } from '../../core/translate.ts';
import type { NanoUsd, Savings } from '../../core/types.ts';
import type { Money, SavingsWire } from '../../protocol.ts';

export function moneyOf(nanoUsd: number): Money {
  return { nanoUsd, text: formatUsd(nanoUsd) };
}

export function costMoney(cost: Parameters<typeof formatCost>[0], t: Translate): Money {
  return { nanoUsd: cost.costNanoUsd, text: formatCost(cost, t) };
}

/** A limit as people write it: `$20`, `$7.50`. */
export function budgetMoney(nanoUsd: NanoUsd): Money {
  return { nanoUsd, text: formatUsd(nanoUsd).replace(/\.00$/, '') };
}

export function savingsWire(savings: Savings, t: Translate): SavingsWire {
  return {
    nanoUsd: savings.kind === 'known' ? savings.savedNanoUsd : null,
    text: formatSavings(savings, t),
  };
}

/** A sum of savings; answers of which none is known have none, which is not zero. */
export function savedText(sums: Sums | undefined, t: Translate): string {
  if (sums === undefined || sums.answers === 0) return formatUsd(0);
  return sums.answers === sums.unknownSavings ? t('unknown') : formatUsd(sums.savedNanoUsd);
}

/** `free` where nothing is paid for the answer, otherwise an estimate. */
export function estimateText(nanoUsd: NanoUsd | undefined, t: Translate = english): string {
  if (nanoUsd === undefined) return t('unknown');
  return nanoUsd === 0 ? t('free') : `≈ ${formatUsd(nanoUsd)}`;
}

export function boundText(nanoUsd: NanoUsd | undefined, t: Translate = english): string {
  if (nanoUsd === undefined) return t('unknown');
  return nanoUsd === 0 ? t('free') : t('at most {amount}', { amount: formatUsd(nanoUsd) });
}

export function latencyText(ms: number | undefined, t: Translate = english): string {
  return ms === undefined ? t('unknown') : `≈ ${formatSeconds(ms)}`;
}

export function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}

/** `1,204`, `1.204` */
export function countText(count: number, tag: string): string {
  let format = countFormats.get(tag);
  if (format === undefined) {
    format = new Intl.NumberFormat(tag);
    countFormats.set(tag, format);
  }
  return format.format(count);
}

const countFormats = new Map<string, Intl.NumberFormat>();

/** `1 December`, `1. Dezember` from an ISO date; dates are UTC, as the budget's months are. */
export function dayText(isoDate: string, tag: string, month: 'long' | 'short' = 'long'): string {
  const key = `${month} ${tag}`;
  let format = dayFormats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(tag, { day: 'numeric', month, timeZone: 'UTC' });
    dayFormats.set(key, format);
  }
  return format.format(new Date(`${isoDate}T00:00:00Z`));
}

/** Making one takes a hundred times as long as writing a day by it; a client has one language. */
const dayFormats = new Map<string, Intl.DateTimeFormat>();
