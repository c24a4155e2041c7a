/**
 * Local models as a `ModelPort`. One child process runs them all; it is started by the first need and again after a crash, which
 * costs the answers in flight and nothing else. A model whose loading keeps crashing is left alone until somebody asks for it.
 */
import { tmpdir } from 'node:os';
import { type Failure, failure } from '../core/errors.ts';
import type { Availability, GenerationRequest, ModelEvent, ModelPort } from '../core/ports.ts';
import type { ThreadsInForce } from '../core/threadChoice.ts';
import type { LocalModel, MeasuredSpeed, Model } from '../core/types.ts';
import {
  type DownloadOptions,
  type DownloadProgress,
  ensureModelFile,
  type TriedSource,
} from './download.ts';
import { createFileLook } from './fileLook.ts';
import type { GenerationStats, HostModel, HostSettings, HostWork } from './hostProtocol.ts';
import { createHostSupervisor, type HostEvent } from './hostSupervisor.ts';
import { findModelFile, type ModelFolders, verifyModelFile } from './modelFile.ts';
import { removeFoldersOfDeadHosts } from './modelHostFolder.ts';
import { PROBE_OUTPUT_TOKENS, probeRequest, speedFrom } from './probe.ts';
import { createThreads, machineName } from './threads.ts';
import { createWarming, systemLoadPerCore } from './warming.ts';

export interface LocalModelsOptions extends ModelFolders, Partial<HostSettings> {
  /** Threads that evaluate tokens. @default chosen by a trial on this machine, all cores but one before it */
  readonly threads?: number | undefined;
  /** Where trials of numbers of threads are kept. @default for this process only */
  readonly threadsPath?: string;
  /** What keeps the machine busy, in running programs per core. @default the system's load of the last minute */
  readonly loadPerCore?: () => number;
  /** A trial waits until no prompt was there for so long. @default 3 seconds */
  readonly quietMs?: number;
  /** Where and how files are fetched, apart from the folders. */
  readonly download?: Pick<
    DownloadOptions,
    'endpoints' | 'pip' | 'connectTimeoutMs' | 'stallTimeoutMs' | 'retryDelayMs'
  >;
  /** Told after each finished generation; for measurements. */
  readonly onStats?: (model: LocalModel, stats: GenerationStats) => void;
  /** Told when a model was unloaded for idleness. */
  readonly onUnloaded?: (modelId: string) => void;
}

type PrepareProgress = DownloadProgress | { readonly stage: 'loading'; readonly share: number };

type PrepareResult =
  | { readonly kind: 'ready'; readonly path: string }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly tried: readonly TriedSource[] };

type ProbeResult =
  | { readonly kind: 'measured'; readonly speed: MeasuredSpeed }
  | { readonly kind: 'failed'; readonly failure: Failure };

export interface LocalModels extends ModelPort {
  /** Downloads the file where need be, loads the model and tries numbers of threads where that is due; also gives a model another chance that kept crashing. */
  prepare(
    model: LocalModel,
    options?: {
      readonly signal?: AbortSignal;
      readonly onProgress?: (progress: PrepareProgress) => void;
    },
  ): Promise<PrepareResult>;
  /** Measures this model on this machine: numbers of threads, where none was set, then its speed by a short generation. */
  probe(model: LocalModel, signal?: AbortSignal): Promise<ProbeResult>;
  /** How many threads it evaluates with, and where the number comes from. */
  threads(model: LocalModel): ThreadsInForce;
  /** What the model took of this machine's memory at its last answer since the start; `undefined` before one. */
  memoryBytes(model: LocalModel): number | undefined;
  /** The host's process id while one runs. */
  hostPid(): number | undefined;
  dispose(): Promise<void>;
}

const DEFAULT_IDLE_MS = 5 * 60_000;
const DEFAULT_QUIET_MS = 3000;
const NEVER = new AbortController().signal;

