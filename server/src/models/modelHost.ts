/**
 * The child process that runs local models: loads them on demand, generates, unloads them when idle. It holds neither key nor ledger,
 * and a crash of llama.cpp takes nothing else with it. It lives as long as the channel to its parent.
 */
import { availableParallelism, constants, setPriority } from 'node:os';
import type { Llama } from 'node-llama-cpp';
import { failure } from '../core/errors.ts';
import { threadCounts } from '../core/threadChoice.ts';
import type { Library } from './chatPrompt.ts';
import { inFrames } from './frames.ts';
import type { FromHost, HostModel, HostRequest, HostSettings, ToHost } from './hostProtocol.ts';
import { closeNetwork } from './hostWalls.ts';
import { type LoadedModel, type LoadResult, loadModel } from './loadedModel.ts';
import { removeFoldersOfThisHost } from './modelHostFolder.ts';
import { createQuietWork } from './quietWork.ts';

interface Slot {
  readonly spec: HostModel;
  readonly loading: Promise<LoadResult>;
  /** Requests that use the model or wait for it. */
  users: number;
  readonly watchers: Set<(share: number) => void>;
  idle?: NodeJS.Timeout;
}

const slots = new Map<string, Slot>();
const running = new Map<number, AbortController>();
let settings: HostSettings | undefined;
let runtime: Promise<{ readonly library: Library; readonly llama: Llama }> | undefined;
const quietWork = createQuietWork();
/** Prompts that have their model. */
let answering = 0;
/** Resident memory of this process before its first model, in bytes. */
let bareBytes = 0;
/** Loads happen one after the other, so that each sees the memory that the one before it took. */
let lastLoad: Promise<unknown> = Promise.resolve();

closeNetwork();
yieldToOthers();

process.on('message', (message: ToHost) => {
  switch (message.type) {
    case 'configure':
      settings = message.settings;
      break;
    case 'abort':
      running.get(message.requestId)?.abort();
      break;
    default:
      void serve(message);
      break;
  }
});
// Ctrl-C in a terminal goes to the whole process group; what it cancels is for the parent to say.
process.on('SIGINT', () => undefined);
// An orderly exit would wait for llama.cpp to finish its batch, and nobody is left to hear of it.
process.on('disconnect', () => {
  if (settings !== undefined) removeFoldersOfThisHost(settings.tempDir);
  process.kill(process.pid, 'SIGKILL');
});

/** An answer may take a little longer; the editor and whatever else a person is at may not. */
function yieldToOthers(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // A system that does not let a process do so runs it as any other.
  }
}

function send(message: FromHost): void {
  process.send?.(message, undefined, undefined, () => {
    // A parent that is gone is noticed by `disconnect`.
  });
}

async function serve(request: HostRequest): Promise<void> {
  const { requestId } = request;
  const controller = new AbortController();
  running.set(requestId, controller);
  const promptIsOver = request.type === 'generate' ? quietWork.promptCame() : undefined;
  try {
    await serveWithModel(request, controller);
  } catch (error) {
    const what = error instanceof Error ? error.message : 'an unknown error';
    send({
      type: 'failed',
      requestId,
      failure: failure('internal', `the model host failed: ${what}`, { retryable: true }),
    });
  } finally {
    promptIsOver?.();
    running.delete(requestId);
  }
}

async function serveWithModel(request: HostRequest, controller: AbortController): Promise<void> {
  const { requestId } = request;
  const slot = slotOf(request.model);
  slot.users += 1;
  clearTimeout(slot.idle);
  const watch = (share: number) => send({ type: 'progress', requestId, stage: 'loading', share });
  slot.watchers.add(watch);
  try {
    const loaded = await slot.loading;
    slot.watchers.delete(watch);
    if (loaded.kind === 'refused') {
      send({ type: 'failed', requestId, failure: loaded.failure });
    } else {
      await work(request, loaded.model, controller);
    }
  } finally {
    slot.watchers.delete(watch);
    slot.users -= 1;
    if (slot.users === 0) waitForIdleness(slot);
  }
}

async function work(
  request: HostRequest,
  model: LoadedModel,
  controller: AbortController,
): Promise<void> {
  switch (request.type) {
    case 'load':
      send({ type: 'loaded', requestId: request.requestId });
      break;
    case 'generate':
      await answerAlone(request, model, controller.signal);
      break;
    case 'warm':
      await quietWork.run(controller, async () => {
        const { llama } = await startedRuntime();
        // Beside a prompt, or with one that waits, the threads are that prompt's.
        if (controller.signal.aborted) return;
        llama.maxThreads = request.threads;
        await model.warm(request.request, controller.signal);
      });
      send({ type: 'loaded', requestId: request.requestId });
      break;
    case 'try-threads':
      await quietWork.run(controller, () =>
        tryThreads(request.requestId, model, controller.signal),
      );
      break;
  }
}

async function answerAlone(
  request: Extract<HostRequest, { type: 'generate' }>,
  model: LoadedModel,
  signal: AbortSignal,
): Promise<void> {
  await quietWork.settled();
  const { llama } = await startedRuntime();
  // Only while nothing is evaluated: the library's count of threads in use would not survive it.
  if (answering === 0) llama.maxThreads = request.threads;
  answering += 1;
  try {
    await answer(request, model, signal);
  } finally {
    answering -= 1;
  }
}

