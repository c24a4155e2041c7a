/**
 * Causal attention in blocks of queries, so that only the keys that a block may see are multiplied and no square of the
 * length is kept: on the way back the weights are made again from scores and their log sums (Dao et al., "FlashAttention",
 * 2022).
 */
import { headSize } from '../architecture.ts';
import type { Kernels } from './kernels.ts';
import { type LayerPlaces, type MemoryPlan, QUERY_BLOCK, type ThreadPlaces } from './memoryPlan.ts';

export interface Attention {
  forward(layer: LayerPlaces, count: number, length: number): void;
  /** Reads `dAttended`; leaves `dQ`, `dK` and `dV`, of queries and keys as they are after their rotation. */
  backward(layer: LayerPlaces, count: number, length: number): void;
}

export function createAttention(
  kernels: Kernels,
  { architecture }: MemoryPlan,
  at: ThreadPlaces,
): Attention {
  const { dModel, nHeads, nKvHeads } = architecture;
  const size = headSize(architecture);
  const dKv = nKvHeads * size;
  const scale = 1 / Math.sqrt(size);
  const shared = nHeads / nKvHeads;
  const { matmul } = kernels;

  /** Calls `visit` with byte offsets of each block of queries, and of the keys of its sequence and head. */
  function eachBlock(
    count: number,
    length: number,
    visit: (block: Block, keys: number) => void,
  ): void {
    for (let sequence = 0; sequence < count; sequence++) {
      for (let head = 0; head < nHeads; head++) {
        const keyHead = Math.floor(head / shared);
        const keys = (sequence * length * dKv + keyHead * size) * 4;
        for (let first = 0; first < length; first += QUERY_BLOCK) {
          const rows = Math.min(QUERY_BLOCK, length - first);
          const row = sequence * length + first;
          visit(
            {
              first,
              rows,
              seen: first + rows,
              queries: (row * dModel + head * size) * 4,
              sums: ((sequence * nHeads + head) * length + first) * 4,
            },
            keys,
          );
        }
      }
    }
  }

  return {
    forward(layer, count, length) {
      eachBlock(count, length, ({ first, rows, seen, queries, sums }, keys) => {
        const q = layer.q + queries;
        const k = layer.k + keys;
        const v = layer.v + keys;
        const { scores, work } = at;
        matmul(rows, seen, size, q, dModel, 1, k, 1, dKv, scores, seen, 0, work);
        kernels.causalSoftmax(scores, layer.logSums + sums, rows, seen, first, scale);
        const out = layer.attended + queries;
        matmul(rows, size, seen, scores, seen, 1, v, dKv, 1, out, dModel, 0, work);
      });
    },
    backward(layer, count, length) {
      const { scores, dScores, outDots, dAttended, dQ, dK, dV, work } = at;
      kernels.fillZero(dK, count * length * dKv);
      kernels.fillZero(dV, count * length * dKv);
      eachBlock(count, length, ({ first, rows, seen, queries, sums }, keys) => {
        const q = layer.q + queries;
        const k = layer.k + keys;
        const v = layer.v + keys;
        const dOut = dAttended + queries;
        matmul(rows, seen, size, q, dModel, 1, k, 1, dKv, scores, seen, 0, work);
        matmul(rows, seen, size, dOut, dModel, 1, v, 1, dKv, dScores, seen, 0, work);
        kernels.rowDots(layer.attended + queries, dOut, outDots, rows, size, dModel);
        const logSums = layer.logSums + sums;
        kernels.causalSoftmaxBackward(scores, dScores, logSums, outDots, rows, seen, first, scale);
        matmul(seen, size, rows, scores, 1, seen, dOut, dModel, 1, dV + keys, dKv, 1, work);
        matmul(rows, size, seen, dScores, seen, 1, k, dKv, 1, dQ + queries, dModel, 0, work);
        matmul(seen, size, rows, dScores, 1, seen, q, dModel, 1, dK + keys, dKv, 1, work);
      });
    },
  };
}

interface Block {
  /** Place of the first query in its sequence. */
  readonly first: number;
  readonly rows: number;
  /** Keys that the last query of the block sees. */
  readonly seen: number;
  readonly queries: number;
  readonly sums: number;
}
