/** `statement` over a real ledger: each call on one line, and lines that add up to the ledger's counter to the nano-dollar. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { csvRows } from '../../server/src/core/csvRows.ts';
import type { ReservationRequest, Settlement } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { answer, request, USAGE } from '../store/ledgerFixture.ts';
import { type Accounted, accountedApp } from '../support/accountedApp.ts';
import { BIG, LOCAL, MINI } from '../support/scriptedPorts.ts';
import { cli, jsonOf } from './cliHarness.ts';

const LATE_NOVEMBER = '2026-11-30T23:59:59Z';
const NO_LIMIT = { monthlyNanoUsd: undefined };

async function call(
  { ledger }: Accounted,
  id: string,
  modelId: string,
  boundNano: number,
  end: Settlement | undefined,
  more: Partial<ReservationRequest> = {},
): Promise<void> {
  const boundNanoUsd = nanoUsd(boundNano);
  const held = request(id, 0, { modelId, promptId: id, boundNanoUsd, ...more });
  assert.equal((await ledger.reserve(held, NO_LIMIT)).kind, 'held');
  await ledger.dispatch(id);
  if (end !== undefined) await ledger.settle(id, end);
}

function billed(nano: number): Settlement {
  return { kind: 'settled', costNanoUsd: nanoUsd(nano), usage: USAGE };
}

/** One of everything that can happen in a month. */
async function november(t: TestContext): Promise<Accounted> {
  const accounted = await accountedApp(t, LATE_NOVEMBER);
  const { ledger, clock } = accounted;
  const atMs = Date.parse(LATE_NOVEMBER);
  await call(accounted, 'paid', BIG, 5_000, billed(1_001));
  await call(accounted, 'paid again', BIG, 5_000, billed(2_002));
  await call(accounted, 'paid small', MINI, 5_000, billed(7));
  await call(accounted, 'cancelled', BIG, 5_000, billed(300));
  await call(accounted, 'cut', BIG, 40_000, { kind: 'settled_at_bound', why: 'stream_cut' });
  await call(accounted, 'refused', BIG, 5_000, { kind: 'voided', why: 'bad_key' });
  await call(accounted, 'over', MINI, 10, billed(11));
  await call(accounted, 'over midnight', BIG, 5_000, billed(90));
  await call(accounted, 'audit', BIG, 5_000, billed(50), { promptId: 'local', purpose: 'audit' });
  await call(accounted, 'open', 'left-registry', 777, undefined);
  const of = (promptId: string, more: Parameters<typeof answer>[1] = {}) =>
    ledger.record(answer(promptId, { atMs, modelId: BIG, ...more }));
  await of('paid');
  await of('paid again');
  await of('paid small', { modelId: MINI });
  const none = { modelId: null, served: 'none' } as const;
  const unknown = { kind: 'unknown', why: 'answer_incomplete' } as const;
  await of('cancelled', { ...none, status: 'cancelled', savings: unknown });
  await of('cut', { ...none, status: 'failed', savings: unknown });
  await of('from cache', { served: 'cache', costNanoUsd: nanoUsd(0) });
  const free = { modelId: LOCAL, served: 'local', costNanoUsd: nanoUsd(0) } as const;
  await of('local', { ...free, timing: { latencyMs: 1_500.25 } });
  await of('local again', {
    ...free,
    timing: { latencyMs: 2_000 },
    savings: { kind: 'known', savedNanoUsd: -20_000, baselineCostNanoUsd: nanoUsd(0) },
    usage: { ...USAGE, outputTokens: undefined },
  });
  clock.set('2026-12-01T00:00:01Z');
  await of('over midnight', { atMs: Date.parse('2026-12-01T00:00:01Z') });
  await call(accounted, 'in december', BIG, 5_000, billed(4_000));
  return accounted;
}

type Line = Readonly<Record<string, unknown>>;

test('every call stands on one line, and the lines are the ledger', async (t) => {
  const { app } = await november(t);
  const run = await cli(['statement', '--month', '2026-11', '--format', 'json'], { app });
  assert.equal(run.code, 0, run.stderr);
  const told = jsonOf(run);
  const lines = (told['lines'] as readonly Line[]).map((line) => [
    line['line'],
    line['model'],
    line['answers'],
    line['calls'],
    line['amount_usd'],
    line['certainty'],
    line['in_total'],
  ]);
  assert.deepEqual(lines, [
    // The call that was reserved at the end of the month is this month's, its answer is the next one's.
    ['answered', BIG, 2, 3, '0.000003093', 'exact', true],
    ['answered', MINI, 1, 1, '0.000000007', 'exact', true],
    ['no_answer', BIG, 0, 1, '0.000000300', 'exact', true],
    ['audit', BIG, 0, 1, '0.000000050', 'exact', true],
    ['at_bound', BIG, 0, 1, '0.000040000', 'at_most', true],
    ['overrun', MINI, 0, 1, '0.000000011', 'exact', true],
    ['voided', BIG, 0, 1, '0.000000000', 'exact', false],
    ['open_hold', 'left-registry', 0, 1, '0.000000777', 'at_most', false],
    ['cache', BIG, 1, 0, '0.000000000', 'exact', false],
    ['local', LOCAL, 2, 0, '0.000000000', 'exact', false],
  ]);
  assert.partialDeepStrictEqual(told, {
    month: '2026-11',
    total_usd: '0.000043461',
    ledger_usd: '0.000043461',
    held_usd: '0.000000777',
    ledger_held_usd: '0.000000777',
    reconciles: true,
    baseline: BIG,
    // Five known savings of 500 and one of -20000.
    saved_usd: '-0.000017500',
    baseline_usd: '0.000007500',
    savings_known: 6,
    savings_unknown: 2,
    local_answers: 2,
    local_electricity_usd_estimate: null,
  });
});

