/**
 * The optimizer's work on one thread: a share of the parameters, the same each time, so that sums come out the same each time.
 */
import type { UpdateFigures } from './engineWorker.ts';
import type { Kernels } from './kernels.ts';
import { type MemoryPlan, placesOf } from './memoryPlan.ts';

export interface OptimizerShare {
  /** Sets the thread's own gradients to zero, all of them. */
  clear(): void;
  /** Adds the gradients of all threads to those of the first, in the share; returns their sum of squares. */
  gather(): number;
  update(figures: UpdateFigures): void;
}

interface Piece {
  readonly offset: number;
  readonly size: number;
  readonly decayed: boolean;
}

export function createShare(kernels: Kernels, plan: MemoryPlan, thread: number): OptimizerShare {
  const own = placesOf(plan, thread);
  const first = placesOf(plan, 0);
  const others = plan.threads.slice(1);
  const pieces = piecesOf(plan, thread);
  return {
    clear: () => kernels.fillZero(own.gradients, plan.blockBytes / 4),
    gather() {
      let sum = 0;
      for (const { offset, size } of pieces) {
        const gradients = first.gradients + offset;
        for (const other of others) kernels.addInto(gradients, other.gradients + offset, size);
        sum += kernels.sumSquares(gradients, size);
      }
      return sum;
    },
    update({ gradientScale, learningRate, weightDecay, beta1, beta2, eps, step }) {
      const stepSize = learningRate / (1 - beta1 ** step);
      const varianceScale = 1 / Math.sqrt(1 - beta2 ** step);
      for (const { offset, size, decayed } of pieces) {
        kernels.adamw(
          plan.weights + offset,
          first.gradients + offset,
          plan.means + offset,
          plan.variances + offset,
          size,
          gradientScale,
          decayed ? 1 - learningRate * weightDecay : 1,
          stepSize,
          beta1,
          beta2,
          varianceScale,
          eps,
        );
      }
    },
  };
}

/** Cuts the block into one run of bytes a thread, and that at the borders of tensors. */
function piecesOf(plan: MemoryPlan, thread: number): readonly Piece[] {
  const cut = (part: number) =>
    Math.floor((plan.blockBytes * part) / plan.threads.length / 64) * 64;
  const [from, to] = [cut(thread), cut(thread + 1)];
  return plan.tensors.flatMap(({ offset, size, decayed }) => {
    const start = Math.max(offset, from);
    const end = Math.min(offset + size * 4, to);
    return start < end ? [{ offset: start, size: (end - start) / 4, decayed }] : [];
  });
}
