/** The smooth rule of pacing, and what it does to replayed months against spending until the money is gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pacedShare, pressureOf } from '../../server/src/core/pacing.ts';
import type { BudgetState, NarrowerBudget } from '../../server/src/core/ports.ts';
import { nanoUsd, ZERO_USD } from '../../server/src/core/price.ts';
import { replayMonth, replayMonths } from '../../server/src/learning/pacingReplay.ts';

const state = (spent: number, narrower: readonly NarrowerBudget[] = []): BudgetState => ({
  month: '2026-11',
  limitNanoUsd: nanoUsd(1000),
  spentNanoUsd: nanoUsd(spent),
  heldNanoUsd: ZERO_USD,
  narrower,
});
const on = (day: number, hour = 0) => Date.UTC(2026, 10, day, hour);

const rows: readonly [what: string, spent: number, atMs: number, least: number, most: number][] = [
  ['nothing spent', 0, on(1), 0, 0],
  ['on pace at half of the month', 500, on(16), 0, 0],
  ['a head start of a tenth', 590, on(16), 0, 0],
  ['a fifth ahead of the calendar', 700, on(16), 0.4, 0.55],
  ['far ahead of it', 950, on(16), 0.95, 0.95],
  ['the same spend at the end of the month', 950, on(30, 23), 0.75, 0.9],
  ['a tenth spent on the first morning', 100, on(1), 0, 0],
  ['a third spent on the first morning', 333, on(1), 0.95, 0.95],
  ['all spent', 1000, on(30), 1, 1],
];
for (const [what, spent, atMs, least, most] of rows) {
  test(`pressure: ${what}`, () => {
    const pressure = pressureOf(state(spent), atMs, 0.8);
    assert.ok(pressure >= least && pressure <= most, `${pressure}`);
  });
}

test('pressure rises without a step, and never falls while money is spent', () => {
  let before = 0;
  for (let spent = 0; spent <= 999; spent += 1) {
    const pressure = pressureOf(state(spent), on(16), 0.8);
    assert.ok(pressure >= before && pressure - before < 0.01, `${spent}: ${before} to ${pressure}`);
    before = pressure;
  }
});

test('the strictest budget counts; a day has its own pace, a session only its end', () => {
  const day = {
    period: 'day',
    limitNanoUsd: nanoUsd(100),
    spentNanoUsd: nanoUsd(80),
    heldNanoUsd: ZERO_USD,
  } as const;
  assert.ok(pressureOf(state(0, [day]), on(16, 2), 0.8) > 0.9);
  assert.equal(pressureOf(state(0, [day]), on(16, 20), 0.8), 0);
  const session = { ...day, period: 'session' } as const;
  assert.equal(pressureOf(state(0, [session]), on(16, 2), 0.8), 0);
});

test('pacing can be switched off, and without a limit there is none', () => {
  assert.equal(pressureOf(state(900), on(2), 1), 0);
  assert.equal(pressureOf({ ...state(900), limitNanoUsd: undefined }, on(2), 0.8), 0);
});

test('the share that escalates falls with the pressure', () => {
  assert.equal(pacedShare(0.5, 0), 0.5);
  assert.equal(pacedShare(0.5, 1), 0);
});

for (const seed of [1, 2, 3]) {
  test(`replayed months, seed ${seed}: the money lasts where spending as one likes runs dry, and is still spent`, () => {
    for (const month of replayMonths(seed)) {
      const { paced, unpaced } = replayMonth(month);
      assert.ok(paced.spentShare <= 1 && unpaced.spentShare <= 1);
      if (month.demand < 1.2) {
        // Money that would have lasted anyway is not saved at the cost of quality.
        assert.ok(
          paced.gained > 0.93 * unpaced.gained,
          `${month.name}: ${paced.gained} of ${unpaced.gained}`,
        );
        continue;
      }
      assert.ok(unpaced.dryDays >= 3, `${month.name}: dry for ${unpaced.dryDays}`);
      assert.ok(paced.dryDays <= 2, `${month.name}: dry for ${paced.dryDays}`);
      assert.ok(paced.spentShare > 0.9, `${month.name}: spent ${paced.spentShare}`);
      assert.ok(
        paced.gained > 1.02 * unpaced.gained,
        `${month.name}: ${paced.gained} of ${unpaced.gained}`,
      );
    }
  });
}
