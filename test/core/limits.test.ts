/** The limits of the settings on a prompt: which budget binds, what stands where a request says nothing, and what happens at the limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitsOf, remaining, tightest, usedShare } from '../../server/src/core/budget.ts';
import type { BudgetState, NarrowerBudget } from '../../server/src/core/ports.ts';
import { nanoUsd, nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { withinSettings } from '../../server/src/core/request.ts';
import { settingsSchema } from '../../server/src/core/schema.ts';
import type { Constraints } from '../../server/src/core/types.ts';
import {
  answerOf,
  BIG,
  collect,
  failureOf,
  LOCAL,
  promptOf,
  scriptedRouter,
} from '../support/scriptedPorts.ts';

const settings = settingsSchema.parse({
  monthlyBudgetNanoUsd: 100,
  dailyBudgetNanoUsd: 50,
  sessionBudgetNanoUsd: 20,
  workspaceBudgetsNanoUsd: { w: 70 },
});

test('a prompt has the limits of its month, its day, and the session and workspace it names', () => {
  const rows = [
    [{}, { monthlyNanoUsd: 100, dailyNanoUsd: 50 }],
    [{ sessionId: 's' }, { monthlyNanoUsd: 100, dailyNanoUsd: 50, sessionNanoUsd: 20 }],
    [{ workspaceId: 'w' }, { monthlyNanoUsd: 100, dailyNanoUsd: 50, workspaceNanoUsd: 70 }],
    [{ workspaceId: 'other' }, { monthlyNanoUsd: 100, dailyNanoUsd: 50 }],
    [{ workspaceId: 'toString' }, { monthlyNanoUsd: 100, dailyNanoUsd: 50 }],
  ] as const;
  for (const [scope, want] of rows) assert.deepEqual(limitsOf(settings, scope), want);
  assert.deepEqual(limitsOf(settingsSchema.parse({}), { sessionId: 's' }), {
    monthlyNanoUsd: undefined,
  });
});

test('the budget with the least left binds; the one used most paces', () => {
  const narrow = (
    period: NarrowerBudget['period'],
    limit: number,
    spent: number,
    held = 0,
  ): NarrowerBudget => ({
    period,
    limitNanoUsd: nanoUsd(limit),
    spentNanoUsd: nanoUsd(spent),
    heldNanoUsd: nanoUsd(held),
  });
  const month = (limit: number | undefined, narrower?: NarrowerBudget[]): BudgetState => ({
    month: '2026-11',
    limitNanoUsd: limit === undefined ? undefined : nanoUsd(limit),
    spentNanoUsd: nanoUsd(40),
    heldNanoUsd: nanoUsd(0),
    ...(narrower && { narrower }),
  });
  const rows: readonly [BudgetState, period: string | undefined, left?: number, used?: number][] = [
    [month(100), 'month', 60, 0.4],
    [month(100, [narrow('day', 50, 20)]), 'day', 30, 0.4],
    [month(100, [narrow('day', 500, 450), narrow('session', 30, 5, 5)]), 'session', 20, 0.9],
    [month(45, [narrow('workspace', 50, 40)]), 'month', 5, 40 / 45],
    [month(undefined, [narrow('day', 10, 20)]), 'day', 0, 2],
    [month(undefined), undefined, undefined, undefined],
  ];
  for (const [state, period, left, used] of rows) {
    assert.equal(tightest(state)?.period, period);
    assert.equal(remaining(state), left);
    assert.equal(usedShare(state), used);
  }
});

test('the settings stand where a request says nothing, and its cost is the lower of both', () => {
  const limits = settingsSchema.parse({
    perRequestNanoUsd: 500,
    minQuality: 0.7,
    maxLatencyMs: 2000,
  });
  const rows: readonly [Constraints, Partial<Constraints>][] = [
    [{}, { maxCostNanoUsd: nanoUsd(500), minQuality: 0.7, maxLatencyMs: 2000 }],
    [
      { maxCostNanoUsd: nanoUsd(900), minQuality: 0.9 },
      { maxCostNanoUsd: nanoUsd(500), minQuality: 0.9, maxLatencyMs: 2000 },
    ],
    [
      { maxCostNanoUsd: nanoUsd(0), maxLatencyMs: 9000 },
      { maxCostNanoUsd: nanoUsd(0), minQuality: 0.7, maxLatencyMs: 9000 },
    ],
  ];
  for (const [asked, want] of rows) {
    const { constraints } = withinSettings(promptOf('Why?', asked), limits);
    assert.deepEqual(constraints, want);
    assert.deepEqual(withinSettings(promptOf('Why?', constraints), limits).constraints, want);
  }
});

const hard = { scores: { [LOCAL]: 0.9 } };

test('a limit per request holds however much the budget has left', async () => {
  const { router, reservations } = scriptedRouter({
    ...hard,
    settings: { perRequestNanoUsd: usd(0.0001) },
  });
  const answer = answerOf(await collect(router, promptOf('Why?')));
  assert.deepEqual([answer.modelId, answer.reason.code], [LOCAL, 'cost_limit']);
  assert.equal(reservations.size, 0);
});

test('at the limit: the local model answers, or the prompt is refused so that the person can be asked', async () => {
  const used = { ...hard, spentNanoUsd: 20e9 };
  const local = answerOf(await collect(scriptedRouter(used).router, promptOf('Why?')));
  assert.equal(local.modelId, LOCAL);

  for (const atLimit of ['ask', 'stop'] as const) {
    const { router, calls, records } = scriptedRouter({ ...used, settings: { atLimit } });
    const failed = failureOf(await collect(router, promptOf('Why?')));
    assert.deepEqual(
      [failed.failure.code, failed.reason?.code],
      ['budget_exhausted', 'budget_exhausted'],
    );
    assert.match(failed.failure.message, /this month's budget does not cover cloud-big; raise it/);
    assert.deepEqual([calls.length, records.length], [0, 1]);
    // Asked and told to go on locally, the person gets the answer.
    const forced = promptOf('Why?', { forceModel: { tier: 'cheap' } });
    assert.equal(answerOf(await collect(router, forced)).modelId, LOCAL);
  }
});

test('what is easy is answered at the limit too, since it costs nothing', async () => {
  const { router } = scriptedRouter({
    scores: { [LOCAL]: 0.1 },
    spentNanoUsd: 20e9,
    settings: { atLimit: 'stop' },
  });
  assert.equal(answerOf(await collect(router, promptOf('Why?'))).modelId, LOCAL);
});

test('a limit met only at the reservation is asked about too', async () => {
  const state = {
    month: '2026-11',
    limitNanoUsd: undefined,
    spentNanoUsd: nanoUsd(0),
    heldNanoUsd: nanoUsd(0),
    narrower: [
      {
        period: 'day',
        limitNanoUsd: nanoUsd(1),
        spentNanoUsd: nanoUsd(1),
        heldNanoUsd: nanoUsd(0),
      },
    ],
  } as const;
  const ledger = { reserve: async () => ({ kind: 'exhausted', state }) as const };
  const ask = scriptedRouter({ ...hard, ledger, settings: { atLimit: 'ask' } });
  const failed = failureOf(await collect(ask.router, promptOf('Why?')));
  assert.equal(failed.failure.code, 'budget_exhausted');
  assert.match(failed.failure.message, /^today's budget does not cover/);
  assert.deepEqual(failed.reason?.facts, {
    wanted: BIG,
    needsNanoUsd: failed.reason?.code === 'budget_exhausted' && failed.reason.facts.needsNanoUsd,
    limitNanoUsd: 0,
    period: 'day',
  });
  const local = scriptedRouter({ ...hard, ledger });
  assert.equal(answerOf(await collect(local.router, promptOf('Why?'))).modelId, LOCAL);
});

test('a call is reserved for its session and workspace', async () => {
  const seen: object[] = [];
  const { router } = scriptedRouter({
    ...hard,
    ledger: {
      reserve: async ({ sessionId, workspaceId }, limits) => {
        seen.push({ sessionId, workspaceId, limits });
        return { kind: 'unavailable', why: 'enough seen' };
      },
    },
    settings: { sessionBudgetNanoUsd: nanoUsd(5e9), workspaceBudgetsNanoUsd: { w: nanoUsd(6e9) } },
  });
  await collect(router, promptOf('Why?', {}, { sessionId: 's', workspaceId: 'w' }));
  assert.deepEqual(seen[0], {
    sessionId: 's',
    workspaceId: 'w',
    limits: { monthlyNanoUsd: 20e9, sessionNanoUsd: 5e9, workspaceNanoUsd: 6e9 },
  });
});