export function createLocalModels(options: LocalModelsOptions): LocalModels {
  const settings: HostSettings = {
    sequences: options.sequences ?? 'fitting',
    line: options.line ?? 64,
    gpu: options.gpu ?? 'auto',
    idleMs: options.idleMs ?? DEFAULT_IDLE_MS,
    maxMemoryBytes: options.maxMemoryBytes,
    tempDir: options.tempDir ?? tmpdir(),
  };
  const supervisor = createHostSupervisor(settings, options.onUnloaded);
  const look = createFileLook(options);
  const memory = new Map<string, number>();
  const threads = createThreads({
    machine: machineName(),
    now: Date.now,
    ...(options.threadsPath !== undefined && { path: options.threadsPath }),
    ...(options.threads !== undefined && { set: options.threads }),
  });
  /** Models whose trial failed for a reason of its own; it is not done again behind a person's back. */
  const untriable = new Set<string>();
  let quiet: NodeJS.Timeout | undefined;
  const warming = createWarming({
    idle: supervisor.idle,
    hostPid: supervisor.hostPid,
    retryMs: settings.idleMs,
    loadPerCore: options.loadPerCore ?? systemLoadPerCore,
  });

  async function* generate(
    model: Model,
    request: GenerationRequest,
    signal: AbortSignal,
  ): AsyncGenerator<ModelEvent> {
    clearTimeout(quiet);
    warming.promptCame();
    const local = localOnly(model);
    for await (const event of run(local, promptWork(local, request), signal)) {
      if (event.type === 'loaded' || event.type === 'threads-tried') continue;
      if (event.type !== 'end') {
        yield event;
        continue;
      }
      options.onStats?.(local, event.stats);
      const { finish, usage, logProbs, memoryBytes, stats } = event;
      if (memoryBytes !== undefined) memory.set(model.id, memoryBytes);
      threads.noteAnswer(identity(local), stats.outputTokens, stats.writingMs);
      tryThreadsWhenQuiet(local);
      yield { type: 'end', finish, usage, logProbs };
    }
  }

  function promptWork(model: LocalModel, request: GenerationRequest): HostWork {
    return { type: 'generate', request, threads: threads.inForce(identity(model)).threads };
  }

  /** Loading and the first answer come first, whoever waits for them. */
  function tryThreadsWhenQuiet(model: LocalModel): void {
    if (!threads.isDue(identity(model)) || untriable.has(identity(model))) return;
    clearTimeout(quiet);
    quiet = setTimeout(() => {
      // Nobody waits for it; what went wrong is told by the next prompt.
      if (supervisor.idle()) void tryThreads(model, NEVER).catch(() => undefined);
    }, options.quietMs ?? DEFAULT_QUIET_MS).unref();
  }

  /** What a prompt cut short is due again after it. */
  async function tryThreads(model: LocalModel, signal: AbortSignal): Promise<void> {
    for await (const event of run(model, { type: 'try-threads' }, signal)) {
      if (event.type === 'threads-tried') threads.keep(identity(model), event.measured);
      if (event.type === 'failed' && event.failure.code !== 'cancelled')
        untriable.add(identity(model));
    }
  }

  function identity(model: Model): string {
    const local = localOnly(model);
    const { id, file } = local;
    const known = file.sha256 === '' ? look.find(local)?.sha256 : file.sha256;
    return known === undefined ? `unverified:${id}` : known.toLowerCase();
  }

  async function* run(
    model: LocalModel,
    work: HostWork,
    signal: AbortSignal,
  ): AsyncGenerator<HostEvent> {
    const blocked = supervisor.blockedBecause(model.id);
    if (blocked !== undefined) {
      yield { type: 'failed', failure: failure('model_crashed', blocked) };
      return;
    }
    const file = findModelFile(model, options);
    if (file !== undefined && file.sha256 === undefined) {
      // Hashing a large file for the first time takes seconds, and belongs to loading for whoever waits.
      yield { type: 'progress', stage: 'loading', share: 0 };
    }
    const found = await hostModelOf(model, options, signal);
    look.again(model);
    if (found.kind === 'failed') yield { type: 'failed', failure: found.failure };
    else yield* supervisor.run(found.model, work, signal);
  }

  return {
    generate,
    async warm(model, request) {
      const local = localOnly(model);
      if (supervisor.blockedBecause(local.id) !== undefined) return;
      // Hashing a large file for the first time is not for a prompt that may never be asked.
      if (!look.isThere(local) || findModelFile(local, options)?.sha256 === undefined) return;
      const asked = { threads: threads.inForce(identity(local)).threads, request };
      await warming.warm(local, asked, (work, signal) => run(local, work, signal));
    },
    availability(model): Availability {
      const local = localOnly(model);
      const why = supervisor.blockedBecause(local.id);
      if (why !== undefined) return { kind: 'unavailable', why };
      return look.isThere(local) ? { kind: 'ready' } : { kind: 'model_missing' };
    },
    identity,
    threads: (model) => threads.inForce(identity(model)),
    async prepare(model, { signal, onProgress } = {}) {
      supervisor.unblock(model.id);
      const file = await ensureModelFile(model, {
        ...options,
        ...options.download,
        signal,
        onProgress,
      });
      if (file.kind === 'failed') return file;
      look.again(model);
      for await (const event of run(model, { type: 'load' }, signal ?? NEVER)) {
        if (event.type === 'progress' && event.stage === 'loading') {
          onProgress?.({ stage: 'loading', share: event.share });
        }
        if (event.type === 'failed') return { kind: 'failed', failure: event.failure, tried: [] };
      }
      if (threads.isDue(identity(model))) await tryThreads(model, signal ?? NEVER);
      return { kind: 'ready', path: file.path };
    },
    async probe(model, signal = NEVER) {
      if (threads.inForce(identity(model)).from !== 'setting') await tryThreads(model, signal);
      return await probed(run(model, promptWork(model, probeRequest(PROBE_OUTPUT_TOKENS)), signal));
    },
    memoryBytes: (model) => memory.get(model.id),
    hostPid: supervisor.hostPid,
    async dispose() {
      clearTimeout(quiet);
      await supervisor.dispose();
      removeFoldersOfDeadHosts(settings.tempDir);
    },
  };
}

