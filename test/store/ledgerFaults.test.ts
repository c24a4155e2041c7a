/** Ledgers that can't be trusted: each closes the cloud tier with a reason, and none starts again at zero by itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { openLedger } from '../../server/src/store/ledger.ts';
import { journalMode } from '../../server/src/store/sqliteFile.ts';
import {
  clockAt,
  expectUnavailable,
  NOVEMBER,
  ONE_DOLLAR,
  openAt,
  pay,
  request,
  tempFolder,
} from './ledgerFixture.ts';

/** A closed ledger with forty cents of spend. */
async function usedLedger(t: TestContext): Promise<string> {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const ledger = await openAt(path);
  for (const id of ['a', 'b', 'c', 'd']) await pay(ledger, id, 0.2, 0.1);
  await ledger.close();
  return path;
}

function change(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

const mirrorOf = (path: string) => path.replace('.sqlite', '.mirror.json');

const setAside = (path: string) =>
  readdirSync(dirname(path)).filter((name) => name.startsWith('ledger.damaged-'));

/** Switches off what the database itself refuses, as a damaged disk would. */
const UNGUARDED = `
  DROP TRIGGER events_stay; DROP TRIGGER events_are_kept; DROP TRIGGER reservations_end_once;`;

test('a damaged ledger is set aside whole and stays closed until a person acts', async (t) => {
  const rows: readonly [what: string, damage: (path: string) => void][] = [
    ['not a database', (path) => writeFileSync(path, 'this is no database, '.repeat(500))],
    ['a page of noise', (path) => overwrite(path, (rootOf(path, 'events') - 1) * 4096)],
    ['a counter', (path) => change(path, 'UPDATE balances SET spent_nano_usd = 5')],
    ['an event', (path) => change(path, `${UNGUARDED} UPDATE events SET at_ms = 5 WHERE seq = 7`)],
    ['a lost event', (path) => change(path, `${UNGUARDED} DELETE FROM events WHERE seq = 11`)],
    [
      'a reservation',
      (path) => change(path, `${UNGUARDED} UPDATE reservations SET booked_nano_usd = 5`),
    ],
  ];
  for (const [what, damage] of rows) {
    const path = await usedLedger(t);
    damage(path);
    const damaged = readFileSync(path);
    await expectUnavailable(path, /is damaged .* set aside as .*ledger\.damaged-/);
    const [name = ''] = setAside(path);
    assert.deepEqual(readFileSync(join(dirname(path), name)), damaged, what);
    await expectUnavailable(path, /was damaged and set aside as ledger\.damaged-/);
    rmSync(mirrorOf(path));
    await expectUnavailable(path, /was damaged and set aside/);
    renameSync(join(dirname(path), name), join(dirname(path), 'kept elsewhere'));
    const fresh = await openAt(path);
    assert.equal((await fresh.budget(ONE_DOLLAR)).spentNanoUsd, 0);
    await fresh.close();
  }
});

/** The page that a table begins on. */
function rootOf(path: string, table: string): number {
  const db = new DatabaseSync(path);
  const row = db.prepare('SELECT rootpage AS page FROM sqlite_schema WHERE name = ?').get(table);
  db.close();
  return Number(row?.['page']);
}

function overwrite(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, offset, offset + 4096);
  writeFileSync(path, bytes);
}

test('a damaged ledger stays in place while another process has it open', async (t) => {
  const path = await usedLedger(t);
  const user = await openAt(path);
  t.after(() => user.close());
  change(path, 'UPDATE balances SET spent_nano_usd = 5');
  await expectUnavailable(path, /close all programs that use it/);
  assert.deepEqual(setAside(path), []);
});

test('a missing, emptied or older ledger is noticed by its mirror', async (t) => {
  const rows: readonly [what: string, change: (path: string) => void, why: RegExp][] = [
    ['deleted', (path) => rmSync(path), /\$0\.4 of recorded spend, found it missing/],
    ['emptied', (path) => truncateSync(path), /found it missing or empty/],
    [
      'a new database',
      (path) => {
        rmSync(path);
        change(path, 'PRAGMA journal_mode = WAL; VACUUM');
      },
      /found it missing or empty/,
    ],
  ];
  for (const [, remove, why] of rows) {
    const path = await usedLedger(t);
    remove(path);
    await expectUnavailable(path, why);
    writeFileSync(mirrorOf(path), '{ torn');
    await expectUnavailable(path, /its mirror .* can't be read/);
  }

  const path = await usedLedger(t);
  const backup = readFileSync(path);
  const ledger = await openAt(path);
  await pay(ledger, 'later', 0.1, 0.1);
  await ledger.close();
  writeFileSync(path, backup);
  await expectUnavailable(path, /the mirror says \$0\.5 for 2026-11, the ledger less/);

  const other = await usedLedger(t);
  writeFileSync(path, readFileSync(other));
  rmSync(other);
  await expectUnavailable(path, /the mirror belongs to another ledger/);
});

test('what the mirror knows is still reported', async (t) => {
  const path = await usedLedger(t);
  rmSync(path);
  const opened = await openLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID });
  assert.equal((await opened.ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.4));
});

