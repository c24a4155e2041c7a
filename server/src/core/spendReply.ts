/** A month's money as the REST API and `spend --json` hand it out. */
import { remaining, resetDate } from './budget.ts';
import type { SpendReport } from './ports.ts';
import { dollars } from './price.ts';
import { LEAST_AUDITS, qualityKept } from './qualityKept.ts';
import { usdOf } from './reply.ts';

/**
 * What can't be read of a ledger that can't be trusted is null.
 * @param baseline the model that savings and quality are against
 */
export function spendReplyOf({ budget, audits, ...report }: SpendReport, baseline: string) {
  const kept = qualityKept(audits, baseline);
  const known = <T>(value: T) => (report.unreadable === undefined ? value : null);
  const measured = kept.kind === 'measured' ? kept : undefined;
  return {
    month: budget.month,
    resets_on: resetDate(budget.month),
    budget_usd: usdOf(budget.limitNanoUsd),
    spent_usd: dollars(budget.spentNanoUsd),
    held_usd: dollars(budget.heldNanoUsd),
    remaining_usd: usdOf(remaining(budget)),
    answers: known(report.answers),
    baseline,
    saved_usd: known(dollars(report.savedNanoUsd)),
    unknown_savings: known(report.unknownSavings),
    quality_kept: {
      share: measured?.share ?? null,
      low: measured?.low ?? null,
      high: measured?.high ?? null,
      audits: kept.n,
      needed: LEAST_AUDITS,
    },
    audits: known(audits.audits),
    audits_usd: known(dollars(audits.costNanoUsd)),
    rows: report.rows.map(({ modelId, served, answers, costNanoUsd }) => ({
      model: modelId,
      served,
      answers,
      cost_usd: dollars(costNanoUsd),
    })),
  };
}
