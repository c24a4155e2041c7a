/**
 * A corpus as training sequences: `train_*.npz` and `val_*.npz`, each with `x` and `y` of `[n, T]` ids, y one token ahead.
 * Texts stream through, so that a corpus may be larger than memory; what is in memory is one shard of each kind.
 */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeNpz } from './npz.ts';
import { blocksOf, type TextFile } from './textFiles.ts';
import type { Tokenizer } from './tokenizer/encode.ts';
import { TrainingError } from './trainingError.ts';
import { writeWhole } from './wholeFile.ts';

export interface PrepareOptions {
  readonly tokenizer: Tokenizer;
  /** Of the tokenizer's file; kept beside the shards. */
  readonly tokenizerSha256: string;
  /** Tokens of a sequence. */
  readonly sequenceLength: number;
  /** Of all sequences; every n-th one, so that a corpus is always split the same way. */
  readonly validationShare: number;
  readonly onProgress: (share: number) => void;
  readonly signal: AbortSignal;
}

export interface Prepared {
  readonly tokens: number;
  readonly trainSequences: number;
  readonly validationSequences: number;
  /** At the end of the corpus, too few for a sequence. */
  readonly tokensLeftOver: number;
}

/** Small enough for any repository and to be sent by mail; x and y together. */
const SHARD_BYTES = 48_000_000;
const BYTES_PER_TOKEN = 8;
const SHARD_NAME = /^(train|val)_\d{5}\.npz$/;

/** Replaces the shards of an earlier run in the folder, all at once at the end. */
export async function prepareShards(
  files: readonly TextFile[],
  folder: string,
  options: PrepareOptions,
): Promise<Prepared> {
  await mkdir(folder, { recursive: true });
  const temporary = await mkdtemp(join(folder, '.preparing-'));
  try {
    const prepared = await writeShards(files, temporary, options);
    for (const name of await readdir(folder)) {
      if (SHARD_NAME.test(name)) await rm(join(folder, name));
    }
    for (const name of await readdir(temporary)) {
      await rename(join(temporary, name), join(folder, name));
    }
    return prepared;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function writeShards(
  files: readonly TextFile[],
  folder: string,
  options: PrepareOptions,
): Promise<Prepared> {
  const { tokenizer, sequenceLength, validationShare, signal } = options;
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const period = Math.max(2, Math.round(1 / validationShare));
  const train = createShards(folder, 'train', sequenceLength);
  const validation = createShards(folder, 'val', sequenceLength);
  let pending: number[] = [];
  let tokens = 0;
  let sequences = 0;
  let read = 0;

  async function take(ids: readonly number[]): Promise<void> {
    tokens += ids.length;
    for (const id of ids) pending.push(id);
    let at = 0;
    for (; pending.length - at > sequenceLength; at += sequenceLength) {
      sequences += 1;
      const shards = sequences % period === 0 ? validation : train;
      await shards.add(pending.slice(at, at + sequenceLength + 1));
    }
    pending = pending.slice(at);
  }

  const onRead = (bytes: number) => {
    read += bytes;
    options.onProgress(read / total);
  };
  for (const file of files) {
    for await (const ids of idsOf(file, tokenizer, onRead, signal)) await take(ids);
  }
  if (validation.count() === 0) {
    const last = train.takeLast();
    if (last === undefined || train.count() === 0) {
      throw new TrainingError(
        `expected a corpus of at least ${2 * sequenceLength + 1} tokens (two sequences of ${sequenceLength}), got ${tokens}; add text or choose a smaller --seq-len`,
      );
    }
    await validation.add(last);
  }
  await train.end();
  await validation.end();
  const prepared: Prepared = {
    tokens,
    trainSequences: train.count(),
    validationSequences: validation.count(),
    // The last token of a sequence is the first of the next one.
    tokensLeftOver: pending.length - 1,
  };
  await writeWhole(
    join(folder, 'prepared.json'),
    `${JSON.stringify(
      {
        tokenizer_sha256: options.tokenizerSha256,
        vocab_size: tokenizer.vocabulary.pieces.length,
        seq_len: sequenceLength,
        tokens,
        train_sequences: prepared.trainSequences,
        val_sequences: prepared.validationSequences,
      },
      null,
      2,
    )}\n`,
  );
  return prepared;
}

/** Each file is one document: begin, its text, end. */
async function* idsOf(
  file: TextFile,
  tokenizer: Tokenizer,
  onRead: (bytes: number) => void,
  signal: AbortSignal,
): AsyncGenerator<number[]> {
  const { begin, end } = tokenizer.special;
  if (begin !== undefined) yield [begin];
  let rest = '';
  let begins = true;
  for await (const block of blocksOf(file, onRead, signal)) {
    const text = rest + block;
    const cut = tokenizer.safeCut(text);
    rest = text.slice(cut);
    if (cut === 0) continue;
    yield tokenizer.encode(text.slice(0, cut), begins);
    begins = false;
  }
  yield tokenizer.encode(rest, begins);
  if (end !== undefined) yield [end];
}

interface Shards {
  /** @param ids one more than a sequence has */
  add(ids: readonly number[]): Promise<void>;
  /** Takes back the last sequence of the shard that is not yet written. */
  takeLast(): readonly number[] | undefined;
  count(): number;
  end(): Promise<void>;
}

function createShards(folder: string, kind: 'train' | 'val', sequenceLength: number): Shards {
  const rows = Math.max(1, Math.floor(SHARD_BYTES / (sequenceLength * BYTES_PER_TOKEN)));
  let open: (readonly number[])[] = [];
  let written = 0;
  let count = 0;

  async function end(): Promise<void> {
    if (open.length === 0) return;
    const shape = [open.length, sequenceLength];
    const x = new Int32Array(open.length * sequenceLength);
    const y = new Int32Array(open.length * sequenceLength);
    for (const [row, ids] of open.entries()) {
      x.set(ids.slice(0, -1), row * sequenceLength);
      y.set(ids.slice(1), row * sequenceLength);
    }
    const name = `${kind}_${String(written).padStart(5, '0')}.npz`;
    await writeNpz(join(folder, name), { x: { shape, data: x }, y: { shape, data: y } });
    written += 1;
    open = [];
  }

  return {
    async add(ids) {
      open.push(ids);
      count += 1;
      if (open.length === rows) await end();
    },
    takeLast() {
      const last = open.pop();
      if (last !== undefined) count -= 1;
      return last;
    },
    count: () => count,
    end,
  };
}
