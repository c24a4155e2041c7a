import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commonPrefixLength } from '../../server/src/models/chatPrompt.ts';
import { createSequencePool } from '../../server/src/models/sequencePool.ts';

const quiet = new AbortController().signal;

function pool(...states: readonly (readonly number[])[]) {
  return createSequencePool(states, commonPrefixLength, (held) => held.length);
}

test('the free sequence that shares the longest beginning is lent', async () => {
  const sequences = pool([1, 2, 3], [1, 2, 9, 9], [5]);
  const first = await sequences.acquire([1, 2, 9, 4], quiet);
  assert.deepEqual(first?.sequence, [1, 2, 9, 9]);
  const second = await sequences.acquire([1, 2, 9, 4], quiet);
  assert.deepEqual(second?.sequence, [1, 2, 3]);
});

test('who waits longest is served first, also past a newcomer', async () => {
  const sequences = pool([1]);
  const order: string[] = [];
  const held = await sequences.acquire([1], quiet);
  const use = async (name: string) => {
    const lease = await sequences.acquire([1], quiet);
    order.push(name);
    lease?.release();
  };
  const waiting = [use('a'), use('b')];
  assert.equal(sequences.full(), true);
  held?.release();
  await Promise.all([...waiting, use('newcomer')]);
  assert.deepEqual(order, ['a', 'b', 'newcomer']);
  assert.equal(sequences.busy(), false);
});

test('an abort leaves the line and nobody behind it is forgotten', async () => {
  const sequences = pool([1]);
  const held = await sequences.acquire([1], quiet);
  const controller = new AbortController();
  const gone = sequences.acquire([1], controller.signal);
  const next = sequences.acquire([1], quiet);
  controller.abort();
  assert.equal(await gone, undefined);
  held?.release();
  assert.ok(await next);
  assert.equal(await sequences.acquire([1], AbortSignal.abort()), undefined);
});

test('releasing a lease twice does not take the sequence from its next user', async () => {
  const sequences = pool([1]);
  const lease = await sequences.acquire([1], quiet);
  lease?.release();
  const again = await sequences.acquire([1], quiet);
  lease?.release();
  assert.equal(sequences.full(), true);
  again?.release();
});
