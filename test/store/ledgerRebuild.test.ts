/** `ledger rebuild` on real damaged files: no budget ever stands lower afterwards than the most that any source says. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { LedgerEvent } from '../../server/src/core/ledgerAudit.ts';
import { rebuildIn, type Totals } from '../../server/src/core/ledgerRebuild.ts';
import type { BudgetPeriod } from '../../server/src/core/ports.ts';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import type { NanoUsd } from '../../server/src/core/types.ts';
import { openBook } from '../../server/src/store/ledgerBook.ts';
import { checkFully } from '../../server/src/store/ledgerCheck.ts';
import { type Rebuild, rebuildLedger } from '../../server/src/store/ledgerRebuild.ts';
import { eventsFrom, reservationFrom } from '../../server/src/store/ledgerRows.ts';
import { migrate } from '../../server/src/store/ledgerSchema.ts';
import {
  answer,
  bill,
  clockAt,
  expectUnavailable,
  NOVEMBER,
  ONE_DOLLAR,
  openAt,
  request,
  tempFolder,
} from './ledgerFixture.ts';

const NONE = { monthlyNanoUsd: undefined };
const SCOPE = { sessionId: 'session', workspaceId: 'workspace' };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

function rebuild(path: string, dryRun = false): Rebuild {
  return rebuildLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID, sha256, dryRun });
}

/** Forty cents in October, thirty in November, ten more under way; as the disk is when the machine dies. */
async function ledgerUnderWay(t: TestContext): Promise<string> {
  const source = join(tempFolder(t), 'ledger.sqlite');
  const clock = clockAt('2026-10-30T12:00:00Z');
  const ledger = await openAt(source, clock);
  t.after(() => ledger.close());
  for (const [month, ids] of [
    ['2026-10-30T12:00:00Z', ['a', 'b', 'c', 'd']],
    [NOVEMBER, ['e', 'f', 'g']],
  ] as const) {
    clock.set(month);
    for (const id of ids) {
      await ledger.reserve(request(id, 0.2, SCOPE), NONE);
      await ledger.dispatch(id);
      await ledger.settle(id, bill(0.1));
      await ledger.record(answer(`prompt of ${id}`));
    }
  }
  await ledger.judge('prompt of e', 'up');
  await ledger.reserve(request('under way', 0.1, SCOPE), NONE);
  await ledger.dispatch('under way');
  const path = join(tempFolder(t), 'ledger.sqlite');
  for (const name of ['.sqlite', '.sqlite-wal', '.mirror.json']) {
    const from = source.replace('.sqlite', name);
    if (existsSync(from)) copyFileSync(from, path.replace('.sqlite', name));
  }
  // Into one file, so that a damage to its pages is one to the ledger.
  if (existsSync(`${path}-wal`)) change(path, 'PRAGMA wal_checkpoint(TRUNCATE)');
  return path;
}

