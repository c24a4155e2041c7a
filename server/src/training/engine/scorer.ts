/** Judges texts with a model, on the calling thread: a loss for every token, for perplexity. */
import type { Architecture } from '../architecture.ts';
import type { Weights } from '../checkpoint.ts';
import { bestKernelForm, compileKernels, startKernels } from './kernels.ts';
import { createMemory, fillModel, placesOf, planMemory } from './memoryPlan.ts';
import { createNet } from './net.ts';

export interface Scorer {
  /**
   * Loss in nats of each target, given the ids up to its place.
   *
   * @param ids at most `seqLen` of them
   */
  losses(ids: Int32Array, targets: Int32Array): Float32Array;
}

export async function createScorer(model: {
  readonly architecture: Architecture;
  readonly weights: Weights;
}): Promise<Scorer> {
  const { architecture, weights } = model;
  const plan = planMemory(architecture, { threads: 1, sequences: 1, training: false });
  const memory = createMemory(plan);
  fillModel(plan, memory, weights);
  const kernels = startKernels(await compileKernels(bestKernelForm()), memory);
  const net = createNet(kernels, plan, 0);
  const place = placesOf(plan, 0);
  return {
    losses(ids, targets) {
      if (ids.length > architecture.seqLen || ids.length !== targets.length) {
        throw new RangeError(
          `expected at most ${architecture.seqLen} ids and as many targets, got ${ids.length} and ${targets.length}`,
        );
      }
      new Int32Array(memory.buffer, place.ids).set(ids);
      new Int32Array(memory.buffer, place.targets).set(targets);
      net.run(1, ids.length, 0);
      return new Float32Array(memory.buffer, place.losses, ids.length).slice();
    },
  };
}
