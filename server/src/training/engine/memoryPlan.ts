/**
 * Where everything lies in the one memory that all threads share. Weights and moments are there once; gradients and
 * activations once a thread, so that threads write nothing that another one writes.
 */
import { type Architecture, headSize, sizeOf, tensorsOf } from '../architecture.ts';
import { TrainingError } from '../trainingError.ts';
import { KERNEL_RESERVED_BYTES, MATMUL_WORKSPACE_BYTES, MAX_PAGES, PAGE_BYTES } from './kernels.ts';

/** Queries of one block of attention. A multiple of the rows of the kernels' tile. */
export const QUERY_BLOCK = 48;
const LOGIT_FLOATS = 1 << 20;
const ALIGNMENT = 64;
const FLOAT_BYTES = 4;

export interface TensorPlace {
  readonly name: string;
  /** From the start of its block, in bytes. */
  readonly offset: number;
  readonly size: number;
  /** Norms and embeddings are not decayed. */
  readonly decayed: boolean;
}

/** Addresses of what one layer keeps on the way forward for the way back. */
export interface LayerPlaces {
  readonly x: number;
  readonly normed: number;
  readonly inverse: number;
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly attended: number;
  readonly logSums: number;
  readonly middle: number;
  readonly middleNormed: number;
  readonly middleInverse: number;
  readonly gate: number;
  readonly up: number;
}

export interface ThreadPlaces {
  /** One block of the size of the weights; 0 where nothing is trained. */
  readonly gradients: number;
  readonly ids: number;
  readonly targets: number;
  readonly losses: number;
  readonly layers: readonly LayerPlaces[];
  readonly last: number;
  readonly lastNormed: number;
  readonly lastInverse: number;
  readonly hidden: number;
  readonly logits: number;
  readonly scores: number;
  readonly dScores: number;
  readonly outDots: number;
  readonly dX: number;
  readonly dNormed: number;
  readonly dAttended: number;
  readonly dQ: number;
  readonly dK: number;
  readonly dV: number;
  readonly work: number;
}

export interface MemoryPlan {
  readonly architecture: Architecture;
  readonly tensors: readonly TensorPlace[];
  /** Bytes of a block of weights, moments or gradients. */
  readonly blockBytes: number;
  readonly weights: number;
  readonly means: number;
  readonly variances: number;
  readonly cosines: number;
  readonly sines: number;
  readonly threads: readonly ThreadPlaces[];
  /** Rows of logits that are made at a time. */
  readonly logitRows: number;
  readonly totalBytes: number;
}

export interface PlanOptions {
  readonly threads: number;
  /** The most sequences of `seqLen` that one thread computes at a time. */
  readonly sequences: number;
  /** Gradients and moments, too. */
  readonly training: boolean;
  /** Logits that a thread holds at a time, about; whole blocks of rows. @default 2^20 */
  readonly logitFloats?: number;
}

