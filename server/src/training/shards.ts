/** Training sequences as they lie on the disk: npz shards with `x` and `y` of `[n, seq_len]` ids. */
import { glob } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Batch } from './engine/engine.ts';
import { type IdArray, readNpz } from './npz.ts';
import { TrainingError } from './trainingError.ts';

export interface Shards {
  readonly files: readonly string[];
  /** Sequences of each file. */
  readonly rows: readonly number[];
  /** Gathers sequences into one batch. The shard that was read last stays in memory. */
  batch(places: readonly { readonly shard: number; readonly row: number }[]): Promise<Batch>;
}

export interface ShardForm {
  readonly seqLen: number;
  readonly vocabSize: number;
}

/**
 * Finds the shards and checks every id in them, one file at a time.
 *
 * @param pattern as `data/shards/train_*.npz`, from `cwd`
 * @throws TrainingError where there are none, or they do not fit the configuration
 */
export async function openShards(pattern: string, cwd: string, form: ShardForm): Promise<Shards> {
  const files: string[] = [];
  for await (const name of glob(pattern, { cwd })) files.push(resolve(cwd, name));
  files.sort();
  const rows: number[] = [];
  for (const file of files) rows.push((await readShard(file, form)).rows);
  if (rows.every((count) => count === 0)) {
    const found = files.length === 0 ? 'no such file' : 'no sequence in them';
    throw new TrainingError(
      `expected shards at ${pattern}, got ${found}; make them with: train prepare`,
    );
  }
  let open: { readonly index: number; readonly shard: Shard } | undefined;
  const { seqLen } = form;
  return {
    files,
    rows,
    async batch(places) {
      const ids = new Int32Array(places.length * seqLen);
      const targets = new Int32Array(places.length * seqLen);
      for (const [at, { shard: index, row }] of places.entries()) {
        if (open?.index !== index) {
          open = { index, shard: await readShard(files[index] ?? '', form) };
        }
        const range = [row * seqLen, (row + 1) * seqLen] as const;
        ids.set(open.shard.x.subarray(...range), at * seqLen);
        targets.set(open.shard.y.subarray(...range), at * seqLen);
      }
      return { ids, targets };
    },
  };
}

interface Shard {
  readonly rows: number;
  readonly x: Int32Array;
  readonly y: Int32Array;
}

async function readShard(file: string, form: ShardForm): Promise<Shard> {
  const arrays = await readNpz(file);
  const [x, y] = ['x', 'y'].map((name) => {
    const array = arrays.get(name);
    const [rows, length, ...more] = array?.shape ?? [];
    const shape = `[${array?.shape.join(', ') ?? 'no such array'}]`;
    if (array === undefined || rows === undefined || length === undefined || more.length > 0) {
      throw new TrainingError(
        `expected ${name} in ${file} to be [n, ${form.seqLen}], got ${shape}`,
      );
    }
    if (length !== form.seqLen) {
      throw new TrainingError(
        `expected sequences of ${form.seqLen} tokens (seq_len) in ${file}, got ${name} of ${shape}; prepare the shards again with this configuration`,
      );
    }
    checkIds(array, name, file, form.vocabSize);
    return { rows, data: array.data };
  });
  if (x === undefined || y === undefined || x.rows !== y.rows) {
    throw new TrainingError(
      `expected as many sequences of x as of y in ${file}, got ${x?.rows} and ${y?.rows}`,
    );
  }
  return { rows: x.rows, x: x.data, y: y.data };
}

function checkIds({ data }: IdArray, name: string, file: string, vocabSize: number): void {
  const bad = data.findIndex((id) => id < 0 || id >= vocabSize);
  if (bad === -1) return;
  throw new TrainingError(
    `expected ids from 0 to ${vocabSize - 1} (vocab_size) in ${file}, got ${data[bad]} at place ${bad} of ${name}; the shards belong to another tokenizer`,
  );
}
