/** What the core needs from the world, as small interfaces. Adapters in `models/` and `store/` implement them; tests script them. */
import type { AuditRecord } from './audit.ts';
import type { ToolCall } from './callerWishes.ts';
import type { Failure } from './errors.ts';
import type { Observer } from './observer.ts';
import type { AuditSums } from './qualityKept.ts';
import type {
  CallerWishes,
  ContextPart,
  FinishReason,
  MeasuredSpeed,
  Model,
  NanoUsd,
  PriceRow,
  PrivacyFinding,
  Registry,
  Savings,
  Timing,
  Turn,
  Usage,
} from './types.ts';

export interface Clock {
  /** Milliseconds since the epoch, UTC. */
  now(): number;
  /** Milliseconds of a clock that never goes back. */
  monotonicMs(): number;
}

export type NewId = () => string;

/** One generation, ready for a model: the edge's prompt with its context folded into messages. */
export interface GenerationRequest
  extends Pick<CallerWishes, 'tools' | 'answerFormat' | 'sampling' | 'stop'> {
  readonly system: string;
  readonly turns: readonly Turn[];
  /** A hard cap on the output, reasoning included. The provider is told it, so that the bill can't pass the bound. */
  readonly maxOutputTokens: number;
  /**
   * A local model draws its tokens instead of taking the likeliest: another sample of the same answer. The log-probabilities
   * that come with it mean nothing.
   */
  readonly drawn?: { readonly temperature: number; readonly seed: number };
}

/** Log-probabilities (natural logarithm) of generated tokens; `text` is the token's own text. */
export interface TokenLogProb {
  readonly text: string;
  readonly logProb: number;
}

/** A stream of these ends with exactly one `end` or `failed`, also after an abort. */
export type ModelEvent =
  /** Work before the first token: loading the file, or reading the prompt. `share` in [0,1]. */
  | {
      readonly type: 'progress';
      readonly stage: 'queued' | 'loading' | 'reading';
      readonly share: number;
    }
  /** A local model tells the log-probabilities of the text's tokens with it. */
  | {
      readonly type: 'text-delta';
      readonly text: string;
      readonly logProbs?: readonly TokenLogProb[];
    }
  | {
      readonly type: 'end';
      readonly finish: FinishReason;
      readonly usage: Usage;
      /** Calls of the caller's tools; absent when there are none. */
      readonly toolCalls?: readonly ToolCall[];
      /** Only local models tell them. */
      readonly logProbs?: readonly TokenLogProb[];
    }
  | { readonly type: 'failed'; readonly failure: Failure };

/** Whether a model could answer now, without trying. */
export type Availability =
  | { readonly kind: 'ready' }
  | { readonly kind: 'no_api_key' }
  | { readonly kind: 'model_missing' }
  | { readonly kind: 'unavailable'; readonly why: string };

export interface SentBody {
  readonly url: string;
  /** JSON. */
  readonly body: string;
}

/** All models of one provider family. */
export interface ModelPort {
  availability(model: Model): Availability;
  /**
   * Generates. Starts nothing before the stream is read. After `signal` aborts no text follows. A local model ends at
   * once with `failed` (`cancelled`); a cloud model may take a while to end, with the usage where the provider still tells it.
   */
  generate(
    model: Model,
    request: GenerationRequest,
    signal: AbortSignal,
  ): AsyncIterable<ModelEvent>;
  /**
   * Makes a model of this machine ready for a prompt that is being written: loads it, and reads what the request begins with,
   * whose last turn ends where the writing begins. Yields to every prompt; what comes to nothing is not told.
   */
  warm?(model: Model, request: GenerationRequest): Promise<void>;
  /** What `generate` would send, to the letter; absent for models of this machine, which send nothing. */
  body?(model: Model, request: GenerationRequest): SentBody;
  /** Identity of what would answer: the file's sha256 for a local model, provider and name for a cloud one. */
  identity(model: Model): string;
}

/** The registry and prices in force. A bad edit of the files leaves the last good version here. */
export interface Catalogue {
  registry(): Registry;
  /** The row in force at `atMs`, or `undefined` when the model has no price: it is then refused, never free. */
  price(modelId: string, atMs: number): PriceRow | undefined;
}

