/** Agreement of further samples with a local answer: measured on its beginning, asked for only where the gate weighs it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreementOf } from '../../server/src/core/agreement.ts';
import type { Model } from '../../server/src/core/types.ts';
import {
  answerOf,
  BIG,
  collect,
  LOCAL,
  promptOf,
  registry,
  says,
  scriptedRouter,
} from '../support/scriptedPorts.ts';
import { gateConfidence } from '../support/scriptedScores.ts';

test('words agree without regard to case, order and punctuation; numbers count as words', () => {
  assert.equal(agreementOf('Paris.', []), undefined);
  assert.equal(agreementOf('It is PARIS!', ['paris, it is']), 1);
  assert.equal(agreementOf('The answer is 42.', ['The answer is 41.']), 0.75);
  assert.equal(agreementOf('Paris', ['Rome', 'Paris']), 0.5);
  assert.equal(agreementOf('', ['']), 1);
  assert.equal(agreementOf('東京', ['']), 0);
  // What comes after the checkable beginning does not count.
  const long = 'same '.repeat(50);
  assert.equal(agreementOf(`${long} one`, [`${long} other words`]), 1);
});

const sampled: Model[] = registry.models.map((model) =>
  model.provider === 'local' ? { ...model, file: { ...model.file, agreementSamples: 3 } } : model,
);
const weighing = {
  ...gateConfidence,
  gate: {
    ...gateConfidence.gate,
    withLogProbs: {
      ...gateConfidence.gate.withLogProbs,
      agreement: { weight: 8, usual: 0.7 },
    },
  },
};
const withSamples = { registry: { ...registry, models: sampled }, confidence: weighing };

for (const [name, others, served] of [
  ['samples that say the same let a sure answer stand', ['It is Paris.', 'Paris, it is.'], LOCAL],
  ['samples that say something else defer it', ['Perhaps Rome?', 'London or Lima'], BIG],
] as const) {
  test(name, async () => {
    const { router, calls } = scriptedRouter({
      ...withSamples,
      answers: {
        [LOCAL]: [
          says('It is Paris.', { sure: true }),
          ...others.map((text) => says(text, { sure: true })),
        ],
        [BIG]: [says('cloud')],
      },
    });
    const result = answerOf(await collect(router, promptOf('hi')));
    assert.equal(result.modelId, served);
    assert.match(
      result.confidence?.parts.find((part) => part.name === 'agreement')?.detail ?? '',
      /further samples agree by \d\.\d\d/,
    );
    const local = calls.filter(({ modelId }) => modelId === LOCAL);
    assert.equal(local.length, 3);
    assert.equal(local[0]?.request.drawn, undefined);
    const drawn = local.slice(1).map(({ request }) => request);
    assert.ok(
      drawn.every((request) => request.drawn !== undefined && request.maxOutputTokens <= 48),
    );
    assert.equal(new Set(drawn.map((request) => request.drawn?.seed)).size, 2);
  });
}

test('no samples are drawn where the entry asks for none, or the gate would not weigh them', async () => {
  for (const script of [
    { confidence: weighing },
    { registry: withSamples.registry, confidence: gateConfidence },
  ]) {
    const { router, calls } = scriptedRouter({
      ...script,
      answers: { [LOCAL]: [says('It is Paris.', { sure: true })] },
    });
    const result = answerOf(await collect(router, promptOf('hi')));
    assert.equal(result.modelId, LOCAL);
    assert.equal(calls.length, 1);
    assert.ok(!result.confidence?.parts.some((part) => part.name === 'agreement'));
  }
});
