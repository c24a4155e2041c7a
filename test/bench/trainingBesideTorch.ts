/**
 * The embedded training engine beside PyTorch: the same net (configs/tiny.json), first weights and batches, one thread each,
 * in turns. Prints both losses and the ratio of their speeds; then what a second thread is worth. Speeds are tokens a second of
 * CPU time, because other programs may run here; the second thread's worth is measured on the clock and needs free cores.
 *
 * `npm run bench:training -- [steps] [python]`; the Python has torch, transformers and numpy. `-- threads` is the second part
 * alone, without PyTorch.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { homedir, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { writeCheckpoint } from '../../server/src/training/checkpoint.ts';
import {
  architectureOf,
  readTrainConfig,
  type TrainConfig,
} from '../../server/src/training/config.ts';
import { createDataOrder } from '../../server/src/training/dataOrder.ts';
import { type Batch, createEngine, type Engine } from '../../server/src/training/engine/engine.ts';
import { writeNpz } from '../../server/src/training/npz.ts';
import { prepareShards } from '../../server/src/training/prepare.ts';
import { openShards } from '../../server/src/training/shards.ts';
import { textFiles } from '../../server/src/training/textFiles.ts';
import { createTokenizer } from '../../server/src/training/tokenizer/encode.ts';
import { trainTokenizer } from '../../server/src/training/tokenizer/trainTokenizer.ts';
import { freshStart, trainStep } from '../../server/src/training/trainer.ts';
import { repositoryRoot } from '../support/localModel.ts';
import { median } from './figures.ts';

const ROUND_STEPS = 5;
const THREAD_ROUNDS = 6;
const WARM_UP_STEPS = 5;

const threadsOnly = process.argv[2] === 'threads';
const steps = threadsOnly ? WARM_UP_STEPS : Number(process.argv[2] ?? 250);
const python = process.argv[3] ?? join(homedir(), '.cache/cost-aware-router-torch/bin/python');
const folder = mkdtempSync(join(tmpdir(), 'training-bench-'));
try {
  const config = await readTrainConfig(join(repositoryRoot, 'configs/tiny.json'));
  const batches = await makeBatches(config);
  if (!threadsOnly) await besideTorch(config, batches);
  await secondThread(config, batches);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function makeBatches(config: TrainConfig): Promise<readonly Batch[]> {
  const files = await textFiles([join(repositoryRoot, 'data/corpus/mobyDick.txt')]);
  const { signal } = new AbortController();
  const vocabulary = await trainTokenizer(files, {
    algorithm: 'bpe',
    vocabularySize: config.vocab_size,
    onProgress: () => {},
    signal,
  });
  await prepareShards(files, folder, {
    tokenizer: createTokenizer(vocabulary),
    tokenizerSha256: 'none',
    sequenceLength: config.seq_len,
    validationShare: 0.05,
    onProgress: () => {},
    signal,
  });
  const form = { seqLen: config.seq_len, vocabSize: config.vocab_size };
  const shards = await openShards('train_*.npz', folder, form);
  const order = createDataOrder(shards.rows, config.seed);
  const perStep = config.batch_size_tokens / config.seq_len;
  const batches: Batch[] = [];
  for (let step = 0; step < steps; step++) {
    const places = Array.from({ length: perStep }, (_, at) => order.at(step * perStep + at));
    batches.push(await shards.batch(places));
  }
  return batches;
}

async function besideTorch(config: TrainConfig, batches: readonly Batch[]): Promise<void> {
  const start = freshStart(config, 'none');
  const checkpoint = await writeCheckpoint(join(folder, 'checkpoints'), start);
  const engine = await createEngine(architectureOf(config), start, {
    threads: 1,
    microBatch: config.micro_batch_size,
  });
  const torch = await startTorch(config, checkpoint, batches);
  const ours: number[] = [];
  const theirs: number[] = [];
  const speeds: { readonly ours: number; readonly theirs: number }[] = [];
  for (let step = 0; step < steps; step += ROUND_STEPS) {
    const count = Math.min(ROUND_STEPS, steps - step);
    const before = process.cpuUsage();
    for (const batch of batches.slice(step, step + count)) {
      ours.push((await trainStep(engine, config, ours.length, batch)).loss);
    }
    const { user, system } = process.cpuUsage(before);
    const reply = await torch.train(count);
    theirs.push(...reply.losses);
    const tokens = count * config.batch_size_tokens;
    // The first round waits for compilers on both sides.
    if (step > 0)
      speeds.push({ ours: tokens / ((user + system) / 1e6), theirs: tokens / reply.seconds });
  }
  torch.end();
  await engine.close();
  for (const at of [0, Math.floor(steps / 4), Math.floor(steps / 2), steps - 1]) {
    const [mine = 0, other = 0] = [ours[at], theirs[at]];
    const difference = ((100 * (mine - other)) / other).toFixed(3);
    print(
      `loss at step ${at + 1}: ${mine.toFixed(4)} here, ${other.toFixed(4)} in PyTorch (${difference} %)`,
    );
  }
  const [here, there] = [speeds.map((speed) => speed.ours), speeds.map((speed) => speed.theirs)];
  print(`tokens per CPU second, medians of ${speeds.length} rounds in turns:`);
  print(`  embedded engine (${engine.form} SIMD)  ${median(here).toFixed(0)}`);
  print(`  ${torch.versions}  ${median(there).toFixed(0)}`);
  const ratio = median(speeds.map((speed) => speed.ours / speed.theirs));
  print(`  ratio ${ratio.toFixed(2)}; to reach 0.60`);
}

/** In turns on one thread and on two, so that what else runs here meets both. */
async function secondThread(config: TrainConfig, batches: readonly Batch[]): Promise<void> {
  const engines = await Promise.all(
    [1, 2].map((threads) =>
      createEngine(architectureOf(config), freshStart(config, 'none'), {
        threads,
        microBatch: config.micro_batch_size,
      }),
    ),
  );
  const walls: number[][] = [[], []];
  const cpus: number[][] = [[], []];
  for (const engine of engines) await timed(engine, config, batches.slice(0, WARM_UP_STEPS));
  for (let round = 0; round < THREAD_ROUNDS; round++) {
    for (const [at, engine] of engines.entries()) {
      const { wallMs, cpuMs } = await timed(engine, config, batches.slice(0, ROUND_STEPS));
      walls[at]?.push(wallMs);
      cpus[at]?.push(cpuMs);
    }
  }
  await Promise.all(engines.map((engine) => engine.close()));
  const ratio = (times: readonly (readonly number[])[]) =>
    median((times[0] ?? []).map((one, round) => one / (times[1]?.[round] ?? one)));
  print(
    `two threads: ${ratio(walls).toFixed(2)} times one on the clock; to reach 1.60 on two free cores`,
  );
  print(
    `  CPU time of the same work, one to two threads: ${ratio(cpus).toFixed(2)} (1 is no loss)`,
  );
  print(
    `  load of this machine over the last minute: ${loadavg()[0]?.toFixed(1)} running programs`,
  );
}