function change(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

function overwritePage(path: string, table: string): void {
  const db = new DatabaseSync(path);
  const row = db.prepare('SELECT rootpage AS page FROM sqlite_schema WHERE name = ?').get(table);
  db.close();
  const bytes = readFileSync(path);
  const at = (Number(row?.['page']) - 1) * 4096;
  bytes.fill(0xa5, at, at + 4096);
  writeFileSync(path, bytes);
}

const mirrorOf = (path: string) => path.replace('.sqlite', '.mirror.json');
const UNGUARDED =
  'DROP TRIGGER events_stay; DROP TRIGGER events_are_kept; DROP TRIGGER reservations_end_once;';

test('after any damage a rebuild opens the ledger again with at least what was spent and held', async (t) => {
  const rows: readonly [what: string, damage: (path: string) => void][] = [
    [
      'the first page',
      (path) => {
        const bytes = readFileSync(path);
        bytes.fill(0, 0, 100);
        writeFileSync(path, bytes);
      },
    ],
    ['the events', (path) => overwritePage(path, 'events')],
    ['the reservations', (path) => overwritePage(path, 'reservations')],
    ['the counters', (path) => overwritePage(path, 'balances')],
    [
      'the list of tables',
      (path) => {
        const bytes = readFileSync(path);
        bytes.fill(0, 100, 4096);
        writeFileSync(path, bytes);
      },
    ],
    [
      'a counter that is far too high',
      (path) =>
        change(path, "UPDATE balances SET spent_nano_usd = 9000000000000 WHERE scope = 'month'"),
    ],
    ['a counter that is too low', (path) => change(path, 'UPDATE balances SET spent_nano_usd = 5')],
    [
      'an event',
      (path) => change(path, `${UNGUARDED} UPDATE events SET amount_nano_usd = 5 WHERE seq = 21`),
    ],
    ['the newest events', (path) => change(path, `${UNGUARDED} DELETE FROM events WHERE seq > 15`)],
    [
      'a reservation',
      (path) =>
        change(
          path,
          `${UNGUARDED} UPDATE reservations SET booked_nano_usd = 5 WHERE booked_nano_usd > 5`,
        ),
    ],
    ['half of the file', (path) => truncateSync(path, 4096 * 8)],
    ['all of it', (path) => rmSync(path)],
    ['not a database', (path) => writeFileSync(path, 'this is no database, '.repeat(500))],
  ];
  for (const [what, damage] of rows) {
    const path = await ledgerUnderWay(t);
    damage(path);
    await expectUnavailable(path, /ledger rebuild/);
    const before = readdirSync(dirname(path)).toSorted();
    const dry = rebuild(path, true);
    assert.equal(dry.kind, 'rebuilt', `${what}: ${JSON.stringify(dry)}`);
    assert.deepEqual(readdirSync(dirname(path)).toSorted(), before, what);
    const done = rebuild(path);
    assert.ok(done.kind === 'rebuilt', what);
    const spent = Object.fromEntries(done.months.map((one) => [one.month, one.spentNanoUsd]));
    t.diagnostic(
      `${what}: ${done.events} events, ${done.answers} answers, ${done.whole ? 'all' : 'not all'} events there`,
    );
    assert.deepEqual(spent, { '2026-10': usd(0.4), '2026-11': usd(0.4) }, what);
    const ledger = await openAt(path);
    assert.deepEqual(ledger.verify(), [], what);
    const limits = { ...ONE_DOLLAR, dailyNanoUsd: usd(1), workspaceNanoUsd: usd(1) };
    const { spentNanoUsd, narrower = [] } = await ledger.budget(limits, SCOPE);
    assert.equal(spentNanoUsd, usd(0.4), what);
    assert.deepEqual(
      narrower.map((one) => [one.period, one.spentNanoUsd]),
      [
        ['day', usd(0.4)],
        ['workspace', usd(0.4)],
      ],
      what,
    );
    assert.equal((await ledger.reserve(request('next', 0.6), ONE_DOLLAR)).kind, 'held');
    assert.equal((await ledger.reserve(request('too much', 0.01), ONE_DOLLAR)).kind, 'exhausted');
    await ledger.close();
    const again = rebuild(path);
    assert.equal(again.kind, 'not_needed', what);
  }
});

test('what is not money comes along as far as it can be read', async (t) => {
  const path = await ledgerUnderWay(t);
  overwritePage(path, 'events');
  await expectUnavailable(path, /is damaged/);
  const done = rebuild(path);
  assert.ok(done.kind === 'rebuilt');
  assert.equal(done.answers, 7);
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  assert.equal((await ledger.reports.month(NONE, '2026-11')).verdicts.up, 1);
  assert.equal(ledger.answers({ limit: 10 }).length, 7);
});

test('a rebuild keeps the damaged file and the mirror that it read', async (t) => {
  const path = await ledgerUnderWay(t);
  change(path, 'UPDATE balances SET spent_nano_usd = 5');
  const mirror = readFileSync(mirrorOf(path));
  const damaged = readFileSync(path);
  assert.equal(rebuild(path).kind, 'rebuilt');
  const names = readdirSync(dirname(path)).filter((name) => name.includes('damaged'));
  assert.equal(names.length, 2);
  for (const name of names) {
    const kept = readFileSync(join(dirname(path), name));
    assert.deepEqual(kept, name.endsWith('.mirror.json') ? mirror : damaged);
  }
});

test('a rebuild that died before its end is begun again with all of the money', async (t) => {
  const path = await ledgerUnderWay(t);
  change(path, 'UPDATE balances SET spent_nano_usd = 5');
  assert.equal(rebuild(path).kind, 'rebuilt');
  // As if the new ledger had not been put in place any more.
  rmSync(path);
  await expectUnavailable(path, /damaged and set aside/);
  assert.equal(rebuild(path).kind, 'rebuilt');
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.4));
});

