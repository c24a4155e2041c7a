/** Which time budgets go by: clocks that jump, machines that sleep and start again, people who were away. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { monthOf } from '../../server/src/core/budget.ts';
import { TOLERANCE_MS } from '../../server/src/core/steadyClock.ts';
import {
  confirmClock,
  createLedgerClock,
  readMachineClock,
} from '../../server/src/store/ledgerClock.ts';
import { NOVEMBER, tempFolder } from '../store/ledgerFixture.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A machine whose real time is known to the test alone, and programs on it. */
function machine(t: TestContext, folder = tempFolder(t)) {
  const path = join(folder, 'ledger.clock.json');
  const startMs = Date.parse(NOVEMBER);
  let realMs = startMs;
  let bootedMs = startMs - HOUR;
  let boots = 1;
  let wallOffMs = 0;
  let newestMs: number | undefined;
  const told: string[] = [];
  const read = () => ({
    wallMs: realMs + wallOffMs,
    uptimeMs: realMs - bootedMs,
    boot: `boot ${boots}`,
  });
  const open = () => {
    const clock = createLedgerClock({ path, onMoved: (text) => told.push(text), read });
    clock.begin(newestMs);
    return clock;
  };
  let clock = open();
  return {
    told,
    startMs,
    boots: () => boots,
    realMs: () => realMs,
    wallMs: () => realMs + wallOffMs,
    now: () => clock.now(),
    closedWhy: () => clock.closedWhy(),
    pass: (ms: number) => {
      realMs += ms;
    },
    jump: (ms: number) => {
      wallOffMs += ms;
    },
    setRight: () => {
      wallOffMs = 0;
    },
    /** A call is made: the ledger gets an entry. */
    spend: () => {
      if (clock.closedWhy() === undefined) newestMs = clock.now();
    },
    restart: () => {
      clock = open();
    },
    reboot: () => {
      boots += 1;
      bootedMs = realMs;
      clock = open();
    },
    confirm: () => confirmClock(path, read()),
    loseMark: () => writeFileSync(path, '{ torn'),
  };
}

test('a clock that agrees opens the new month when it has really come, also over a sleep', (t) => {
  const it = machine(t);
  assert.equal(monthOf(it.now()), '2026-11');
  it.pass(20 * DAY);
  assert.equal(monthOf(it.now()), '2026-12');
  it.restart();
  assert.equal(it.now(), it.realMs());
  assert.deepEqual(it.told, []);
});

test('steps of a time server are followed and not told', (t) => {
  const it = machine(t);
  for (const step of [3_000, -8_000, 2 * MINUTE]) {
    it.jump(step);
    it.pass(HOUR);
    assert.equal(it.now(), it.wallMs());
  }
  assert.deepEqual(it.told, []);
});

test('a clock that is set forward or back while the program runs moves no budget, and is told once', (t) => {
  for (const jump of [40 * DAY, -40 * DAY, 6 * MINUTE]) {
    const it = machine(t);
    it.jump(jump);
    it.pass(MINUTE);
    assert.equal(it.now(), it.realMs());
    assert.equal(it.now(), it.realMs());
    assert.equal(it.closedWhy(), undefined);
    assert.equal(it.told.length, 1);
    assert.match(it.told[0] ?? '', jump > 0 ? /forward.*ledger clock --accept/ : /back/);
    // The same after the program starts again in the same start of the machine.
    it.restart();
    assert.equal(it.now(), it.realMs());
    it.setRight();
    assert.equal(it.now(), it.realMs());
    it.jump(jump);
    it.now();
    assert.equal(it.told.length, 3);
  }
});

test('a clock that a person confirms is believed at once, by running programs too', (t) => {
  const it = machine(t);
  it.jump(40 * DAY);
  it.now();
  it.confirm();
  assert.equal(it.now(), it.wallMs());
  it.pass(HOUR);
  it.restart();
  assert.equal(it.now(), it.wallMs());
  assert.equal(it.closedWhy(), undefined);
});

test('after two months away a person is asked once, and no month opens before', (t) => {
  const it = machine(t);
  it.spend();
  it.pass(60 * DAY);
  it.reboot();
  assert.equal(monthOf(it.now()), '2026-11');
  assert.match(it.closedWhy() ?? '', /60 days ahead; set the clock right, or confirm it with/);
  it.pass(HOUR);
  assert.equal(monthOf(it.now()), '2026-11');
  it.restart();
  assert.ok(it.closedWhy() !== undefined);
  it.confirm();
  assert.equal(it.closedWhy(), undefined);
  assert.equal(it.now(), it.realMs());
  it.reboot();
  assert.equal(it.closedWhy(), undefined);
  it.pass(44 * DAY);
  it.reboot();
  assert.equal(it.closedWhy(), undefined);
});

