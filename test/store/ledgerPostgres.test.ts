/** What only the team ledger has: a server that can go away at any moment, and a wire that can lose an answer. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { openTeamLedger } from '../../server/src/store/ledgerPostgres.ts';
import { POSTGRES_TIMES } from '../../server/src/store/postgresSession.ts';
import { cuttingProxy } from '../support/cuttingProxy.ts';
import {
  endPostgresAfterTests,
  freshDatabase,
  lacksPostgres,
  runSql,
} from '../support/postgres.ts';
import {
  answer,
  bill,
  clockAt,
  eventsOf,
  NOVEMBER,
  ONE_DOLLAR,
  openTeamAt,
  pay,
  request,
  tempFolder,
} from './ledgerFixture.ts';

endPostgresAfterTests();
const options = { skip: lacksPostgres };

async function temp(t: TestContext) {
  const url = await freshDatabase(t);
  const dataDir = tempFolder(t);
  const open = async (by = url) => {
    const ledger = await openTeamAt(by, dataDir);
    t.after(() => ledger.close());
    return ledger;
  };
  return { url, dataDir, open };
}

async function refusal(url: string, dataDir: string): Promise<string> {
  const opened = await openTeamLedger({
    url,
    dataDir,
    clock: clockAt(NOVEMBER),
    newId: randomUUID,
    retryMs: 200,
  });
  assert.ok(opened.kind === 'unavailable', 'expected the ledger to be refused');
  const reply = await opened.ledger.reserve(request('r', 0.1), ONE_DOLLAR);
  assert.deepEqual(reply, { kind: 'unavailable', why: opened.why });
  return opened.why;
}

/** Ends connections to the database of `url`: the one that proves the process alive, or the others. */
async function cut(url: string, which: 'owner' | 'others'): Promise<void> {
  const isOwner = `EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'advisory' AND objsubid = 1)`;
  const ended = await runSql(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity a WHERE datname = current_database()
     AND application_name = 'cost-aware-router' AND ${which === 'owner' ? isOwner : `NOT ${isOwner}`}`,
  );
  assert.ok(ended.length > 0, `expected connections of ${which}`);
}

test(
  'an answer to COMMIT that is lost, or a COMMIT itself, changes nothing of the result',
  options,
  async (t) => {
    const { url, open } = await temp(t);
    const wire = await cuttingProxy(url, t);
    const ledger = await open(wire.url);
    let steps = 0;
    for (const fault of ['loseNextCommitReply', 'dropNextCommit'] as const) {
      const id = `call with ${fault}`;
      for (const step of [
        async () =>
          assert.deepEqual(await ledger.reserve(request(id, 0.2), ONE_DOLLAR), { kind: 'held' }),
        async () => ledger.dispatch(id),
        async () => assert.equal(await ledger.settle(id, bill(0.1)), usd(0.1)),
        async () => ledger.unfreeze('nothing was frozen'),
      ]) {
        wire[fault]();
        await step();
        steps += 1;
      }
    }
    // Of each call three steps commit; the last one has nothing to write.
    assert.deepEqual([steps, wire.cuts()], [8, 6]);
    const kinds = (await eventsOf(ledger)).map(({ kind }) => kind);
    assert.deepEqual(kinds, [
      'reserved',
      'dispatched',
      'settled',
      'reserved',
      'dispatched',
      'settled',
    ]);
    assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.2));
    assert.deepEqual(await ledger.verify(), []);
  },
);

test(
  'a second dispatch is refused also when the first one had to be looked up',
  options,
  async (t) => {
    const { url, open } = await temp(t);
    const wire = await cuttingProxy(url, t);
    const ledger = await open(wire.url);
    await ledger.reserve(request('a', 0.2), ONE_DOLLAR);
    wire.loseNextCommitReply();
    await ledger.dispatch('a');
    await assert.rejects(ledger.dispatch('a'), /got one that is dispatched/);
  },
);

test(
  'a server that falls silent is waited for no longer than the time limits say',
  options,
  async (t) => {
    const { url, dataDir } = await temp(t);
    const wire = await cuttingProxy(url, t);
    // Long while it works, however busy the machine is; short once nothing will come.
    const times = { ...POSTGRES_TIMES };
    const opened = await openTeamLedger({
      url: wire.url,
      dataDir,
      clock: clockAt(NOVEMBER),
      newId: randomUUID,
      retryMs: 100,
      times,
    });
    assert.ok(opened.kind === 'open', opened.kind === 'unavailable' ? opened.why : '');
    const { ledger } = opened;
    await pay(ledger, 'a', 0.3, 0.3);
    wire.goSilent();
    Object.assign(times, { connectMs: 200, replyMs: 300 });
    const startedMs = performance.now();
    const refused = await ledger.reserve(request('b', 0.1), ONE_DOLLAR);
    assert.match(refused.kind === 'unavailable' ? refused.why : '', /to answer, got/);
    await assert.rejects(ledger.dispatch('b'), /to answer, got/);
    assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.3));
    await assert.rejects(ledger.record(answer('1')), /to answer, got/);
    await ledger.close();
    // The short limits add up to about 2 s, the usual ones to about 40.
    assert.ok(performance.now() - startedMs < 20_000, `${performance.now() - startedMs} ms`);
  },
);

test('connections that are killed between any two steps are made again', options, async (t) => {
  const { url, open } = await temp(t);
  const ledger = await open();
  await ledger.reserve(request('a', 0.2), ONE_DOLLAR);
  await cut(url, 'others');
  await ledger.dispatch('a');
  await cut(url, 'others');
  assert.equal((await ledger.budget(ONE_DOLLAR)).heldNanoUsd, usd(0.2));
  assert.equal(await ledger.settle('a', bill(0.1)), usd(0.1));
  await cut(url, 'others');
  await ledger.record(answer('1'));
  assert.equal((await ledger.spend(ONE_DOLLAR)).answers, 1);
  assert.deepEqual(await ledger.verify(), []);
});

test(
  'who loses the connection that proves it alive enters anew, and what it had sent stands at its bound',
  options,
  async (t) => {
    const { url, open } = await temp(t);
    const ledger = await open();
    await ledger.reserve(request('only held', 0.2), ONE_DOLLAR);
    await ledger.reserve(request('sent', 0.3), ONE_DOLLAR);
    await ledger.dispatch('sent');
    await cut(url, 'owner');
    assert.equal((await ledger.reserve(request('next', 0.7), ONE_DOLLAR)).kind, 'held');
    assert.deepEqual(
      await runSql(url, `SELECT state FROM cost_aware_router.reservations ORDER BY id COLLATE "C"`),
      [{ state: 'reserved' }, { state: 'voided' }, { state: 'settled_at_bound' }],
    );
    await assert.rejects(ledger.dispatch('only held'), /got one that is voided/);
    await assert.rejects(ledger.settle('sent', bill(0.1)), /got one that is settled_at_bound/);
    await ledger.dispatch('next');
    await ledger.settle('next', bill(0.6));
    const { spentNanoUsd, heldNanoUsd } = await ledger.budget(ONE_DOLLAR);
    assert.deepEqual([spentNanoUsd, heldNanoUsd], [usd(0.9), 0]);
    assert.deepEqual(await ledger.verify(), []);
  },
);

test('who was taken for dead by others enters anew before it holds money', options, async (t) => {
  const { url, open } = await temp(t);
  const ledger = await open();
  await runSql(url, 'DELETE FROM cost_aware_router.owners');
  assert.equal((await ledger.reserve(request('a', 0.7), ONE_DOLLAR)).kind, 'held');
  const [row] = await runSql(
    url,
    'SELECT count(*) AS n FROM cost_aware_router.owners o JOIN cost_aware_router.reservations r ON r.owner = o.id',
  );
  assert.equal(row?.['n'], '1');
});

test('a listener hears of others, also after its connection was lost', options, async (t) => {
  const { url, open } = await temp(t);
  const ledger = await open();
  const other = await open();
  let news = Promise.withResolvers<void>();
  ledger.onChanged(() => news.resolve());
  for (const id of ['1', '2']) {
    news = Promise.withResolvers<void>();
    const startedMs = performance.now();
    await other.record(answer(id));
    await news.promise;
    t.diagnostic(`heard after ${Math.round(performance.now() - startedMs)} ms`);
    if (id === '2') break;
    await cut(url, 'owner');
    // Entering again writes, and both do it; from then on they hear each other.
    for (const one of [ledger, other]) await one.reserve(request(randomUUID(), 0), ONE_DOLLAR);
  }
});

test('a listener hears nothing of what its own process writes', options, async (t) => {
  const { open } = await temp(t);
  const ledger = await open();
  const other = await open();
  let told = 0;
  ledger.onChanged(() => {
    told += 1;
  }, 1);
  const heard = Promise.withResolvers<void>();
  other.onChanged(() => heard.resolve(), 200);
  await ledger.record(answer('own'));
  // What the other one was told of long ago has reached this one too.
  await heard.promise;
  assert.equal(told, 0);
});

test('two processes that open an empty database at once make one ledger', options, async (t) => {
  const { url, open } = await temp(t);
  const ledgers = await Promise.all([open(), open(), open(), open()]);
  for (const [n, ledger] of ledgers.entries()) await pay(ledger, `${n}`, 0.1, 0.1);
  assert.equal((await ledgers[0]!.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.4));
  assert.deepEqual(await runSql(url, 'SELECT count(*)::int AS n FROM cost_aware_router.ledger'), [
    { n: 1 },
  ]);
});

test('a newer schema and foreign tables are left as they are', options, async (t) => {
  const { url, dataDir, open } = await temp(t);
  const ledger = await open();
  await runSql(url, 'UPDATE cost_aware_router.ledger SET version = 99');
  const said = /schema version \d+ or older, got 99; update this program/;
  const running = await ledger.reserve(request('a', 0.1), ONE_DOLLAR);
  assert.match(running.kind === 'unavailable' ? running.why : '', said);
  assert.match(await refusal(url, dataDir), said);

  const foreign = await freshDatabase(t);
  await runSql(foreign, 'CREATE SCHEMA cost_aware_router CREATE TABLE notes (text text)');
  assert.match(await refusal(foreign, dataDir), /got other tables; name another database/);
});

test('an emptied database does not start again at zero', options, async (t) => {
  const { url, dataDir, open } = await temp(t);
  const ledger = await open();
  await pay(ledger, 'a', 0.4, 0.4);
  await ledger.close();
  await runSql(url, 'DROP SCHEMA cost_aware_router CASCADE');
  assert.match(
    await refusal(url, dataDir),
    /\$0\.4 of spend that this machine knows of, found no ledger/,
  );
  assert.deepEqual(
    await runSql(url, `SELECT FROM pg_namespace WHERE nspname = 'cost_aware_router'`),
    [],
  );
  const [note = ''] = readdirSync(dataDir).filter((name) => name.endsWith('.mirror.json'));
  rmSync(join(dataDir, note));
  assert.equal((await (await open()).budget(ONE_DOLLAR)).spentNanoUsd, 0);
});

test(
  'the database itself refuses to change events or to end a reservation twice',
  options,
  async (t) => {
    const { url, open } = await temp(t);
    await pay(await open(), 'a', 0.2, 0.1);
    const within = (sql: string) => runSql(url, `SET search_path = cost_aware_router; ${sql}`);
    const insert =
      'INSERT INTO events (seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash)';
    for (const [sql, why] of [
      ['UPDATE events SET amount_nano_usd = 0', /only appended/],
      ['DELETE FROM events', /only appended/],
      ['TRUNCATE events CASCADE', /only appended/],
      [`${insert} VALUES (9, 'voided', 'a', 0, 'x', 0, '{}', '')`, /one_event_per_step/],
      [`${insert} VALUES (3, 'voided', 'b', 0, 'x', 0, '{}', '')`, /events_pkey/],
      [`UPDATE reservations SET state = 'voided', booked_nano_usd = 0`, /ends once/],
      ['UPDATE balances SET spent_nano_usd = -1', /balances_spent_nano_usd_check/],
    ] as const) {
      await assert.rejects(within(sql), why, sql);
    }
  },
);

test('damage is found, at opening or by the full check', options, async (t) => {
  const { url, dataDir, open } = await temp(t);
  const ledger = await open();
  await pay(ledger, 'a', 0.2, 0.1);
  const within = (sql: string) => runSql(url, `SET search_path = cost_aware_router; ${sql}`);
  await within('UPDATE balances SET spent_nano_usd = spent_nano_usd - 1');
  assert.equal((await ledger.verify()).length, 3);
  assert.match(await refusal(url, dataDir), /is damaged \(month 2026-11: expected 100000000 spent/);
  await within('UPDATE balances SET spent_nano_usd = 9007199254740993');
  assert.match(
    await refusal(url, dataDir),
    /a whole number below 2\^53 in the ledger, got 9007199254740993/,
  );
  await within('UPDATE balances SET spent_nano_usd = 100000000');
  assert.deepEqual(await ledger.verify(), []);
  await within('ALTER TABLE events DISABLE TRIGGER ALL; UPDATE events SET at_ms = 1 WHERE seq = 2');
  assert.deepEqual(await ledger.verify(), [
    'event 2 does not match its hash or the event before it',
  ]);
});

test('no message repeats the password, whatever is wrong with the address', options, async (t) => {
  const { url, dataDir } = await temp(t);
  const secret = 'pass-word-of-the-team';
  const wrong = new URL(url);
  wrong.password = secret;
  const rows: readonly [url: string, said: RegExp][] = [
    [wrong.href, /check user, password and rights/],
    [
      url.replace(/\/\/[^@]*@[^/]*/, `//team:${secret}@127.0.0.1:1`),
      /check that PostgreSQL runs there/,
    ],
    [`${wrong.href}?sslmode=prefer`, /unknown sslmode; use verify-full, no-verify or disable/],
    [`${wrong.href}?sslmode=verify-full`, /does not support SSL/],
    [`mysql://team:${secret}@host/x`, /got another kind of address/],
    [`postgres://team:${secret}@ho st:port/%zz`, /can't be read|PostgreSQL runs there/],
  ];
  for (const [address, said] of rows) {
    const why = await refusal(address, dataDir);
    assert.match(why, said);
    assert.ok(!why.includes(secret), why);
  }
});
