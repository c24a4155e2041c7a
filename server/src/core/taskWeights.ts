/**
 * The weights of the classifier of tasks, a row for each bucket of hashes, and their sums over a prompt. Whole numbers
 * throughout: however they are stored and added, the sums are the same.
 */

export interface TaskWeights {
  /** Per task, over the buckets of these hashes. */
  sums(hashes: Int32Array): Int32Array;
}

/** The bucket of a hash; training folds by the same rule. `buckets` is a power of two. */
export function bucketOf(hash: number, buckets: number): number {
  return (hash ^ (hash >>> 15)) & (buckets - 1);
}

/** @param bytes signed, bucket by bucket, within a bucket task by task */
export function eightBitWeights(bytes: Uint8Array, buckets: number, tasks: number): TaskWeights {
  const weights = new Int8Array(bytes);
  return {
    sums(hashes) {
      const sums = new Int32Array(tasks);
      for (const hash of hashes) {
        const from = bucketOf(hash, buckets) * tasks;
        for (let task = 0; task < tasks; task += 1) {
          sums[task] = (sums[task] ?? 0) + (weights[from + task] ?? 0);
        }
      }
      return sums;
    },
  };
}

const WEIGHTS_A_WORD = 8;
/** Weights are stored with this added, so that none is below zero and sums of their neighbours don't borrow. */
const ADDED = 8;
const EVEN_WEIGHTS = 0x0f0f0f0f;
/** So many weights of at most 15 fit one byte: 17 * 15 = 255. */
const ROWS_A_BYTE = 17;

/**
 * Eight weights share a word and are added together: every second one has a byte of room in one word of sums, the others in
 * a second, until the bytes may be full. Rows are half as long in memory, where most of the time goes.
 * @param bytes two weights each, the lower half first, bucket by bucket, within a bucket task by task
 */
export function fourBitWeights(bytes: Uint8Array, buckets: number, tasks: number): TaskWeights {
  const words = Math.ceil(tasks / WEIGHTS_A_WORD);
  const rows = new Uint32Array(buckets * words);
  for (let bucket = 0, at = 0; bucket < buckets; bucket += 1) {
    for (let task = 0; task < tasks; task += 1, at += 1) {
      const half = ((bytes[at >> 1] ?? 0) >> ((at & 1) * 4)) & 15;
      // As signed numbers halves from 8 on are below zero: to add 8 is to turn that bit over.
      const stored = half ^ ADDED;
      const word = bucket * words + (task >> 3);
      rows[word] = (rows[word] ?? 0) | (stored << ((task & 7) * 4));
    }
  }
  const even = new Int32Array(words);
  const odd = new Int32Array(words);

  /** Moves what the bytes hold of so many rows to the sums. */
  function carry(sums: Int32Array, held: number): void {
    for (let task = 0; task < sums.length; task += 1) {
      const bytesOf = (task & 1) === 0 ? even : odd;
      const sum = ((bytesOf[task >> 3] ?? 0) >>> ((task & 6) * 4)) & 255;
      sums[task] = (sums[task] ?? 0) + sum - ADDED * held;
    }
    even.fill(0);
    odd.fill(0);
  }

  return {
    sums(hashes) {
      const sums = new Int32Array(tasks);
      let held = 0;
      for (let at = 0; at < hashes.length; at += 1) {
        const from = bucketOf(hashes[at] ?? 0, buckets) * words;
        for (let word = 0; word < words; word += 1) {
          const eight = rows[from + word] ?? 0;
          even[word] = (even[word] ?? 0) + (eight & EVEN_WEIGHTS);
          odd[word] = (odd[word] ?? 0) + ((eight >>> 4) & EVEN_WEIGHTS);
        }
        held += 1;
        if (held < ROWS_A_BYTE) continue;
        carry(sums, held);
        held = 0;
      }
      carry(sums, held);
      return sums;
    },
  };
}
