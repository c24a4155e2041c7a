/** When an unsure answer is worth deferring. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deferralRule } from '../../server/src/core/deferral.ts';

const usual = { needed: 0.5, otherQuality: 0.9, costRatio: 1, pressure: 0 };

const rows: readonly [what: string, change: Partial<typeof usual>, needed: number][] = [
  ['the usual case is the fitted gate', {}, 0.5],
  ['a cheaper prompt is not deferred more often', { costRatio: 0.1 }, 0.5],
  ['twice the usual cost still counts as usual', { costRatio: 2 }, 0.5],
  ['eight times the cost wants twice the gain', { costRatio: 8 }, 0.1],
  ['a price that no gain is worth', { costRatio: 1000 }, 0],
  ['a model that is no better takes nothing over', { otherQuality: 0.3 }, 0.25],
  ['a budget under half pressure wants twice the gain', { pressure: 0.5 }, 0.1],
  ['a budget that is gone defers nothing', { pressure: 1 }, 0],
];
for (const [what, change, needed] of rows) {
  test(`deferral: ${what}`, () => {
    const rule = deferralRule({ ...usual, ...change });
    assert.ok(Math.abs(rule.needed - needed) < 1e-9, `${rule.needed}`);
    assert.equal(rule.notes.length > 0, needed < usual.needed - 0.005, rule.notes.join());
  });
}

test('an unknown price is judged as the usual one', () => {
  assert.equal(deferralRule({ ...usual, costRatio: undefined }).needed, 0.5);
});
