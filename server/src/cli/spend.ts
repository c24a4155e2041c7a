/** `spend`: this month's money, as a table for people or as the REST reply's object. */
import { remaining, resetDate } from '../core/budget.ts';
import type { SpendReport } from '../core/ports.ts';
import { auditsText, qualityKept, qualityKeptText } from '../core/qualityKept.ts';
import { formatUsd, labelOf } from '../core/report.ts';
import { spendReplyOf } from '../core/spendReply.ts';
import { english } from '../core/translate.ts';
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import { type Session, withApp } from './session.ts';
import { table } from './table.ts';

export interface SpendFlags {
  readonly json?: boolean;
}

export async function spend(session: Session, flags: SpendFlags): Promise<number> {
  const { io } = session;
  return await withApp(session, async (app) => {
    const registry = app.catalogue.registry();
    const baseline = app.settings().baseline ?? registry.defaults.baseline;
    const report = await app.router.spend();
    await writeLine(
      io.stdout,
      flags.json === true
        ? JSON.stringify(spendReplyOf(report, baseline))
        : spendText(report, baseline, labelOf(registry), app.settings().auditShare),
    );
    return exitCodes.ok;
  });
}

function spendText(
  { budget, ...report }: SpendReport,
  baseline: string,
  names: (id: string) => string,
  auditShare: number,
): string {
  const left = remaining(budget);
  const limit = budget.limitNanoUsd === undefined ? '' : ` of ${formatUsd(budget.limitNanoUsd)}`;
  const details = [
    ...(budget.heldNanoUsd > 0 ? [`at most ${formatUsd(budget.heldNanoUsd)} more is held`] : []),
    ...(left === undefined
      ? ['no limit']
      : [`${formatUsd(left)} left`, `resets on ${resetDate(budget.month)}`]),
  ];
  const spent = `${budget.month}  spent ${formatUsd(budget.spentNanoUsd)}${limit}: ${details.join(', ')}`;
  if (report.unreadable !== undefined) {
    return [
      spent,
      '',
      'The spend is what its mirror knows; answers and savings are unknown while the ledger is closed.',
    ].join('\n');
  }
  const unknown = report.unknownSavings > 0 ? ` (${report.unknownSavings} unknown)` : '';
  const kept = qualityKept(report.audits, baseline);
  const audited = auditsText(report.audits, english);
  const rows = report.rows.map((row) => [
    row.served,
    row.served === 'none' ? 'no answer' : names(row.modelId),
    `${row.answers}`,
    costOf(row.served, row.costNanoUsd),
  ]);
  return [
    spent,
    `         saved ${formatUsd(report.savedNanoUsd)} against ${names(baseline)}${unknown}`,
    `         quality kept by local answers: ${qualityKeptText(kept, auditShare, english)}`,
    ...(audited === '' ? [] : [`         ${audited}`]),
    '',
    rows.length === 0
      ? 'No answers yet this month.'
      : table(['served', 'model', 'answers', 'cost'], rows),
  ].join('\n');
}

function costOf(served: string, nanoUsd: number): string {
  if (nanoUsd > 0) return formatUsd(nanoUsd);
  return served === 'cache' ? 'cached' : served === 'local' ? 'free' : formatUsd(0);
}
