/** The budgets of one prompt as the ledger's counters have them: its month, its day, its session, its workspace's month. */
import { type Balance, dayOf, monthOf } from '../core/budget.ts';
import type { BudgetLimits, BudgetScope, BudgetState, NarrowerBudget } from '../core/ports.ts';
import type { NanoUsd } from '../core/types.ts';
import type { Book, BudgetDates } from './ledgerBook.ts';

export interface Balances extends BudgetDates {
  readonly ofMonth: Balance;
  readonly ofDay: Balance;
  readonly ofSession: Balance | undefined;
  readonly ofWorkspace: Balance | undefined;
}

/** The month and day whose budgets are in force. A clock that was set back does not reopen earlier ones. */
function datesInForce(book: Book, nowMs: number): BudgetDates {
  return {
    month: later(book.latest('month'), monthOf(nowMs)),
    day: later(book.latest('day'), dayOf(nowMs)),
  };
}

function later(latest: string | undefined, current: string): string {
  return latest !== undefined && latest > current ? latest : current;
}

export function balancesAt(book: Book, nowMs: number, scope: BudgetScope): Balances {
  const { month, day } = datesInForce(book, nowMs);
  const { sessionId, workspaceId } = scope;
  return {
    month,
    day,
    ofMonth: book.balance(month),
    ofDay: book.narrowBalance('day', day),
    ofSession: sessionId === undefined ? undefined : book.narrowBalance('session', sessionId),
    ofWorkspace:
      workspaceId === undefined
        ? undefined
        : book.narrowBalance('workspace', `${month} ${workspaceId}`),
  };
}

export function stateUnder(limits: BudgetLimits, balances: Balances): BudgetState {
  const narrower = [
    ...narrow('day', limits.dailyNanoUsd, balances.ofDay),
    ...narrow('session', limits.sessionNanoUsd, balances.ofSession),
    ...narrow('workspace', limits.workspaceNanoUsd, balances.ofWorkspace),
  ];
  return {
    month: balances.month,
    limitNanoUsd: limits.monthlyNanoUsd,
    ...balances.ofMonth,
    ...(narrower.length === 0 ? {} : { narrower }),
  };
}

function narrow(
  period: NarrowerBudget['period'],
  limitNanoUsd: NanoUsd | undefined,
  balance: Balance | undefined,
): readonly NarrowerBudget[] {
  return limitNanoUsd === undefined || balance === undefined
    ? []
    : [{ period, limitNanoUsd, ...balance }];
}