test('a machine that ran for months and starts again asks nobody, though nothing was paid', (t) => {
  const it = machine(t);
  for (let day = 0; day < 90; day += 1) {
    it.pass(DAY);
    it.now();
  }
  it.reboot();
  assert.equal(it.closedWhy(), undefined);
  assert.equal(it.now(), it.realMs());
});

test('a clock that is far behind closes the cloud tier until it is right again', (t) => {
  const it = machine(t);
  it.spend();
  it.jump(-400 * DAY);
  it.reboot();
  assert.match(it.closedWhy() ?? '', /400 days behind/);
  it.setRight();
  assert.equal(it.closedWhy(), undefined);
  assert.equal(it.now(), it.realMs());
});

test('a few hours behind, as a hardware clock in local time is, are nothing', (t) => {
  const it = machine(t);
  it.jump(-11 * HOUR);
  it.reboot();
  assert.equal(it.closedWhy(), undefined);
});

test('without its mark the newest entry of the ledger says how late it may be', (t) => {
  const it = machine(t);
  it.spend();
  it.loseMark();
  it.jump(90 * DAY);
  it.restart();
  assert.match(it.closedWhy() ?? '', /90 days ahead/);
});

test('first use believes any clock', (t) => {
  const folder = tempFolder(t);
  const read = () => ({ wallMs: 0, uptimeMs: 5, boot: undefined });
  const clock = createLedgerClock({ path: join(folder, 'c.json'), onMoved: assert.fail, read });
  clock.begin(undefined);
  assert.equal(clock.closedWhy(), undefined);
  assert.equal(clock.now(), 0);
});

test('the clocks of this machine run together', async () => {
  const first = readMachineClock();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const second = readMachineClock();
  const apart = second.wallMs - first.wallMs - (second.uptimeMs - first.uptimeMs);
  assert.ok(Math.abs(apart) < 1500, `${apart} ms apart`);
  assert.ok(second.uptimeMs > first.uptimeMs);
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 20 * DAY }) }),
  fc.record({
    kind: fc.constant('jump' as const),
    ms: fc.integer({ min: -400 * DAY, max: 400 * DAY }),
  }),
  // The sly way: many small steps.
  fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: 0, max: 5 * MINUTE }) }),
  fc.record({ kind: fc.constant('restart' as const) }),
  fc.record({ kind: fc.constant('spend' as const) }),
);

test('no sequence of jumps makes more months open than really passed', (t) => {
  const folder = tempFolder(t);
  let run = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      run += 1;
      const it = machine(t, join(folder));
      it.loseMark();
      it.restart();
      for (const one of steps) {
        if (one.kind === 'pass') it.pass(one.ms);
        else if (one.kind === 'jump') it.jump(one.ms);
        else it[one.kind]();
        const apart = it.now() - it.realMs();
        assert.ok(Math.abs(apart) <= TOLERANCE_MS, `${apart} ms from the real time`);
        assert.equal(it.closedWhy(), undefined);
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(run >= 300);
});

test('across starts of the machine, each may be 45 days ahead at most, and nothing confirms itself', (t) => {
  const folder = tempFolder(t);
  const boot = fc.record({ kind: fc.constant('reboot' as const) });
  fc.assert(
    fc.property(fc.array(fc.oneof(step, boot), { maxLength: 40 }), (steps) => {
      const it = machine(t, folder);
      it.loseMark();
      it.restart();
      let latestMs = it.now();
      for (const one of steps) {
        if (one.kind === 'pass') it.pass(one.ms);
        else if (one.kind === 'jump') it.jump(one.ms);
        else it[one.kind]();
        if (it.closedWhy() !== undefined) continue;
        latestMs = Math.max(latestMs, it.now());
      }
      const most = it.realMs() - it.startMs + it.boots() * (45 * DAY + 2 * TOLERANCE_MS);
      assert.ok(latestMs - it.startMs <= most, `${(latestMs - it.startMs) / DAY} days`);
    }),
    { numRuns: 300 },
  );
});
