/** `train --config`: trains a model with the embedded engine, and shows how it goes. */
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import type { TrainConfig } from '../training/config.ts';
import type { Estimate } from '../training/estimate.ts';
import type { TrainEvent } from '../training/trainer.ts';
import { counted } from './counted.ts';
import { exitCodes } from './exitCodes.ts';
import { type CliIo, writeLine } from './io.ts';
import { badInput, type Session } from './session.ts';
import { withTraining } from './trainingSession.ts';

export interface TrainFlags {
  readonly config?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

export async function train({ io, flags: global }: Session, flags: TrainFlags): Promise<number> {
  const { config: file } = flags;
  if (file === undefined) {
    return await badInput(io, 'expected --config with a file such as configs/tiny.json, got none');
  }
  return await withTraining(io, async (progress) => {
    const { architectureOf, readTrainConfig } = await import('../training/config.ts');
    const { estimateRun } = await import('../training/estimate.ts');
    const { runTraining } = await import('../training/trainer.ts');
    const { TrainingError } = await import('../training/trainingError.ts');
    const config = await readTrainConfig(resolve(io.cwd, file));
    const threads = threadsFor(config, global.threads);
    const architecture = architectureOf(config);
    const say = async (line: string) => {
      progress.clear();
      await writeLine(flags.json === true ? io.stderr : io.stdout, line);
    };
    const run = { threads, steps: config.max_steps };
    const estimate = await estimateRun(architecture, config, run);
    await say(estimateLine(estimate, threads));
    for (const note of notesOn(config)) await say(note);
    if (estimate.refusal !== undefined) {
      throw new TrainingError(
        `expected a run that this machine can do, got one that it should not begin: ${estimate.refusal}; PyTorch does it on a machine with GPUs: cost-aware-router train --config ${file} --engine torch`,
      );
    }
    let ended: Extract<TrainEvent, { type: 'ended' }> | undefined;
    const options = { config, cwd: io.cwd, threads, resume: flags.resume === true };
    for await (const event of runTraining({ ...options, signal: io.signal })) {
      if (event.type === 'ended') ended = event;
      if (event.type === 'step') {
        const done = event.step / config.max_steps;
        progress.show(`loss ${event.loss.toFixed(3)}, ${duration(event.secondsLeft)} left`, done);
      }
      const line = lineOf(event, config, io);
      if (line !== undefined) await say(line);
    }
    if (flags.json === true && ended !== undefined) {
      await writeLine(io.stdout, JSON.stringify(resultOf(ended, config)));
    }
    return ended?.stopped === true ? exitCodes.cancelled : exitCodes.ok;
  });
}

/** No more than there are sequences in a micro-batch: each thread computes whole ones. */
function threadsFor(config: TrainConfig, wanted = availableParallelism()): number {
  return Math.max(1, Math.min(wanted, config.micro_batch_size));
}

function estimateLine({ parameters, memoryBytes, seconds, tokens }: Estimate, threads: number) {
  const size = parameters >= 1e6 ? `${(parameters / 1e6).toFixed(1)} M` : `${parameters}`;
  const memory = `${Math.ceil(memoryBytes / 2 ** 20)} MiB`;
  return `${size} parameters, ${tokens} tokens: about ${memory} of memory and ${duration(seconds)} on ${counted(threads, 'thread')}`;
}

function notesOn(config: TrainConfig): readonly string[] {
  const steps = config.batch_size_tokens / (config.micro_batch_size * config.seq_len);
  const { grad_accum_steps: given } = config;
  return [
    ...(config.bf16 ? ['bf16 is for GPUs: this engine computes in 32 bits'] : []),
    ...(given !== undefined && given !== steps
      ? [
          `batch_size_tokens makes ${steps} micro-batches a step; grad_accum_steps ${given} is not used`,
        ]
      : []),
  ];
}

function lineOf(event: TrainEvent, config: TrainConfig, io: CliIo): string | undefined {
  switch (event.type) {
    case 'started':
      return `${event.step === 0 ? 'begins' : `goes on after step ${event.step}`}; ${event.sequences} sequences an epoch`;
    case 'step':
      if (event.step % config.log_every !== 0 && event.step !== 1) return undefined;
      return [
        `step ${event.step}/${config.max_steps}`,
        `loss ${event.loss.toFixed(4)}`,
        `lr ${event.learningRate.toExponential(2)}`,
        `norm ${event.gradientNorm.toFixed(2)}`,
        `${Math.round(event.tokensPerSecond)} tokens/s`,
        `${duration(event.secondsLeft)} left`,
      ].join('  ');
    case 'validated':
      return `step ${event.step}  validation loss ${event.loss.toFixed(4)}, perplexity ${Math.exp(event.loss).toFixed(2)}`;
    case 'saved':
      return `saved ${relative(io.cwd, event.folder)}`;
    case 'ended':
      return event.stopped ? `stopped after step ${event.step}; go on with --resume` : undefined;
  }
}

function resultOf(
  { state, stopped }: Extract<TrainEvent, { type: 'ended' }>,
  config: TrainConfig,
): Readonly<Record<string, unknown>> {
  return {
    step: state.step,
    stopped,
    train_loss: state.train_loss,
    val_loss: state.val_loss,
    best_val_loss: state.best_val_loss,
    best_step: state.best_step,
    save_dir: config.save_dir,
  };
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
