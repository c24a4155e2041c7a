import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { nanoUsd, nanoUsdFromDollars } from '../../server/src/core/price.ts';
import { closedLedger } from '../../server/src/store/ledger.ts';
import { readMirror } from '../../server/src/store/ledgerMirror.ts';
import {
  answer,
  bill,
  clockAt,
  eachStore,
  eventsOf,
  NOVEMBER,
  ONE_DOLLAR,
  pay,
  request,
  tempLedger,
} from './ledgerFixture.ts';

const usd = nanoUsdFromDollars;

eachStore('a hold counts until it is settled, then its bill does', async (_, temp) => {
  const { ledger } = await temp();
  const budget = () => ledger.budget(ONE_DOLLAR);
  assert.deepEqual(await budget(), {
    month: '2026-11',
    limitNanoUsd: usd(1),
    spentNanoUsd: 0,
    heldNanoUsd: 0,
  });
  assert.deepEqual(await ledger.reserve(request('a', 0.4), ONE_DOLLAR), { kind: 'held' });
  assert.equal((await budget()).heldNanoUsd, usd(0.4));
  await ledger.dispatch('a');
  assert.equal((await budget()).heldNanoUsd, usd(0.4));
  assert.equal(await ledger.settle('a', bill(0.25)), usd(0.25));
  assert.deepEqual([(await budget()).spentNanoUsd, (await budget()).heldNanoUsd], [usd(0.25), 0]);
  assert.deepEqual(await ledger.verify(), []);
});

eachStore(
  'a call that does not fit is refused to the nano-dollar, and the limit of the moment counts',
  async (_, temp) => {
    const { ledger } = await temp();
    await pay(ledger, 'a', 0.7, 0.7);
    const tooMuch = request('b', 0, { boundNanoUsd: nanoUsd(usd(0.3) + 1) });
    const refused = await ledger.reserve(tooMuch, ONE_DOLLAR);
    assert.deepEqual(refused, { kind: 'exhausted', state: await ledger.budget(ONE_DOLLAR) });
    assert.equal((await ledger.reserve(request('c', 0.3), ONE_DOLLAR)).kind, 'held');
    assert.equal((await ledger.reserve(request('d', 0.1), ONE_DOLLAR)).kind, 'exhausted');
    const raised = { monthlyNanoUsd: usd(1.1) };
    assert.equal((await ledger.reserve(request('d', 0.1), raised)).kind, 'held');
    const lowered = { monthlyNanoUsd: usd(0.5) };
    assert.equal((await ledger.reserve(request('e', 0.001), lowered)).kind, 'exhausted');
    const none = { monthlyNanoUsd: undefined };
    assert.equal((await ledger.reserve(request('f', 500), none)).kind, 'held');
  },
);

eachStore(
  'an id is one call: the same request is told again, another one is refused',
  async (_, temp) => {
    const { ledger } = await temp();
    const first = request('a', 0.4);
    assert.equal((await ledger.reserve(first, ONE_DOLLAR)).kind, 'held');
    assert.equal((await ledger.reserve(first, ONE_DOLLAR)).kind, 'held');
    assert.equal((await ledger.budget(ONE_DOLLAR)).heldNanoUsd, usd(0.4));
    for (const other of [
      { ...first, fingerprint: 'another' },
      { ...first, boundNanoUsd: usd(0.5) },
      { ...first, modelId: 'another' },
    ]) {
      assert.equal((await ledger.reserve(other, ONE_DOLLAR)).kind, 'conflict');
    }
    await ledger.dispatch('a');
    await assert.rejects(ledger.dispatch('a'), /can become dispatched, got one that is dispatched/);
    await assert.rejects(ledger.dispatch('unknown'), /expected a reservation that exists/);
  },
);

