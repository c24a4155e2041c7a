/** Several real processes on one real server: the limit holds between them, whoever dies, the server included. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { openTeamLedger } from '../../server/src/store/ledgerPostgres.ts';
import { times } from '../faults/proof.ts';
import {
  databaseIn,
  endPostgresAfterTests,
  freshDatabase,
  lacksOwnPostgres,
  lacksPostgres,
  runSql,
  startPostgres,
} from '../support/postgres.ts';
import {
  clockAt,
  eventsOf,
  NOVEMBER,
  ONE_DOLLAR,
  openTeamAt,
  pay,
  request,
  tempFolder,
} from './ledgerFixture.ts';
import type { TeamWorkerReport } from './ledgerPostgresWorker.ts';

const WORKER = join(import.meta.dirname, 'ledgerPostgresWorker.ts');
const PROCESSES = 8;
const ROUNDS = times({ short: 3, full: 20 });

endPostgresAfterTests();

function start(t: TestContext, url: string, task: string): ChildProcess {
  const worker = fork(WORKER, [url, tempFolder(t), task]);
  t.after(() => worker.kill('SIGKILL'));
  return worker;
}

/** The next report of a worker; a worker that ends without one fails the test. */
async function reportOf(worker: ChildProcess): Promise<TeamWorkerReport> {
  const ended = once(worker, 'exit').then(([code, signal]) => {
    throw new Error(`expected a report, got the worker's end (${code ?? signal})`);
  });
  const [message] = await Promise.race([once(worker, 'message'), ended]);
  return message;
}

async function killed(worker: ChildProcess): Promise<void> {
  const exit = once(worker, 'exit');
  worker.kill('SIGKILL');
  await exit;
}

test(`${PROCESSES} processes that share one dollar make exactly ten calls of ten cents, ${ROUNDS} rounds`, {
  skip: lacksPostgres,
}, async (t) => {
  for (let round = 1; round <= ROUNDS; round += 1) {
    const url = await freshDatabase(t);
    const workers = Array.from({ length: PROCESSES }, () => start(t, url, 'hammer'));
    await Promise.all(workers.map(reportOf));
    const reports = workers.map(reportOf);
    for (const worker of workers) worker.send('go');
    const accepted = (await Promise.all(reports)).map((one) => {
      assert.ok(one.kind === 'accepted');
      return one.count;
    });
    const exits = workers.map((worker) => once(worker, 'exit'));
    for (const worker of workers) worker.send('end');
    await Promise.all(exits);
    t.diagnostic(`round ${round}: accepted ${accepted.join(' + ')}`);
    assert.equal(
      accepted.reduce((sum, count) => sum + count, 0),
      10,
    );
    const ledger = await openTeamAt(url, tempFolder(t));
    assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(1));
    assert.deepEqual(await ledger.verify(), []);
    await ledger.close();
  }
});

