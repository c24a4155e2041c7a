/** What the team ledger tells of money and answers without writing anything. */
import { type Balance, dayOf, EMPTY_BALANCE, monthOf } from '../core/budget.ts';
import { type Balances, balancesAt, stateUnder } from '../core/budgetsInForce.ts';
import type { BudgetLimits, BudgetScope, Clock, Ledger } from '../core/ports.ts';
import { nanoUsd } from '../core/price.ts';
import type { RouteReports } from '../core/routeReports.ts';
import { LedgerUnavailableError } from './ledgerFaults.ts';
import { recordOf } from './ledgerPostgresAnswers.ts';
import type { TeamReadings } from './ledgerPostgresReadings.ts';
import {
  answerSums,
  auditSums,
  exportRoutes,
  judgedRecords,
  monthSums,
  routePage,
  storedRoute,
} from './ledgerPostgresReports.ts';
import { type Asked, askFacts, factsFrom, openTx } from './ledgerPostgresTx.ts';
import { balanceFrom } from './ledgerRows.ts';
import type { PostgresSession } from './postgresSession.ts';
import { text } from './sqliteRows.ts';

export interface TeamPast extends Pick<Ledger, 'budget' | 'frozenModels' | 'answered' | 'spend'> {
  readonly reports: RouteReports;
  /** Makes the first readings, which are told again when the server goes away later. */
  warmUp(): Promise<void>;
}

export function createTeamPast(deps: {
  readonly readings: TeamReadings;
  readonly clock: Clock;
  readonly sha256: (text: string) => string;
  /** What a month had spent after the last commit of this process. */
  readonly spentIn: (month: string) => number;
}): TeamPast {
  const { readings, clock, sha256, spentIn } = deps;
  const balancesNow = readings.remembered(
    async (session, scope: BudgetScope): Promise<Balances> => {
      const nowMs = clock.now();
      const asked = askedFor(scope, nowMs);
      const [reply] = await session.flight([askFacts(asked, undefined, undefined)]);
      const counters = openTx(factsFrom(reply?.rows[0], asked), sha256);
      return balancesAt(counters, nowMs, scope);
    },
    ({ ofSession, ofWorkspace, ...last }, isSameKey) => ({
      ...last,
      // This process may have booked more since that reading.
      ofMonth: {
        ...last.ofMonth,
        spentNanoUsd: nanoUsd(Math.max(last.ofMonth.spentNanoUsd, spentIn(last.month))),
      },
      // The month and the day are everyone's; of another session or workspace nothing is known.
      ofSession: isSameKey ? ofSession : undefined,
      ofWorkspace: isSameKey ? ofWorkspace : undefined,
    }),
  );
  const frozenNow = readings.remembered(async (session, _: ''): Promise<ReadonlySet<string>> => {
    const [reply] = await session.flight([{ text: 'SELECT model_id FROM frozen_models' }]);
    return new Set(reply?.rows.map((row) => text(row, 'model_id')));
  });
  const sumsOf = readings.remembered(async (session, month: string) => ({
    ...(await answerSums(session, month)),
    audits: await auditSums(session, month),
  }));
  const reportOf = readings.remembered(async (session, month: string) => ({
    ...(await monthSums(session, month)),
    audits: await auditSums(session, month),
  }));

  const budget = async (limits: BudgetLimits, scope: BudgetScope = {}) => {
    const { sessionId, workspaceId } = scope;
    const named = {
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(workspaceId === undefined ? {} : { workspaceId }),
    };
    return stateUnder(limits, await balancesNow(named));
  };

  return {
    budget,
    frozenModels: () => frozenNow(''),
    async answered(promptId) {
      try {
        const [reply] = await readings.once((session) => session.flight([recordOf(promptId)]));
        return reply?.rows[0] !== undefined;
      } catch (error) {
        // A ledger that can't be read knows of no answer; spending is refused by `reserve`.
        if (error instanceof LedgerUnavailableError) return false;
        throw error;
      }
    },
    async spend(limits) {
      const state = await budget(limits);
      return { budget: state, ...(await sumsOf(state.month)) };
    },
    reports: {
      async month(limits, month) {
        const now = await budget({ monthlyNanoUsd: limits.monthlyNanoUsd });
        const asked = month ?? now.month;
        const report = await reportOf(asked);
        if (asked === now.month) return { budget: now, ...report };
        const ofMonth = await readings.once((session) => monthBalance(session, asked));
        return { budget: { ...now, month: asked, ...ofMonth }, ...report };
      },
      routes: readings.remembered(routePage),
      trace: readings.remembered(storedRoute),
      judged: () => readings.once(judgedRecords),
      export: (month, format) => exportRoutes(readings.once, month, format),
    },
    async warmUp() {
      const { month } = await balancesNow({});
      await sumsOf(month);
      await frozenNow('');
    },
  };
}

/** What the rules read of the budgets that hold for a scope at a time. */
export function askedFor({ sessionId, workspaceId }: BudgetScope, nowMs: number): Asked {
  return {
    budgets: {
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(workspaceId === undefined ? {} : { workspaceId }),
      month: monthOf(nowMs),
      day: dayOf(nowMs),
    },
  };
}

async function monthBalance(session: PostgresSession, month: string): Promise<Balance> {
  const [reply] = await session.flight([
    { text: `SELECT * FROM balances WHERE scope = 'month' AND key = $1`, values: [month] },
  ]);
  const row = reply?.rows[0];
  return row === undefined ? EMPTY_BALANCE : balanceFrom(row);
}
