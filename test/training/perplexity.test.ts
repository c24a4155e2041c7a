import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scoreText, summary, type TextScorer } from '../../server/src/training/perplexity.ts';

const signal = new AbortController().signal;

/** Its loss for a target is the target itself; it remembers how much each was given to go by. */
function scorerOf(contextLength: number) {
  const contexts = new Map<number, number>();
  const scorer: TextScorer = {
    contextLength,
    async losses(ids, targets, from) {
      assert.ok(ids.length <= contextLength && ids.length === targets.length && from < ids.length);
      for (let at = from; at < targets.length; at++) {
        assert.equal(contexts.has(targets[at]!), false, 'expected every token to be scored once');
        contexts.set(targets[at]!, at + 1);
      }
      return Float32Array.from(targets.subarray(from));
    },
  };
  return { scorer, contexts };
}

test('every token is scored once, with enough before it, whatever the lengths', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 200 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      async (length, window, stride) => {
        const ids = [...Array(length).keys()];
        const { scorer, contexts } = scorerOf(window);
        const score = await scoreText(scorer, ids, { window, stride, signal });
        assert.deepEqual([...score.losses], ids.slice(1));
        assert.equal(score.tokens, length - 1);
        const step = Math.min(stride, window);
        for (const [target, context] of contexts) {
          assert.ok(context >= Math.min(target, window - step + 1), `${target} saw ${context}`);
        }
      },
    ),
  );
});

test('a text shorter than the window is scored whole', async () => {
  const { scorer } = scorerOf(128);
  const score = await scoreText(scorer, [0, 1, 2], { signal });
  assert.deepEqual(summary([score]), { tokens: 2, nll: 1.5, perplexity: Math.exp(1.5) });
});

test('files together weigh by their tokens', () => {
  const { nll, tokens } = summary([
    { tokens: 1, totalNll: 4 },
    { tokens: 3, totalNll: 4 },
  ]);
  assert.deepEqual({ nll, tokens }, { nll: 2, tokens: 4 });
});