async function startedRuntime() {
  const started = await runtime;
  if (started === undefined) throw new Error('expected a loaded model to have a library');
  return started;
}

async function tryThreads(
  requestId: number,
  model: LoadedModel,
  signal: AbortSignal,
): Promise<void> {
  const { llama } = await startedRuntime();
  const counts = threadCounts(availableParallelism(), llama.cpuMathCores);
  const use = (threads: number) => {
    llama.maxThreads = threads;
  };
  const measured = await model.tryThreads(counts, use, signal);
  if (measured !== undefined) send({ type: 'threads-tried', requestId, measured });
  else sendCancelled(requestId, 'the trial of numbers of threads was cut short by a prompt');
}

function sendCancelled(requestId: number, message: string): void {
  send({ type: 'failed', requestId, failure: failure('cancelled', message) });
}

async function answer(
  { requestId, request }: Extract<HostRequest, { type: 'generate' }>,
  model: LoadedModel,
  signal: AbortSignal,
): Promise<void> {
  const deltas = inFrames((text, logProbs) => send({ type: 'delta', requestId, text, logProbs }));
  const result = await model
    .generate(request, signal, {
      onQueued: () => send({ type: 'progress', requestId, stage: 'queued', share: 0 }),
      onReading: (share) => send({ type: 'progress', requestId, stage: 'reading', share }),
      onText: deltas.give,
    })
    .finally(deltas.flush);
  if (result.kind === 'failed') {
    send({ type: 'failed', requestId, failure: result.failure });
    return;
  }
  const { finish, stats, logProbs, thoughtTokens } = result.outcome;
  const usage = {
    inputTokens: stats.promptTokens,
    cachedInputTokens: stats.reusedTokens,
    cacheWriteTokens: undefined,
    outputTokens: stats.outputTokens,
    reasoningTokens: thoughtTokens,
  };
  const memoryBytes = memoryOfOnlyModel();
  send({
    type: 'end',
    requestId,
    finish,
    usage,
    logProbs,
    stats,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  });
}

/** After an answer, because a file's pages come into memory only as they are used. */
function memoryOfOnlyModel(): number | undefined {
  return slots.size === 1 ? Math.max(0, process.memoryUsage.rss() - bareBytes) : undefined;
}

/** One slot per file and way of running it; an edit of the registry makes a new one and lets the old one fall idle. */
function slotOf(spec: HostModel): Slot {
  const key = JSON.stringify(spec);
  const existing = slots.get(key);
  if (existing !== undefined) return existing;
  const watchers = new Set<(share: number) => void>();
  const onProgress = (share: number) => {
    for (const watcher of watchers) watcher(share);
  };
  const loading = lastLoad.then(() => load(spec, onProgress));
  lastLoad = loading.catch(() => undefined);
  const slot: Slot = { spec, loading, users: 0, watchers };
  slots.set(key, slot);
  // A refusal is not kept: memory may be free the next time.
  void loading.then(
    (result) => result.kind === 'refused' && slots.delete(key),
    () => slots.delete(key),
  );
  return slot;
}

async function load(spec: HostModel, onProgress: (share: number) => void): Promise<LoadResult> {
  if (settings === undefined) throw new Error('expected settings before the first model');
  onProgress(0);
  const { library, llama } = await start(settings);
  if (slots.size === 1) bareBytes ||= process.memoryUsage.rss();
  let result = await loadModel(library, llama, spec, settings, throttled(onProgress));
  if (
    result.kind === 'refused' &&
    result.failure.code === 'model_too_big' &&
    (await unloadUnused())
  ) {
    result = await loadModel(library, llama, spec, settings, throttled(onProgress));
  }
  return result;
}

async function start({ gpu }: HostSettings) {
  runtime ??= import('node-llama-cpp').then(async (library) => ({
    library,
    llama: await library.getLlama({
      gpu,
      // Anything else may start to compile llama.cpp on the user's machine.
      build: 'never',
      // Each prompt says how many.
      maxThreads: 1,
      logLevel: library.LlamaLogLevel.error,
      progressLogs: false,
    }),
  }));
  return await runtime;
}

/** llama.cpp reports hundreds of times; hundredths are enough for a progress bar. */
function throttled(onProgress: (share: number) => void): (share: number) => void {
  let reported = 0;
  return (share) => {
    if (share < reported + 0.01 && share < 1) return;
    reported = share;
    onProgress(share);
  };
}

function waitForIdleness(slot: Slot): void {
  clearTimeout(slot.idle);
  slot.idle = setTimeout(() => void unload(slot), settings?.idleMs);
}

async function unloadUnused(): Promise<boolean> {
  const unused = [...slots.values()].filter((slot) => slot.users === 0);
  for (const slot of unused) await unload(slot);
  return unused.length > 0;
}

async function unload(slot: Slot): Promise<void> {
  if (slot.users > 0) return;
  clearTimeout(slot.idle);
  slots.delete(JSON.stringify(slot.spec));
  const loaded = await slot.loading.catch(() => undefined);
  if (loaded?.kind === 'loaded') await loaded.model.dispose();
  send({ type: 'unloaded', modelId: slot.spec.id, remaining: slots.size });
}
