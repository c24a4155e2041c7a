/**
 * Gets a local model ready while a prompt for it is being written: the host is started and the model loaded, and where the machine
 * is idle what the prompt begins with is read. Each beginning once; whatever is done ends with the first prompt.
 */
import { createHash } from 'node:crypto';
import { availableParallelism, loadavg } from 'node:os';
import type { GenerationRequest } from '../core/ports.ts';
import type { LocalModel } from '../core/types.ts';
import type { HostWork } from './hostProtocol.ts';
import type { HostEvent } from './hostSupervisor.ts';

export interface Warming {
  /** Resolves when the model is as ready as it gets for now. */
  warm(
    model: LocalModel,
    prompt: { readonly request: GenerationRequest; readonly threads: number },
    run: (work: HostWork, signal: AbortSignal) => AsyncIterable<HostEvent>,
  ): Promise<void>;
  promptCame(): void;
}

interface WarmingOptions {
  /** Whether the host has nothing to do. */
  readonly idle: () => boolean;
  readonly hostPid: () => number | undefined;
  /** A model that could not be loaded is left alone for so long. */
  readonly retryMs: number;
  /** Running programs per core. */
  readonly loadPerCore: () => number;
}

/** Others want the cores from here on, and reading ahead would be in their way. */
const BUSY_LOAD = 0.75;

interface Warm {
  readonly key: string;
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

export function createWarming({ idle, hostPid, retryMs, loadPerCore }: WarmingOptions): Warming {
  const failedMs = new Map<string, number>();
  let current: Warm | undefined;
  let ready: { readonly key: string; readonly pid: number | undefined } | undefined;

  async function begin(
    model: LocalModel,
    key: string,
    events: AsyncIterable<HostEvent>,
  ): Promise<void> {
    for await (const event of events) {
      if (event.type === 'loaded') ready = { key, pid: hostPid() };
      if (event.type === 'failed' && event.failure.code !== 'cancelled') {
        failedMs.set(model.id, performance.now());
      }
    }
  }

  return {
    async warm(model, { request, threads }, run) {
      const reads = loadPerCore() < BUSY_LOAD;
      const key = keyOf(model, reads ? request : undefined);
      if (current?.key === key) return await current.done;
      if (ready?.key === key && ready.pid === hostPid()) return;
      if (performance.now() - (failedMs.get(model.id) ?? Number.NEGATIVE_INFINITY) < retryMs)
        return;
      if (current === undefined && !idle()) return;
      current?.controller.abort();
      const controller = new AbortController();
      const work: HostWork = reads ? { type: 'warm', request, threads } : { type: 'load' };
      const done = begin(model, key, run(work, controller.signal));
      const mine = { key, controller, done };
      current = mine;
      try {
        await done;
      } finally {
        if (current === mine) current = undefined;
      }
    },
    promptCame() {
      current?.controller.abort();
      ready = undefined;
    },
  };
}

/** The load of the last minute; a system that does not tell it counts as idle. */
export function systemLoadPerCore(): number {
  return (loadavg()[0] ?? 0) / availableParallelism();
}

function keyOf(model: LocalModel, request: GenerationRequest | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([model.id, request]))
    .digest('hex');
}
