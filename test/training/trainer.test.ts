/** Runs of the embedded engine from shards to checkpoints, and what ends them early. */
import assert from 'node:assert/strict';
import { appendFileSync, statfsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { readCheckpoint } from '../../server/src/training/checkpoint.ts';
import { architectureOf, readTrainConfig } from '../../server/src/training/config.ts';
import { createScorer } from '../../server/src/training/engine/scorer.ts';
import { initialWeights } from '../../server/src/training/initialWeights.ts';
import type { TrainEvent } from '../../server/src/training/trainer.ts';
import { TrainingError } from '../../server/src/training/trainingError.ts';
import { mountDisk } from '../support/smallDisk.ts';
import { runSmall, writeShard, writeSmallRun, writeTokenizer } from './smallRun.ts';

let base: string;
let runs = 0;
before(async () => {
  base = await mkdtemp(join(tmpdir(), 'training-'));
});
after(() => rm(base, { recursive: true }));

async function newRun(): Promise<string> {
  runs += 1;
  const folder = join(base, `run${runs}`);
  await writeSmallRun(folder);
  return folder;
}

function lossesOf(events: readonly TrainEvent[]): number[] {
  return events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));
}

async function refuses(work: Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof TrainingError, `${error}`);
    assert.match(error.message, message);
    return true;
  });
}

async function bytesOf(folder: string, step: string): Promise<readonly Buffer[]> {
  return await Promise.all(
    ['model.safetensors', 'optimizer.safetensors'].map((name) =>
      readFile(join(folder, 'checkpoints', step, name)),
    ),
  );
}

test('a run learns, validates, saves and draws its curve', async () => {
  const folder = await newRun();
  const events = await runSmall(folder, { config: { max_steps: 40, save_every: 10 } });
  const losses = lossesOf(events);
  assert.equal(losses.length, 40);
  assert.ok(Math.abs((losses[0] ?? 0) - Math.log(64)) < 0.1, `begins at ${losses[0]}`);
  assert.ok((losses.at(-1) ?? 9) < 2.5, `ends at ${losses.at(-1)}`);
  const validated = events.flatMap((event) => (event.type === 'validated' ? [event.loss] : []));
  assert.equal(validated.length, 4);
  const names = (await readdir(join(folder, 'checkpoints'))).sort();
  // Three are kept, and the best one is among them.
  assert.deepEqual(names, [
    'curve.jsonl',
    'curve.svg',
    'latest',
    'step-000020',
    'step-000030',
    'step-000040',
  ]);
  const { state } = await readCheckpoint(join(folder, 'checkpoints'));
  assert.equal(state.best_val_loss, Math.min(...validated));
  assert.equal(state.sequences, 160);
  const lines = (await readFile(join(folder, 'checkpoints/curve.jsonl'), 'utf8'))
    .trim()
    .split('\n');
  const points = lines.map((line) => JSON.parse(line) as Record<string, number>);
  assert.deepEqual(
    points.filter((point) => 'loss' in point).map((point) => point['loss']),
    losses,
  );
  assert.equal(points.filter((point) => 'val_loss' in point).length, 4);
  const svg = await readFile(join(folder, 'checkpoints/curve.svg'), 'utf8');
  assert.match(svg, /^<svg [\s\S]*validation ended at \d\.\d{3}[\s\S]*<\/svg>\n$/);
  assert.equal(svg.match(/<polyline/g)?.length, 2);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
});

for (const threads of [1, 2]) {
  test(`stopped and resumed is uninterrupted, bit for bit: ${threads} thread(s)`, async () => {
    const [whole, halves] = [await newRun(), await newRun()];
    const config = { batch_size_tokens: 128, micro_batch_size: 4 };
    const losses = lossesOf(await runSmall(whole, { config, threads }));
    const first = await runSmall(halves, { config, threads, stopAfter: 3 });
    assert.deepEqual(first.at(-1)?.type === 'ended' && first.at(-1), {
      ...first.at(-1),
      stopped: true,
      step: 3,
    });
    const second = await runSmall(halves, { config, threads, resume: true });
    assert.deepEqual([...lossesOf(first), ...lossesOf(second)], losses);
    assert.deepEqual(await bytesOf(halves, 'step-000008'), await bytesOf(whole, 'step-000008'));
    const lines = (await readFile(join(halves, 'checkpoints/curve.jsonl'), 'utf8')).trim();
    const steps = lines.split('\n').map((line) => JSON.parse(line) as { step: number });
    assert.deepEqual(
      steps.filter((point) => 'loss' in point).map(({ step }) => step),
      [...[1, 2, 3, 4, 5, 6, 7, 8]],
    );
  });
}

test('one loss whatever the micro-batch: it is the mean of the whole step', async () => {
  const config = { batch_size_tokens: 128, max_steps: 2 };
  const [one, two] = await Promise.all(
    [2, 8].map(async (micro_batch_size) =>
      lossesOf(await runSmall(await newRun(), { config: { ...config, micro_batch_size } })),
    ),
  );
  for (const [step, loss] of (one ?? []).entries()) {
    assert.ok(Math.abs(loss - (two?.[step] ?? 0)) < 1e-4, `${one} and ${two}`);
  }
});

