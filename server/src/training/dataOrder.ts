/**
 * The order in which training sequences are seen. It follows from the seed alone, so that a position in it is one number and
 * either engine goes on where the other stopped. Every epoch sees every sequence once: shards in a fresh order, and inside each shard its rows in a fresh order, so that one shard at a time is in memory.
 * A shuffle is that of `SeededRandom`: Mulberry32, and Fisher and Yates from the end.
 */
import { createSeededRandom } from '../learning/seededRandom.ts';

export interface SequencePlace {
  readonly shard: number;
  readonly row: number;
}

export interface DataOrder {
  /** Sequences of one epoch. */
  readonly total: number;
  /** @param position sequences seen before this one since the start of the run */
  at(position: number): SequencePlace;
}

/** @param rows sequences of each shard, in the order of the shards' names */
export function createDataOrder(rows: readonly number[], seed: number): DataOrder {
  const total = rows.reduce((sum, count) => sum + count, 0);
  let epoch = -1;
  let shards: readonly number[] = [];
  let openShard = -1;
  let openRows: readonly number[] = [];

  return {
    total,
    at(position) {
      const wanted = Math.floor(position / total);
      if (wanted !== epoch) {
        epoch = wanted;
        openShard = -1;
        shards = shuffled(rows.length, mixed(seed, epoch, 0));
      }
      let within = position - wanted * total;
      for (const shard of shards) {
        const count = rows[shard] ?? 0;
        if (within >= count) {
          within -= count;
          continue;
        }
        if (shard !== openShard) {
          openShard = shard;
          openRows = shuffled(count, mixed(seed, epoch, shard + 1));
        }
        return { shard, row: openRows[within] ?? 0 };
      }
      throw new Error(`expected a place below ${total}, got ${within}`);
    },
  };
}

/** Seed of one shuffle, in 32 bits: ((seed * 31 + epoch) * 31 + part) modulo 2^32. */
function mixed(seed: number, epoch: number, part: number): number {
  return (Math.imul(Math.imul(seed, 31) + epoch, 31) + part) >>> 0;
}

function shuffled(count: number, seed: number): readonly number[] {
  return createSeededRandom(seed).shuffle([...Array(count).keys()]);
}