test('tokens are sums of what was told, and what was not told is counted', async (t) => {
  const { app } = await november(t);
  const told = jsonOf(await cli(['statement', '--month', '2026-11', '--format', 'json'], { app }));
  const lines = told['lines'] as readonly Line[];
  const of = (kind: string, model: string) =>
    lines.find((line) => line['line'] === kind && line['model'] === model) ?? assert.fail(kind);
  assert.partialDeepStrictEqual(of('answered', BIG), {
    input_tokens: 30,
    output_tokens: 15,
    without_usage: 0,
  });
  assert.partialDeepStrictEqual(of('at_bound', BIG), { input_tokens: 0, without_usage: 1 });
  assert.partialDeepStrictEqual(of('local', LOCAL), {
    input_tokens: 20,
    output_tokens: 5,
    without_usage: 1,
  });
});

test('the text says both figures, the bounds, and that electricity is unknown', async (t) => {
  const { app } = await november(t);
  const run = await cli(['statement', '--month', '2026-11'], { app });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^Statement of 2026-11 \(UTC\)\n/);
  assert.match(run.stdout, /bill unknown +cloud-big +1 +1 unknown +at most \$0\.000040/);
  assert.match(run.stdout, /paid without an answer +cloud-big +1 +10 in, 5 out +\$0\.00000030/);
  assert.match(run.stdout, /voided, not billed +cloud-big +1 +\$0\.00/);
  assert.match(run.stdout, /held, not settled +left-registry +1 +at most \$0\.00000078/);
  assert.match(run.stdout, /total at most \$0\.000043; at most \$0\.00000078 more is held/);
  assert.match(run.stdout, /reconciles: \$0\.000043461 of lines = \$0\.000043461 of ledger/);
  assert.match(
    run.stdout,
    /cost \$0\.000017 more than cloud-big would have \(6 known, 2 unknown\)/,
  );
  assert.match(run.stdout, /electricity of local answers: unknown \(give watts and a price\)/);
});

test('electricity is an estimate beside the total, rounded up once', async (t) => {
  const { app } = await november(t);
  const argv = ['statement', '--month', '2026-11', '--watts', '65.5', '--usd-per-kwh', '0.31'];
  const run = await cli([...argv, '--format', 'json'], { app });
  // 3.50025 s x 65.5 W x 0.31 USD / 3,600,000 J = 19,742.38...e-9 USD.
  assert.partialDeepStrictEqual(jsonOf(run), {
    local_electricity_usd_estimate: '0.000019743',
    total_usd: '0.000043461',
  });
  const text = await cli(argv, { app });
  assert.match(text.stdout, /electricity of 2 local answers: ≈ \$0\.000020, not part of the total/);
  const half = await cli(['statement', '--watts', '65'], { app });
  assert.equal(half.code, 2);
  assert.match(half.stderr, /expected both --watts and --usd-per-kwh/);
});

test('the CSV adds up by its own column', async (t) => {
  const { app } = await november(t);
  const run = await cli(['statement', '--month', '2026-11', '--format', 'csv'], { app });
  const [head = [], ...rows] = csvRows(run.stdout) ?? assert.fail('no CSV');
  const cell = (row: readonly string[], column: string) => row[head.indexOf(column)] ?? '';
  for (const row of rows) assert.equal(row.length, head.length);
  const nano = (text: string) => {
    assert.match(text, /^-?\d+\.\d{9}$/);
    return BigInt(text.replace('.', ''));
  };
  const sum = rows
    .filter((row) => cell(row, 'in_total') === 'yes')
    .reduce((all, row) => all + nano(cell(row, 'amount_usd')), 0n);
  const of = (line: string) => rows.find((row) => cell(row, 'line') === line) ?? assert.fail(line);
  assert.equal(sum, 43_461n);
  assert.equal(nano(cell(of('total'), 'amount_usd')), sum);
  assert.equal(nano(cell(of('ledger'), 'amount_usd')), sum);
  assert.equal(cell(of('saved'), 'amount_usd'), '-0.000017500');
  assert.equal(cell(of('savings_unknown'), 'answers'), '2');
  assert.deepEqual(
    [cell(of('local_electricity'), 'amount_usd'), cell(of('local_electricity'), 'certainty')],
    ['', 'unknown'],
  );
});

