/**
 * Checkpoints that either engine writes and goes on from. `save_dir` holds folders `step-000250/` and a file `latest` with
 * the name of one of them. In a folder:
 *
 * - `model.safetensors`, `config.json`: weights, in Hugging Face's names and order (rope half-split), 32 bits
 * - `optimizer.safetensors`: moments of AdamW in the same names and order, as `exp_avg.NAME` and `exp_avg_sq.NAME`
 * - `trainer.json`: how far the run is (`TrainerState`)
 *
 * A folder is complete or is not there: it is written under another name, synced, and renamed.
 */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { type Architecture, tensorsOf } from './architecture.ts';
import { trainConfigSchema } from './config.ts';
import { fromLlamaConfig, toLlamaConfig } from './llamaConfig.ts';
import { toHalfSplit, toInterleaved } from './ropeLayout.ts';
import { readSafetensors, type Tensor, writeSafetensors } from './safetensors.ts';
import { TrainingError } from './trainingError.ts';

const trainerSchema = z.object({
  format: z.literal(1),
  engine: z.enum(['embedded', 'torch']),
  /** Optimizer steps done. */
  step: z.number().int().min(0),
  /** Training sequences seen since the start; with the seed it says which comes next (`dataOrder.ts`). */
  sequences: z.number().int().min(0),
  /** All randomness there is: first weights and order of the data both follow from it. */
  random: z.object({ generator: z.literal('mulberry32'), seed: z.number().int().min(0) }),
  config: trainConfigSchema,
  /** Of the tokenizer's file; null where the shards' tokenizer was not at hand. */
  tokenizer_sha256: z.string().nullable(),
  train_loss: z.number().nullable(),
  val_loss: z.number().nullable(),
  best_val_loss: z.number().nullable(),
  best_step: z.number().int().nullable(),
});

export type TrainerState = z.infer<typeof trainerSchema>;

/** By tensor name, in our own (interleaved) order of rows. */
export type Weights = ReadonlyMap<string, Float32Array>;

export interface Moments {
  readonly mean: Weights;
  readonly variance: Weights;
}

export interface Model {
  /** The folder that was read. */
  readonly folder: string;
  readonly architecture: Architecture;
  readonly weights: Weights;
}

export interface Checkpoint {
  readonly architecture: Architecture;
  readonly weights: Weights;
  readonly moments: Moments;
  readonly state: TrainerState;
}

const LATEST = 'latest';

export function checkpointName(step: number): string {
  return `step-${String(step).padStart(6, '0')}`;
}

/** Writes a checkpoint and points `latest` at it; returns its folder. */
export async function writeCheckpoint(saveDir: string, checkpoint: Checkpoint): Promise<string> {
  const { architecture, weights, moments, state } = checkpoint;
  const name = checkpointName(state.step);
  const folder = join(saveDir, name);
  const temporary = join(saveDir, `.${name}.${process.pid}.part`);
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true });
    await writeSafetensors(
      join(temporary, 'model.safetensors'),
      new Map(stored(architecture, weights, '')),
    );
    await writeSafetensors(
      join(temporary, 'optimizer.safetensors'),
      new Map([
        ...stored(architecture, moments.mean, 'exp_avg.'),
        ...stored(architecture, moments.variance, 'exp_avg_sq.'),
      ]),
    );
    await writeJson(join(temporary, 'config.json'), toLlamaConfig(architecture));
    await writeJson(join(temporary, 'trainer.json'), state);
    await syncFolder(temporary);
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
    const pointer = join(saveDir, `.${LATEST}.${process.pid}.part`);
    await writeSynced(pointer, `${name}\n`);
    await rename(pointer, join(saveDir, LATEST));
    await syncFolder(saveDir);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
    throw diskError(error, folder);
  }
  return folder;
}

/**
 * The folder that a path means: one of a checkpoint, `latest`, or a folder that holds `latest`.
 *
 * @throws TrainingError where there is none
 */
