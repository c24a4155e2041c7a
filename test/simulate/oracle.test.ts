/** The oracle bites: each known bug is planted in turn and must be found; as many seeds without one are clean. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plantedBugs } from './plantedBugs.ts';
import { simulate } from './simulation.ts';

const STEPS = 150;
/** Several times what the rarest of them took, so that a change of the simulator does not decide. */
const MOST_SEEDS = 2000;
let mostTaken = 0;

for (const planted of plantedBugs) {
  test(`planted: ${planted.name}`, async (t) => {
    for (let seed = 1; seed <= MOST_SEEDS; seed++) {
      const { findings } = await simulate({ seed, steps: STEPS, planted, toTheEnd: true });
      const harm = findings.find((finding) => finding.includes(planted.harm));
      if (harm === undefined) continue;
      mostTaken = Math.max(mostTaken, seed);
      t.diagnostic(`found in seed ${seed}: ${harm}`);
      return;
    }
    assert.fail(`expected the planted bug to be found in ${MOST_SEEDS} seeds, it was not`);
  });
}

test('without a bug, as many seeds as the best hidden one took are clean', async (t) => {
  assert.ok(mostTaken > 0);
  for (let seed = 1; seed <= mostTaken; seed++) {
    assert.deepEqual((await simulate({ seed, steps: STEPS })).findings, [], `seed ${seed}`);
  }
  t.diagnostic(`${mostTaken} seeds are clean`);
});