test('a ledger that is sound, in use, newer or not ours is left alone', async (t) => {
  const path = await ledgerUnderWay(t);
  const reply = rebuild(path);
  assert.match(reply.kind === 'not_needed' ? reply.why : '', /is sound/);
  const user = await openAt(path);
  const busy = rebuild(path);
  assert.match(busy.kind === 'refused' ? busy.why : '', /close all programs that use it/);
  await user.close();
  change(path, 'PRAGMA user_version = 99');
  const newer = rebuild(path);
  assert.match(newer.kind === 'refused' ? newer.why : '', /update this program/);
  const folder = join(tempFolder(t), 'new');
  mkdirSync(folder);
  const empty = rebuild(join(folder, 'ledger.sqlite'));
  assert.match(empty.kind === 'not_needed' ? empty.why : '', /there is no ledger/);
});

/** A ledger in memory. */
function memoryLedger() {
  const db = new DatabaseSync(':memory:');
  migrate(db, randomUUID);
  return { db, book: openBook(db, sha256, () => false) };
}

const PERIODS: readonly BudgetPeriod[] = ['month', 'day', 'session', 'workspace'];

function totalsOf(db: DatabaseSync): Totals {
  const totals: Record<BudgetPeriod, Record<string, NanoUsd>> = {
    month: {},
    day: {},
    session: {},
    workspace: {},
  };
  for (const row of db.prepare('SELECT * FROM balances').all()) {
    const period = PERIODS.find((one) => one === row['scope']) ?? 'month';
    totals[period][String(row['key'])] = (Number(row['spent_nano_usd']) +
      Number(row['held_nano_usd'])) as NanoUsd;
  }
  return totals;
}

test('whatever part of a ledger can be read, no counter of the rebuilt one is lower than what was spent', async (t) => {
  const path = await ledgerUnderWay(t);
  const db = new DatabaseSync(path);
  t.after(() => db.close());
  const events: readonly LedgerEvent[] = [...eventsFrom(db, 1)];
  const reservations = db.prepare('SELECT * FROM reservations').all().map(reservationFrom);
  const totals = totalsOf(db);
  const truth = totals;
  const some = <T>(all: readonly T[]) => fc.subarray([...all]);
  const someTotals = fc
    .tuple(...PERIODS.map((period) => some(Object.entries(totals[period]))))
    .map(
      (parts): Totals =>
        Object.fromEntries(
          PERIODS.map((period, nth) => [period, Object.fromEntries(parts[nth] ?? [])]),
        ) as unknown as Totals,
    );
  fc.assert(
    fc.property(
      some(events),
      some(reservations),
      someTotals,
      someTotals,
      (left, rows, counters, mirror) => {
        const fresh = memoryLedger();
        const entry = { owner: 'rebuild', atMs: Date.parse(NOVEMBER) };
        rebuildIn(
          fresh.book,
          { events: left, reservations: rows, totals: counters },
          mirror,
          entry,
          randomUUID,
        );
        assert.deepEqual(checkFully(fresh.db, sha256), []);
        const now = totalsOf(fresh.db);
        for (const period of PERIODS) {
          for (const [key, amount] of [
            ...Object.entries(counters[period]),
            ...Object.entries(mirror[period]),
          ]) {
            assert.ok((now[period][key] ?? 0) >= amount, `${period} ${key}`);
          }
        }
        for (const row of rows) {
          assert.ok(fresh.book.find(row.id) !== undefined, row.id);
        }
        // With the mirror's months whole, nothing at all is lost.
        for (const [month, amount] of Object.entries(truth.month)) {
          if (mirror.month[month] !== undefined) assert.ok((now.month[month] ?? 0) >= amount);
        }
        fresh.db.close();
      },
    ),
    { numRuns: 100 },
  );
});
