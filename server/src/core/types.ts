/**
 * The vocabulary of the router as data. Every other file of the core speaks these words; docs/GLOSSARY.md explains them.
 * Units are in the names: money is whole nano-dollars, prices are whole pico-dollars per token, time is milliseconds.
 */
import type { AnswerFormat, Sampling, ToolCall, ToolUse } from './callerWishes.ts';

/** An amount of money in nano-dollars (1e-9 USD). A safe integer, never negative; `price.ts` makes them. */
export type NanoUsd = number & { readonly unit: 'nanoUsd' };

/** A role that a model plays: `cheap` answers first, `escalation` answers what the cheap tier can't. */
export type Tier = 'cheap' | 'escalation';

/** Code or text that travels with a prompt. `path` is relative to the workspace where one is known. */
export interface ContextPart {
  readonly kind: 'selection' | 'file' | 'symbol' | 'diff' | 'text';
  readonly text: string;
  readonly path?: string;
  readonly language?: string;
  /** Where it lies on this machine, absolute. For the rules about files alone: it is sent to nobody. */
  readonly file?: string;
}

export type Turn =
  | { readonly role: 'user'; readonly text: string }
  | {
      readonly role: 'assistant';
      readonly text: string;
      readonly toolCalls?: readonly ToolCall[];
    }
  /** What a tool returned to the call of that id. */
  | { readonly role: 'tool'; readonly text: string; readonly toolCallId: string };

/** Limits of one request. Absent means unlimited (or the configured default, where one exists). */
export interface Constraints {
  /** The answer may not be able to cost more than this, at its worst case. */
  readonly maxCostNanoUsd?: NanoUsd;
  readonly maxLatencyMs?: number;
  /** Quality in [0,1] that the chosen plan must be expected to reach. */
  readonly minQuality?: number;
  /** A tier, or one model by id, that answers whatever the score says. */
  readonly forceModel?: { readonly tier: Tier } | { readonly id: string };
  /**
   * With `local-only` nothing of this prompt may leave the machine, because the person wants it so; with `untrusted-workspace`,
   * because nobody vouches for the code that it comes from; with `policy`, because the administrator of the machine wants it
   * so. @default 'any'
   */
  readonly privacy?: 'any' | 'local-only' | 'untrusted-workspace' | 'policy';
  /** Tokens that the answer may have at most. */
  readonly maxOutputTokens?: number;
}

/** What a caller's program adds to a prompt. Only the models that can honour it may answer. */
export interface CallerWishes {
  /** Stands in place of our own system prompt. */
  readonly instructions?: string;
  readonly tools?: ToolUse;
  /** Turns since `text`: the model's calls of tools and what they returned, oldest first. */
  readonly toolTurns?: readonly Turn[];
  /** The shape that the answer must have; plain text when absent. */
  readonly answerFormat?: AnswerFormat;
  readonly sampling?: Sampling;
  /** The answer ends before the first of these; none is empty. */
  readonly stop?: readonly string[];
}

/** What a person asks, with its context, before any choice. */
export interface Prompt extends CallerWishes {
  /** Unique per request; the same id is never billed twice. */
  readonly id: string;
  readonly text: string;
  readonly context: readonly ContextPart[];
  readonly history: readonly Turn[];
  readonly constraints: Constraints;
  readonly sessionId?: string;
  readonly workspaceId?: string;
  /** False asks again although a cached answer exists. @default true */
  readonly useCache?: boolean;
  /** What no usable model can read whole may be shortened, and is told so. A program is refused instead. @default false */
  readonly mayTrim?: boolean;
  /** Asked in order to measure: nobody would have asked the baseline otherwise, so nothing counts as saved. */
  readonly isMeasurement?: boolean;
}

/** Estimated chance per task that a model's answer is acceptable. See `score.ts` for how each source becomes a table. */
export type AbilitySource =
  /** A table fitted from outcomes of this very model, by its key in the fitted score. */
  | { readonly kind: 'fitted'; readonly key: string }
  /** No outcomes known: a prior by size in billions of parameters (for a cloud model, its assumed equivalent). */
  | { readonly kind: 'size'; readonly billions: number }
  /** Stated by hand in the registry: task name to ability in [0,1]; tasks left out fall back to `billions`. */
  | {
      readonly kind: 'stated';
      readonly tasks: Readonly<Record<string, number>>;
      readonly billions: number;
    };

export type ModelSource =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'uri'; readonly uri: string }
  | {
      readonly kind: 'wheel';
      readonly package: string;
      readonly version: string;
      readonly member: string;
    };

/** How a local model's file is found and run. */
export interface LocalFile {
  /** Name of the file in the data directory's `models` folder. */
  readonly fileName: string;
  /** Approximate where `sha256` is unknown. */
  readonly sizeBytes: number;
  /** Lower-case hex; empty is unknown, and the content is then not checked. */
  readonly sha256: string;
  /** Tried in order until one yields a file of the right hash. */
  readonly sources: readonly ModelSource[];
  /** Chat template of node-llama-cpp by name; `auto` reads it from the file. @default 'auto' */
  readonly chatTemplate: string;
  readonly systemPrompt: string;
  /** Tokens of reasoning aloud that are allowed before the answer; 0 for models that do not. */
  readonly thoughtTokens: number;
  /** How many answers the gate compares, the given one included; every further one takes time. @default 1: none */
  readonly agreementSamples?: number;
}

