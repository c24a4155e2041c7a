/** The budgets of one prompt as the ledger's counters have them: its month, its day, its session, its workspace's month. */
import { type Balance, dayOf, monthOf } from './budget.ts';
import type {
  BudgetLimits,
  BudgetPeriod,
  BudgetScope,
  BudgetState,
  NarrowerBudget,
} from './ports.ts';
import type { NanoUsd } from './types.ts';

/** The UTC month and day that a reservation counts against. */
export interface BudgetDates {
  readonly month: string;
  readonly day: string;
}

export interface Counters {
  /** The latest month or day that was ever opened; neither ever goes back behind it. */
  latest(period: 'month' | 'day'): string | undefined;
  balance(period: BudgetPeriod, key: string): Balance;
}

export interface Balances extends BudgetDates {
  readonly ofMonth: Balance;
  readonly ofDay: Balance;
  readonly ofSession: Balance | undefined;
  readonly ofWorkspace: Balance | undefined;
}

/** The month and day whose budgets are in force. A clock that was set back does not reopen earlier ones. */
function datesInForce(counters: Counters, nowMs: number): BudgetDates {
  return {
    month: later(counters.latest('month'), monthOf(nowMs)),
    day: later(counters.latest('day'), dayOf(nowMs)),
  };
}

function later(latest: string | undefined, current: string): string {
  return latest !== undefined && latest > current ? latest : current;
}

export function balancesAt(counters: Counters, nowMs: number, scope: BudgetScope): Balances {
  const { month, day } = datesInForce(counters, nowMs);
  const { sessionId, workspaceId } = scope;
  return {
    month,
    day,
    ofMonth: counters.balance('month', month),
    ofDay: counters.balance('day', day),
    ofSession: sessionId === undefined ? undefined : counters.balance('session', sessionId),
    ofWorkspace:
      workspaceId === undefined
        ? undefined
        : counters.balance('workspace', workspaceKey(month, workspaceId)),
  };
}

/** A workspace's budget is monthly, so its key names the month. */
export function workspaceKey(month: string, workspaceId: string): string {
  return `${month} ${workspaceId}`;
}

/** The counters that a reservation has a share in. */
export function countersOf(reservation: {
  readonly month: string;
  readonly day?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly workspaceId?: string | undefined;
}): readonly { readonly period: BudgetPeriod; readonly key: string }[] {
  const { month, day, sessionId, workspaceId } = reservation;
  const counted = [
    { period: 'month', key: month },
    { period: 'day', key: day },
    { period: 'session', key: sessionId },
    {
      period: 'workspace',
      key: workspaceId === undefined ? undefined : workspaceKey(month, workspaceId),
    },
  ] as const;
  return counted.flatMap(({ period, key }) => (key === undefined ? [] : [{ period, key }]));
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