export async function checkpointFolder(path: string): Promise<string> {
  const what = await stat(path).catch(() => undefined);
  if (what?.isFile() === true && basename(path) === LATEST) {
    return join(dirname(path), (await readFile(path, 'utf8')).trim());
  }
  if (what?.isDirectory() === true) {
    const names = await readdir(path);
    if (names.includes('config.json')) return path;
    if (names.includes(LATEST)) return await checkpointFolder(join(path, LATEST));
  }
  throw new TrainingError(
    `expected a checkpoint at ${path} (a folder with config.json and model.safetensors), got ${what === undefined ? 'nothing' : 'something else'}`,
  );
}

/** Reads what a model needs to answer: any Llama in Hugging Face's layout, moments or not. */
export async function readModel(path: string): Promise<Model> {
  const folder = await checkpointFolder(path);
  const architecture = fromLlamaConfig(await readJson(join(folder, 'config.json')), folder);
  const file = join(folder, 'model.safetensors');
  const tensors = await readTensors(file);
  return { folder, architecture, weights: loaded(architecture, tensors, '', file) };
}

/** Reads all that a run needs to go on. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { folder, architecture, weights } = await readModel(path);
  const trainer = join(folder, 'trainer.json');
  const state = trainerSchema.safeParse(await readJson(trainer));
  if (!state.success) {
    const { path: at = [], message = '' } = state.error.issues[0] ?? {};
    throw new TrainingError(
      `expected ${trainer} as this program writes it, got at ${at.join('.')}: ${message}`,
    );
  }
  const file = join(folder, 'optimizer.safetensors');
  const tensors = await readTensors(file);
  const moments = {
    mean: loaded(architecture, tensors, 'exp_avg.', file),
    variance: loaded(architecture, tensors, 'exp_avg_sq.', file),
  };
  return { architecture, weights, moments, state: state.data };
}

function* stored(
  architecture: Architecture,
  values: Weights,
  prefix: string,
): Generator<[string, Tensor]> {
  for (const spec of tensorsOf(architecture)) {
    const data = values.get(spec.name);
    if (data === undefined) throw new Error(`expected a tensor ${spec.name} to store, got none`);
    yield [`${prefix}${spec.name}`, { shape: spec.shape, data: toHalfSplit(spec, data) }];
  }
}

function loaded(
  architecture: Architecture,
  tensors: ReadonlyMap<string, Tensor>,
  prefix: string,
  file: string,
): Weights {
  return new Map(
    tensorsOf(architecture).map((spec) => {
      const name = `${prefix}${spec.name}`;
      const tensor = tensors.get(name);
      const shape = spec.shape.join(' x ');
      if (tensor?.shape.join(' x ') !== shape) {
        const got = tensor === undefined ? 'none' : tensor.shape.join(' x ');
        throw new TrainingError(
          `expected ${name} of ${shape} in ${file}, got ${got}; it belongs to another architecture`,
        );
      }
      return [spec.name, toInterleaved(spec, tensor.data)];
    }),
  );
}

async function readTensors(file: string): Promise<ReadonlyMap<string, Tensor>> {
  try {
    return await readSafetensors(file);
  } catch (error) {
    throw readError(error, file);
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw readError(error, path);
  }
}

function readError(error: unknown, path: string): unknown {
  if (error instanceof TrainingError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new TrainingError(`expected to read ${path}, got ${why}`);
}

function diskError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new TrainingError(
      `expected room for the checkpoint ${path}, got a full disk; the checkpoints before it are whole: make room and go on with --resume`,
    );
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM' || code === 'ENOTDIR') {
    return new TrainingError(`expected to write ${path}, got ${code}; check the folder's rights`);
  }
  return error;
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeSynced(path, `${JSON.stringify(value, null, 2)}\n`);
}

async function writeSynced(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flush: true });
}

async function syncFolder(path: string): Promise<void> {
  // Windows opens no folders; renames are durable there without it.
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