export interface TokenCounter {
  /** Upper bound of the tokens of a whole request, message overhead included. Always answers, by bytes if need be. */
  inputBound(model: Model, request: GenerationRequest): Promise<number>;
  /** Tokens of a text in the baseline's encoding; for savings and previews, not for bounds. */
  count(text: string): Promise<number>;
}

/** Speeds measured here. A model that has not been measured yields `undefined`: nothing is assumed. */
export interface Speeds {
  get(identity: string): MeasuredSpeed | undefined;
  record(identity: string, sample: SpeedSample): void;
}

export interface SpeedSample {
  /** Input tokens that took time to read; those that a local model had evaluated before are not among them. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly firstTokenMs: number;
  readonly latencyMs: number;
}

export interface PrivacyScan {
  /**
   * Judges what would leave the machine: the messages as they would be sent, and the files that their context comes from.
   * Throwing counts as a finding: unsure stays local.
   */
  scan(
    request: GenerationRequest,
    context: readonly ContextPart[],
  ): Promise<readonly PrivacyFinding[]>;
}

// The ledger -----------------------------------------------------------------------------------------------------

/** What a budget is for. `workspace` is one workspace's month. */
export type BudgetPeriod = 'month' | 'day' | 'session' | 'workspace';

/** Limits of one prompt, all in force at once; `undefined` is no limit. `limitsOf` makes them from the settings. */
export interface BudgetLimits {
  readonly monthlyNanoUsd: NanoUsd | undefined;
  readonly dailyNanoUsd?: NanoUsd;
  /** Needs a `sessionId`: without one there is no session that could be limited. */
  readonly sessionNanoUsd?: NanoUsd;
  /** What this workspace may spend in a month. Needs a `workspaceId`. */
  readonly workspaceNanoUsd?: NanoUsd;
}

/** Whose money it is, beside the user's own. */
export interface BudgetScope {
  readonly sessionId?: string;
  readonly workspaceId?: string;
}

/** Counters of one UTC month, as the ledger keeps them. */
export interface BudgetState {
  /** `2026-11`. */
  readonly month: string;
  readonly limitNanoUsd: NanoUsd | undefined;
  readonly spentNanoUsd: NanoUsd;
  /** Bounds of reservations that are not yet settled or voided. */
  readonly heldNanoUsd: NanoUsd;
  /** The other budgets that are in force for this prompt; absent when the month's is the only one. */
  readonly narrower?: readonly NarrowerBudget[];
}

export interface NarrowerBudget {
  readonly period: Exclude<BudgetPeriod, 'month'>;
  readonly limitNanoUsd: NanoUsd;
  readonly spentNanoUsd: NanoUsd;
  readonly heldNanoUsd: NanoUsd;
}

/** Its session and workspace say which budgets it counts against, beside its month and day. */
export interface ReservationRequest extends BudgetScope {
  /** Unique per attempt: a retry is a reservation of its own. */
  readonly id: string;
  readonly promptId: string;
  readonly modelId: string;
  readonly priceRowId: string;
  readonly boundNanoUsd: NanoUsd;
  /** Hash of what is to be sent; the same id with another fingerprint is refused. */
  readonly fingerprint: string;
  /** Set where the call is not for the answer itself. The account has a line of its own for it. */
  readonly purpose?: CallPurpose;
}

/** An `audit` asks the baseline what a local model has answered already. */
export type CallPurpose = 'audit';

export type ReserveResult =
  | { readonly kind: 'held' }
  | { readonly kind: 'exhausted'; readonly state: BudgetState }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'unavailable'; readonly why: string };

/** How a reservation ends. `settled` is the true bill; `settled_at_bound` stands where the bill can't be known. */
export type Settlement =
  | { readonly kind: 'settled'; readonly costNanoUsd: NanoUsd; readonly usage: Usage }
  | { readonly kind: 'settled_at_bound'; readonly why: string }
  | { readonly kind: 'voided'; readonly why: string };