test('a model that looks like a formula is only text in a spreadsheet', async (t) => {
  const accounted = await accountedApp(t, LATE_NOVEMBER);
  await call(accounted, 'one', '=cmd|calc', 5_000, billed(1));
  const run = await cli(['statement', '--format', 'csv'], { app: accounted.app });
  assert.match(run.stdout, /,'=cmd\|calc,/);
});

test('a counter that was changed by hand is found, and the exit code says so', async (t) => {
  const { app, path } = await november(t);
  const db = new DatabaseSync(path);
  db.exec(
    `UPDATE balances SET spent_nano_usd = spent_nano_usd - 1 WHERE scope = 'month' AND key = '2026-11'`,
  );
  db.close();
  const run = await cli(['statement', '--month', '2026-11'], { app });
  assert.equal(run.code, 5);
  assert.match(run.stderr, /does not reconcile: \$0\.000043461 of lines, \$0\.000043460 of ledger/);
});

test('a month without anything is a statement too, and a month that is none is refused', async (t) => {
  const { app } = await accountedApp(t, LATE_NOVEMBER);
  const run = await cli(['statement', '--month', '2026-01'], { app });
  assert.equal(run.code, 0);
  assert.match(run.stdout, /No answers and no calls in 2026-01\./);
  assert.match(run.stdout, /reconciles: \$0\.000000000 of lines = \$0\.000000000 of ledger/);
  assert.equal((await cli(['statement', '--month', '2026-13'], { app })).code, 2);
});

test('a ledger that changes between the readings is read again, and in the end refused', async (t) => {
  for (const [changes, code] of [
    [1, 0],
    [4, 0],
    [5, 4],
  ] as const) {
    const accounted = await accountedApp(t, LATE_NOVEMBER);
    await call(accounted, 'open', BIG, 5_000, undefined);
    let readings = 0;
    async function* eventsWhileOthersWrite() {
      const events = [...accounted.ledger.events()];
      yield* events;
      if (++readings > changes) return;
      // The counter moves after the events have been read.
      await call(accounted, `late ${readings}`, BIG, 5_000, billed(1_000));
    }
    const run = await cli(['statement', '--format', 'json'], {
      app(scripted) {
        const app = accounted.app(scripted);
        return { ...app, reports: { ...app.reports, events: eventsWhileOthersWrite } };
      },
    });
    assert.equal(run.code, code, run.stderr);
    if (code === 0) assert.equal(jsonOf(run)['total_usd'], `0.00000${changes}000`);
    else assert.match(run.stderr, /expected a ledger at rest/);
  }
});

test('a closed ledger has no statement', async () => {
  const run = await cli(['statement'], {
    app: (scripted) => ({ ...scripted, ledgerProblem: () => 'the ledger is damaged' }),
  });
  assert.equal(run.code, 4);
  assert.match(run.stderr, /the ledger is damaged/);
});

test('any month reconciles', async (t) => {
  const ends = fc.oneof(
    fc.nat({ max: 3_000 }).map(billed),
    fc.constant<Settlement>({ kind: 'settled_at_bound', why: 'timeout' }),
    fc.constant<Settlement>({ kind: 'voided', why: 'bad_key' }),
    fc.constant(undefined),
  );
  const calls = fc.array(
    fc.record({
      model: fc.constantFrom(BIG, MINI),
      bound: fc.nat({ max: 2_000 }),
      end: ends,
      answered: fc.boolean(),
    }),
    { maxLength: 12 },
  );
  const accounted = await accountedApp(t, LATE_NOVEMBER);
  let months = 0;
  let ids = 0;
  await fc.assert(
    fc.asyncProperty(calls, async (made) => {
      const at = new Date(Date.UTC(2027, months++, 15)).toISOString();
      accounted.clock.set(at);
      for (const { model, bound, end, answered } of made) {
        // A model whose bill passed its bound takes no further calls.
        await accounted.ledger.unfreeze(model);
        const id = `call-${ids++}`;
        await call(accounted, id, model, bound, end);
        if (answered) await accounted.ledger.record(answer(id, { atMs: Date.parse(at) }));
      }
      const run = await cli(['statement', '--month', at.slice(0, 7), '--format', 'json'], {
        app: accounted.app,
      });
      assert.equal(run.code, 0, run.stderr);
      const told = jsonOf(run);
      const counted = (told['lines'] as readonly Line[]).reduce(
        (sum, line) => sum + Number(line['calls']),
        0,
      );
      assert.equal(counted, made.length);
      assert.equal(told['total_usd'], told['ledger_usd']);
    }),
    { numRuns: 30 },
  );
});