test('a fresh model knows nothing: its perplexity is the size of the vocabulary', async () => {
  const configs = resolve(import.meta.dirname, '../../configs');
  for (const name of ['tiny.json', '15m.json']) {
    const config = await readTrainConfig(join(configs, name));
    const architecture = architectureOf(config);
    const scorer = await createScorer({
      architecture,
      weights: initialWeights(architecture, config),
    });
    const random = createSeededRandom(5);
    const ids = Int32Array.from({ length: config.seq_len + 1 }, () =>
      random.below(config.vocab_size),
    );
    const losses = scorer.losses(ids.subarray(0, -1), ids.subarray(1));
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    const ratio = Math.exp(mean) / config.vocab_size;
    assert.ok(Math.abs(ratio - 1) < 0.05, `${name}: ${ratio} of the vocabulary`);
  }
});

test('shards that do not fit are refused with the file and the place', async () => {
  const folder = await newRun();
  const shard = join(folder, 'train_00001.npz');
  await writeShard(shard, 3, { length: 8 });
  await refuses(runSmall(folder), /sequences of 16 tokens .*train_00001\.npz.*\[3, 8\]/);
  await writeShard(shard, 3, {
    spoil: (x) => {
      x[20] = 64;
    },
  });
  await refuses(runSmall(folder), /ids from 0 to 63 .*got 64 at place 20 of x/);
  await writeFile(shard, 'no zip');
  await refuses(runSmall(folder), /train_00001\.npz/);
  await writeShard(shard, 0);
  await runSmall(folder, { config: { max_steps: 2 } });
  await refuses(runSmall(folder, { config: { train_glob: 'none_*.npz' } }), /no such file/);
  await writeShard(join(folder, 'empty_0.npz'), 0);
  await refuses(runSmall(folder, { config: { val_glob: 'empty_*.npz' } }), /no sequence in them/);
});

test('a vocabulary of another size, and shards of another tokenizer, are refused', async () => {
  const folder = await newRun();
  await writeTokenizer(folder, 60);
  await refuses(runSmall(folder), /vocab_size to be that of small\.model, 60, got 64/);
  await writeTokenizer(folder);
  await writeFile(join(folder, 'prepared.json'), JSON.stringify({ tokenizer_sha256: 'other' }));
  await refuses(runSmall(folder), /made with small\.model, got those of another tokenizer/);
  await rm(join(folder, 'small.model'));
  await refuses(runSmall(folder), /expected a tokenizer at small\.model/);
});

test('a run is not begun over another, and goes on only with its own kind', async () => {
  const folder = await newRun();
  await refuses(runSmall(folder, { resume: true }), /expected a checkpoint at/);
  await runSmall(folder, { config: { max_steps: 2 } });
  await refuses(runSmall(folder), /--resume/);
  const resume = (config: Record<string, unknown>) => runSmall(folder, { config, resume: true });
  await refuses(resume({ d_ff: 64 }), /dFf is 48 there and 64 in the configuration/);
  await refuses(resume({ seed: 8 }), /seed is 1337 there and 8/);
  const events = await resume({ max_steps: 2 });
  assert.deepEqual(
    events.map(({ type }) => type),
    ['started', 'ended'],
  );
});

test('a loss that is no number stops the run and leaves the last good checkpoint', async () => {
  const folder = await newRun();
  const config = { save_every: 1, warmup_steps: 1 };
  await runSmall(folder, { config: { ...config, max_steps: 2 } });
  const before = await bytesOf(folder, 'step-000002');
  const wild = { ...config, lr: 1e39, grad_clip: 0 };
  await refuses(runSmall(folder, { config: wild, resume: true }), /got no number/);
  assert.deepEqual(await bytesOf(folder, 'step-000002'), before);
  const { state } = await readCheckpoint(join(folder, 'checkpoints'));
  assert.equal(state.step, 2);
});

test('a full disk stops the run with a sentence, and the checkpoint before stays whole', async (t) => {
  const disk = mountDisk(t, 1024);
  if ('why' in disk) {
    t.skip(disk.why);
    return;
  }
  const folder = join(disk.folder, 'run');
  await cp(await newRun(), folder, { recursive: true });
  await runSmall(folder, { config: { max_steps: 4 } });
  const { bavail, bsize } = statfsSync(folder);
  appendFileSync(join(folder, 'filler'), Buffer.alloc(bavail * bsize - 64 * 1024));
  await refuses(runSmall(folder, { resume: true }), /got a full disk.*--resume/);
  assert.equal((await readCheckpoint(join(folder, 'checkpoints'))).state.step, 4);
  await rm(join(folder, 'filler'));
  const events = await runSmall(folder, { resume: true });
  assert.equal(events.at(-1)?.type === 'ended' && events.at(-1)?.type, 'ended');
  assert.equal((await readCheckpoint(join(folder, 'checkpoints'))).state.step, 8);
});