async function probed(events: AsyncIterable<HostEvent>): Promise<ProbeResult> {
  let firstTextAt: number | undefined;
  let readingSince: number | undefined;
  for await (const event of events) {
    if (event.type === 'progress' && event.stage === 'reading') readingSince ??= performance.now();
    if (event.type === 'text-delta') firstTextAt ??= performance.now();
    if (event.type === 'failed') return { kind: 'failed', failure: event.failure };
    if (event.type === 'end') {
      const firstTokenMs = (firstTextAt ?? performance.now()) - (readingSince ?? performance.now());
      return { kind: 'measured', speed: speedFrom(event.stats, firstTokenMs) };
    }
  }
  return { kind: 'failed', failure: failure('internal', 'the model host ended without an answer') };
}

type HostModelResult =
  | { readonly kind: 'found'; readonly model: HostModel }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Finds and verifies the file, so that the host is only ever given one whose content is known. */
async function hostModelOf(
  model: LocalModel,
  folders: ModelFolders,
  signal: AbortSignal,
): Promise<HostModelResult> {
  if (signal.aborted) return cancelled(model);
  const file = findModelFile(model, folders);
  if (file === undefined) {
    return missing(model, 'the file is not there; download it');
  }
  try {
    const verification = await verifyModelFile(model, file, folders, { signal });
    if (verification.kind === 'mismatch')
      return missing(model, `${verification.why}; download it again`);
  } catch (error) {
    if (signal.aborted) return cancelled(model);
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    return missing(model, `the file can't be read (${code})`);
  }
  const { chatTemplate, systemPrompt, thoughtTokens } = model.file;
  const { id, contextWindow } = model;
  const { path, stamp } = file;
  return {
    kind: 'found',
    model: { id, path, stamp, contextWindow, chatTemplate, systemPrompt, thoughtTokens },
  };
}

function missing(model: LocalModel, why: string): HostModelResult {
  return {
    kind: 'failed',
    failure: failure('model_missing', `expected the file of ${model.id}, but ${why}`),
  };
}

function cancelled(model: LocalModel): HostModelResult {
  return {
    kind: 'failed',
    failure: failure('cancelled', `the answer of ${model.id} was cancelled`),
  };
}

function localOnly(model: Model): LocalModel {
  if (model.provider === 'local') return model;
  throw new TypeError(`expected a local model, got ${model.id} of ${model.provider}`);
}
