/** The training loop of the embedded engine: a run from its configuration to its last checkpoint, told in events. */
import { readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Architecture } from './architecture.ts';
import {
  type Checkpoint,
  checkpointName,
  readCheckpoint,
  type TrainerState,
  writeCheckpoint,
} from './checkpoint.ts';
import { architectureOf, type TrainConfig } from './config.ts';
import { createDataOrder, type SequencePlace } from './dataOrder.ts';
import { type Batch, createEngine, type Engine } from './engine/engine.ts';
import { initialWeights } from './initialWeights.ts';
import { openLossCurve } from './lossCurve.ts';
import { learningRateAt } from './schedule.ts';
import { openShards } from './shards.ts';
import { checkTokenizer } from './tokenizerFit.ts';
import { TrainingError } from './trainingError.ts';

export interface RunOptions {
  readonly config: TrainConfig;
  /** Paths of the configuration are relative to it. */
  readonly cwd: string;
  readonly threads: number;
  readonly resume: boolean;
  /** Ends the run after the step under way; what was learned is saved. */
  readonly signal: AbortSignal;
}

export type TrainEvent =
  | { readonly type: 'started'; readonly step: number; readonly sequences: number }
  | {
      readonly type: 'step';
      readonly step: number;
      /** Mean of the whole step in nats per token. */
      readonly loss: number;
      readonly learningRate: number;
      readonly gradientNorm: number;
      readonly tokensPerSecond: number;
      readonly secondsLeft: number;
    }
  | { readonly type: 'validated'; readonly step: number; readonly loss: number }
  | { readonly type: 'saved'; readonly step: number; readonly folder: string }
  | {
      readonly type: 'ended';
      readonly step: number;
      readonly stopped: boolean;
      readonly state: TrainerState;
    };

/** @throws TrainingError for input that can't be trained on, a loss that is no number, a full disk */
export async function* runTraining(options: RunOptions): AsyncGenerator<TrainEvent> {
  const { config, cwd, threads, signal } = options;
  const architecture = architectureOf(config);
  const saveDir = resolve(cwd, config.save_dir);
  const form = { seqLen: config.seq_len, vocabSize: config.vocab_size };
  const train = await openShards(config.train_glob, cwd, form);
  const validation = await openShards(config.val_glob, cwd, form);
  const tokenizerSha256 = await checkTokenizer(config, cwd, train.files);
  const start = options.resume
    ? await resumed(saveDir, config, tokenizerSha256)
    : await fresh(saveDir, config, tokenizerSha256);
  const order = createDataOrder(train.rows, config.seed);
  const fixed = await validation.batch(firstPlaces(validation.rows, config.eval_sequences));
  const engine = await createEngine(architecture, start, {
    threads,
    microBatch: config.micro_batch_size,
  });
  const curve = await openLossCurve(saveDir, start.state.step).catch(async (error: unknown) => {
    await engine.close();
    throw error;
  });
  const sequencesPerStep = config.batch_size_tokens / config.seq_len;
  const evalEvery = config.eval_every ?? config.save_every;
  const began = performance.now();
  let { state } = start;
  let saved = state.step;

  async function validate(): Promise<TrainEvent> {
    const loss = await engine.loss(fixed);
    if (!Number.isFinite(loss)) throw new TrainingError(notANumber(state.step, saveDir));
    await curve.add({ step: state.step, val_loss: loss });
    state = { ...state, val_loss: loss };
    return { type: 'validated', step: state.step, loss };
  }

  async function save(): Promise<TrainEvent> {
    state = withBest(state);
    const { weights, moments } = engine;
    const folder = await writeCheckpoint(saveDir, { architecture, weights, moments, state });
    await dropOld(saveDir, config.keep_checkpoints, state);
    saved = state.step;
    return { type: 'saved', step: state.step, folder };
  }

  try {
    yield { type: 'started', step: state.step, sequences: order.total };
    while (state.step < config.max_steps && !signal.aborted) {
      const places = Array.from({ length: sequencesPerStep }, (_, at) =>
        order.at(state.sequences + at),
      );
      const figures = await trainStep(engine, config, state.step, await train.batch(places));
      if (!Number.isFinite(figures.loss) || !Number.isFinite(figures.gradientNorm)) {
        throw new TrainingError(notANumber(state.step + 1, saveDir));
      }
      const step = state.step + 1;
      state = {
        ...state,
        step,
        sequences: state.sequences + sequencesPerStep,
        train_loss: figures.loss,
      };
      const stepsDone = step - start.state.step;
      const seconds = (performance.now() - began) / 1000;
      const tokensPerSecond = (stepsDone * config.batch_size_tokens) / seconds;
      await curve.add({
        step,
        loss: figures.loss,
        lr: figures.learningRate,
        grad_norm: figures.gradientNorm,
        tokens_per_s: Math.round(tokensPerSecond),
      });
      yield {
        type: 'step',
        step,
        ...figures,
        tokensPerSecond,
        secondsLeft: ((config.max_steps - step) * config.batch_size_tokens) / tokensPerSecond,
      };
      if (step % config.log_every === 0) await curve.draw();
      const saves = step % config.save_every === 0;
      if (saves || step % evalEvery === 0) yield await validate();
      if (saves) yield await save();
    }
    if (saved !== state.step) {
      yield await validate();
      await curve.draw();
      yield await save();
    }
    const stopped = state.step < config.max_steps;
    yield { type: 'ended', step: state.step, stopped, state };
  } finally {
    await engine.close();
  }
}

