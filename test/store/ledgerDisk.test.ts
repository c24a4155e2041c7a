/** Disks that refuse: full in mid-call, read-only, write-ahead logs that are torn or gone. Nothing starts again at zero. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { openLedger } from '../../server/src/store/ledger.ts';
import { whyUnavailable } from '../../server/src/store/ledgerFaults.ts';
import { rebuildLedger } from '../../server/src/store/ledgerRebuild.ts';
import {
  answer,
  bill,
  clockAt,
  expectUnavailable,
  NOVEMBER,
  ONE_DOLLAR,
  openAt,
  pay,
  request,
  tempFolder,
} from './ledgerFixture.ts';

const NONE = { monthlyNanoUsd: undefined };

/** A small disk of its own, or why there is none here. */
function smallDisk(t: TestContext, options: string): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    t.skip('needs Linux and root, to mount a small disk');
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'ledger-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], {
    encoding: 'utf8',
  });
  if (mounted.status !== 0) {
    rmSync(folder, { recursive: true });
    t.skip(`a small disk can't be mounted here: ${mounted.stderr.trim()}`);
    return undefined;
  }
  t.after(() => {
    spawnSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

function fill(folder: string): string {
  const path = join(folder, 'ballast');
  for (let size = 1 << 20; size >= 256; size = Math.floor(size / 2)) {
    try {
      for (;;) writeFileSync(path, Buffer.alloc(size, 1), { flag: 'a' });
    } catch {
      // Full for this size; smaller pieces may still fit.
    }
  }
  return path;
}

test('a bill that a full disk refused is held at its bound, and booked as it is once there is room', async (t) => {
  const folder = smallDisk(t, 'size=2m');
  if (folder === undefined) return;
  const path = join(folder, 'ledger.sqlite');
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  await pay(ledger, 'before', 0.1, 0.05);
  for (const id of ['a', 'b']) {
    await ledger.reserve(request(id, 0.2), NONE);
    await ledger.dispatch(id);
  }
  const ballast = fill(folder);
  await assert.rejects(ledger.settle('a', bill(0.07)), /disk is full/);
  const refused = await ledger.reserve(request('c', 0.01), NONE);
  assert.match(refused.kind === 'unavailable' ? refused.why : '', /disk is full; free some space/);
  const held = await ledger.budget(ONE_DOLLAR);
  assert.deepEqual([held.spentNanoUsd, held.heldNanoUsd], [usd(0.05), usd(0.4)]);

  rmSync(ballast);
  const startedMs = performance.now();
  while ((await ledger.budget(ONE_DOLLAR)).heldNanoUsd !== usd(0.2)) {
    assert.ok(performance.now() - startedMs < 60_000, 'expected the bill to be booked');
    await delay(20);
  }
  t.diagnostic(`booked ${Math.round(performance.now() - startedMs)} ms after there was room`);
  assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.12));
  assert.deepEqual(ledger.verify(), []);
});

test('a bill that is still waiting when the program ends is booked at the close, where there is room', async (t) => {
  const folder = smallDisk(t, 'size=2m');
  if (folder === undefined) return;
  const path = join(folder, 'ledger.sqlite');
  const ledger = await openAt(path);
  await ledger.reserve(request('a', 0.2), NONE);
  await ledger.dispatch('a');
  const ballast = fill(folder);
  await assert.rejects(ledger.settle('a', bill(0.07)), /disk is full/);
  rmSync(ballast);
  await ledger.close();
  const next = await openAt(path);
  t.after(() => next.close());
  const end = [...next.events()].at(-1);
  assert.deepEqual([end?.kind, end?.amountNanoUsd], ['settled', usd(0.07)]);
});

test('the next opener books the bound when the program ended on a full disk', async (t) => {
  const folder = smallDisk(t, 'size=2m');
  if (folder === undefined) return;
  const path = join(folder, 'ledger.sqlite');
  const ledger = await openAt(path);
  await ledger.reserve(request('a', 0.2), NONE);
  await ledger.dispatch('a');
  const ballast = fill(folder);
  await assert.rejects(ledger.settle('a', bill(0.07)), /disk is full/);
  await ledger.close();
  rmSync(ballast);
  const next = await openAt(path);
  t.after(() => next.close());
  const { spentNanoUsd, heldNanoUsd } = await next.budget(ONE_DOLLAR);
  assert.deepEqual([spentNanoUsd, heldNanoUsd], [usd(0.2), 0]);
});

