/** The files of a run: configurations, and checkpoints that come back as they were written. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { parameterCount, sizeOf, tensorsOf } from '../../server/src/training/architecture.ts';
import {
  type Checkpoint,
  checkpointFolder,
  readCheckpoint,
  readModel,
  writeCheckpoint,
} from '../../server/src/training/checkpoint.ts';
import {
  accumulationSteps,
  architectureOf,
  readTrainConfig,
} from '../../server/src/training/config.ts';
import { createDataOrder } from '../../server/src/training/dataOrder.ts';
import { readSafetensors } from '../../server/src/training/safetensors.ts';
import { TrainingError } from '../../server/src/training/trainingError.ts';
import { configOf, smallConfig } from './smallRun.ts';

const configs = resolve(import.meta.dirname, '../../configs');
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'checkpoint-'));
});
after(() => rm(folder, { recursive: true }));

test('the shipped configurations are valid and of the size that their names say', async () => {
  const sizes: Record<string, number> = {};
  for (const name of await readdir(configs)) {
    const config = await readTrainConfig(join(configs, name));
    sizes[name] = parameterCount(architectureOf(config));
  }
  assert.deepEqual(sizes, {
    '125m.json': 134_105_856,
    '15m.json': 15_537_792,
    'tiny.json': 1_595_008,
  });
});

test('gradients add up over batch_size_tokens, whatever an old file says', () => {
  const config = configOf({
    batch_size_tokens: 128,
    micro_batch_size: 2,
    seq_len: 16,
    grad_accum_steps: 99,
  });
  assert.equal(accumulationSteps(config), 4);
});

test('a configuration that cannot be trained says which field and why', async () => {
  const path = join(folder, 'bad.json');
  const check = async (change: Record<string, unknown>, message: RegExp) => {
    await writeFile(path, JSON.stringify({ ...smallConfig(), ...change }));
    await assert.rejects(readTrainConfig(path), (error) => {
      assert.ok(error instanceof TrainingError);
      assert.match(error.message, message);
      return true;
    });
  };
  await check({ d_model: 30 }, /d_model: expected a multiple of 2 \* n_heads \(8\)/);
  await check({ n_kv_heads: 3 }, /n_kv_heads: expected a divisor of n_heads \(4\)/);
  await check({ dropout: 0.1 }, /dropout/);
  await check({ batch_size_tokens: 100 }, /batch_size_tokens: expected a multiple of/);
  await check({ learning_rate: 1 }, /learning_rate/);
  await check({ lr: undefined }, /lr/);
  await writeFile(path, 'lr: 1');
  await assert.rejects(readTrainConfig(path), /expected a training configuration in/);
  await assert.rejects(readTrainConfig(join(folder, 'none.json')), /ENOENT/);
});

function checkpointOf(step: number): Checkpoint {
  const config = configOf();
  const architecture = architectureOf(config);
  const numbered = (offset: number) =>
    new Map(
      tensorsOf(architecture).map((spec) => [
        spec.name,
        Float32Array.from({ length: sizeOf(spec) }, (_, index) => offset + index),
      ]),
    );
  return {
    architecture,
    weights: numbered(0),
    moments: { mean: numbered(1), variance: numbered(2) },
    state: {
      format: 1,
      engine: 'embedded',
      step,
      sequences: 8 * step,
      random: { generator: 'mulberry32', seed: config.seed },
      config,
      tokenizer_sha256: null,
      train_loss: 3.5,
      val_loss: null,
      best_val_loss: null,
      best_step: null,
    },
  };
}

test('a checkpoint comes back as it was written, by its own name and by latest', async () => {
  const saveDir = join(folder, 'whole');
  await writeCheckpoint(saveDir, checkpointOf(1));
  const written = checkpointOf(25);
  const path = await writeCheckpoint(saveDir, written);
  assert.equal(path, join(saveDir, 'step-000025'));
  for (const name of [saveDir, join(saveDir, 'latest'), path]) {
    assert.equal(await checkpointFolder(name), path);
    assert.deepEqual(await readCheckpoint(name), written);
  }
  assert.deepEqual((await readdir(saveDir)).sort(), ['latest', 'step-000001', 'step-000025']);
});

test('rotated rows are half-split on the disk: 0 2 4 6 then 1 3 5 7', async () => {
  const path = await writeCheckpoint(join(folder, 'rows'), checkpointOf(1));
  const tensors = await readSafetensors(join(path, 'model.safetensors'));
  const first = tensors.get('model.layers.0.self_attn.q_proj.weight');
  assert.ok(first);
  const [, columns = 1] = first.shape;
  const rows = Array.from({ length: 16 }, (_, row) => (first.data[row * columns] ?? 0) / columns);
  assert.deepEqual(rows, [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]);
});

test('a damaged checkpoint, one of another architecture and none at all are told apart', async () => {
  const path = await writeCheckpoint(join(folder, 'damaged'), checkpointOf(1));
  const configFile = join(path, 'config.json');
  const config = JSON.parse(await readFile(configFile, 'utf8'));
  const check = async (change: Record<string, unknown>, message: RegExp) => {
    await writeFile(configFile, JSON.stringify({ ...config, ...change }));
    await assert.rejects(readModel(path), message);
  };
  await check({ model_type: 'gpt2' }, /plain Llama model.*model_type gpt2/);
  await check({ attention_bias: true }, /biases/);
  await check({ rope_scaling: { type: 'linear' } }, /scaled rope/);
  await check(
    { hidden_size: 64, head_dim: 16 },
    /embed_tokens.weight of 64 x 64 .*another architecture/,
  );
  await check({ hidden_size: 'much' }, /hidden_size/);

  await writeFile(configFile, JSON.stringify(config));
  const weights = join(path, 'model.safetensors');
  await writeFile(weights, (await readFile(weights)).subarray(0, 2000));
  await assert.rejects(readModel(path), /cut or damaged/);
  await assert.rejects(
    readModel(join(folder, 'nowhere')),
    /expected a checkpoint at .* got nothing/,
  );
});

test('an epoch sees every sequence once, and a position means the same in a fresh order', () => {
  const rows = [3, 0, 5];
  const order = createDataOrder(rows, 7);
  assert.equal(order.total, 8);
  const names = Array.from({ length: 16 }, (_, position) => {
    const { shard, row } = order.at(position);
    return `${shard}:${row}`;
  });
  const all = rows.flatMap((count, shard) =>
    Array.from({ length: count }, (_, row) => `${shard}:${row}`),
  );
  assert.deepEqual(names.slice(0, 8).sort(), all);
  assert.deepEqual(names.slice(8).sort(), all);
  assert.notDeepEqual(names.slice(0, 8), names.slice(8));
  const { shard, row } = createDataOrder(rows, 7).at(11);
  assert.equal(`${shard}:${row}`, names[11]);
});