interface ModelBase {
  readonly id: string;
  readonly label: string;
  readonly tier: Tier;
  readonly enabled: boolean;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
  readonly ability: AbilitySource;
}

export interface LocalModel extends ModelBase {
  readonly provider: 'local';
  readonly file: LocalFile;
}

export interface CloudModel extends ModelBase {
  readonly provider: 'openai' | 'openai-compatible';
  /** The model's name at its provider. */
  readonly apiModel: string;
  /** Required for `openai-compatible`; the SDK's default for `openai`. */
  readonly baseUrl?: string;
  /** The server hands prompts on to another machine, as a proxy does, wherever it stands itself. */
  readonly sendsOn?: boolean;
  /** `none` marks a compatible server that wants no key (a local vLLM, say). */
  readonly key: 'openai' | 'none';
  /** Whether it can call a caller's tools. */
  readonly tools: boolean;
  readonly reasoningEffort?: 'none' | 'minimal' | 'low' | 'medium' | 'high';
}

/** One entry of `models/registry.yaml`. */
export type Model = LocalModel | CloudModel;

/** The registry as it stands: the models in file order and the roles that defaults name. */
export interface Registry {
  readonly models: readonly Model[];
  readonly defaults: {
    readonly cheap: string;
    readonly escalation: string;
    readonly baseline: string;
    /** The models that may answer, in place of the pair; see `ladder.ts`. */
    readonly ladder?: 'auto' | readonly string[];
  };
}

/** Rates in pico-dollars (1e-12 USD) per token. */
export interface Rates {
  readonly inputPicoUsd: number;
  /** Absent: the provider grants no discount, so cached input costs `inputPicoUsd`. */
  readonly cachedInputPicoUsd?: number;
  /** Absent: nobody has said what a write costs, so a bill with written tokens is unknown. Free of a fee is `inputPicoUsd`. */
  readonly cacheWritePicoUsd?: number;
  readonly outputPicoUsd: number;
}

/** One row of `models/pricing.yaml`. Rows are never changed, only followed by newer ones. */
export interface PriceRow {
  /** `<model>@<effective_from>`; written into every record that was settled with it. */
  readonly id: string;
  readonly model: string;
  /** ISO date, UTC, from which the row holds. */
  readonly effectiveFrom: string;
  readonly source: string;
  /** ISO date on which somebody last compared the row with its source. */
  readonly checkedAt: string;
  readonly base: Rates;
  /** A request whose input has more than `aboveInputTokens` tokens is billed wholly at that tier's rates. Ascending. */
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly rates: Rates }[];
}

/** Token counts of one answer. `undefined` means that nobody told, never zero. */
export interface Usage {
  /** All input tokens, cached ones included. */
  readonly inputTokens: number | undefined;
  /** Part of `inputTokens` that was not evaluated anew: read from the provider's prompt cache, or from a local model's state. */
  readonly cachedInputTokens: number | undefined;
  /** Part of `inputTokens` that the provider wrote into its prompt cache. */
  readonly cacheWriteTokens: number | undefined;
  /** All output tokens, reasoning included. */
  readonly outputTokens: number | undefined;
  /** Part of `outputTokens` that was spent on reasoning. */
  readonly reasoningTokens: number | undefined;
  /** Something billed that no price row can hold, such as `audio_tokens`; absent when there is no such thing. */
  readonly unpriced?: string;
}

/** Why a model stopped. `length`: the output cap cut it. `refusal`: the provider declined. `tool-calls`: it waits for tools. */
export type FinishReason = 'stop' | 'length' | 'refusal' | 'tool-calls';

/** A finding of the privacy scan: which rule, never what it matched. */
export interface PrivacyFinding {
  readonly rule: string;
  readonly where: string;
}

/** Speeds of a local model measured on this machine; medians of recent answers. */
export interface MeasuredSpeed {
  readonly promptTokensPerSecond: number;
  readonly outputTokensPerSecond: number;
  readonly timeToFirstTokenMs: number;
  readonly samples: number;
}

/** What answering took. Times to the first token are absent when no token came. */
export interface Timing {
  readonly latencyMs: number;
  readonly firstTokenMs?: number;
}

/** Savings against the baseline; `unknown` with the reason where they can't be known. */
export type Savings =
  | { readonly kind: 'known'; readonly savedNanoUsd: number; readonly baselineCostNanoUsd: NanoUsd }
  | { readonly kind: 'unknown'; readonly why: UnknownSavings };

export type UnknownSavings =
  | 'baseline_unpriced'
  | 'baseline_missing'
  | 'answer_incomplete'
  | 'below_wanted_quality'
  | 'tokens_unknown'
  | 'measurement';
