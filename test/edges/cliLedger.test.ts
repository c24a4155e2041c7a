/** `ledger …` on real ledgers in folders of their own. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable, Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { runCli } from '../../server/src/cli/run.ts';
import { createApp } from '../../server/src/compose.ts';
import { chainFindings, type LedgerEvent } from '../../server/src/core/ledgerAudit.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { readMachineClock } from '../../server/src/store/ledgerClock.ts';
import { bill, clockAt, openAt, pay, request, tempFolder } from '../store/ledgerFixture.ts';

async function run(dataDir: string, ...argv: readonly string[]) {
  let stdout = '';
  let stderr = '';
  const into = (take: (text: string) => void) =>
    new Writable({
      write(chunk, _encoding, done) {
        take(String(chunk));
        done();
      },
    });
  const code = await runCli(['--data-dir', dataDir, 'ledger', ...argv], {
    stdout: into((text) => {
      stdout += text;
    }),
    stderr: into((text) => {
      stderr += text;
    }),
    stdin: Readable.from([]),
    env: {},
    cwd: dataDir,
    version: '1.2.3',
    signal: new AbortController().signal,
    createApp,
  });
  return { code, stdout, stderr };
}

/** Two paid calls, and one whose bill passed its bound. */
async function usedFolder(t: TestContext, now = new Date().toISOString()): Promise<string> {
  const folder = tempFolder(t);
  const ledger = await openAt(join(folder, 'ledger.sqlite'), clockAt(now));
  await pay(ledger, '=a', 0.2, 0.1);
  await pay(ledger, 'b', 0.2, 0.15);
  await ledger.reserve(request('c', 0.1, { modelId: 'dear' }), { monthlyNanoUsd: undefined });
  await ledger.dispatch('c');
  await ledger.settle('c', bill(0.3));
  await ledger.close();
  return folder;
}

test('verify says that a ledger is sound, and what is wrong with one that is not', async (t) => {
  const folder = await usedFolder(t);
  const sound = await run(folder, 'verify');
  assert.equal(sound.code, 0, sound.stderr);
  assert.match(sound.stdout, /^9 events: the hash chain is whole/);
  assert.deepEqual(JSON.parse((await run(folder, 'verify', '--json')).stdout), {
    sound: true,
    events: 9,
    findings: [],
  });

  // A change that keeps pages, counters and the end of the chain: only the whole walk can find it.
  const db = new DatabaseSync(join(folder, 'ledger.sqlite'));
  db.exec(`DROP TRIGGER reservations_end_once; UPDATE reservations SET month = '2020-01' WHERE id = 'b';
    UPDATE balances SET spent_nano_usd = spent_nano_usd - 150000000 WHERE scope = 'month';
    INSERT INTO balances (scope, key, spent_nano_usd, held_nano_usd) VALUES ('month', '2020-01', 150000000, 0)`);
  db.close();
  rmSync(join(folder, 'ledger.mirror.json'));
  const bad = await run(folder, 'verify');
  assert.equal(bad.code, 4);
  assert.match(bad.stdout, /not sound[\s\S]*reservation b is settled, which its events don't say/);
  const told = JSON.parse((await run(folder, 'verify', '--json')).stdout);
  assert.equal(told.sound, false);
  assert.ok(told.findings.length >= 1);
  assert.match((await run(folder, 'rebuild')).stdout, /9 events/);
  assert.equal((await run(folder, 'verify')).code, 0);
});

test('verify of a ledger that can not be opened says why, and the exit code too', async (t) => {
  const folder = await usedFolder(t);
  writeFileSync(join(folder, 'ledger.sqlite'), 'no database, '.repeat(1000));
  const bad = await run(folder, 'verify', '--json');
  assert.equal(bad.code, 4);
  const told = JSON.parse(bad.stdout);
  assert.deepEqual([told.sound, told.events], [false, null]);
  assert.match(told.findings[0], /damaged.*ledger rebuild/);
  const text = await run(folder, 'verify');
  assert.equal(text.code, 4);
  assert.match(text.stderr, /was damaged and set aside.*\(ledger_unavailable\)/);
});

test('export gives every event, with all that its hash covers', async (t) => {
  const folder = await usedFolder(t);
  const { code, stdout } = await run(folder, 'export');
  assert.equal(code, 0);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line): LedgerEvent => {
      const row = JSON.parse(line);
      return {
        seq: row.seq,
        atMs: row.at_ms,
        kind: row.kind,
        reservationId: row.reservation_id,
        owner: row.owner,
        amountNanoUsd: nanoUsd(row.amount_nano_usd),
        details: JSON.stringify(row.details),
        hash: row.hash,
      };
    });
  assert.equal(events.length, 9);
  const db = new DatabaseSync(join(folder, 'ledger.sqlite'), { readOnly: true });
  const hash = String(db.prepare('SELECT id FROM ledger').get()?.['id']);
  db.close();
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  assert.deepEqual(chainFindings(events, { hash, seq: 1 }, sha256), []);

  const out = join(folder, 'events.csv');
  const written = await run(folder, 'export', '--format', 'csv', '--out', out);
  assert.equal(written.stdout, `9 events in ${out}\n`);
  const [head = '', first = '', ...rest] = readFileSync(out, 'utf8').trimEnd().split('\r\n');
  assert.match(
    head,
    /^seq,time,kind,reservation_id,amount_nano_usd,amount_usd,prompt_id,model_id,/,
  );
  assert.match(first, /^1,[^,]+,reserved,'=a,200000000,0\.2,prompt of =a,cloud-model,/);
  assert.equal(rest.length, 8);
  const again = await run(folder, 'export', '--out', out);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /expected a new file/);
});