test('a ledger can not be begun on a full disk, and says so', async (t) => {
  const folder = smallDisk(t, 'size=64k');
  if (folder === undefined) return;
  fill(folder);
  await expectUnavailable(join(folder, 'ledger.sqlite'), /disk is full|check its folder and disk/);
});

test('a disk that becomes read-only closes the ledger with a reason, and nothing is lost', async (t) => {
  const folder = smallDisk(t, 'size=4m');
  if (folder === undefined) return;
  const path = join(folder, 'ledger.sqlite');
  const first = await openAt(path);
  await pay(first, 'a', 0.2, 0.1);
  await first.close();
  assert.equal(spawnSync('mount', ['-o', 'remount,ro', folder]).status, 0);
  await expectUnavailable(path, /read-only|check its folder and disk/);
  assert.equal(spawnSync('mount', ['-o', 'remount,rw', folder]).status, 0);
  const again = await openAt(path);
  t.after(() => again.close());
  assert.equal((await again.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.1));
});

test('a folder or file that this user may not write is a reason', {
  skip: process.getuid?.() === 0 && 'root may write everywhere; a read-only disk is tried instead',
}, async (t) => {
  const folder = tempFolder(t);
  const path = join(folder, 'ledger.sqlite');
  await (await openAt(path)).close();
  chmodSync(path, 0o400);
  await expectUnavailable(path, /read-only; make the file and its folder writable/);
  chmodSync(path, 0o600);
  chmodSync(folder, 0o500);
  await expectUnavailable(path, /read-only|check its folder and disk/);
  chmodSync(folder, 0o700);
});

test('each fault of SQLite is a sentence that says what to do', () => {
  const rows: readonly [errcode: number, why: RegExp][] = [
    [5, /keeps it locked; close that program or try again/],
    [261, /keeps it locked/],
    [8, /read-only; make the file and its folder writable/],
    [1032, /read-only/],
    [3, /read-only/],
    [13, /disk is full; free some space/],
    [11, /damaged; restart/],
    [26, /damaged; restart/],
    [10, /check its folder and disk/],
    [14, /check its folder and disk/],
  ];
  for (const [errcode, why] of rows) {
    assert.match(whyUnavailable(Object.assign(new Error('x'), { errcode }), 'l') ?? '', why);
  }
  assert.equal(whyUnavailable(new Error('a defect'), 'l'), undefined);
  assert.equal(
    whyUnavailable(Object.assign(new Error('a defect'), { errcode: 1 }), 'l'),
    undefined,
  );
});

/** A ledger as it lies on the disk while a program has it open: a paid call, and one under way. */
async function leftOpen(t: TestContext): Promise<string> {
  const source = join(tempFolder(t), 'ledger.sqlite');
  const ledger = await openAt(source);
  t.after(() => ledger.close());
  await pay(ledger, 'paid', 0.2, 0.1);
  await ledger.reserve(request('under way', 0.3), NONE);
  await ledger.dispatch('under way');
  const path = join(tempFolder(t), 'ledger.sqlite');
  for (const name of ['.sqlite', '.sqlite-wal', '.sqlite-shm', '.mirror.json']) {
    const from = source.replace('.sqlite', name);
    if (existsSync(from)) copyFileSync(from, path.replace('.sqlite', name));
  }
  return path;
}

test('a power cut leaves the paid call and the one under way, whatever became of the shared memory', async (t) => {
  const rows: readonly [what: string, change: (shm: string) => void][] = [
    ['as it was', () => {}],
    ['deleted', (shm) => rmSync(shm, { force: true })],
    ['noise', (shm) => writeFileSync(shm, Buffer.alloc(32_768, 0xa5))],
    ['cut', (shm) => existsSync(shm) && truncateSync(shm, 100)],
  ];
  for (const [what, change] of rows) {
    const path = await leftOpen(t);
    change(`${path}-shm`);
    const ledger = await openAt(path);
    const { spentNanoUsd, heldNanoUsd } = await ledger.budget(ONE_DOLLAR);
    assert.deepEqual([spentNanoUsd, heldNanoUsd], [usd(0.4), 0], what);
    assert.deepEqual(ledger.verify(), [], what);
    await ledger.close();
  }
});

