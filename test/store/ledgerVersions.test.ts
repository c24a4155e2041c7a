/** A ledger of the first version under this program: nothing is lost, its money counts by day, its answers are in the reports. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { nanoUsd, nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { SECOND_VERSION } from '../../server/src/store/ledgerSecondVersion.ts';
import { bill, NOVEMBER, openAt, request, tempFolder } from './ledgerFixture.ts';

const VERSION_1 = readFileSync(join(import.meta.dirname, '../fixtures/ledgerVersion1.sql'), 'utf8');
const NONE = { monthlyNanoUsd: undefined };
const DAY = (dollars: number) => ({ ...NONE, dailyNanoUsd: usd(dollars) });

function firstVersion(t: TestContext): { readonly path: string; readonly db: DatabaseSync } {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const db = new DatabaseSync(path, { timeout: 0 });
  db.exec(VERSION_1);
  t.after(() => db.isOpen && db.close());
  return { path, db };
}

test('money of the first version counts by month and by day, and the chain still holds', async (t) => {
  const { path, db } = firstVersion(t);
  db.close();
  const ledger = await openAt(path);
  assert.deepEqual(ledger.verify(), []);
  const state = await ledger.budget(DAY(1));
  assert.equal(state.spentNanoUsd, usd(0.375));
  const [day] = state.narrower ?? [];
  assert.deepEqual(day, {
    period: 'day',
    limitNanoUsd: usd(1),
    spentNanoUsd: usd(0.125),
    heldNanoUsd: 0,
  });
  const refused = await ledger.reserve(request('new', 0.9), DAY(1));
  assert.equal(refused.kind, 'exhausted');
  assert.deepEqual(await ledger.reserve(request('new', 0.8), DAY(1)), { kind: 'held' });
  await ledger.close();
  const again = await openAt(path);
  assert.deepEqual(again.verify(), []);
  await again.close();
});

test('answers of the first version are in the reports', async (t) => {
  const { path, db } = firstVersion(t);
  db.close();
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  const { total, byTask, byModel } = await ledger.reports.month(NONE, '2026-11');
  assert.deepEqual(
    [total.answers, total.costNanoUsd, total.savedNanoUsd, total.unknownSavings],
    [3, 1000, 500, 2],
  );
  assert.deepEqual(byTask.map(({ task }) => task).toSorted(), ['explain', 'math', 'unknown']);
  assert.deepEqual(byModel.map(({ modelId }) => modelId).toSorted(), [
    'cloud-model',
    'none',
    'small',
  ]);
  const { rows } = await ledger.reports.routes({ month: '2026-11', offset: 0, limit: 10 });
  assert.deepEqual(
    rows.map(({ promptId, reasonCode }) => [promptId, reasonCode]),
    [
      ['p3', 'no_api_key'],
      ['p2', 'prompt_complexity_low'],
      ['p1', 'prompt_complexity_high'],
    ],
  );
});

test('a process of the first version that still has the file open keeps the new counters right', async (t) => {
  const { path, db } = firstVersion(t);
  const insert = db.prepare(
    `INSERT INTO reservations (id, prompt_id, model_id, price_row_id, fingerprint, bound_nano_usd,
       month, owner, state) VALUES (?, 'p', 'm', 'm@1', 'f', 500, '2026-11', 'old', 'reserved')`,
  );
  const end = db.prepare(
    `UPDATE reservations SET state = 'settled', booked_nano_usd = 300 WHERE id = ?`,
  );
  const month = db.prepare(
    `UPDATE balances SET spent_nano_usd = spent_nano_usd + 300 WHERE scope = 'month'`,
  );
  const record = db.prepare('INSERT INTO answers (record) VALUES (?)');
  const ledger = await openAt(path);
  const asked = request('before', 0, { boundNanoUsd: nanoUsd(500), sessionId: 's' });
  assert.deepEqual(await ledger.reserve(asked, NONE), { kind: 'held' });
  const before = (await ledger.reports.month(NONE, '2026-11')).total.answers;
  insert.run('after');
  end.run('before');
  end.run('after');
  month.run();
  month.run();
  db.exec(`UPDATE balances SET held_nano_usd = 0 WHERE scope = 'month'`);
  const session = { ...NONE, sessionNanoUsd: usd(1) };
  const [counted] = (await ledger.budget(session, { sessionId: 's' })).narrower ?? [];
  assert.deepEqual([counted?.spentNanoUsd, counted?.heldNanoUsd], [300, 0]);
  record.run(
    JSON.stringify({
      promptId: 'p9',
      atMs: Date.parse(NOVEMBER),
      promptSha256: 'ab',
      modelId: null,
      served: 'none',
      status: 'failed',
      reason: 'cancelled',
      usage: {},
      costNanoUsd: 0,
      savings: { kind: 'unknown', why: 'answer_incomplete' },
      timing: { latencyMs: 1 },
      score: 0,
      trace: '{}',
    }),
  );
  assert.equal((await ledger.reports.month(NONE, '2026-11')).total.answers, before + 1);
  await ledger.close();
  // The short check holds every counter against the sum of its reservations.
  const again = await openAt(path);
  assert.equal((await again.budget(NONE)).heldNanoUsd, 0);
  await again.close();
});

test('a reservation never leaves the budgets that it was made under', async (t) => {
  const { path, db } = firstVersion(t);
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  const asked = request('r', 0.1, { sessionId: 's', workspaceId: 'w' });
  assert.deepEqual(await ledger.reserve(asked, NONE), { kind: 'held' });
  for (const column of ['day', 'session_id', 'workspace_id', 'month']) {
    assert.throws(
      () => db.exec(`UPDATE reservations SET ${column} = 'other' WHERE id = 'r'`),
      /keeps its budgets and bound/,
    );
  }
  await ledger.dispatch('r');
  await ledger.settle('r', bill(0.05));
  assert.deepEqual(ledger.verify(), []);
});

test('the second version keeps its events, its frozen models and its rules', async (t) => {
  const { path, db } = firstVersion(t);
  db.exec(`${SECOND_VERSION} PRAGMA user_version = 2;
    INSERT INTO frozen_models SELECT 'dear', max(seq) FROM events`);
  const rows = () => db.prepare('SELECT seq, kind, details, hash FROM events ORDER BY seq').all();
  const before = rows();
  assert.ok(before.length > 5);
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  assert.deepEqual(rows(), before);
  assert.deepEqual([...(await ledger.frozenModels())], ['dear']);
  assert.deepEqual(db.prepare('PRAGMA foreign_key_check').all(), []);
  assert.throws(() => db.exec('UPDATE events SET at_ms = 1'), /only appended/);
  assert.throws(() => db.exec('DELETE FROM events'), /only appended/);
  const again = `INSERT INTO events (seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash)
    SELECT 1000, 'rebuilt', reservation_id, 1, 'o', 1, '{}', 'h' FROM events WHERE kind = 'settled' LIMIT 1`;
  assert.throws(() => db.exec(again), /UNIQUE/);
});
