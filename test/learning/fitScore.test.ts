/** Fits on a small slice of real outcomes and judges on another: the whole way from prompts to a file that scores. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { featuresOf } from '../../server/src/core/features.ts';
import { parseFittedScore } from '../../server/src/core/fittedScore.ts';
import { createScorer, type Strategy } from '../../server/src/core/score.ts';
import { PAIR } from '../../server/src/learning/crossValidation.ts';
import { chosenConstants, fitScore, rowsOf } from '../../server/src/learning/fitScore.ts';
import { routingQuality } from '../../server/src/learning/metrics.ts';
import { readTaskOutcomes } from '../../server/src/learning/outcomes.ts';
import { readSeedPrompts } from '../../server/src/learning/seedPrompts.ts';

const slice = fileURLToPath(new URL('../fixtures/routing/outcomes.jsonl', import.meta.url));
const rows = rowsOf(slice);
const seeds = readSeedPrompts();
const constants = { ...chosenConstants, buckets: 2 ** 12, epochs: 4, drawnPerTask: 20 };
const isHeldOut = (_: unknown, at: number) => at % 2 === 1;
const taught = rows.filter((row, at) => !isHeldOut(row, at));
const heldOut = rows.filter(isHeldOut);
const file = fitScore(taught, seeds, constants);

test('fitting again gives the same file, to the byte', () => {
  assert.equal(JSON.stringify(fitScore(taught, seeds, constants)), JSON.stringify(file));
});

test('the file survives JSON and says what is judgement and what is not', () => {
  const fitted = parseFittedScore(JSON.parse(JSON.stringify(file)));
  assert.ok(fitted.reference.length > 250);
  const sources = Map.groupBy(fitted.tasks, ({ source }) => source);
  assert.equal(sources.get('outcomes')?.length, 13);
  for (const task of sources.get('judgement') ?? []) {
    assert.ok(task.mix !== undefined && task.offset !== undefined, task.name);
  }
});

test('on prompts that it had not seen, the fitted score routes better than luck, length and keywords', () => {
  const fitted = parseFittedScore(file);
  const weak = { ability: { kind: 'fitted', key: PAIR.weak } as const };
  const strong = { ability: { kind: 'fitted', key: PAIR.strong } as const };
  const apgr = (strategy: Strategy) => {
    const scorer = createScorer(fitted, strategy);
    return routingQuality(
      heldOut.map(({ features, outcome }) => ({
        score: scorer.gain(features, weak, strong).value,
        weak: outcome.scores[PAIR.weak] ?? 0,
        strong: outcome.scores[PAIR.strong] ?? 0,
      })),
    ).apgr;
  };
  const found = apgr('fitted');
  assert.ok(found > 0.62, `${found}`);
  for (const strategy of ['random', 'length', 'keywords'] as const) {
    const other = apgr(strategy);
    assert.ok(found > other + 0.03, `${found} against ${other} by ${strategy}`);
  }
});

test('qualities are calibrated roughly, and the better model is known to be better', () => {
  const scorer = createScorer(parseFittedScore(file));
  for (const key of [PAIR.weak, PAIR.strong]) {
    const model = { ability: { kind: 'fitted', key } as const };
    const mean = (values: number[]) =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    const foretold = mean(heldOut.map(({ features }) => 1 - scorer.score(features, model).value));
    const happened = mean(heldOut.map(({ outcome }) => outcome.scores[key] ?? 0));
    assert.ok(Math.abs(foretold - happened) < 0.12, `${key}: ${foretold} against ${happened}`);
  }
  const features = featuresOf({
    text: 'Write a function to add numbers.',
    context: [],
    history: [],
  });
  const by = (key: string) => scorer.score(features, { ability: { kind: 'fitted', key } }).value;
  assert.ok(by(PAIR.strong) < by(PAIR.weak));
});

test('a file that is not of outcomes is refused by its line', () => {
  const seedsFile = fileURLToPath(new URL('../../models/seedPrompts.jsonl', import.meta.url));
  assert.throws(() => readTaskOutcomes(seedsFile), /seedPrompts\.jsonl:1: (prompt|scores)/);
});
