/**
 * A model in the host's memory with its sequences. Loading is refused beforehand when the estimate says that memory will not do,
 * and afterwards when the file turns out to have changed since its content was verified.
 */
import type { GgufInsights, Llama, LlamaContext, LlamaModel } from 'node-llama-cpp';
import { type Failure, failure } from '../core/errors.ts';
import type { GenerationRequest, TokenLogProb } from '../core/ports.ts';
import type { ThreadMeasurement } from '../core/threadChoice.ts';
import { type ChatPrompts, createChatPrompts, type Library } from './chatPrompt.ts';
import {
  FIRST_SLICE_TOKENS,
  type GenerationOutcome,
  generate,
  type ReadingPace,
  readTokens,
} from './generation.ts';
import { createSharedPrefixes, type SharedPrefixes } from './generationPrefix.ts';
import type { HostModel, HostSettings } from './hostProtocol.ts';
import { memoryRefusal, sequencesOf } from './memoryNeeds.ts';
import { type HeldFile, holdFile, stampOf } from './modelFile.ts';
import { makeHostFolder } from './modelHostFolder.ts';
import { createSequencePool } from './sequencePool.ts';
import { TRIAL_TOKENS, tryThreads } from './threadTrial.ts';

export interface LoadedModel {
  /** Whether an answer is being generated. */
  busy(): boolean;
  generate(
    request: GenerationRequest,
    signal: AbortSignal,
    listener: GenerationListener,
  ): Promise<AnswerResult>;
  /** Reads what the request begins with whatever is written at its end, so that the prompt itself has less to read. */
  warm(request: GenerationRequest, signal: AbortSignal): Promise<void>;
  /** Measures numbers of threads, upwards; `undefined` when the signal aborted or its context is too small. */
  tryThreads(
    counts: readonly number[],
    use: (threads: number) => void,
    signal: AbortSignal,
  ): Promise<readonly ThreadMeasurement[] | undefined>;
  dispose(): Promise<void>;
}

interface GenerationListener {
  onQueued(): void;
  onReading(share: number): void;
  onText(text: string, logProbs: readonly TokenLogProb[]): void;
}

type AnswerResult =
  | { readonly kind: 'answered'; readonly outcome: GenerationOutcome }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type LoadResult =
  | { readonly kind: 'loaded'; readonly model: LoadedModel }
  | { readonly kind: 'refused'; readonly failure: Failure };

/** No tokenizer needs so few tokens for so many characters; longer texts are not even counted. */
const CHARACTERS_PER_TOKEN = 64;
/** Fewer tokens are read along with the question as fast. */
const WORTH_WARMING_TOKENS = 16;

export async function loadModel(
  library: Library,
  llama: Llama,
  spec: HostModel,
  settings: HostSettings,
  onProgress: (share: number) => void,
): Promise<LoadResult> {
  const file = holdFile(spec.path);
  if (file === undefined) return changedFile(spec);
  try {
    return file.stamp === spec.stamp
      ? await loadHeld(library, llama, spec, file, settings, onProgress)
      : changedFile(spec);
  } finally {
    file.close();
  }
}

async function loadHeld(
  library: Library,
  llama: Llama,
  spec: HostModel,
  file: HeldFile,
  settings: HostSettings,
  onProgress: (share: number) => void,
): Promise<LoadResult> {
  const malformed = file.headerProblem();
  if (malformed !== undefined) {
    return refuse(
      'model_missing',
      `expected a whole GGUF file for ${spec.id}, but ${malformed}; fetch it again, or choose another model`,
    );
  }
  const insights = await readInsights(library, llama, file.path);
  if (insights === undefined) {
    return refuse(
      'model_missing',
      `expected a GGUF model that this version can run for ${spec.id}, got another file; name another source in the registry`,
    );
  }
  const contextSize = Math.min(spec.contextWindow, insights.trainContextSize ?? spec.contextWindow);
  const sequences = await sequencesOf(insights, contextSize, spec, llama, settings);
  if (llama.gpu === false) {
    const tooBig = await memoryRefusal(insights, contextSize, sequences, spec, settings);
    if (tooBig !== undefined) return { kind: 'refused', failure: tooBig };
  }
  let model: LlamaModel | undefined;
  try {
    model = await llama.loadModel({ modelPath: file.path, onLoadProgress: onProgress });
    const context = await model.createContext({
      contextSize,
      sequences,
      // As many as the host says at each evaluation.
      threads: 0,
    });
    if (stampOf(spec.path) !== spec.stamp) {
      await model.dispose();
      return changedFile(spec);
    }
    const chat = createChatPrompts(library, model, spec);
    const prefixes = createSharedPrefixes(async () => await makeHostFolder(settings.tempDir));
    const parts = { model, context, chat, prefixes };
    return { kind: 'loaded', model: createLoadedModel(parts, spec, contextSize) };
  } catch (error) {
    await model?.dispose();
    if (error instanceof library.InsufficientMemoryError) {
      return refuse(
        'model_too_big',
        `expected ${spec.id} to fit into memory, it does not; choose a smaller model or context window`,
      );
    }
    return refuse(
      'model_missing',
      `expected a GGUF file that llama.cpp can load for ${spec.id}, it refused this one; the file may be damaged: fetch it again, or choose another model`,
    );
  }
}

