/**
 * What the router's process and the model host say to each other over IPC. Both ends are started from one installation,
 * so the messages carry no version. Prompts pass here, keys never do: the host has no use for one.
 */
import type { Failure } from '../core/errors.ts';
import type { GenerationRequest, TokenLogProb } from '../core/ports.ts';
import type { ThreadMeasurement } from '../core/threadChoice.ts';
import type { FinishReason, Usage } from '../core/types.ts';

export interface HostSettings {
  /** Answers that one model generates at once; further ones wait in line. `fitting` is four where they take little memory, else two. */
  readonly sequences: number | 'fitting';
  /** Answers that may be under way or in line, of all models together; one more is refused. */
  readonly line: number;
  readonly gpu: 'auto' | false;
  /** A model that answered nothing for so long is unloaded. */
  readonly idleMs: number;
  /** Memory that a model and its contexts may take; free memory is a limit besides. */
  readonly maxMemoryBytes: number | undefined;
  /** Where a host may make a folder of its own for as long as it has a model loaded. */
  readonly tempDir: string;
}

/** A local model as the host needs to know it. */
export interface HostModel {
  readonly id: string;
  readonly path: string;
  /** State of the file when its content was verified; another state is refused. */
  readonly stamp: string;
  readonly contextWindow: number;
  readonly chatTemplate: string;
  readonly systemPrompt: string;
  readonly thoughtTokens: number;
}

/** What the host is asked to do with a model, which it loads first where need be. */
export type HostWork =
  /** Nothing more; answered by `loaded` or `failed`. */
  | { readonly type: 'load' }
  /** Answered by `progress` and `delta`, then exactly one `end` or `failed`. Two models at once share the threads of one. */
  | {
      readonly type: 'generate';
      readonly request: GenerationRequest;
      readonly threads: number;
    }
  /** Reads the beginning of a prompt that is being written while no prompt is there; answered by `loaded`, also where one came. */
  | {
      readonly type: 'warm';
      /** Its last turn ends where the writing begins. */
      readonly request: GenerationRequest;
      readonly threads: number;
    }
  /** Tries numbers of threads while no prompt is there; answered by `threads-tried`, or `failed` as soon as one comes. */
  | { readonly type: 'try-threads' };

export type HostRequest = HostWork & { readonly requestId: number; readonly model: HostModel };

export type ToHost =
  /** The first message, once. */
  | { readonly type: 'configure'; readonly settings: HostSettings }
  | HostRequest
  | { readonly type: 'abort'; readonly requestId: number };

/** How one generation went, for measuring; the numbers hold no text. */
export interface GenerationStats {
  readonly promptTokens: number;
  /** Prompt tokens that were not evaluated for this answer: the sequence still held them, or loaded the state of another. */
  readonly reusedTokens: number;
  readonly outputTokens: number;
  /** Until the first token, with the wait for another sequence that reads the shared beginning. */
  readonly readingMs: number;
  /** From the first token on. */
  readonly writingMs: number;
}

export type FromHost =
  | {
      readonly type: 'progress';
      readonly requestId: number;
      readonly stage: 'queued' | 'loading' | 'reading';
      readonly share: number;
    }
  | { readonly type: 'loaded'; readonly requestId: number }
  | {
      readonly type: 'threads-tried';
      readonly requestId: number;
      readonly measured: readonly ThreadMeasurement[];
    }
  | {
      readonly type: 'delta';
      readonly requestId: number;
      readonly text: string;
      readonly logProbs: readonly TokenLogProb[];
    }
  | {
      readonly type: 'end';
      readonly requestId: number;
      readonly finish: FinishReason;
      readonly usage: Usage;
      readonly logProbs: readonly TokenLogProb[];
      readonly stats: GenerationStats;
      /** What the model and its contexts hold of memory; absent while other models are loaded beside it. */
      readonly memoryBytes?: number;
    }
  | { readonly type: 'failed'; readonly requestId: number; readonly failure: Failure }
  /** A model was unloaded for idleness; `remaining` models are still in memory. */
  | { readonly type: 'unloaded'; readonly modelId: string; readonly remaining: number };