test('holds of a living process stay; once it is killed whoever needs the room ends them', {
  skip: lacksPostgres,
}, async (t) => {
  const url = await freshDatabase(t);
  const worker = start(t, url, 'hold');
  await reportOf(worker);
  const ledger = await openTeamAt(url, tempFolder(t));
  t.after(() => ledger.close());
  const balance = async () => {
    const { spentNanoUsd, heldNanoUsd } = await ledger.budget(ONE_DOLLAR);
    return [spentNanoUsd, heldNanoUsd];
  };
  assert.deepEqual(await balance(), [0, usd(0.5)]);
  assert.equal((await ledger.reserve(request('a', 0.6), ONE_DOLLAR)).kind, 'exhausted');
  assert.deepEqual(await balance(), [0, usd(0.5)]);
  await killed(worker);
  // The server notices a moment after the process has ended.
  while ((await ledger.reserve(request('a', 0.6), ONE_DOLLAR)).kind !== 'held') {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(await balance(), [usd(0.3), usd(0.6)]);
  const ends = (await eventsOf(ledger))
    .slice(-3)
    .map(({ kind, reservationId }) => [reservationId, kind]);
  assert.deepEqual(Object.fromEntries(ends), {
    'only held': 'voided',
    sent: 'settled_at_bound',
    a: 'reserved',
  });
  assert.deepEqual(await ledger.verify(), []);
});

test('a server that ends at once and comes back has lost nothing that was settled', {
  skip: lacksOwnPostgres,
}, async (t) => {
  const server = await startPostgres();
  t.after(() => server.stop());
  const url = await databaseIn(server.url, t);
  const dataDir = tempFolder(t);
  const ledger = await openTeamAt(url, dataDir);
  t.after(() => ledger.close());
  const settled = new Set<string>();
  const workers = [start(t, url, 'pay'), start(t, url, 'pay')];
  for (const worker of workers) {
    worker.setMaxListeners(0);
    worker.on('message', (one: TeamWorkerReport) => {
      if (one.kind === 'settled') settled.add(one.id);
    });
  }
  await Promise.all(workers.map(reportOf));
  for (let round = 1; round <= 4; round += 1) {
    const before = settled.size;
    while (settled.size < before + 10) await reportOf(workers[round % 2]!);
    if (round === 2) {
      await runSql(
        url,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cost-aware-router'`,
      );
    } else {
      await server.restart();
    }
  }
  await pay(ledger, 'after all', 0.001, 0.0005);
  await Promise.all(workers.map(killed));
  const next = await openTeamAt(url, dataDir);
  t.after(() => next.close());
  assert.deepEqual(await next.verify(), []);
  const events = await eventsOf(next);
  const booked = new Set(
    events.flatMap(({ kind, reservationId }) => (kind === 'settled' ? [reservationId] : [])),
  );
  t.diagnostic(`${settled.size} settled, ${events.length} events`);
  assert.ok(settled.size >= 40, `${settled.size}`);
  assert.deepEqual(
    [...settled].filter((id) => !booked.has(id)),
    [],
  );
});

test('a server that is down closes the cloud tier and says so, at the start and later', {
  skip: lacksOwnPostgres,
}, async (t) => {
  const server = await startPostgres();
  t.after(() => server.stop());
  const url = await databaseIn(server.url, t);
  const dataDir = tempFolder(t);
  const options = { url, dataDir, clock: clockAt(NOVEMBER), newId: randomUUID, retryMs: 300 };
  const opened = await openTeamLedger(options);
  assert.ok(opened.kind === 'open');
  const { ledger } = opened;
  await pay(ledger, 'a', 0.4, 0.4);
  await server.kill();
  const reply = await ledger.reserve(request('b', 0.1), ONE_DOLLAR);
  assert.match(reply.kind === 'unavailable' ? reply.why : '', /check that PostgreSQL runs there/);
  assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.4));
  assert.equal(await ledger.answered('prompt'), false);

  const late = await openTeamLedger(options);
  assert.ok(late.kind === 'unavailable');
  assert.match(late.why, /127\.0\.0\.1:\d+\/ledger_test_\w+ to answer, got ".*"; check that/);
  // Of what this machine knew, nothing is forgotten.
  assert.equal((await late.ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.4));

  await server.start();
  assert.equal((await ledger.reserve(request('b', 0.1), ONE_DOLLAR)).kind, 'held');
  await ledger.close();
});

test('a server that does not wait for its disk is refused', {
  skip: lacksOwnPostgres,
}, async (t) => {
  const server = await startPostgres();
  t.after(() => server.stop());
  const url = await databaseIn(server.url, t);
  await runSql(server.url, 'ALTER SYSTEM SET fsync = off');
  await runSql(server.url, 'ALTER SYSTEM SET synchronous_commit = off');
  await server.restart();
  const options = { url, dataDir: tempFolder(t), clock: clockAt(NOVEMBER), newId: randomUUID };
  const opened = await openTeamLedger(options);
  assert.match(opened.kind === 'unavailable' ? opened.why : '', /got fsync = off; turn it on/);
  await runSql(server.url, 'ALTER SYSTEM RESET fsync');
  await server.restart();
  const ledger = await openTeamAt(url, options.dataDir);
  t.after(() => ledger.close());
  // Whatever the server's default is, this program's connections wait for the disk.
  await runSql(
    url,
    `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
       RAISE EXCEPTION 'synchronous_commit is %', current_setting('synchronous_commit'); END $$;
     CREATE TRIGGER note BEFORE INSERT ON cost_aware_router.events FOR EACH ROW EXECUTE FUNCTION note()`,
  );
  await assert.rejects(ledger.reserve(request('a', 0.1), ONE_DOLLAR), /synchronous_commit is on/);
});
