import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  areaUnderRoc,
  bootstrap,
  calibrationError,
  quantile,
  type Routed,
  routingQuality,
} from '../../server/src/learning/metrics.ts';

/** Ten prompts, of which the weak model misses the last four and the strong one none. */
const outcomes = Array.from({ length: 10 }, (_, at) => ({ weak: at < 6 ? 1 : 0, strong: 1 }));
const ranked = (score: (at: number) => number): Routed[] =>
  outcomes.map((row, at) => ({ ...row, score: score(at) }));

const rankings: [name: string, rows: Routed[], apgr: number, cpt50: number, cpt80: number][] = [
  // PGR climbs by a quarter per prompt for four prompts, then stays at one: 0.05 * 4 + 0.6.
  ['a perfect ranking', ranked((at) => at), 0.8, 20, 40],
  ['the worst ranking', ranked((at) => -at), 0.2, 80, 100],
  ['no ranking at all', ranked(() => 1), 0.5, 50, 80],
];
for (const [name, rows, apgr, cpt50, cpt80] of rankings) {
  test(`${name} has APGR ${apgr}, CPT(50) ${cpt50}, CPT(80) ${cpt80}`, () => {
    const found = routingQuality(rows);
    assert.ok(Math.abs(found.apgr - apgr) < 1e-9, `${found.apgr}`);
    assert.ok(Math.abs(found.cpt50 - cpt50) < 1e-9, `${found.cpt50}`);
    assert.ok(Math.abs(found.cpt80 - cpt80) < 1e-9, `${found.cpt80}`);
  });
}

test('a bootstrap interval holds the figure and is reproducible', () => {
  const rows = Array.from({ length: 300 }, (_, at) => ({
    score: (at * 7919) % 300,
    weak: (at * 31) % 2,
    strong: (at * 17) % 3 === 0 ? 0 : 1,
  }));
  const { apgr } = routingQuality(rows);
  const interval = bootstrap(rows, 200, 1).apgr;
  assert.ok(interval.low < apgr && apgr < interval.high);
  assert.deepEqual(bootstrap(rows, 200, 1), bootstrap(rows, 200, 1));
});

test('the area under the ROC counts ties as half and is unknown without both kinds', () => {
  const rows = (...scores: [number, boolean][]) =>
    scores.map(([score, positive]) => ({ score, positive }));
  assert.equal(areaUnderRoc(rows([1, false], [2, true])), 1);
  assert.equal(areaUnderRoc(rows([1, true], [1, false])), 0.5);
  assert.equal(areaUnderRoc(rows([1, true], [2, false], [3, true])), 0.5);
  assert.equal(areaUnderRoc(rows([1, true])), undefined);
});

test('calibration error is zero for a true estimate and the bias for a constant one', () => {
  const rows = (estimate: number) =>
    Array.from({ length: 100 }, (_, at) => ({ estimate, happened: at % 4 === 0 ? 1 : 0 }));
  assert.ok(calibrationError(rows(0.25)) < 0.05);
  assert.ok(Math.abs(calibrationError(rows(0.75)) - 0.5) < 0.02);
});

test('a quantile lies between its neighbours', () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([0, 10], 0.25), 2.5);
});
