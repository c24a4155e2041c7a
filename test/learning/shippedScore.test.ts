/**
 * The shipped score on committed outcomes, figure by figure: whoever changes a feature, a constant or the data sees what that
 * does to routing, and writes the new figures down here and in docs/ROUTING.md. And cross-validation tells the same twice.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import shippedConfidence from '../../models/confidence.json' with { type: 'json' };
import { parseFittedConfidence } from '../../server/src/core/confidence.ts';
import { holdOut, randomFolds, summarise } from '../../server/src/learning/crossValidation.ts';
import { createEvaluation } from '../../server/src/learning/evaluateRouter.ts';
import { chosenConstants, rowsOf } from '../../server/src/learning/fitScore.ts';
import { readDataSets } from '../../server/src/learning/routingData.ts';
import { readSeedPrompts } from '../../server/src/learning/seedPrompts.ts';

const slice = fileURLToPath(new URL('../fixtures/routing/outcomes.jsonl', import.meta.url));

/** APGR, CPT(50), CPT(80), calibration error. Two digits fewer than computed: other machines round otherwise. */
const pinned: Readonly<Record<string, readonly [number, number, number, number | undefined]>> = {
  length: [0.586, 37.6, 66.4, undefined],
  keywords: [0.55, 43.4, 78.5, undefined],
  table: [0.743, 20.8, 45.3, 0.065],
  score: [0.733, 22.3, 48.9, 0.043],
};

test('the shipped score has its figures on the committed outcomes', () => {
  const read = readDataSets(slice, {});
  assert.ok(read.kind === 'read');
  const [set] = read.value;
  assert.ok(set !== undefined);
  const evaluation = createEvaluation({
    confidence: parseFittedConfidence(shippedConfidence),
    abilityOf: () => undefined,
  });
  const plan = evaluation.steps(set, { weak: undefined, strong: undefined, refit: false });
  assert.ok(typeof plan === 'object');
  const found = new Map(
    plan.steps.flatMap((step) => step.run()).map((row) => [row.router, row] as const),
  );
  for (const [router, [apgr, cpt50, cpt80, error]] of Object.entries(pinned)) {
    const row = found.get(router);
    assert.ok(row !== undefined, router);
    const near = (value: number, wanted: number, by: number, what: string) =>
      assert.ok(Math.abs(value - wanted) <= by, `${router}: ${what} ${value}, pinned ${wanted}`);
    near(row.quality.apgr, apgr, 0.001, 'APGR');
    near(row.quality.cpt50, cpt50, 0.4, 'CPT(50)');
    near(row.quality.cpt80, cpt80, 0.4, 'CPT(80)');
    if (error === undefined) assert.equal(row.calibrationError, undefined);
    else near(row.calibrationError ?? 1, error, 0.001, 'calibration error');
  }
});

test('cross-validation with the same seeds gives the same figures, and other folds give others', () => {
  const rows = rowsOf(slice);
  const seeds = readSeedPrompts();
  const constants = { ...chosenConstants, buckets: 2 ** 12, epochs: 3, drawnPerTask: 10 };
  const run = (folds: (at: number) => number) => summarise(holdOut(rows, seeds, constants, folds));
  const once = run(randomFolds(2, rows.length));
  assert.deepEqual(run(randomFolds(2, rows.length)), once);
  assert.ok(Number.isFinite(once.byGain.apgr) && once.calibrationError > 0);
  assert.notDeepEqual(
    run((at) => Number(at < rows.length / 2)),
    once,
  );
});
