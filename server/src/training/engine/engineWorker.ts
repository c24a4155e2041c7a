/** One thread of the embedded engine. It waits for a task, does it in the shared memory, and tells its figures. */
import { parentPort, workerData } from 'node:worker_threads';
import { startKernels } from './kernels.ts';
import { type MemoryPlan, placesOf } from './memoryPlan.ts';
import { createNet } from './net.ts';
import { createShare } from './optimizerShare.ts';

export interface EngineWorkerData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly plan: MemoryPlan;
  readonly thread: number;
}

export type EngineTask =
  /** Scores the sequences at the thread's places; where the scale is not 0 their gradients are added to its own. */
  | {
      readonly type: 'score';
      readonly sequences: number;
      readonly length: number;
      readonly gradientScale: number;
      readonly fresh: boolean;
    }
  /** Adds up all threads' gradients of this thread's share of the parameters; tells the sum of their squares. */
  | { readonly type: 'gather' }
  | ({ readonly type: 'update' } & UpdateFigures);

export interface UpdateFigures {
  readonly gradientScale: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Steps of the optimizer, this one included. */
  readonly step: number;
}

/** Sum of losses, or of squares; 0 where a task tells nothing. */
export type EngineReply = number;

const port = parentPort;
if (port !== null) {
  const { module, memory, plan, thread } = workerData as EngineWorkerData;
  const kernels = startKernels(module, memory);
  const net = createNet(kernels, plan, thread);
  const share = createShare(kernels, plan, thread);
  const losses = new Float32Array(memory.buffer, placesOf(plan, thread).losses);

  const perform = (task: EngineTask): EngineReply => {
    switch (task.type) {
      case 'score': {
        if (task.fresh) share.clear();
        net.run(task.sequences, task.length, task.gradientScale);
        let sum = 0;
        for (let row = 0; row < task.sequences * task.length; row++) sum += losses[row] ?? 0;
        return sum;
      }
      case 'gather':
        return share.gather();
      case 'update':
        share.update(task);
        return 0;
    }
  };
  port.on('message', (task: EngineTask) => port.postMessage(perform(task)));
}
