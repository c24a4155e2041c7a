/** A run that is over in a blink: configuration, tokenizer and shards in a folder. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { type TrainConfig, trainConfigSchema } from '../../server/src/training/config.ts';
import { writeNpz } from '../../server/src/training/npz.ts';
import { writeVocabulary } from '../../server/src/training/tokenizer/modelFile.ts';
import { runTraining, type TrainEvent } from '../../server/src/training/trainer.ts';

export function smallConfig(): Record<string, unknown> {
  return {
    tokenizer_path: 'small.model',
    train_glob: 'train_*.npz',
    val_glob: 'val_*.npz',
    save_dir: 'checkpoints',
    seq_len: 16,
    vocab_size: 64,
    n_layers: 2,
    n_heads: 4,
    n_kv_heads: 2,
    d_model: 32,
    d_ff: 48,
    tie_embeddings: false,
    lr: 0.01,
    warmup_steps: 2,
    max_steps: 8,
    save_every: 4,
    batch_size_tokens: 64,
    micro_batch_size: 2,
  };
}

export function configOf(change: Record<string, unknown> = {}): TrainConfig {
  return trainConfigSchema.parse({ ...smallConfig(), ...change });
}

/** Sequences that count upwards by threes, so that there is something to learn. */
export async function writeShard(path: string, rows: number, change: ShardChange = {}) {
  const { length = 16, seed = 1, spoil } = change;
  const random = createSeededRandom(seed);
  const x = new Int32Array(rows * length);
  const y = new Int32Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const first = random.below(64);
    for (let at = 0; at < length; at++) {
      x[row * length + at] = (first + 3 * at) % 64;
      y[row * length + at] = (first + 3 * (at + 1)) % 64;
    }
  }
  spoil?.(x);
  const shape = [rows, length];
  await writeNpz(path, { x: { shape, data: x }, y: { shape, data: y } });
}

interface ShardChange {
  readonly length?: number;
  readonly seed?: number;
  readonly spoil?: (x: Int32Array) => void;
}

export async function writeTokenizer(folder: string, pieces = 64): Promise<void> {
  await writeVocabulary(join(folder, 'small.model'), {
    algorithm: 'bpe',
    pieces: Array.from({ length: pieces }, (_, id) => ({
      text: id === 0 ? '<unk>' : `piece${id}`,
      score: -id,
      kind: id === 0 ? 'unknown' : 'normal',
    })),
    normalizer: {
      name: 'identity',
      charsmap: new Uint8Array(0),
      addDummyPrefix: false,
      removeExtraWhitespaces: false,
      escapeWhitespaces: true,
    },
    byteFallback: false,
    treatWhitespaceAsSuffix: false,
  });
}

/** A folder with all that a run needs. */
export async function writeSmallRun(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeTokenizer(folder);
  await writeShard(join(folder, 'train_00000.npz'), 10, { seed: 1 });
  await writeShard(join(folder, 'train_00001.npz'), 7, { seed: 2 });
  await writeShard(join(folder, 'val_00000.npz'), 4, { seed: 3 });
  await writeFile(join(folder, 'small.json'), JSON.stringify(smallConfig()));
}

interface RunChange {
  readonly config?: Record<string, unknown>;
  readonly threads?: number;
  readonly resume?: boolean;
  /** Stops the run once this step is done. */
  readonly stopAfter?: number;
}

export async function runSmall(cwd: string, change: RunChange = {}): Promise<TrainEvent[]> {
  const { config = {}, threads = 1, resume = false, stopAfter } = change;
  const controller = new AbortController();
  const events: TrainEvent[] = [];
  const run = { config: configOf(config), cwd, threads, resume, signal: controller.signal };
  for await (const event of runTraining(run)) {
    events.push(event);
    if (event.type === 'step' && event.step === stopAfter) controller.abort();
  }
  return events;
}
