/** The budgets in force as the status bar and its tooltip tell them. */
import { type BudgetLeft, resetDate } from '../../core/budget.ts';
import { formatUsd } from '../../core/report.ts';
import type { Language } from '../language.ts';
import { budgetMoney, dayText } from './texts.ts';

/** Now, and the month whose budget is in force: after the clock was set back that is the later one. */
export interface BudgetTime {
  readonly nowMs: number;
  readonly month: string;
}

const DAY_MS = 86_400_000;

/** `$3.12 / $20`, `$0.40 / $1 workspace`: only the month's, which is the usual one, goes without a name. */
export function budgetFigure({ period, ...budget }: BudgetLeft, { t }: Language): string {
  const facts = amounts(budget);
  switch (period) {
    case 'month':
      return t('{spent} / {limit}', facts);
    case 'day':
      return t('{spent} / {limit} today', facts);
    case 'session':
      return t('{spent} / {limit} session', facts);
    case 'workspace':
      return t('{spent} / {limit} workspace', facts);
  }
}

export function budgetSentence(
  { period, ...budget }: BudgetLeft,
  time: BudgetTime,
  { t, tag }: Language,
): string {
  const facts = amounts(budget);
  if (period === 'session') return t('{spent} of {limit} spent in this session.', facts);
  const dated = { ...facts, day: dayText(resetOf(period, time), tag) };
  switch (period) {
    case 'month':
      return t('{spent} of {limit} spent this month; resets on {day}.', dated);
    case 'day':
      return t('{spent} of {limit} spent today; resets on {day}.', dated);
    case 'workspace':
      return t('{spent} of {limit} spent in this workspace this month; resets on {day}.', dated);
  }
}

/** `local only until 1 Dec`, when nothing more can be paid under it. */
export function usedUpText({ period }: BudgetLeft, time: BudgetTime, { t, tag }: Language): string {
  return period === 'session'
    ? t('local only in this session')
    : t('local only until {day}', { day: dayText(resetOf(period, time), tag, 'short') });
}

function amounts({ spentNanoUsd, limitNanoUsd }: Omit<BudgetLeft, 'period'>) {
  return { spent: formatUsd(spentNanoUsd), limit: budgetMoney(limitNanoUsd).text };
}

/** Days and months are UTC, as the ledger counts them. */
function resetOf(period: 'month' | 'day' | 'workspace', { nowMs, month }: BudgetTime): string {
  return period === 'day' ? new Date(nowMs + DAY_MS).toISOString().slice(0, 10) : resetDate(month);
}
