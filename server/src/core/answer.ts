/** What a router tells an edge: the route before generation, the events of an answer, and its result with the whole trace. */

import type { ToolCall } from './callerWishes.ts';
import type { Conversation } from './conversation.ts';
import type { Failure } from './errors.ts';
import type { Candidate } from './plans.ts';
import type { BudgetState } from './ports.ts';
import type { Reason } from './reason.ts';
import type { LeftOut } from './trimToFit.ts';
import type {
  FinishReason,
  NanoUsd,
  PrivacyFinding,
  Savings,
  Tier,
  Timing,
  Usage,
} from './types.ts';

/** One share of a score or a confidence; the shares sum to the value before it is clamped. */
export interface Part {
  readonly name: string;
  readonly added: number;
  readonly detail: string;
}

/** The decision before generation. */
export interface Route {
  readonly promptId: string;
  readonly modelId: string;
  readonly tier: Tier;
  /** The model that takes over when the local answer turns out unsure. */
  readonly ifUnsure: string | undefined;
  /** Those that take over after it, in this order; absent where nobody does. */
  readonly further?: readonly string[];
  readonly reason: Reason;
  /** The model that would have answered had no limit stood in the way. */
  readonly wanted: string;
  readonly score: number;
  readonly threshold: number;
  readonly quality: number;
  readonly expectedCostNanoUsd: NanoUsd | undefined;
  readonly boundNanoUsd: NanoUsd | undefined;
  readonly expectedLatencyMs: number | undefined;
  /** Estimated quality of every model considered, by id. */
  readonly qualities: Readonly<Record<string, number>>;
  readonly belowWanted: boolean;
  readonly trace: RouteTrace;
}

/** Everything behind a route. */
export interface RouteTrace {
  readonly task: string;
  /** Present where an earlier answer of the conversation is known. */
  readonly conversation?: Conversation;
  readonly parts: readonly Part[];
  readonly candidates: readonly Candidate[];
  readonly flips: readonly string[];
  readonly findings: readonly PrivacyFinding[];
  /** What did not fit any usable model; absent where the prompt was read whole. */
  readonly leftOut?: readonly LeftOut[];
  readonly budget: BudgetState;
  readonly decisionMs: number;
}

export type Decision =
  | { readonly kind: 'routed'; readonly route: Route }
  | {
      readonly kind: 'refused';
      readonly failure: Failure;
      readonly reason: Reason | undefined;
      readonly score: number | undefined;
      readonly candidates: readonly Candidate[];
    };

/** One call of a model. A retry is an attempt of its own. */
export interface Attempt {
  readonly modelId: string;
  readonly outcome: 'answered' | 'deferred' | 'failed' | 'cancelled';
  readonly failure: Failure | undefined;
  readonly usage: Usage;
  readonly costNanoUsd: NanoUsd;
  /** The bill is unknown and the bound was booked in its place. */
  readonly costIsBound: boolean;
  readonly priceRowId: string | undefined;
  readonly timing: Timing;
  /** Since the epoch; absent in old traces. */
  readonly endedAtMs?: number;
}

export interface Confidence {
  readonly value: number;
  readonly needed: number;
  readonly parts: readonly Part[];
  /** Why another confidence was needed than usual, and how early the verdict was clear; one sentence each. */
  readonly notes?: readonly string[];
}

export interface AnswerResult {
  readonly promptId: string;
  readonly text: string;
  /** Calls of the caller's tools, often none. */
  readonly toolCalls: readonly ToolCall[];
  readonly modelId: string;
  readonly served: 'local' | 'cloud' | 'cache';
  readonly finish: FinishReason;
  readonly usage: Usage;
  /** Tokens as the baseline would count them, which is what savings are reckoned with. */
  readonly baselineUsage: Usage;
  /** All that was paid for this prompt, failed attempts included. */
  readonly costNanoUsd: NanoUsd;
  readonly costIsBound: boolean;
  readonly savings: Savings;
  readonly timing: Timing;
  /** Estimated chance that this answer is acceptable, the gate's verdict included. */
  readonly quality: number;
  readonly confidence: Confidence | undefined;
  readonly reason: Reason;
  readonly route: Route;
  readonly attempts: readonly Attempt[];
}

/** A stream ends with exactly one `answer-end` or `answer-failed`. */
export type RouterEvent =
  | { readonly type: 'route-decided'; readonly route: Route }
  | {
      readonly type: 'progress';
      readonly stage: 'queued' | 'loading' | 'reading';
      readonly share: number;
    }
  /** `draft`: this text may yet be replaced, because the gate has not seen the whole answer. */
  | {
      readonly type: 'text-delta';
      readonly text: string;
      readonly modelId: string;
      readonly draft: boolean;
    }
  /** The text so far was a draft; another model's answer follows. */
  | {
      readonly type: 'answer-deferred';
      readonly confidence: Confidence;
      readonly toModelId: string;
      /** Whose answer it was, where that was no model run here. */
      readonly fromModelId?: string;
    }
  /** A model could not answer; what follows, or `answer-end`, comes from `toModelId`. */
  | { readonly type: 'fallback-started'; readonly reason: Reason; readonly toModelId: string }
  | { readonly type: 'answer-end'; readonly result: AnswerResult }
  | {
      readonly type: 'answer-failed';
      readonly failure: Failure;
      readonly reason: Reason | undefined;
      readonly costNanoUsd: NanoUsd;
      readonly attempts: readonly Attempt[];
    };