eachStore(
  'a reservation ends once: the same end is told again, another one throws',
  async (_, temp) => {
    const { ledger } = await temp();
    await pay(ledger, 'a', 0.4, 0.25);
    assert.equal(await ledger.settle('a', bill(0.25)), usd(0.25));
    await assert.rejects(ledger.settle('a', bill(0.26)), /got one that is settled/);
    await assert.rejects(ledger.settle('a', { kind: 'voided', why: 'http 401' }), /is settled/);
    assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.25));

    await ledger.reserve(request('b', 0.1), ONE_DOLLAR);
    await assert.rejects(ledger.settle('b', bill(0.1)), /got one that is reserved/);
    assert.equal(await ledger.settle('b', { kind: 'voided', why: 'never sent' }), 0);

    await ledger.reserve(request('c', 0.1), ONE_DOLLAR);
    await ledger.dispatch('c');
    const atBound = { kind: 'settled_at_bound', why: 'timeout' } as const;
    assert.equal(await ledger.settle('c', atBound), usd(0.1));
    assert.deepEqual(
      (await eventsOf(ledger)).map(({ kind, reservationId }) => `${reservationId} ${kind}`),
      [
        ['a reserved', 'a dispatched', 'a settled'],
        ['b reserved', 'b voided'],
        ['c reserved', 'c dispatched', 'c settled_at_bound'],
      ].flat(),
    );
    assert.deepEqual(await ledger.verify(), []);
  },
);

eachStore(
  'a bill above its bound is booked as it is and freezes the model for every process',
  async (_, temp) => {
    const { ledger, open } = await temp();
    const other = await open();
    assert.equal((await other.frozenModels()).has('cloud-model'), false);
    await ledger.reserve(request('a', 0.4), ONE_DOLLAR);
    await ledger.dispatch('a');
    assert.equal(await ledger.settle('a', bill(0.9)), usd(0.9));
    assert.equal((await eventsOf(ledger)).at(-1)?.kind, 'overrun');
    assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.9));
    for (const process of [ledger, other]) {
      assert.equal((await process.frozenModels()).has('cloud-model'), true);
      assert.equal((await process.frozenModels()).has('another-model'), false);
    }
    const refused = await other.reserve(request('b', 0.01), ONE_DOLLAR);
    assert.match(refused.kind === 'unavailable' ? refused.why : '', /frozen/);
    await other.unfreeze('cloud-model');
    assert.equal((await ledger.frozenModels()).has('cloud-model'), false);
    assert.equal((await ledger.reserve(request('b', 0.01), ONE_DOLLAR)).kind, 'held');
    assert.deepEqual(await ledger.verify(), []);
  },
);

eachStore(
  'the month is fixed at the reservation and does not go back with the clock',
  async (_, temp) => {
    const clock = clockAt('2026-11-30T23:59:59Z');
    const { ledger } = await temp(clock);
    await ledger.reserve(request('november', 0.4), ONE_DOLLAR);
    await ledger.dispatch('november');
    clock.set('2026-12-01T00:00:01Z');
    assert.equal((await ledger.budget(ONE_DOLLAR)).heldNanoUsd, 0);
    await pay(ledger, 'december', 0.6, 0.6);
    await ledger.settle('november', bill(0.3));
    assert.deepEqual(
      [(await ledger.budget(ONE_DOLLAR)).month, (await ledger.budget(ONE_DOLLAR)).spentNanoUsd],
      ['2026-12', usd(0.6)],
    );
    clock.set('2026-11-15T00:00:00Z');
    assert.equal((await ledger.budget(ONE_DOLLAR)).month, '2026-12');
    const tooMuch = await ledger.reserve(request('b', 0.5), ONE_DOLLAR);
    assert.equal(tooMuch.kind === 'exhausted' && tooMuch.state.month, '2026-12');
  },
);

eachStore(
  'a clock that visits another month without a reservation changes nothing',
  async (_, temp) => {
    const clock = clockAt(NOVEMBER);
    const { ledger } = await temp(clock);
    await pay(ledger, 'a', 0.6, 0.6);
    clock.set('2027-05-01T00:00:00Z');
    assert.equal((await ledger.budget(ONE_DOLLAR)).month, '2027-05');
    clock.set(NOVEMBER);
    assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, usd(0.6));
  },
);

