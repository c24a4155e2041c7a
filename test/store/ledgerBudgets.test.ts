/** Several budgets at once, on the real ledger: which one binds, what a day's end frees, and what a clock set back does not. */
import assert from 'node:assert/strict';
import { tightest } from '../../server/src/core/budget.ts';
import type { BudgetLimits, BudgetScope } from '../../server/src/core/ports.ts';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { bill, clockAt, eachStore, NOVEMBER, request } from './ledgerFixture.ts';

const LIMITS: BudgetLimits = {
  monthlyNanoUsd: usd(10),
  dailyNanoUsd: usd(3),
  sessionNanoUsd: usd(2),
  workspaceNanoUsd: usd(4),
};
const HERE: BudgetScope = { sessionId: 's1', workspaceId: 'w1' };

eachStore('the budget with the least left binds, and says so', async (_, temp) => {
  const clock = clockAt(NOVEMBER);
  const { ledger } = await temp(clock);
  let calls = 0;
  /** Pays this much, or tells which budget was too small for it. */
  const spend = async (dollars: number, scope: BudgetScope, limits = LIMITS) => {
    calls += 1;
    const id = `r${calls}`;
    const reply = await ledger.reserve(request(id, dollars, scope), limits);
    if (reply.kind === 'exhausted') return tightest(reply.state)?.period;
    assert.equal(reply.kind, 'held');
    await ledger.dispatch(id);
    await ledger.settle(id, bill(dollars));
    return 'paid';
  };
  const rows: readonly [dollars: number, scope: BudgetScope, want: string][] = [
    [2, HERE, 'paid'],
    [0.5, HERE, 'session'],
    // A new session of the same day has the day's rest.
    [1, { ...HERE, sessionId: 's2' }, 'paid'],
    [0.5, { ...HERE, sessionId: 's3' }, 'day'],
    [0.5, {}, 'day'],
  ];
  for (const [dollars, scope, want] of rows) {
    assert.equal(await spend(dollars, scope), want, JSON.stringify([dollars, scope]));
  }
  clock.set('2026-11-24T00:00:00Z');
  assert.equal(await spend(1.5, { ...HERE, sessionId: 's4' }), 'workspace');
  assert.equal(await spend(1, { ...HERE, sessionId: 's4' }), 'paid');
  assert.equal(await spend(1, { sessionId: 's4', workspaceId: 'w2' }), 'paid');

  // The day that was opened last stays the day in force, so its spend can't be escaped by the clock.
  clock.set(NOVEMBER);
  assert.equal(await spend(2, { sessionId: 's5' }), 'day');
  assert.equal(await spend(1, { sessionId: 's5' }), 'paid');
  assert.deepEqual(
    (await ledger.budget(LIMITS, { sessionId: 's5', workspaceId: 'w2' })).narrower?.map((one) => [
      one.period,
      one.spentNanoUsd,
    ]),
    [
      ['day', usd(3)],
      ['session', usd(1)],
      ['workspace', usd(1)],
    ],
  );

  // A session's budget does not end with the day or the month; a workspace's does with the month.
  clock.set('2026-12-01T12:00:00Z');
  assert.equal(await spend(1, HERE), 'session');
  assert.equal(await spend(2, { sessionId: 's6', workspaceId: 'w1' }), 'paid');
  assert.deepEqual(await ledger.verify(), []);
});

eachStore('a raised or lifted limit holds at once, for every window', async (_, temp) => {
  const { ledger, open } = await temp();
  const other = await open();
  const daily = (dollars: number | undefined): BudgetLimits => ({
    monthlyNanoUsd: undefined,
    ...(dollars === undefined ? {} : { dailyNanoUsd: usd(dollars) }),
  });
  assert.equal((await ledger.reserve(request('a', 1), daily(1))).kind, 'held');
  assert.equal((await other.reserve(request('b', 0.5), daily(1))).kind, 'exhausted');
  assert.equal((await other.reserve(request('b', 0.5), daily(1.5))).kind, 'held');
  assert.equal((await ledger.reserve(request('c', 5), daily(undefined))).kind, 'held');
  assert.deepEqual((await other.budget(daily(2))).narrower?.[0]?.heldNanoUsd, usd(6.5));
});

eachStore('holds of several windows never pass a narrower limit together', async (_, temp) => {
  const { ledger, open } = await temp();
  const other = await open();
  const limits: BudgetLimits = { monthlyNanoUsd: undefined, workspaceNanoUsd: usd(1) };
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      [ledger, other][n % 2]!.reserve(request(`r${n}`, 0.3, { workspaceId: 'w' }), limits),
    ),
  );
  assert.equal(replies.filter(({ kind }) => kind === 'held').length, 3);
  assert.equal(replies.filter(({ kind }) => kind === 'exhausted').length, 17);
});
