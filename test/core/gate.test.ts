/** The gate on answers while they grow and when they are there: stopped early, parsed, weighed against what deferring costs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../server/src/core/errors.ts';
import type { ModelEvent } from '../../server/src/core/ports.ts';
import {
  answerOf,
  BIG,
  collect,
  fails,
  LOCAL,
  promptOf,
  type Script,
  says,
  scriptedRouter,
} from '../support/scriptedPorts.ts';
import { gateConfidence } from '../support/scriptedScores.ts';

const early: Script['confidence'] = {
  ...gateConfidence,
  gate: { ...gateConfidence.gate, early: { fromTokens: 6, below: 0.3 } },
};
const words = Array.from({ length: 40 }, (_, at) => `word${at}`).join(' ');
const drafts = (events: Awaited<ReturnType<typeof collect>>) =>
  events.filter((event) => event.type === 'text-delta' && event.modelId === LOCAL).length;

test('a hopeless draft is stopped while it streams, and the cloud goes on', async () => {
  const { router } = scriptedRouter({
    confidence: early,
    answers: { [LOCAL]: [says(words, { sure: false })], [BIG]: [says('cloud')] },
  });
  const events = await collect(router, promptOf('hi'));
  const result = answerOf(events);
  assert.equal(result.text, 'cloud');
  assert.equal(result.reason.code, 'low_confidence');
  assert.ok(drafts(events) >= 6 && drafts(events) < 12, `${drafts(events)} pieces`);
  assert.deepEqual(result.confidence?.notes, [`clear after ${drafts(events)} tokens`]);
});

test('a sure draft is left alone', async () => {
  const { router } = scriptedRouter({
    confidence: early,
    answers: { [LOCAL]: [says(words, { sure: true })] },
  });
  const events = await collect(router, promptOf('hi'));
  assert.equal(answerOf(events).text, words);
  assert.equal(drafts(events), 40);
});

test('where the cloud then fails, the stopped draft is written again to its end', async () => {
  const { router, calls } = scriptedRouter({
    confidence: early,
    answers: {
      [LOCAL]: [says(words, { sure: false })],
      [BIG]: [fails(failure('bad_key', 'no', { billing: 'nothing' }))],
    },
  });
  const result = answerOf(await collect(router, promptOf('hi')));
  assert.equal(result.text, words);
  assert.equal(result.reason.code, 'provider_unavailable');
  assert.deepEqual(
    calls.map(({ modelId }) => modelId),
    [LOCAL, BIG, LOCAL],
  );
});

test('a forced local answer is never stopped', async () => {
  const { router } = scriptedRouter({
    confidence: early,
    answers: { [LOCAL]: [says(words, { sure: false })] },
  });
  const prompt = promptOf('hi', { forceModel: { tier: 'cheap' } });
  assert.equal(answerOf(await collect(router, prompt)).text, words);
});

test('code that does not parse lowers the confidence', async () => {
  const confidenceWith = async (broken: number) => {
    const { router } = scriptedRouter({
      answers: { [LOCAL]: [says('code', { sure: true })], [BIG]: [says('cloud')] },
      checkCode: async () => ({ blocks: 2, broken }),
    });
    return answerOf(await collect(router, promptOf('hi'))).confidence;
  };
  const [whole, half, none] = [
    await confidenceWith(0),
    await confidenceWith(1),
    await confidenceWith(2),
  ];
  assert.ok((whole?.value ?? 0) > (half?.value ?? 1) && (half?.value ?? 0) > (none?.value ?? 1));
  assert.match(
    none?.parts.find(({ name }) => name === 'broken')?.detail ?? '',
    /100 % of its code/,
  );
});

test('an unsure answer stands where a far dearer prompt makes deferring not worth it', async () => {
  const script: Script = {
    answers: { [LOCAL]: [says('unsure', { sure: false })], [BIG]: [says('cloud')] },
    confidence: {
      ...gateConfidence,
      gate: {
        ...gateConfidence.gate,
        withLogProbs: { bias: -0.2, meanLogProb: 0, lowLogProb: 0, entropy: 0, length: 0 },
      },
    },
  };
  const usual = answerOf(await collect(scriptedRouter(script).router, promptOf('hi')));
  assert.equal(usual.reason.code, 'low_confidence');
  const text = 'a word and another '.repeat(750);
  const dear = answerOf(await collect(scriptedRouter(script).router, promptOf(text)));
  assert.equal(dear.text, 'unsure');
  assert.match(dear.confidence?.notes?.[0] ?? '', /times the usual/);
});

test('log-probabilities of a growing answer stay inside the router', async () => {
  const { router } = scriptedRouter({ answers: { [LOCAL]: [says('a b', { sure: true })] } });
  const events = await collect(router, promptOf('hi'));
  const deltas = events.filter((event) => event.type === 'text-delta');
  assert.ok(deltas.length === 2 && deltas.every((event) => !('logProbs' in event)));
  const told: ModelEvent = { type: 'text-delta', text: 'a', logProbs: [] };
  assert.ok('logProbs' in told);
});
