/** What a run will take of memory and time, before it begins. */
import { availableMemory } from 'node:process';
import { type Architecture, headSize, parameterCount } from './architecture.ts';
import type { TrainConfig } from './config.ts';
import { bestKernelForm, compileKernels, startKernels } from './engine/kernels.ts';
import { createMemory, planMemory } from './engine/memoryPlan.ts';

export interface Estimate {
  readonly parameters: number;
  readonly memoryBytes: number;
  readonly seconds: number;
  readonly tokens: number;
  /** Why this machine should not begin; undefined where it may. */
  readonly refusal?: string;
}

/** All that 32-bit pointers reach. */
const ENGINE_BYTES = 4 * 2 ** 30;
/** Of the free memory; other programs live here, too. */
const MEMORY_SHARE = 0.9;
const MOST_SECONDS = 14 * 24 * 3600;
const PROBE_MS = 150;
const PROBE_ROWS = 192;
const PROBE_SIZE = 256;
/** Everything beside the products of matrices, measured on the shipped configurations. */
const OVERHEAD = 1.4;

export async function estimateRun(
  architecture: Architecture,
  config: TrainConfig,
  run: { readonly threads: number; readonly steps: number },
): Promise<Estimate> {
  const { threads, steps } = run;
  const plan = planMemory(architecture, {
    threads,
    sequences: Math.ceil(config.micro_batch_size / threads),
    training: true,
  });
  const tokens = steps * config.batch_size_tokens;
  const speed = (await probeFlops()) * threads;
  const seconds = (tokens * flopsPerToken(architecture) * OVERHEAD) / speed;
  const memoryBytes = plan.totalBytes;
  const refusal = refusalOf(memoryBytes, seconds);
  return {
    parameters: parameterCount(architecture),
    memoryBytes,
    seconds,
    tokens,
    ...(refusal !== undefined && { refusal }),
  };
}

function refusalOf(memoryBytes: number, seconds: number): string | undefined {
  const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  if (memoryBytes > ENGINE_BYTES) {
    return `it needs ${gigabytes(memoryBytes)} of memory, and the embedded engine has at most ${gigabytes(ENGINE_BYTES)}`;
  }
  const free = availableMemory() * MEMORY_SHARE;
  if (memoryBytes > free) {
    return `it needs ${gigabytes(memoryBytes)} of memory, and this machine has ${gigabytes(free)} to give`;
  }
  if (seconds > MOST_SECONDS) {
    return `it would take ${(seconds / (7 * 24 * 3600)).toFixed(0)} weeks here`;
  }
  return undefined;
}

/** Forward and back: 6 for every weight that is multiplied, and attention over half the length on average. */
function flopsPerToken(architecture: Architecture): number {
  const { vocabSize, dModel, nLayers, nHeads, seqLen, tieEmbeddings } = architecture;
  const lookedUp = tieEmbeddings ? 0 : vocabSize * dModel;
  const multiplied = parameterCount(architecture) - lookedUp;
  const attention = (12 * nLayers * nHeads * headSize(architecture) * seqLen) / 2;
  return 6 * multiplied + attention;
}

/** Floating point operations a second of one thread. */
async function probeFlops(): Promise<number> {
  const size = { ...probeNet, seqLen: PROBE_ROWS };
  const plan = planMemory(size, { threads: 1, sequences: 1, training: false });
  const kernels = startKernels(await compileKernels(bestKernelForm()), createMemory(plan));
  const { weights } = plan;
  const [at] = plan.threads;
  if (at === undefined) throw new Error('expected a thread of the plan, got none');
  const multiply = () =>
    kernels.matmul(
      ...([PROBE_ROWS, PROBE_SIZE, PROBE_SIZE] as const),
      ...([at.dX, PROBE_SIZE, 1] as const),
      ...([weights, 1, PROBE_SIZE] as const),
      ...([at.dQ, PROBE_SIZE, 0] as const),
      at.work,
    );
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + PROBE_MS;
  // The best of many: the first ones wait for the compiler, and others may use this core.
  while (performance.now() < end) {
    const began = performance.now();
    multiply();
    best = Math.min(best, performance.now() - began);
  }
  return (2 * PROBE_ROWS * PROBE_SIZE * PROBE_SIZE) / (best / 1000);
}

const probeNet: Architecture = {
  vocabSize: PROBE_SIZE,
  dModel: PROBE_SIZE,
  nLayers: 1,
  nHeads: 1,
  nKvHeads: 1,
  dFf: 1,
  seqLen: 1,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tieEmbeddings: true,
};
