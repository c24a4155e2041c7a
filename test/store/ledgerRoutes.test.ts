/** What the dashboard reads, on the real ledger: sums, pages, filters, search, traces, verdicts, exports, and news of other windows. */
import assert from 'node:assert/strict';
import type { AnswerRecord } from '../../server/src/core/ports.ts';
import { nanoUsd, nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import type { RoutesQuery } from '../../server/src/core/routeReports.ts';
import { type AnyPlace, answer, bill, eachStore, NOVEMBER, request } from './ledgerFixture.ts';

const LIMITS = { monthlyNanoUsd: usd(20) };
const unknown = { kind: 'unknown', why: 'answer_incomplete' } as const;

function routed(id: string, iso: string, more: Partial<AnswerRecord> & { task: string }) {
  const { task, ...rest } = more;
  return answer(id, {
    atMs: Date.parse(iso),
    trace: JSON.stringify({ route: { trace: { task } }, attempts: [] }),
    ...rest,
  });
}

const local = { modelId: 'small', served: 'local', costNanoUsd: nanoUsd(0) } as const;

async function november(temp: () => Promise<AnyPlace>): Promise<AnyPlace> {
  const opened = await temp();
  const records = [
    routed('a', '2026-10-31T23:59:59Z', { task: 'math' }),
    routed('b', '2026-11-01T00:00:00Z', { task: 'math', ...local }),
    routed('c', '2026-11-01T10:00:00Z', { task: 'explain', costNanoUsd: nanoUsd(7000) }),
    routed('d', '2026-11-02T10:00:00Z', { task: 'explain', ...local, savings: unknown }),
    routed('e', '2026-11-02T10:00:00Z', {
      task: 'explain_code',
      modelId: null,
      served: 'none',
      status: 'failed',
      reason: 'budget_exhausted(wanted=cloud-model, period=day)',
      savings: unknown,
    }),
  ];
  for (const record of records) await opened.ledger.record(record);
  return opened;
}

eachStore(
  'a month is summed by day, model, task, place and reason, unknown savings apart',
  async (_, temp) => {
    const { ledger } = await november(temp);
    await ledger.reserve(request('r', 0.5), LIMITS);
    await ledger.dispatch('r');
    await ledger.settle('r', bill(0.25));
    const report = await ledger.reports.month(LIMITS, '2026-11');
    assert.deepEqual(report.budget, await ledger.budget(LIMITS));
    assert.deepEqual(report.months, ['2026-11', '2026-10']);
    assert.deepEqual(report.total, {
      answers: 4,
      costNanoUsd: 8000,
      savedNanoUsd: 1000,
      baselineNanoUsd: 3000,
      unknownSavings: 2,
    });
    const named = (rows: readonly object[]) =>
      rows.map((row) => {
        const [name, answers, cost] = Object.values(row);
        return [name, answers, cost];
      });
    assert.deepEqual(named(report.days), [
      ['2026-11-01', 2, 7000],
      ['2026-11-02', 2, 1000],
    ]);
    assert.deepEqual(named(report.byModel), [
      ['cloud-model', 1, 7000],
      ['none', 1, 1000],
      ['small', 2, 0],
    ]);
    assert.deepEqual(named(report.byTask), [
      ['explain', 2, 7000],
      ['explain_code', 1, 1000],
      ['math', 1, 0],
    ]);
    assert.deepEqual(named(report.byServed), [
      ['local', 2, 0],
      ['cloud', 1, 7000],
      ['none', 1, 1000],
    ]);
    assert.deepEqual(named(report.byReason), [
      ['prompt_complexity_high', 3, 7000],
      ['budget_exhausted', 1, 1000],
    ]);
    const october = await ledger.reports.month(LIMITS, '2026-10');
    assert.deepEqual([october.total.answers, october.budget.spentNanoUsd], [1, 0]);
    assert.equal((await ledger.reports.month(LIMITS, '2020-01')).total.answers, 0);
  },
);

eachStore('the sums are those of the spend report', async (_, temp) => {
  const { ledger } = await november(temp);
  const spend = await ledger.spend(LIMITS);
  const { total, budget } = await ledger.reports.month(LIMITS);
  assert.deepEqual(
    [spend.budget, spend.answers, spend.savedNanoUsd, spend.unknownSavings],
    [budget, total.answers, total.savedNanoUsd, total.unknownSavings],
  );
});

eachStore('routes come newest first, by page, filter and search', async (_, temp) => {
  const { ledger } = await november(temp);
  const rows: readonly [Partial<RoutesQuery>, total: number, ids: string][] = [
    [{}, 4, 'edcb'],
    [{ limit: 2 }, 4, 'ed'],
    [{ limit: 2, offset: 2 }, 4, 'cb'],
    [{ offset: 9 }, 4, ''],
    [{ month: '2026-10' }, 1, 'a'],
    [{ month: '2026-12' }, 0, ''],
    [{ served: 'local' }, 2, 'db'],
    [{ served: 'local', offset: 1 }, 2, 'b'],
    [{ modelId: 'cloud-model' }, 1, 'c'],
    [{ modelId: 'none' }, 1, 'e'],
    [{ reasonCode: 'budget_exhausted' }, 1, 'e'],
    [{ served: 'local', reasonCode: 'budget_exhausted' }, 0, ''],
    [{ search: 'EXPLAIN' }, 3, 'edc'],
    [{ search: 'explain_' }, 1, 'e'],
    [{ search: '%' }, 0, ''],
    [{ search: 'period=day' }, 1, 'e'],
    [{ search: 'no such words', alsoPromptIds: ['b', 'a'] }, 1, 'b'],
    [{ search: 'explain', served: 'local' }, 1, 'd'],
    [{ search: ' ' }, 4, 'edcb'],
  ];
  for (const [query, total, ids] of rows) {
    const page = await ledger.reports.routes({ month: '2026-11', offset: 0, limit: 10, ...query });
    const got = page.rows.map(({ promptId }) => promptId).join('');
    assert.deepEqual([page.total, got], [total, ids], JSON.stringify(query));
  }
});

eachStore('a row and a trace say what was recorded, and no more', async (_, temp) => {
  const { ledger } = await november(temp);
  const { rows } = await ledger.reports.routes({ month: '2026-11', offset: 2, limit: 1 });
  assert.deepEqual(rows, [
    {
      promptId: 'c',
      atMs: Date.parse('2026-11-01T10:00:00Z'),
      promptSha256: 'ab12',
      modelId: 'cloud-model',
      served: 'cloud',
      status: 'complete',
      task: 'explain',
      score: 0.9,
      confidence: 0.5,
      reasonCode: 'prompt_complexity_high',
      reason: 'prompt_complexity_high(score=0.9)',
      costNanoUsd: 7000,
      savedNanoUsd: 500,
      baselineNanoUsd: 1500,
      latencyMs: 12.5,
      inputTokens: 10,
      outputTokens: 5,
      workspaceId: undefined,
    },
  ]);
  const found = await ledger.reports.trace('c');
  assert.equal(found?.trace.route?.trace.task, 'explain');
  assert.equal(found?.record.promptId, 'c');
  assert.equal(await ledger.reports.trace('nobody'), undefined);
});

eachStore('a verdict is kept once, counted by month and shown with its route', async (_, temp) => {
  const { ledger } = await november(temp);
  const given = [
    ['c', 'up'],
    ['c', 'up'],
    ['c', 'kept'],
    ['d', 'up'],
    ['a', 'down'],
    ['nobody', 'down'],
  ] as const;
  for (const [promptId, verdict] of given) await ledger.judge(promptId, verdict);
  const { verdicts } = await ledger.reports.month(LIMITS, '2026-11');
  assert.deepEqual([verdicts.up, verdicts.kept, verdicts.down, verdicts.dismissed], [2, 1, 0, 0]);
  assert.deepEqual((await ledger.reports.trace('c'))?.verdicts, ['up', 'kept']);
});

eachStore('an export has every row, oldest first, and runs no formula', async (_, temp) => {
  const { ledger } = await november(temp);
  await ledger.record(routed('=1+1', '2026-11-03T00:00:00Z', { task: 'a "b", c', ...local }));
  const csv = (await ledger.reports.export('2026-11', 'csv')).split('\r\n');
  assert.equal(csv.length, 7);
  assert.match(csv[0] ?? '', /^time,prompt_id,.*cost_nano_usd,cost_usd,saved_nano_usd/);
  assert.match(csv[2] ?? '', /^2026-11-01T10:00:00.000Z,c,ab12,cloud-model,.*,7000,0.000007,500,/);
  assert.match(csv[3] ?? '', /,d,.*,0,0,,,12.5,/, 'unknown savings are empty cells');
  assert.match(csv[5] ?? '', /,'=1\+1,.*,"a ""b"", c",/);
  const lines = (await ledger.reports.export('2026-11', 'jsonl')).trimEnd().split('\n');
  const parsed = lines.map((line) => JSON.parse(line));
  assert.deepEqual(
    parsed.map(({ prompt_id }) => prompt_id),
    ['b', 'c', 'd', 'e', '=1+1'],
  );
  assert.equal(parsed[2].saved_nano_usd, null);
});

eachStore(
  'a listener is told of what another window wrote, and not of its own',
  async (_, temp) => {
    const { ledger, open } = await november(temp);
    const other = await open();
    let told = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = ledger.onChanged(() => {
      told += 1;
      resolve();
    }, 5);
    await ledger.record(routed('own', NOVEMBER, { task: 'math', ...local }));
    await other.record(routed('theirs', NOVEMBER, { task: 'math', ...local }));
    await promise;
    assert.equal(told, 1);
    assert.equal((await ledger.reports.month(LIMITS)).total.answers, 6);
    stop();
  },
);
