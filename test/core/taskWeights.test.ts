/** Weights of four bits, added eight at a time, against the same weights of eight bits, added one by one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { eightBitWeights, fourBitWeights } from '../../server/src/core/taskWeights.ts';

test('sums are the same however the weights are stored', () => {
  const buckets = 8;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 41 }).chain((tasks) =>
        fc.record({
          tasks: fc.constant(tasks),
          weights: fc.array(fc.integer({ min: -8, max: 7 }), {
            minLength: buckets * tasks,
            maxLength: buckets * tasks,
          }),
          // Past 17 rows the bytes of the sums are full, and carried.
          hashes: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 80 }),
        }),
      ),
      ({ tasks, weights, hashes }) => {
        const pairs = new Uint8Array(Math.ceil(weights.length / 2));
        for (const [at, weight] of weights.entries()) {
          pairs[at >> 1]! |= (weight & 15) << ((at & 1) * 4);
        }
        const prompt = Int32Array.from(hashes);
        assert.deepEqual(
          fourBitWeights(pairs, buckets, tasks).sums(prompt),
          eightBitWeights(Uint8Array.from(weights), buckets, tasks).sums(prompt),
        );
      },
    ),
  );
});