eachStore('what one process books, another one reads at once', async (_, temp) => {
  const { ledger, open } = await temp();
  const other = await open();
  for (const cost of [0.1, 0.2, 0.3]) {
    const before = (await other.budget(ONE_DOLLAR)).spentNanoUsd;
    await pay(ledger, `cost ${cost}`, 0.4, cost);
    assert.equal((await other.budget(ONE_DOLLAR)).spentNanoUsd, before + usd(cost));
    assert.deepEqual(await other.budget(ONE_DOLLAR), await ledger.budget(ONE_DOLLAR));
  }
});

eachStore('closing ends what is open as if the process had died', async (_, temp) => {
  const { ledger, open } = await temp();
  await ledger.reserve(request('held', 0.2), ONE_DOLLAR);
  await ledger.reserve(request('sent', 0.3), ONE_DOLLAR);
  await ledger.dispatch('sent');
  await ledger.close();
  await ledger.close();
  assert.equal((await ledger.reserve(request('late', 0.1), ONE_DOLLAR)).kind, 'unavailable');
  await assert.rejects(ledger.settle('sent', bill(0.1)), /was closed by this process/);
  const next = await open();
  const { spentNanoUsd, heldNanoUsd } = await next.budget(ONE_DOLLAR);
  assert.deepEqual([spentNanoUsd, heldNanoUsd], [usd(0.3), 0]);
});

eachStore('spend sums a month by model and way, with unknown savings apart', async (_, temp) => {
  const clock = clockAt(NOVEMBER);
  const { ledger } = await temp(clock);
  const unknown = { kind: 'unknown', why: 'answer_incomplete' } as const;
  const answers = [
    answer('1'),
    answer('2', { costNanoUsd: nanoUsd(7), savings: unknown }),
    answer('3', { modelId: 'small', served: 'local', costNanoUsd: nanoUsd(0) }),
    answer('4', { modelId: null, served: 'none', status: 'failed', savings: unknown }),
    answer('5', { atMs: Date.parse('2026-10-31T23:59:59Z') }),
    answer('6', {
      savings: { kind: 'known', savedNanoUsd: -200, baselineCostNanoUsd: nanoUsd(800) },
    }),
  ];
  for (const each of answers) await ledger.record(each);
  const { budget, rows, audits, ...sums } = await ledger.spend(ONE_DOLLAR);
  assert.deepEqual(budget, await ledger.budget(ONE_DOLLAR));
  assert.deepEqual(sums, { answers: 5, savedNanoUsd: 800, unknownSavings: 2 });
  assert.deepEqual(audits, { audits: 0, costNanoUsd: 0, judged: [] });
  assert.deepEqual(rows, [
    { modelId: 'cloud-model', served: 'cloud', answers: 3, costNanoUsd: 2007 },
    { modelId: 'none', served: 'none', answers: 1, costNanoUsd: 1000 },
    { modelId: 'small', served: 'local', answers: 1, costNanoUsd: 0 },
  ]);
});

eachStore('a record is kept once and read back whole, newest first', async (_, temp) => {
  const { ledger } = await temp();
  for (const id of ['1', '2', '3']) await ledger.record(answer(id));
  await ledger.record(answer('2'));
  await assert.rejects(
    ledger.record(answer('2', { score: 0.1 })),
    /expected one record of prompt 2/,
  );
  const newest = await ledger.answers({ limit: 2 });
  assert.deepEqual(
    newest.map((each) => each.answer),
    [answer('3'), answer('2')],
  );
  const older = await ledger.answers({ limit: 2, beforeSeq: newest[1]?.seq ?? 0 });
  assert.deepEqual(
    older.map((each) => each.answer.promptId),
    ['1'],
  );
});

