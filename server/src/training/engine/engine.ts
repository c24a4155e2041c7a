/**
 * The embedded engine: weights, moments and gradients in one shared memory, and threads that compute in it. The calling
 * thread only hands out tasks and waits for messages, so that its event loop stays free.
 */
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Architecture } from '../architecture.ts';
import type { Moments, Weights } from '../checkpoint.ts';
import type { EngineReply, EngineTask, EngineWorkerData, UpdateFigures } from './engineWorker.ts';
import { bestKernelForm, compileKernels, type KernelForm } from './kernels.ts';
import {
  createMemory,
  fillBlock,
  fillModel,
  placesOf,
  planMemory,
  tensorViews,
} from './memoryPlan.ts';

export interface Batch {
  /** `[sequences, length]`, row-major. */
  readonly ids: Int32Array;
  readonly targets: Int32Array;
}

export interface EngineOptions {
  readonly threads: number;
  /** Sequences that all threads together compute at a time. */
  readonly microBatch: number;
  /** @default the fastest that this engine has */
  readonly form?: KernelForm;
}

export interface Engine {
  readonly form: KernelForm;
  readonly threads: number;
  /** Views on the living memory: what a later step changes, changes here. */
  readonly weights: Weights;
  readonly moments: Moments;
  /** Adds up gradients of the mean loss of a batch of whole sequences; returns that loss in nats per token. */
  gradients(batch: Batch): Promise<number>;
  /** The norm of all gradients; call it once after `gradients`, before `update`. */
  gradientNorm(): Promise<number>;
  update(figures: UpdateFigures): Promise<void>;
  /** Mean loss in nats per token; nothing is learned. */
  loss(batch: Batch): Promise<number>;
  /** Gradients by tensor, as the last `gradientNorm` left them. */
  gradientsByName(): Weights;
  close(): Promise<void>;
}

export async function createEngine(
  architecture: Architecture,
  start: { readonly weights: Weights; readonly moments?: Moments },
  options: EngineOptions,
): Promise<Engine> {
  const { threads, microBatch, form = bestKernelForm() } = options;
  const perThread = Math.ceil(microBatch / threads);
  const plan = planMemory(architecture, { threads, sequences: perThread, training: true });
  const memory = createMemory(plan);
  fillModel(plan, memory, start.weights);
  if (start.moments !== undefined) {
    fillBlock(plan, memory, plan.means, start.moments.mean);
    fillBlock(plan, memory, plan.variances, start.moments.variance);
  }
  const module = await compileKernels(form);
  const workers = plan.threads.map((_, thread) => startWorker({ module, memory, plan, thread }));
  const { seqLen } = architecture;

  async function all(task: EngineTask): Promise<readonly EngineReply[]> {
    return await Promise.all(workers.map((worker) => worker.perform(task)));
  }

  /** Each thread takes one run of the sequences, the same each time, and computes it in portions. */
  async function score({ ids, targets }: Batch, training: boolean): Promise<number> {
    const total = ids.length / seqLen;
    const gradientScale = training ? 1 / ids.length : 0;
    const sums = await Promise.all(
      workers.map(async (worker, thread) => {
        const place = placesOf(plan, thread);
        const end = Math.floor((total * (thread + 1)) / threads);
        let sum = 0;
        let fresh = training;
        for (let at = Math.floor((total * thread) / threads); at < end || fresh; at += perThread) {
          const sequences = Math.min(perThread, end - at);
          const range = [at * seqLen, (at + sequences) * seqLen] as const;
          new Int32Array(memory.buffer, place.ids).set(ids.subarray(...range));
          new Int32Array(memory.buffer, place.targets).set(targets.subarray(...range));
          const task = { type: 'score', sequences, length: seqLen, gradientScale, fresh } as const;
          sum += await worker.perform(task);
          fresh = false;
        }
        return sum;
      }),
    );
    return sumOf(sums) / ids.length;
  }

  return {
    form,
    threads,
    weights: tensorViews(plan, memory, plan.weights),
    moments: {
      mean: tensorViews(plan, memory, plan.means),
      variance: tensorViews(plan, memory, plan.variances),
    },
    gradients: (batch) => score(batch, true),
    loss: (batch) => score(batch, false),
    async gradientNorm() {
      return Math.sqrt(sumOf(await all({ type: 'gather' })));
    },
    async update(figures) {
      await all({ type: 'update', ...figures });
    },
    gradientsByName: () => tensorViews(plan, memory, placesOf(plan, 0).gradients),
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

interface EngineThread {
  perform(task: EngineTask): Promise<EngineReply>;
  close(): Promise<void>;
}

function startWorker(workerData: EngineWorkerData): EngineThread {
  const own = extname(fileURLToPath(import.meta.url));
  const worker = new Worker(new URL(`./engineWorker${own}`, import.meta.url), { workerData });
  let waiting: PromiseWithResolvers<EngineReply> | undefined;
  let broken: Error | undefined;
  worker.on('message', (reply: EngineReply) => waiting?.resolve(reply));
  worker.on('error', (error) => {
    broken = error;
    waiting?.reject(error);
  });
  return {
    perform(task) {
      if (broken !== undefined) return Promise.reject(broken);
      waiting = Promise.withResolvers();
      worker.postMessage(task);
      return waiting.promise;
    },
    async close() {
      await worker.terminate();
    },
  };
}
