/** The trial's own rules, on a sequence that sleeps where a real one computes: threads that have no cores. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ThreadTrial } from '../../server/src/models/threadTrial.ts';
import { tryThreads } from '../../server/src/models/threadTrial.ts';

function trial(more: { readonly bytes?: number; readonly onEvaluation?: () => void } = {}) {
  const used: number[] = [];
  const evaluated = async () => {
    more.onEvaluation?.();
    await delay(1);
  };
  const sequence = {
    clearHistory: async () => undefined,
    evaluateWithoutGeneratingNewTokens: evaluated,
    async controlledEvaluate() {
      await evaluated();
      return [{ next: { token: 7 } }];
    },
  };
  const model = { size: more.bytes ?? 1e8, tokenize: () => Array.from({ length: 100 }, () => 5) };
  const fake = { model, sequence } as unknown as Pick<ThreadTrial, 'model' | 'sequence'>;
  return { fake, used, use: (threads: number) => used.push(threads) };
}

const never = new AbortController().signal;

test('it goes up only while the threads have cores to run on', async () => {
  const { fake, used, use } = trial();
  const counts = [1, 4, 8];
  const measured = await tryThreads({ ...fake, counts, use, computes: true, signal: never });
  assert.deepEqual(
    measured?.map(({ threads }) => threads),
    [1],
  );
  assert.deepEqual(new Set(used), new Set([1]));
});

test('where a graphics processor computes, threads that wait are no sign of others', async () => {
  const { fake, use } = trial();
  const counts = [1, 4, 8];
  const measured = await tryThreads({ ...fake, counts, use, computes: false, signal: never });
  assert.deepEqual(
    measured?.map(({ threads }) => threads),
    [1, 4, 8],
  );
});

test('numbers that would hold up a prompt for long are left out for a large model', async () => {
  const { fake, used, use } = trial({ bytes: 8e9 });
  await tryThreads({ ...fake, counts: [1, 4, 8], use, computes: false, signal: never });
  assert.deepEqual(new Set(used), new Set([8]));
  const huge = trial({ bytes: 80e9 });
  const counts = [1, 4, 8];
  await tryThreads({ ...huge.fake, counts, use: huge.use, computes: false, signal: never });
  assert.deepEqual(new Set(huge.used), new Set([8]), 'the largest number is always tried');
});

test('an abort ends it before the next evaluation, and tells nothing where a number had no turn', async () => {
  const controller = new AbortController();
  let evaluations = 0;
  const { fake, use } = trial({
    onEvaluation() {
      evaluations += 1;
      if (evaluations === 3) controller.abort();
    },
  });
  const { signal } = controller;
  const measured = await tryThreads({ ...fake, counts: [1, 2], use, computes: false, signal });
  assert.equal(measured, undefined);
  assert.equal(evaluations, 3);
});