/** One answered (or failed) prompt, as history keeps it. Holds a hash of the prompt, never its text. */
export interface AnswerRecord {
  readonly promptId: string;
  readonly atMs: number;
  readonly promptSha256: string;
  /** `null` when no model answered. */
  readonly modelId: string | null;
  readonly served: 'local' | 'cloud' | 'cache' | 'none';
  readonly status: 'complete' | 'failed' | 'cancelled';
  readonly reason: string;
  readonly usage: Usage;
  /** All that was paid for this prompt, failed attempts included. */
  readonly costNanoUsd: NanoUsd;
  readonly savings: Savings;
  readonly timing: Timing;
  readonly score: number;
  readonly confidence: number | undefined;
  /** The trace as JSON. */
  readonly trace: string;
  readonly sessionId?: string;
  readonly workspaceId?: string;
}

export interface SpendRow {
  readonly modelId: string;
  readonly served: AnswerRecord['served'];
  readonly answers: number;
  readonly costNanoUsd: NanoUsd;
}

/** A month's sums over the answers. Savings are known and unknown apart. */
export interface SpendReport {
  readonly budget: BudgetState;
  readonly answers: number;
  readonly savedNanoUsd: number;
  readonly unknownSavings: number;
  readonly rows: readonly SpendRow[];
  readonly audits: AuditSums;
  /** Why the answers can't be read: all but the budget is unknown then, and the budget is what the mirror knows. */
  readonly unreadable?: string;
}

/** Money. Every method is durable when it returns. A ledger that can't be trusted answers `unavailable` and closes the cloud tier. */
export interface Ledger {
  budget(limits: BudgetLimits, scope?: BudgetScope): Promise<BudgetState>;
  /** Checks every limit and holds the bound in one transaction. */
  reserve(request: ReservationRequest, limits: BudgetLimits): Promise<ReserveResult>;
  /**
   * As `reserve`, and where it holds, as `dispatch` in the same transaction, so that a call waits for the disk once. Throws
   * for an id that was dispatched before. Absent where the two can't be one transaction.
   */
  reserveDispatched?(request: ReservationRequest, limits: BudgetLimits): Promise<ReserveResult>;
  /** Marks that the call is about to leave; must be durable before the first byte does. */
  dispatch(reservationId: string): Promise<void>;
  /** Ends a reservation, once. Returns the amount that was booked, which for an overrun is more than the bound. */
  settle(reservationId: string, settlement: Settlement): Promise<NanoUsd>;
  record(answer: AnswerRecord): Promise<void>;
  /** One audit per prompt; the same again changes nothing. */
  recordAudit(audit: AuditRecord): Promise<void>;
  /** Whether a prompt of this id has been recorded; an id is answered once. */
  answered(promptId: string): Promise<boolean>;
  spend(limits: BudgetLimits): Promise<SpendReport>;
  /** Models whose bill once passed its bound; each is frozen until a person lifts it. */
  frozenModels(): Promise<ReadonlySet<string>>;
}

// The cache ------------------------------------------------------------------------------------------------------

export interface CachedAnswer {
  readonly modelId: string;
  readonly text: string;
  readonly usage: Usage;
  /** Tokens as the baseline would count them. */
  readonly baselineUsage: Usage;
  readonly costNanoUsd: NanoUsd;
  readonly storedAtMs: number;
}

export interface AnswerCache {
  get(key: string): CachedAnswer | undefined;
  put(key: string, answer: CachedAnswer): void;
}

// Code in answers ------------------------------------------------------------------------------------------------

/** How much of the code in an answer parses. */
export interface CodeCheck {
  /** Fenced blocks in a language with a grammar. */
  readonly blocks: number;
  /** Those of them with a syntax error. */
  readonly broken: number;
}

/** `undefined` where nothing could be parsed. Never rejects. */
export type CheckCode = (answer: string) => Promise<CodeCheck | undefined>;

/** Everything a router is built from. */
export interface RouterPorts {
  readonly clock: Clock;
  readonly newId: NewId;
  readonly sha256: (text: string) => string;
  readonly catalogue: Catalogue;
  readonly local: ModelPort;
  readonly cloud: ModelPort;
  readonly tokens: TokenCounter;
  readonly speeds: Speeds;
  readonly privacy: PrivacyScan;
  readonly ledger: Ledger;
  readonly cache: AnswerCache;
  /** Absent where no grammars are at hand; brackets are counted then. */
  readonly checkCode?: CheckCode;
  readonly observer?: Observer;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly random: () => number;
}