interface Parts {
  readonly model: LlamaModel;
  readonly context: LlamaContext;
  readonly chat: ChatPrompts;
  readonly prefixes: SharedPrefixes;
}

function createLoadedModel(
  { model, context, chat, prefixes }: Parts,
  spec: HostModel,
  contextSize: number,
): LoadedModel {
  const sequences = Array.from({ length: context.totalSequences }, () => context.getSequence());
  const pool = createSequencePool(
    sequences,
    (sequence, tokens) =>
      sequence.compareContextTokens([...tokens] as typeof sequence.contextTokens)
        .firstDifferentIndex,
    (sequence) => sequence.nextTokenIndex,
  );

  const pace: ReadingPace = { sliceTokens: FIRST_SLICE_TOKENS };

  async function answer(
    request: GenerationRequest,
    signal: AbortSignal,
    listener: GenerationListener,
  ): Promise<AnswerResult> {
    if (charactersOf(request) > contextSize * CHARACTERS_PER_TOKEN)
      return tooLong(spec, contextSize, undefined);
    const prompt = chat.render(request);
    // The library keeps one place of the context for itself; past that it would silently drop the beginning.
    const room = contextSize - 1 - prompt.tokens.length;
    if (room < 1) return tooLong(spec, contextSize, prompt.tokens.length);

    if (pool.full()) listener.onQueued();
    const lease = await pool.acquire(prompt.tokens, signal);
    if (lease === undefined) return cancelled(spec);
    const { sequence } = lease;
    try {
      const outcome = await generate({
        model,
        sequence,
        prefixes,
        pace,
        chat,
        prompt,
        maxOutputTokens: Math.min(request.maxOutputTokens, room),
        thoughtTokens: spec.thoughtTokens,
        drawn: request.drawn,
        stop: request.stop,
        signal,
        onReading: listener.onReading,
        onText: listener.onText,
      });
      return outcome === undefined ? cancelled(spec) : { kind: 'answered', outcome };
    } catch (error) {
      // Its state is unknown now; an empty one is right for any prompt.
      await sequence.clearHistory();
      throw error;
    } finally {
      lease.release();
    }
  }

  async function warm(request: GenerationRequest, signal: AbortSignal): Promise<void> {
    if (charactersOf(request) > contextSize * CHARACTERS_PER_TOKEN) return;
    const { tokens, sharedTokens } = chat.renderBeginning(request);
    if (tokens.length >= contextSize - 1) return;
    const lease = await pool.acquire(tokens, signal);
    if (lease === undefined) return;
    const { sequence } = lease;
    try {
      const held = sequence.compareContextTokens([...tokens]).firstDifferentIndex;
      // A sequence that holds all of it may hold an answer behind it, which is worth keeping.
      if (tokens.length - held < WORTH_WARMING_TOKENS) return;
      const reading = { sequence, prefixes, pace, signal, tokens, sharedTokens, leavesLast: false };
      await readTokens({ ...reading, onReading: () => undefined });
    } catch (error) {
      await sequence.clearHistory();
      throw error;
    } finally {
      lease.release();
    }
  }

  async function trial(
    counts: readonly number[],
    use: (threads: number) => void,
    signal: AbortSignal,
  ): Promise<readonly ThreadMeasurement[] | undefined> {
    if (contextSize < TRIAL_TOKENS) return undefined;
    const computes = model.llama.gpu === false;
    const lease = await pool.acquire([], signal);
    if (lease === undefined) return undefined;
    const { sequence } = lease;
    try {
      return await tryThreads({ model, sequence, counts, use, computes, signal });
    } finally {
      lease.release();
    }
  }

  return {
    busy: pool.busy,
    generate: answer,
    warm,
    tryThreads: trial,
    async dispose() {
      await context.dispose();
      await model.dispose();
      await prefixes.dispose();
    },
  };
}

function charactersOf({ turns }: GenerationRequest): number {
  return turns.reduce((sum, turn) => sum + turn.text.length, 0);
}

async function readInsights(
  library: Library,
  llama: Llama,
  path: string,
): Promise<GgufInsights | undefined> {
  try {
    const info = await library.readGgufFileInfo(path, {
      sourceType: 'filesystem',
      logWarnings: false,
    });
    const insights = await library.GgufInsights.from(info, llama);
    return insights.isSupportedByLlamaCpp && insights.hasDecoder ? insights : undefined;
  } catch {
    return undefined;
  }
}

function changedFile(spec: HostModel): LoadResult {
  return refuse(
    'model_missing',
    `the file of ${spec.id} changed after its content was verified; ask again to verify it anew`,
    true,
  );
}

function refuse(code: Failure['code'], message: string, retryable = false): LoadResult {
  return { kind: 'refused', failure: failure(code, message, { retryable }) };
}

function tooLong(spec: HostModel, contextSize: number, tokens: number | undefined): AnswerResult {
  const got = tokens === undefined ? 'far more' : `${tokens}`;
  const message = `expected a prompt of at most ${contextSize - 2} tokens for ${spec.id}, got ${got}; shorten it or choose another model`;
  return { kind: 'failed', failure: failure('context_limit', message) };
}

function cancelled(spec: HostModel): AnswerResult {
  return {
    kind: 'failed',
    failure: failure('cancelled', `the answer of ${spec.id} was cancelled`),
  };
}