interface StepFigures {
  readonly loss: number;
  readonly learningRate: number;
  readonly gradientNorm: number;
}

/** One step of the optimizer. A gradient that is no number changes nothing. */
export async function trainStep(
  engine: Engine,
  config: TrainConfig,
  step: number,
  batch: Batch,
): Promise<StepFigures> {
  const loss = await engine.gradients(batch);
  const gradientNorm = await engine.gradientNorm();
  const learningRate = learningRateAt(step, config);
  if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) {
    const { grad_clip: most } = config;
    await engine.update({
      gradientScale: most > 0 && gradientNorm > most ? most / gradientNorm : 1,
      learningRate,
      weightDecay: config.weight_decay,
      beta1: config.beta1,
      beta2: config.beta2,
      eps: config.adam_eps,
      step: step + 1,
    });
  }
  return { loss, learningRate, gradientNorm };
}

async function fresh(
  saveDir: string,
  config: TrainConfig,
  tokenizerSha256: string,
): Promise<Checkpoint> {
  const names = await readdir(saveDir).catch((): string[] => []);
  if (names.includes('latest')) {
    throw new TrainingError(
      `expected no run in ${saveDir} yet, got one; go on with it by --resume, or take it away or set another save_dir to begin anew`,
    );
  }
  return freshStart(config, tokenizerSha256);
}

/** Step 0 of a run. */
export function freshStart(config: TrainConfig, tokenizerSha256: string): Checkpoint {
  const architecture = architectureOf(config);
  const initial = initialWeights(architecture, config);
  const zeros = () =>
    new Map([...initial].map(([name, values]) => [name, new Float32Array(values.length)]));
  return {
    architecture,
    weights: initial,
    moments: { mean: zeros(), variance: zeros() },
    state: {
      format: 1,
      engine: 'embedded',
      step: 0,
      sequences: 0,
      random: { generator: 'mulberry32', seed: config.seed },
      config,
      tokenizer_sha256: tokenizerSha256,
      train_loss: null,
      val_loss: null,
      best_val_loss: null,
      best_step: null,
    },
  };
}

async function resumed(
  saveDir: string,
  config: TrainConfig,
  tokenizerSha256: string,
): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(saveDir);
  const wanted = architectureOf(config);
  const differences = Object.entries(checkpoint.architecture).flatMap(([field, value]) => {
    const other = wanted[field as keyof Architecture];
    return other === value ? [] : [`${field} is ${value} there and ${other} in the configuration`];
  });
  const { state } = checkpoint;
  if (state.random.seed !== config.seed) {
    differences.push(`seed is ${state.random.seed} there and ${config.seed} in the configuration`);
  }
  if (state.tokenizer_sha256 !== null && state.tokenizer_sha256 !== tokenizerSha256) {
    differences.push('its tokenizer is another one');
  }
  if (differences.length > 0) {
    const folder = join(saveDir, checkpointName(state.step));
    throw new TrainingError(
      `expected a checkpoint of this configuration in ${folder}, got another: ${differences.join(', ')}`,
    );
  }
  return { ...checkpoint, state: { ...state, engine: 'embedded', config } };
}

function firstPlaces(rows: readonly number[], most: number): SequencePlace[] {
  const all = rows.flatMap((count, shard) =>
    Array.from({ length: Math.min(count, most) }, (_, row) => ({ shard, row })),
  );
  return all.slice(0, most);
}

function withBest(state: TrainerState): TrainerState {
  const { val_loss: loss, best_val_loss: best, step } = state;
  if (loss === null || (best !== null && best <= loss)) return state;
  return { ...state, best_val_loss: loss, best_step: step };
}

/** Keeps the newest checkpoints and the best. */
async function dropOld(saveDir: string, keep: number, state: TrainerState): Promise<void> {
  const names = (await readdir(saveDir)).filter((name) => /^step-\d{6,}$/.test(name)).sort();
  const best = state.best_step === null ? undefined : checkpointName(state.best_step);
  for (const name of names.slice(0, -keep)) {
    if (name !== best) await rm(join(saveDir, name), { recursive: true, force: true });
  }
}

function notANumber(step: number, saveDir: string): string {
  return `expected a loss at step ${step}, got no number: the run has diverged and is stopped; what was saved in ${saveDir} before stays as it is. Begin again from there with a smaller lr, or a longer warm-up`;
}