test('a frozen model is named, and can be called again once a person says so', async (t) => {
  const folder = await usedFolder(t);
  const other = await run(folder, 'unfreeze', 'cheap');
  assert.equal(other.code, 2);
  assert.match(other.stderr, /expected a frozen model, got cheap; frozen: dear/);
  assert.equal((await run(folder, 'unfreeze', 'dear')).code, 0);
  assert.match((await run(folder, 'unfreeze', 'dear')).stderr, /none is/);
  const ledger = await openAt(join(folder, 'ledger.sqlite'));
  assert.equal([...ledger.events()].at(-1)?.kind, 'unfrozen');
  await ledger.close();
});

test('rebuild says per month what it takes from where, and opens the ledger again', async (t) => {
  const folder = await usedFolder(t, '2026-11-23T07:00:00Z');
  const db = new DatabaseSync(join(folder, 'ledger.sqlite'));
  db.exec('UPDATE balances SET spent_nano_usd = 1');
  db.close();
  const before = readdirSync(folder).toSorted();
  const dry = await run(folder, 'rebuild', '--dry-run');
  assert.equal(dry.code, 0, dry.stderr);
  assert.match(dry.stdout, /9 events, all there and unchanged; 0 answers; mirror: read/);
  assert.match(dry.stdout, /2026-11 +\$0\.55 +unknown +\$0\.55 +at most \$0\.55/);
  assert.match(dry.stdout, /Nothing was changed/);
  assert.deepEqual(readdirSync(folder).toSorted(), before);
  const done = await run(folder, 'rebuild');
  assert.equal(done.code, 0);
  assert.match(done.stdout, /nothing was deleted/);
  assert.equal((await run(folder, 'verify')).code, 0);
  assert.match((await run(folder, 'rebuild')).stdout, /^Nothing to rebuild: .* is sound/);
  const user = await openAt(join(folder, 'ledger.sqlite'));
  const busy = await run(folder, 'rebuild');
  await user.close();
  assert.equal(busy.code, 4);
  assert.match(busy.stderr, /close all programs that use it/);
});

test('a clock that is far from the ledger closes it until a person confirms the clock', async (t) => {
  const longAgo = new Date(Date.now() - 100 * 86_400_000).toISOString();
  const folder = await usedFolder(t, longAgo);
  const closed = await run(folder, 'clock');
  assert.equal(closed.code, 4);
  assert.match(closed.stdout, /100 days ahead; set the clock right, or confirm it with/);
  const warned = await run(folder, 'verify');
  assert.match(
    warned.stderr,
    /warning: The ledger is closed, so answers stay local: .*100 days ahead/,
  );
  const accepted = await run(folder, 'clock', '--accept');
  assert.equal(accepted.code, 0);
  assert.match(accepted.stdout, /^clock .* UTC, confirmed\nbudgets +\d{4}/);
  assert.equal((await run(folder, 'verify')).stderr, '');
});

test('a clock that moved since the machine started is told; budgets go by the time since', async (t) => {
  const { boot, wallMs, uptimeMs } = readMachineClock();
  if (boot === undefined) {
    t.skip('this system does not tell one start of the machine from another');
    return;
  }
  const folder = tempFolder(t);
  const believed = { wallMs: wallMs - 40 * 86_400_000, uptimeMs, boot };
  writeFileSync(join(folder, 'ledger.clock.json'), JSON.stringify({ version: 1, believed }));
  const moved = await run(folder, 'clock');
  assert.equal(moved.code, 0);
  assert.match(
    moved.stdout,
    /moved 960 hours forward, but so much time has not passed; budgets go on by/,
  );
});
