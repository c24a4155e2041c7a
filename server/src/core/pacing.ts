/**
 * Pacing: how much a budget holds back so that its money lasts to its end. The share of prompts that escalate falls
 * smoothly as spending runs ahead of the calendar, long before the limit cuts it off. Pure.
 */
import { type BudgetInForce, inForce } from './budget.ts';
import type { BudgetState } from './ports.ts';

/** Share of a budget that may be spent ahead of the calendar; a judgement: three busy days of a month. */
const HEAD_START = 0.1;

/** What escalating is worth most still passes until the money is gone; waiting on it alone would save next to nothing. */
const MOST_HELD = 0.95;

/**
 * How much the budgets in force hold back, in [0,1]: 0 escalates as usual, 1 not at all. The strictest of them counts.
 * @param from share of a budget from which it holds back whatever the calendar says; 1 switches pacing off
 */
export function pressureOf(state: BudgetState, nowMs: number, from: number): number {
  if (from >= 1) return 0;
  const each = inForce(state).map((budget) => pressure(budget, state.month, nowMs, from));
  return Math.max(0, ...each);
}

/** The share of prompts that may escalate under that pressure. */
export function pacedShare(escalateShare: number, held: number): number {
  return escalateShare * (1 - held);
}

function pressure(budget: BudgetInForce, month: string, nowMs: number, from: number): number {
  const { limitNanoUsd, spentNanoUsd, heldNanoUsd, period } = budget;
  const used = limitNanoUsd === 0 ? 1 : (spentNanoUsd + heldNanoUsd) / limitNanoUsd;
  if (used >= 1) return 1;
  const begins = Math.min(from, elapsedShare(period, month, nowMs) + HEAD_START);
  const way = Math.min(1, Math.max(0, (used - begins) / (1 - from)));
  return MOST_HELD * way * way * (3 - 2 * way);
}

/** How much of a budget's time has passed. A session has no end that could be waited for, so only its limit counts. */
function elapsedShare(period: BudgetInForce['period'], month: string, nowMs: number): number {
  switch (period) {
    case 'session':
      return 1;
    case 'day':
      return (nowMs % DAY_MS) / DAY_MS;
    default: {
      const { begin, end } = monthNamed(month);
      return Math.min(1, Math.max(0, (nowMs - begin) / (end - begin)));
    }
  }
}

/** Reading a date is dear beside the rest of a decision, and the month changes seldom. */
let lastMonth = { name: '', begin: 0, end: 1 };

function monthNamed(name: string): { readonly begin: number; readonly end: number } {
  if (lastMonth.name !== name) {
    const begin = Date.parse(`${name}-01T00:00:00Z`);
    const next = new Date(begin);
    next.setUTCMonth(next.getUTCMonth() + 1);
    lastMonth = { name, begin, end: next.getTime() };
  }
  return lastMonth;
}

const DAY_MS = 86_400_000;
