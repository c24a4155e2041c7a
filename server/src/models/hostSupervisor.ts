/**
 * Keeps the model host running and turns its messages into one stream per request. Every stream ends exactly once, also when the
 * host dies; a model that was being loaded at two deaths within a minute is blocked until it is unblocked.
 */
import { type Failure, failure } from '../core/errors.ts';
import type { ModelEvent } from '../core/ports.ts';
import { type HostProcess, startHostProcess } from './hostProcess.ts';
import type { FromHost, HostModel, HostSettings, HostWork } from './hostProtocol.ts';

type EndEvent = Extract<FromHost, { type: 'end' }>;
type TriedEvent = Extract<FromHost, { type: 'threads-tried' }>;

/** What a request's stream yields: the port's events, the end with its statistics. */
export type HostEvent =
  | Exclude<ModelEvent, { type: 'end' }>
  | { readonly type: 'loaded' }
  | Omit<TriedEvent, 'requestId'>
  | Omit<EndEvent, 'requestId'>;

export interface HostSupervisor {
  run(model: HostModel, work: HostWork, signal: AbortSignal): AsyncIterable<HostEvent>;
  /** Whether nothing is under way or in line. */
  idle(): boolean;
  blockedBecause(modelId: string): string | undefined;
  unblock(modelId: string): void;
  hostPid(): number | undefined;
  dispose(): Promise<void>;
}

interface Flight {
  readonly modelId: string;
  loading: boolean;
  push(event: HostEvent): void;
}

const CRASH_WINDOW_MS = 60_000;

export function createHostSupervisor(
  settings: HostSettings,
  onUnloaded: (modelId: string) => void = () => undefined,
): HostSupervisor {
  const flights = new Map<number, Flight>();
  const loadCrashes = new Map<string, number>();
  const blocked = new Map<string, string>();
  let host: HostProcess | undefined;
  let requestCount = 0;
  let disposed = false;

  function ensureHost(): HostProcess {
    if (host !== undefined) return host;
    const started: HostProcess = startHostProcess(settings, {
      onMessage: (message) => {
        if (host === started) receive(message);
      },
      onExit: (why) => {
        if (host === started) afterExit(why);
      },
    });
    host = started;
    return started;
  }

  function receive(message: FromHost): void {
    if (message.type === 'unloaded') {
      // The process itself is worth some memory too.
      if (message.remaining === 0 && flights.size === 0) void retire();
      onUnloaded(message.modelId);
      return;
    }
    const flight = flights.get(message.requestId);
    if (flight === undefined) return;
    flight.loading = message.type === 'progress' && message.stage === 'loading';
    if (!flight.loading) loadCrashes.delete(flight.modelId);
    flight.push(eventOf(message));
  }

  function afterExit(why: string): void {
    host = undefined;
    const crashed = new Set<string>();
    for (const { modelId, loading } of flights.values()) if (loading) crashed.add(modelId);
    for (const modelId of crashed) noteLoadCrash(modelId, why);
    for (const flight of flights.values()) {
      flight.push({
        type: 'failed',
        failure: failure(
          'model_crashed',
          `the model host ${why}; ask again, it will be started anew`,
          {
            retryable: true,
          },
        ),
      });
    }
  }

  function noteLoadCrash(modelId: string, why: string): void {
    const before = loadCrashes.get(modelId);
    const now = performance.now();
    loadCrashes.set(modelId, now);
    if (before === undefined || now - before > CRASH_WINDOW_MS) return;
    blocked.set(
      modelId,
      `${modelId} crashed twice while it was loaded (the model host ${why}); prepare it again to retry`,
    );
  }

  async function retire(): Promise<void> {
    const retired = host;
    host = undefined;
    await retired?.kill();
  }

  async function* run(
    model: HostModel,
    work: HostWork,
    signal: AbortSignal,
  ): AsyncGenerator<HostEvent> {
    if (disposed) throw new Error('expected local models that are not disposed');
    if (flights.size >= settings.line) {
      yield { type: 'failed', failure: tooBusy(model.id, settings.line) };
      return;
    }
    const queue = createEventQueue();
    requestCount += 1;
    const requestId = requestCount;
    const flight: Flight = { modelId: model.id, loading: false, push: queue.push };
    let ended = false;
    let worker: HostProcess | undefined;
    const cancel = () => {
      worker?.send({ type: 'abort', requestId });
      queue.clear();
      queue.push({
        type: 'failed',
        failure: failure('cancelled', `the answer of ${model.id} was cancelled`),
      });
    };
    flights.set(requestId, flight);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      if (signal.aborted) cancel();
      else {
        worker = ensureHost();
        worker.keepParentAlive(true);
        worker.send({ ...work, requestId, model });
      }
      while (!ended) {
        const event = await queue.next();
        ended = event.type !== 'progress' && event.type !== 'text-delta';
        yield event;
      }
    } finally {
      signal.removeEventListener('abort', cancel);
      flights.delete(requestId);
      // A reader that simply stops reading has cancelled as well.
      if (!ended) worker?.send({ type: 'abort', requestId });
      if (flights.size === 0) host?.keepParentAlive(false);
    }
  }

  return {
    run,
    idle: () => flights.size === 0,
    blockedBecause: (modelId) => blocked.get(modelId),
    unblock(modelId) {
      blocked.delete(modelId);
      loadCrashes.delete(modelId);
    },
    hostPid: () => host?.pid,
    async dispose() {
      disposed = true;
      for (const flight of flights.values()) {
        flight.push({
          type: 'failed',
          failure: failure('cancelled', 'the local models were shut down'),
        });
      }
      await retire();
    },
  };
}

/** Each waiting prompt is held in memory here and in the host, and the last in line would wait for all the others. */
function tooBusy(modelId: string, line: number): Failure {
  return failure(
    'too_busy',
    `expected at most ${line} prompts in line for local models, got one more for ${modelId}; ask again a little later`,
    { retryable: true },
  );
}

function eventOf(message: Exclude<FromHost, { type: 'unloaded' }>): HostEvent {
  switch (message.type) {
    case 'progress':
      return { type: 'progress', stage: message.stage, share: message.share };
    case 'delta':
      return { type: 'text-delta', text: message.text, logProbs: message.logProbs };
    case 'loaded':
      return { type: 'loaded' };
    case 'failed':
      return { type: 'failed', failure: message.failure };
    case 'threads-tried':
    case 'end': {
      const { requestId: _, ...end } = message;
      return end;
    }
  }
}

/** Events wait here until the stream's reader asks for them; an answer is short enough to hold. */
function createEventQueue() {
  const events: HostEvent[] = [];
  let wake: (() => void) | undefined;
  return {
    push(event: HostEvent): void {
      events.push(event);
      wake?.();
    },
    clear(): void {
      events.length = 0;
    },
    async next(): Promise<HostEvent> {
      for (;;) {
        const event = events.shift();
        if (event !== undefined) return event;
        await new Promise<void>((settle) => {
          wake = settle;
        });
      }
    },
  };
}
