/**
 * Local models as a `ModelPort`. One child process runs them all; it is started by the first need and again after a crash, which
 * costs the answers in flight and nothing else. A model whose loading keeps crashing is left alone until somebody asks for it.
 */
import { availableParallelism, tmpdir } from 'node:os';
import { type Failure, failure } from '../core/errors.ts';
import type { Availability, GenerationRequest, ModelEvent, ModelPort } from '../core/ports.ts';
import type { LocalModel, MeasuredSpeed, Model } from '../core/types.ts';
import {
  type DownloadOptions,
  type DownloadProgress,
  ensureModelFile,
  type TriedSource,
} from './download.ts';
import type { GenerationStats, HostModel, HostSettings } from './hostProtocol.ts';
import { createHostSupervisor, type HostEvent } from './hostSupervisor.ts';
import { createFileLook, findModelFile, type ModelFolders, verifyModelFile } from './modelFile.ts';
import { removeFoldersOfDeadHosts } from './modelHostFolder.ts';
import { PROBE_OUTPUT_TOKENS, probeRequest, speedFrom } from './probe.ts';

export interface LocalModelsOptions extends ModelFolders, Partial<HostSettings> {
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
  /** Downloads the file where need be and loads the model; also gives a model another chance that kept crashing. */
  prepare(
    model: LocalModel,
    options?: {
      readonly signal?: AbortSignal;
      readonly onProgress?: (progress: PrepareProgress) => void;
    },
  ): Promise<PrepareResult>;
  /** Measures this model on this machine with a short generation of its own. */
  probe(model: LocalModel, signal?: AbortSignal): Promise<ProbeResult>;
  /** What the model took of this machine's memory at its last answer since the start; `undefined` before one. */
  memoryBytes(model: LocalModel): number | undefined;
  /** The host's process id while one runs. */
  hostPid(): number | undefined;
  dispose(): Promise<void>;
}

/** @default idleMs 5 minutes */
const DEFAULT_IDLE_MS = 5 * 60_000;
const NEVER = new AbortController().signal;

export function createLocalModels(options: LocalModelsOptions): LocalModels {
  const settings: HostSettings = {
    threads: options.threads ?? Math.max(1, availableParallelism() - 1),
    sequences: options.sequences ?? 'fitting',
    line: options.line ?? 64,
    gpu: options.gpu ?? 'auto',
    idleMs: options.idleMs ?? DEFAULT_IDLE_MS,
    maxMemoryBytes: options.maxMemoryBytes,
    tempDir: options.tempDir ?? tmpdir(),
  };
  const supervisor = createHostSupervisor(settings, options.onUnloaded);
  const isThere = createFileLook(options);
  const memory = new Map<string, number>();

  async function* generate(
    model: Model,
    request: GenerationRequest,
    signal: AbortSignal,
  ): AsyncGenerator<ModelEvent> {
    for await (const event of run(localOnly(model), request, signal)) {
      if (event.type === 'loaded') continue;
      if (event.type !== 'end') {
        yield event;
        continue;
      }
      options.onStats?.(localOnly(model), event.stats);
      const { finish, usage, logProbs, memoryBytes } = event;
      if (memoryBytes !== undefined) memory.set(model.id, memoryBytes);
      yield { type: 'end', finish, usage, logProbs };
    }
  }

  async function* run(
    model: LocalModel,
    request: GenerationRequest | undefined,
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
    if (found.kind === 'failed') yield { type: 'failed', failure: found.failure };
    else yield* supervisor.run(found.model, request, signal);
  }

  return {
    generate,
    availability(model): Availability {
      const local = localOnly(model);
      const why = supervisor.blockedBecause(local.id);
      if (why !== undefined) return { kind: 'unavailable', why };
      return isThere(local) ? { kind: 'ready' } : { kind: 'model_missing' };
    },
    identity(model) {
      const { id, file } = localOnly(model);
      const known =
        file.sha256 === '' ? findModelFile(localOnly(model), options)?.sha256 : file.sha256;
      return known === undefined ? `unverified:${id}` : known.toLowerCase();
    },
    async prepare(model, { signal, onProgress } = {}) {
      supervisor.unblock(model.id);
      const file = await ensureModelFile(model, {
        ...options,
        ...options.download,
        signal,
        onProgress,
      });
      if (file.kind === 'failed') return file;
      for await (const event of run(model, undefined, signal ?? NEVER)) {
        if (event.type === 'progress' && event.stage === 'loading') {
          onProgress?.({ stage: 'loading', share: event.share });
        }
        if (event.type === 'failed') return { kind: 'failed', failure: event.failure, tried: [] };
      }
      return { kind: 'ready', path: file.path };
    },
    async probe(model, signal = NEVER) {
      return await probe(model, run, signal);
    },
    memoryBytes: (model) => memory.get(model.id),
    hostPid: supervisor.hostPid,
    async dispose() {
      await supervisor.dispose();
      removeFoldersOfDeadHosts(settings.tempDir);
    },
  };
}

async function probe(
  model: LocalModel,
  run: (
    model: LocalModel,
    request: GenerationRequest,
    signal: AbortSignal,
  ) => AsyncIterable<HostEvent>,
  signal: AbortSignal,
): Promise<ProbeResult> {
  let firstTextAt: number | undefined;
  let readingSince: number | undefined;
  for await (const event of run(model, probeRequest(PROBE_OUTPUT_TOKENS), signal)) {
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