export function planMemory(architecture: Architecture, options: PlanOptions): MemoryPlan {
  const { vocabSize, dModel, nLayers, nHeads, nKvHeads, dFf, seqLen } = architecture;
  const { logitFloats = LOGIT_FLOATS } = options;
  const rows = options.sequences * seqLen;
  const dKv = nKvHeads * headSize(architecture);
  let next = KERNEL_RESERVED_BYTES;
  const bytes = (count: number): number => {
    const at = next;
    next += Math.ceil(count / ALIGNMENT) * ALIGNMENT;
    return at;
  };
  const floats = (count: number): number => bytes(count * FLOAT_BYTES);
  const whenTraining = (count: number): number => (options.training ? bytes(count) : 0);

  let blockBytes = 0;
  const tensors = tensorsOf(architecture).map((spec): TensorPlace => {
    const size = sizeOf(spec);
    const offset = blockBytes;
    blockBytes += Math.ceil((size * FLOAT_BYTES) / ALIGNMENT) * ALIGNMENT;
    const decayed = spec.kind === 'matrix' || spec.kind === 'head';
    return { name: spec.name, offset, size, decayed };
  });
  const weights = bytes(blockBytes);
  const means = whenTraining(blockBytes);
  const variances = whenTraining(blockBytes);
  const angles = (seqLen * headSize(architecture)) / 2;
  const cosines = floats(angles);
  const sines = floats(angles);
  const logitRows = Math.max(
    QUERY_BLOCK,
    Math.min(rows, Math.floor(logitFloats / vocabSize / QUERY_BLOCK) * QUERY_BLOCK),
  );

  const layer = (): LayerPlaces => ({
    x: floats(rows * dModel),
    normed: floats(rows * dModel),
    inverse: floats(rows),
    q: floats(rows * dModel),
    k: floats(rows * dKv),
    v: floats(rows * dKv),
    attended: floats(rows * dModel),
    logSums: floats(rows * nHeads),
    middle: floats(rows * dModel),
    middleNormed: floats(rows * dModel),
    middleInverse: floats(rows),
    gate: floats(rows * dFf),
    up: floats(rows * dFf),
  });
  const thread = (): ThreadPlaces => {
    // Without a way back one layer's places serve all.
    const first = layer();
    const others = Array.from({ length: nLayers - 1 }, () => (options.training ? layer() : first));
    return {
      gradients: whenTraining(blockBytes),
      ids: floats(rows),
      targets: floats(rows),
      losses: floats(rows),
      layers: [first, ...others],
      last: floats(rows * dModel),
      lastNormed: floats(rows * dModel),
      lastInverse: floats(rows),
      hidden: floats(rows * dFf),
      logits: floats(logitRows * vocabSize),
      scores: floats(QUERY_BLOCK * seqLen),
      dScores: floats(QUERY_BLOCK * seqLen),
      outDots: floats(QUERY_BLOCK),
      dX: floats(rows * dModel),
      dNormed: floats(rows * dModel),
      dAttended: floats(rows * dModel),
      dQ: floats(rows * dModel),
      dK: floats(rows * dKv),
      dV: floats(rows * dKv),
      work: bytes(MATMUL_WORKSPACE_BYTES),
    };
  };
  const threads = Array.from({ length: options.threads }, thread);
  return {
    architecture,
    tensors,
    blockBytes,
    weights,
    means,
    variances,
    cosines,
    sines,
    threads,
    logitRows,
    totalBytes: next,
  };
}

export function placesOf(plan: MemoryPlan, thread: number): ThreadPlaces {
  const places = plan.threads[thread];
  if (places === undefined) {
    throw new Error(`expected a thread below ${plan.threads.length}, got ${thread}`);
  }
  return places;
}

/** @throws TrainingError where it passes what 32-bit pointers reach or what the machine gives */
export function createMemory(plan: MemoryPlan): WebAssembly.Memory {
  const pages = Math.ceil(plan.totalBytes / PAGE_BYTES);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: MAX_PAGES, shared: true });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TrainingError(
      `expected ${Math.ceil(plan.totalBytes / 2 ** 20)} MiB of memory for the net, got none of this size (at most 4096 MiB); take a smaller net, micro_batch_size or seq_len, or PyTorch`,
    );
  }
}

/** The tensors of a block as views, by name. */
export function tensorViews(
  plan: MemoryPlan,
  memory: WebAssembly.Memory,
  block: number,
): ReadonlyMap<string, Float32Array> {
  return new Map(
    plan.tensors.map(({ name, offset, size }) => [
      name,
      new Float32Array(memory.buffer, block + offset, size),
    ]),
  );
}

/** Sets weights, and the angles of rotary positions: place / theta^(2 i / headSize). */
export function fillModel(
  plan: MemoryPlan,
  memory: WebAssembly.Memory,
  weights: ReadonlyMap<string, Float32Array>,
): void {
  fillBlock(plan, memory, plan.weights, weights);
  const { seqLen, ropeTheta } = plan.architecture;
  const half = headSize(plan.architecture) / 2;
  const cosines = new Float32Array(memory.buffer, plan.cosines, seqLen * half);
  const sines = new Float32Array(memory.buffer, plan.sines, seqLen * half);
  for (let place = 0; place < seqLen; place++) {
    for (let pair = 0; pair < half; pair++) {
      const angle = place / ropeTheta ** (pair / half);
      cosines[place * half + pair] = Math.cos(angle);
      sines[place * half + pair] = Math.sin(angle);
    }
  }
}

export function fillBlock(
  plan: MemoryPlan,
  memory: WebAssembly.Memory,
  block: number,
  values: ReadonlyMap<string, Float32Array>,
): void {
  for (const [name, view] of tensorViews(plan, memory, block)) {
    const value = values.get(name);
    if (value?.length !== view.length) {
      throw new Error(`expected ${view.length} values of ${name}, got ${value?.length ?? 'none'}`);
    }
    view.set(value);
  }
}