async function timed(engine: Engine, config: TrainConfig, batches: readonly Batch[]) {
  const began = performance.now();
  const before = process.cpuUsage();
  for (const [step, batch] of batches.entries()) await trainStep(engine, config, step, batch);
  const { user, system } = process.cpuUsage(before);
  return { wallMs: performance.now() - began, cpuMs: (user + system) / 1000 };
}

interface Torch {
  readonly versions: string;
  train(count: number): Promise<{ readonly seconds: number; readonly losses: readonly number[] }>;
  end(): void;
}

async function startTorch(
  config: TrainConfig,
  checkpoint: string,
  batches: readonly Batch[],
): Promise<Torch> {
  const sequences = config.batch_size_tokens / config.seq_len;
  const joined = (part: 'ids' | 'targets') => ({
    shape: [batches.length * sequences, config.seq_len],
    data: Int32Array.from(batches.flatMap((batch) => [...batch[part]])),
  });
  const file = join(folder, 'batches.npz');
  await writeNpz(file, { x: joined('ids'), y: joined('targets') });
  const recipe = JSON.stringify({ ...config, sequences, min_lr: config.min_lr ?? config.lr / 10 });
  const script = join(import.meta.dirname, 'besideTorch/peer.py');
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(
    python,
    [script, checkpoint, file, recipe],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  await once(child, 'spawn');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('expected a line of PyTorch, got its end');
    return JSON.parse(value) as Record<string, unknown>;
  };
  const { versions } = await nextLine();
  return {
    versions: String(versions),
    async train(count) {
      child.stdin.write(`${count}\n`);
      const reply = await nextLine();
      return { seconds: Number(reply['cpu_s']), losses: reply['losses'] as number[] };
    },
    end: () => child.stdin.end(),
  };
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
