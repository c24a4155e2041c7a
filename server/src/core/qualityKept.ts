/**
 * Quality kept, as it was measured on the user's own work: the share of audited local answers that are at least as good as
 * the baseline's. Unknown until there are enough of them.
 */
import { formatUsd } from './report.ts';
import { type ShareInterval, shareInterval } from './shareInterval.ts';
import type { Translate } from './translate.ts';
import type { NanoUsd } from './types.ts';

/** Audits as the ledger sums them. */
export interface AuditSums {
  /** Of the month: all of them, and what they cost. */
  readonly audits: number;
  readonly costNanoUsd: NanoUsd;
  /** With a verdict, of the month and the two before it, by the baseline they were held against. */
  readonly judged: readonly AuditCounts[];
}

export interface AuditCounts {
  readonly baselineId: string;
  readonly asGood: number;
  readonly worse: number;
}

/** Fewer than this leave an interval so wide that it says nothing: at 30, a share of 90 % is known to within 11 points. */
export const LEAST_AUDITS = 30;

/** A share with its 95 % interval, or the reason why there is none. */
export type MeasuredShare =
  | { readonly kind: 'unknown'; readonly n: number; readonly least: number }
  | ({ readonly kind: 'measured'; readonly n: number } & ShareInterval);

/** Audits against another baseline say nothing about this one. */
export function qualityKept(sums: AuditSums, baselineId: string | undefined): MeasuredShare {
  const counts = sums.judged.find((one) => one.baselineId === baselineId);
  const { asGood, worse } = counts ?? { asGood: 0, worse: 0 };
  return measuredShare(asGood, asGood + worse, LEAST_AUDITS);
}

/** Wilson's interval, once there are enough to say anything. */
export function measuredShare(good: number, n: number, least: number): MeasuredShare {
  const interval = n < least ? undefined : shareInterval(good, n);
  return interval === undefined
    ? { kind: 'unknown', n, least }
    : { kind: 'measured', n, ...interval };
}

/** `91 % (84 to 95 %), n=62`, or why it is unknown. */
export function qualityKeptText(kept: MeasuredShare, auditShare: number, t: Translate): string {
  if (kept.kind === 'measured') {
    const { share, low, high, n } = kept;
    return t('{percent} % ({low} to {high} %), n={n}, measured', {
      percent: percent(share),
      low: percent(low),
      high: percent(high),
      n,
    });
  }
  if (auditShare === 0 && kept.n === 0) return t('unknown (no answers are audited)');
  return t('unknown ({n} of {least} audits)', { n: kept.n, least: kept.least });
}

/** What this month's audits were and cost; empty without any. */
export function auditsText({ audits, costNanoUsd }: AuditSums, t: Translate): string {
  if (audits === 0) return '';
  return t('{n} local answers audited this month for {amount}', {
    n: audits,
    amount: formatUsd(costNanoUsd),
  });
}

function percent(share: number): number {
  return Math.round(share * 100);
}