test('the database itself refuses to change events or to end a reservation twice', async (t) => {
  const { ledger, path } = await tempLedger(t);
  await pay(ledger, 'a', 0.2, 0.1);
  await ledger.close();
  const db = new DatabaseSync(path);
  t.after(() => db.close());
  const insert = `INSERT INTO events (seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash)`;
  for (const [sql, why] of [
    ['UPDATE events SET amount_nano_usd = 0', /only appended/],
    ['DELETE FROM events', /only appended/],
    [`${insert} VALUES (9, 'voided', 'a', 0, 'x', 0, '{}', '')`, /UNIQUE constraint failed/],
    [`${insert} VALUES (9, 'dispatched', 'a', 0, 'x', 0, '{}', '')`, /UNIQUE constraint failed/],
    [`UPDATE reservations SET state = 'voided', booked_nano_usd = 0`, /ends once/],
    [`UPDATE balances SET spent_nano_usd = -1`, /CHECK constraint failed/],
  ] as const) {
    assert.throws(() => db.exec(sql), why, sql);
  }
});

test('a ledger that was moved away while open takes no new calls', async (t) => {
  const { ledger, path } = await tempLedger(t);
  await ledger.reserve(request('a', 0.1), ONE_DOLLAR);
  renameSync(path, `${path}.elsewhere`);
  const reply = await ledger.reserve(request('b', 0.1), ONE_DOLLAR);
  assert.match(reply.kind === 'unavailable' ? reply.why : '', /moved, deleted or replaced/);
  await assert.rejects(ledger.dispatch('a'), /moved, deleted or replaced/);
});

test('the mirror follows what is booked', async (t) => {
  const { ledger, path } = await tempLedger(t);
  const mirror = () => JSON.parse(readFileSync(path.replace('.sqlite', '.mirror.json'), 'utf8'));
  assert.deepEqual(mirror().spentNanoUsd, {});
  await ledger.reserveDispatched?.(request('a', 0.2), ONE_DOLLAR);
  assert.deepEqual(mirror().atMostNanoUsd.month, { '2026-11': usd(0.2) }, 'before it leaves');
  await ledger.settle('a', bill(0.1));
  assert.deepEqual(mirror().spentNanoUsd, { '2026-11': 0 }, 'the bill is not on the disk yet');
  while (mirror().spentNanoUsd['2026-11'] !== usd(0.1)) await delay(20);
  await pay(ledger, 'b', 0.3, 0.2);
  await ledger.close();
  assert.deepEqual(mirror().spentNanoUsd, { '2026-11': usd(0.3) });
});

test('a mirror of which a part is older is not believed', async (t) => {
  const { ledger, path } = await tempLedger(t);
  await pay(ledger, 'a', 0.2, 0.1);
  await ledger.close();
  const mirrorPath = path.replace('.sqlite', '.mirror.json');
  const content = readFileSync(mirrorPath, 'utf8');
  assert.equal(readMirror(mirrorPath).kind, 'read');
  writeFileSync(mirrorPath, content.replace(`${usd(0.1)}`, `${usd(0.9)}`));
  assert.equal(readMirror(mirrorPath).kind, 'unreadable');
});

test('a closed ledger says why, knows what it was told and keeps local answers going', async () => {
  const known = { '2026-11': usd(0.4) };
  const ledger = closedLedger({ why: 'disk gone', clock: clockAt(NOVEMBER), spentNanoUsd: known });
  const reply = await ledger.reserve(request(randomUUID(), 0.1), ONE_DOLLAR);
  assert.deepEqual(reply, { kind: 'unavailable', why: 'disk gone' });
  assert.equal((await ledger.spend(ONE_DOLLAR)).budget.spentNanoUsd, usd(0.4));
  await ledger.record(answer('1'));
  assert.equal((await ledger.spend(ONE_DOLLAR)).answers, 0);
  await assert.rejects(ledger.dispatch('a'), /disk gone/);
});