test('a torn mirror does not close a sound ledger and is written anew', async (t) => {
  const path = await usedLedger(t);
  writeFileSync(mirrorOf(path), '{ torn');
  await (await openAt(path)).close();
  const mirror = JSON.parse(readFileSync(mirrorOf(path), 'utf8'));
  assert.deepEqual(mirror.spentNanoUsd, { '2026-11': usd(0.4) });
});

test('a newer schema and a foreign database are left as they are', async (t) => {
  const newer = await usedLedger(t);
  change(newer, 'PRAGMA user_version = 99');
  const bytes = readFileSync(newer);
  await expectUnavailable(newer, /schema version \d+ or older, got 99; update this program/);
  assert.deepEqual(readFileSync(newer), bytes);

  const foreign = join(tempFolder(t), 'ledger.sqlite');
  change(foreign, 'CREATE TABLE notes (text TEXT)');
  await expectUnavailable(foreign, /another program's database/);
});

test('a folder that can not be made or read is a reason, not a crash', async (t) => {
  const file = join(tempFolder(t), 'file');
  writeFileSync(file, '');
  await expectUnavailable(join(file, 'ledger.sqlite'), /check its folder and disk/);
  const folder = tempFolder(t);
  await expectUnavailable(folder, /check its folder and disk/);
});

test('a ledger locked by another program is waited for, then refused', async (t) => {
  const path = await usedLedger(t);
  const ledger = await openLedger({
    path,
    clock: clockAt(NOVEMBER),
    newId: randomUUID,
    busyRetryMs: 60,
  }).then((opened) => (opened.kind === 'open' ? opened.ledger : assert.fail(opened.why)));
  t.after(() => ledger.close());
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const refused = await ledger.reserve(request('x', 0.1), ONE_DOLLAR);
  assert.match(refused.kind === 'unavailable' ? refused.why : '', /keeps it locked/);
  await assert.rejects(ledger.dispatch('x'), /keeps it locked/);
  assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.4));

  const waiting = ledger.reserve(request('x', 0.1), ONE_DOLLAR);
  other.exec('COMMIT');
  other.close();
  assert.deepEqual(await waiting, { kind: 'held' });
});

test('a write that the disk refuses is a reason, and what was booked stays', {
  skip: process.platform === 'win32' && 'needs a file size limit',
}, async (t) => {
  const path = await usedLedger(t);
  const worker = join(import.meta.dirname, 'ledgerWorker.ts');
  const child = spawn(
    'sh',
    ['-c', `trap '' XFSZ; ulimit -f 2000; exec "$0" "$1" "$2" pay`, process.execPath, worker, path],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const reports: { kind: string; why?: string }[] = [];
  child.on('message', (report: { kind: string; why?: string }) => reports.push(report));
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  assert.match(reports.at(-1)?.why ?? '', /check its folder and disk|disk is full/);
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  assert.deepEqual(ledger.verify(), []);
  const settled = reports.filter(({ kind }) => kind === 'settled').length;
  assert.ok(settled > 5, `${settled}`);
  const cut = [...ledger.events()].filter(({ kind }) => kind === 'settled_at_bound').length;
  const { spentNanoUsd, heldNanoUsd } = await ledger.budget(ONE_DOLLAR);
  assert.equal(heldNanoUsd, 0);
  assert.equal(spentNanoUsd, usd(0.4) + settled * usd(0.0005) + cut * usd(0.001));
});

test('only a SQLite without the fault of its write-ahead log gets one', () => {
  for (const [version, mode] of [
    ['3.51.2', 'DELETE'],
    ['3.45.1', 'DELETE'],
    ['3.51.3', 'WAL'],
    ['3.53.4', 'WAL'],
    ['4.0.0', 'WAL'],
  ]) {
    assert.equal(journalMode(version ?? ''), mode, version);
  }
});