test('a power cut that takes a bill leaves the hold, and the mirror knows no more than the disk', async (t) => {
  const source = join(tempFolder(t), 'ledger.sqlite');
  const ledger = await openAt(source);
  t.after(() => ledger.close());
  await pay(ledger, 'paid', 0.2, 0.1);
  const path = join(tempFolder(t), 'ledger.sqlite');
  const keep = (name: string) => {
    const from = source.replace('.sqlite', name);
    if (existsSync(from)) copyFileSync(from, path.replace('.sqlite', name));
  };
  await ledger.reserveDispatched?.(request('cut', 0.3), NONE);
  // What has waited for the disk; of the rest nothing need be there.
  for (const name of ['.sqlite', '.sqlite-wal']) keep(name);
  await ledger.settle('cut', bill(0.05));
  await ledger.record(answer('of the cut call'));
  keep('.mirror.json');
  const after = await openAt(path);
  t.after(() => after.close());
  const { spentNanoUsd, heldNanoUsd } = await after.budget(ONE_DOLLAR);
  assert.deepEqual([spentNanoUsd, heldNanoUsd], [usd(0.4), 0]);
  assert.deepEqual(after.verify(), []);
});

test('a write-ahead log that is torn or gone is noticed by the mirror, and a rebuild has all of it', async (t) => {
  const rows: readonly [what: string, damage: (wal: string) => void][] = [
    ['deleted', (wal) => rmSync(wal)],
    ['emptied', (wal) => truncateSync(wal)],
    ['its last commit torn', (wal) => truncateSync(wal, readFileSync(wal).length - 100)],
    [
      'a bit of its last page',
      (wal) => {
        const bytes = readFileSync(wal);
        const at = bytes.length - 50;
        bytes[at] = (bytes[at] ?? 0) ^ 4;
        writeFileSync(wal, bytes);
      },
    ],
  ];
  for (const [what, damage] of rows) {
    const path = await leftOpen(t);
    if (!existsSync(`${path}-wal`)) {
      t.skip('this SQLite gets no write-ahead log');
      return;
    }
    rmSync(`${path}-shm`, { force: true });
    damage(`${path}-wal`);
    await expectUnavailable(path, /mirror|missing or empty/);
    const done = rebuildLedger({
      path,
      clock: clockAt(NOVEMBER),
      newId: randomUUID,
      sha256: (text) => text,
      dryRun: true,
    });
    const [month] = done.kind === 'rebuilt' ? done.months : [];
    assert.equal(month?.spentNanoUsd, usd(0.4), `${what}: ${JSON.stringify(done)}`);
  }
});

test('a log that outlived its file is read by a rebuild, and never replayed into the new ledger', async (t) => {
  for (const remove of [(path: string) => rmSync(path), (path: string) => truncateSync(path)]) {
    const path = await leftOpen(t);
    if (!existsSync(`${path}-wal`)) {
      t.skip('this SQLite gets no write-ahead log');
      return;
    }
    remove(path);
    const done = rebuildLedger({
      path,
      clock: clockAt(NOVEMBER),
      newId: randomUUID,
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
      dryRun: false,
    });
    assert.ok(done.kind === 'rebuilt', JSON.stringify(done));
    assert.equal(done.events, 5);
    assert.match(done.from ?? '', /ledger\.damaged-/);
    const ledger = await openAt(path);
    assert.deepEqual(ledger.verify(), []);
    assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.4));
    await ledger.close();
  }
});

test('a ledger whose lock another program keeps is not opened, after a bounded wait', async (t) => {
  const path = join(tempFolder(t), 'ledger.sqlite');
  await (await openAt(path)).close();
  const other = new DatabaseSync(path);
  t.after(() => other.close());
  other.exec('BEGIN EXCLUSIVE');
  let waitedMs = 0;
  const opened = await openLedger({
    path,
    clock: clockAt(NOVEMBER),
    newId: randomUUID,
    busyRetryMs: 100,
    sleep: async (ms) => {
      waitedMs += ms;
    },
  });
  assert.ok(opened.kind === 'unavailable');
  assert.match(opened.why, /another process keeps it locked/);
  assert.ok(waitedMs >= 100 && waitedMs < 1_000, `${waitedMs} ms`);
});
