/**
 * THE wire contract between the language server and any client: every message beyond plain LSP, its direction and its
 * shapes. The only file of the server that the client may import; it imports nothing. Money on the wire is both a whole
 * number of nano-USD, for comparing, and a text ready to show, so that no client does arithmetic or formatting.
 */

/** Sections of the editor's settings that the server pulls by `workspace/configuration`. */
export const SETTINGS_SECTION = 'costAwareRouter';

export interface Money {
  readonly nanoUsd: number;
  /** `$3.12`, `$0.0042`, `free`, `cached`, `at most $0.01`. */
  readonly text: string;
}

/** Savings that can't be known carry no number. */
export interface SavingsWire {
  readonly nanoUsd: number | null;
  readonly text: string;
}

export type Destination = 'auto' | 'local' | 'cloud';

export interface ContextWire {
  readonly kind: 'selection' | 'file' | 'symbol' | 'diff' | 'text';
  readonly text: string;
  readonly path?: string;
  readonly language?: string;
  /** Its document; for the rules about files that must stay here, and never sent on. */
  readonly uri?: string;
}

/** What a person asks, from whichever surface. */
export interface AskParams {
  /** Unique per request; events carry it. */
  readonly requestId: string;
  readonly text: string;
  readonly context: readonly ContextWire[];
  readonly history: readonly { readonly role: 'user' | 'assistant'; readonly text: string }[];
  readonly destination: Destination;
  readonly sessionId: string;
  /** Hash or name of the workspace folder; tells whose spend it is. */
  readonly workspaceId?: string;
  /** False where the workspace is not trusted: then nothing may leave the machine. */
  readonly trusted: boolean;
  readonly useCache?: boolean;
  /** Set when the same question is asked again of the other tier: the choice between both is an outcome. */
  readonly retryOf?: string;
  /** For a reader that can't take text back: only text that stands is told, so a local answer comes once it has passed. */
  readonly standing?: boolean;
}

export interface ToolCallWire {
  readonly id: string;
  readonly name: string;
  /** As the model wrote them: JSON, or what it took for JSON. */
  readonly argumentsJson: string;
}

/** One message of a conversation that a program leads. `instructions` stand in place of the router's own. */
export type MessageWire =
  | { readonly role: 'instructions' | 'user'; readonly text: string }
  | {
      readonly role: 'assistant';
      readonly text: string;
      readonly toolCalls?: readonly ToolCallWire[];
    }
  | { readonly role: 'tool'; readonly text: string; readonly toolCallId: string };

/** What a program asks: VS Code's own chat and its agents. Text comes as it stands, as with `AskParams.standing`. */
export interface ChatParams
  extends Pick<AskParams, 'requestId' | 'sessionId' | 'workspaceId' | 'trusted'> {
  /** The id of an enabled model, or that of the first of `chatModels`, to have one chosen. */
  readonly modelId: string;
  readonly messages: readonly MessageWire[];
  readonly tools: readonly {
    readonly name: string;
    readonly description?: string;
    /** A JSON schema. */
    readonly parameters?: Readonly<Record<string, unknown>>;
  }[];
  /** One of the tools has to be called. */
  readonly mustCall: boolean;
  /** Tokens that the answer may have at most; absent for all that the model can write. */
  readonly maxOutputTokens?: number;
  /** Heeded by cloud models only. */
  readonly temperature?: number;
}

export type ChatResultWire =
  | {
      readonly kind: 'answered';
      readonly answer: AnswerWire;
      readonly toolCalls: readonly ToolCallWire[];
    }
  | Extract<AnswerResultWire, { kind: 'failed' }>;

/** A model as a chat's list of models shows it. The first of them is the router's own choice. */
export interface ChatModelWire {
  readonly id: string;
  readonly name: string;
  readonly family: string;
  /** Changes with what the model is. */
  readonly version: string;
  readonly detail: string;
  readonly tooltip: string;
  readonly maxInputTokens: number;
  readonly maxOutputTokens: number;
  readonly callsTools: boolean;
}

/** Tools for agents that plan their spending. Both only read. */
export type AgentToolName = 'estimate_cost' | 'get_budget';

export interface AgentToolParams extends Pick<AskParams, 'sessionId' | 'workspaceId' | 'trusted'> {
  readonly name: AgentToolName;
  /** As the agent wrote it. */
  readonly input: unknown;
}

/** One step of a score or a confidence, as a bar can show it. */
export interface PartWire {
  readonly name: string;
  readonly added: number;
  readonly detail: string;
}

export interface CandidateWire {
  readonly label: string;
  readonly quality: number;
  readonly cost: string;
  readonly latency: string;
  /** Why it was not chosen; empty for the chosen plan. */
  readonly whyNot: string;
  readonly chosen: boolean;
}

/** Everything behind a route, ready to draw. */
export interface TraceWire {
  readonly task: string;
  readonly score: number;
  readonly threshold: number;
  readonly parts: readonly PartWire[];
  readonly candidates: readonly CandidateWire[];
  readonly wouldFlip: readonly string[];
  readonly findings: readonly string[];
  /** What did not fit and was left out, as sentences. */
  readonly leftOut: readonly string[];
  readonly confidence: {
    readonly value: number;
    readonly needed: number;
    readonly parts: readonly PartWire[];
    /** Why another confidence was needed than usual, and how early the verdict was clear. */
    readonly notes: readonly string[];
  } | null;
  readonly attempts: readonly {
    readonly model: string;
    readonly outcome: string;
    readonly cost: string;
    readonly priceRow: string;
    readonly latency: string;
  }[];
  /** `estimate ≤ $0.0121, billed $0.0108` */
  readonly estimateAgainstBill: string;
  /** The audit's verdict and its cost as a sentence; empty where there was none. It comes after the answer. */
  readonly audit: string;
}

export interface RouteWire {
  readonly model: string;
  readonly modelId: string;
  readonly tier: 'local' | 'cloud';
  /** Label of the model that takes over an unsure answer; of several, in their order: `gpt-5-mini → gpt-5`. */
  readonly ifUnsure: string | null;
  /** Code and facts: `prompt_complexity_low(score=0.22, …)`. */
  readonly reasonCode: string;
  readonly reason: string;
  readonly score: number;
  readonly threshold: number;
  /** `free` or `≈ $0.0031`. */
  readonly estimate: string;
  /** `at most $0.0041` for the whole plan. */
  readonly bound: string;
  /** `≈ 1.2 s` or `unknown`. */
  readonly latency: string;
  readonly trace: TraceWire;
}

/** A line for the input box while a person types; the same computation as the route. */
export type PreviewResult =
  | { readonly kind: 'route'; readonly route: RouteWire; readonly context: string }
  | { readonly kind: 'refused'; readonly message: string }
  /** The answer would end as `at_limit`. */
  | { readonly kind: 'at_limit'; readonly message: string }
  | { readonly kind: 'empty' };

/** What a question would send off this machine; nothing is sent. */
export type WouldSendResult =
  /** Requests as HTTP writes them, or the sentence that nothing leaves and why. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'empty' };

export interface AnswerWire {
  readonly requestId: string;
  readonly text: string;
  readonly model: string;
  readonly modelId: string;
  readonly served: 'local' | 'cloud' | 'cache';
  readonly complete: boolean;
  readonly cost: Money;
  readonly savings: SavingsWire;
  readonly latency: string;
  readonly reasonCode: string;
  readonly reason: string;
  /** `local · SmolLM2 · free · 1.3 s · saved $0.0038 · Looks easy (…).` */
  readonly line: string;
  readonly trace: TraceWire;
}

/** What a running answer tells, in order; the request's own reply is the end. */
export type AnswerEvent =
  | { readonly kind: 'route'; readonly route: RouteWire }
  | {
      readonly kind: 'progress';
      readonly stage: 'queued' | 'loading' | 'reading';
      readonly share: number;
    }
  | {
      readonly kind: 'delta';
      readonly text: string;
      readonly model: string;
      readonly draft: boolean;
    }
  /** The text so far was a draft (`line` says how sure it was); another model's answer follows. */
  | { readonly kind: 'deferred'; readonly line: string; readonly toModel: string }
  | { readonly kind: 'fallback'; readonly reason: string; readonly toModel: string };

export type AnswerResultWire =
  | { readonly kind: 'answered'; readonly answer: AnswerWire }
  /**
   * A budget does not cover the model, and the person wants to be asked what then (`budget.atLimit`). Nothing was sent. A
   * client that can't ask treats it as a failure.
   */
  | { readonly kind: 'at_limit'; readonly message: string }
  | {
      readonly kind: 'failed';
      readonly code: string;
      readonly message: string;
      readonly nextStep: NextStep | null;
    };

/** One thing to do about a broken or empty state. The client knows a command for each. */
export type NextStep =
  | 'download_model'
  | 'choose_model'
  | 'set_key'
  | 'raise_budget'
  | 'refresh_prices'
  | 'show_log'
  | 'trust_workspace';

export interface MissingWire {
  /** `trust` comes from the client, which alone knows whether its workspace is trusted. */
  readonly what: 'model' | 'key' | 'ledger' | 'prices' | 'registry' | 'trust';
  readonly message: string;
  readonly nextStep: NextStep;
}

/** All that the status bar shows, pushed whenever it changes, also by another window. */
export interface StatusWire {
  /**
   * The budget that binds first, and what the month saved: `$3.12 / $20 · saved $9.40`, `$0.40 / $1 workspace · saved $9.40`;
   * `$3.12 this month`, `local only`, `set up`; `starting`, in every language, before anything is known.
   */
  readonly text: string;
  readonly level: 'normal' | 'pacing' | 'exhausted';
  /** The tier and model of the answer in flight. */
  readonly running: { readonly tier: 'local' | 'cloud'; readonly model: string } | null;
  readonly rows: readonly {
    readonly served: 'local' | 'cloud' | 'cache';
    readonly answers: number;
    readonly spent: string;
    readonly saved: string;
  }[];
  /** The month's. */
  readonly spent: Money;
  /** Every budget in force as a sentence, the one that binds first at the front. */
  readonly budgets: readonly string[];
  /** `local only until 1 Dec` at level `exhausted`, else empty. */
  readonly usedUp: string;
  readonly pricesAsOf: string;
  readonly lastReason: string;
  readonly missing: readonly MissingWire[];
  /** Limits that the user's settings hold against the workspace, as sentences. */
  readonly notices: readonly string[];
  /** What the administrator of this machine has locked, as sentences. */
  readonly locked: readonly string[];
}

export interface ReportParams {
  /** `2026-11`; absent for the current month. */
  readonly month?: string;
}

export interface DayWire {
  readonly day: string;
  readonly spentNanoUsd: number;
  readonly savedNanoUsd: number;
  readonly baselineNanoUsd: number;
  /** The same three ready to show, for the chart's table and its legend. `saved` may be `unknown`. */
  readonly spent: string;
  readonly saved: string;
  readonly baseline: string;
}

export interface GroupWire {
  readonly name: string;
  readonly answers: number;
  /** `1,204`: a page's own first number in words takes its browser tens of milliseconds. */
  readonly answersText: string;
  readonly spent: string;
  readonly saved: string;
  readonly unknownSavings: number;
}

/** The month, aggregated by the server: its size does not grow with the number of routes. */
export interface ReportWire {
  readonly month: string;
  readonly months: readonly string[];
  readonly spent: Money;
  readonly budget: Money | null;
  readonly usedShare: number | null;
  /** `≈ $4.60 by 30 November`, or empty when there is too little to tell. */
  readonly projection: string;
  readonly saved: string;
  readonly baseline: string;
  readonly unknownSavings: number;
  readonly answers: number;
  readonly answersText: string;
  readonly shares: { readonly local: number; readonly cloud: number; readonly cache: number };
  /** Shown as measured or as unknown; never made up. */
  readonly quality: string;
  /** What the figure stands for, and what else is known of quality; may be empty. */
  readonly qualityLines: readonly string[];
  readonly days: readonly DayWire[];
  readonly byModel: readonly GroupWire[];
  readonly byTask: readonly GroupWire[];
  readonly pricesAsOf: string;
  readonly models: readonly ModelWire[];
}

export interface RoutesParams {
  readonly month?: string;
  readonly served?: 'local' | 'cloud' | 'cache' | 'none';
  readonly modelId?: string;
  /** A reason code. */
  readonly reason?: string;
  /** Looked for in prompts (where history is on), task names and reasons. */
  readonly search?: string;
  readonly offset: number;
  readonly limit: number;
}

export interface RouteRowWire {
  readonly promptId: string;
  readonly atMs: number;
  readonly time: string;
  /** The prompt where history is on, otherwise its task and a short hash. */
  readonly title: string;
  readonly model: string;
  readonly served: 'local' | 'cloud' | 'cache' | 'none';
  readonly cost: string;
  readonly saved: string;
  readonly latency: string;
  readonly score: number;
  readonly reasonCode: string;
  readonly reason: string;
}

export interface RoutesPage {
  readonly total: number;
  readonly totalText: string;
  readonly offset: number;
  readonly rows: readonly RouteRowWire[];
}

export interface ModelWire {
  readonly id: string;
  readonly label: string;
  readonly tier: 'local' | 'cloud';
  readonly provider: string;
  readonly enabled: boolean;
  readonly state: 'ready' | 'missing' | 'no_key' | 'unavailable';
  readonly detail: string;
  readonly sizeBytes: number | null;
  readonly price: string;
  /** `41 tokens/s, first token after 0.3 s` or `not measured yet`. */
  readonly speed: string;
  /** `214 MB, measured`, `at least 98 MB` before an answer; empty for a cloud model. */
  readonly memory: string;
  /** `1 of 2 cores; tokens/s written with each number: 1: 45, 2: 12`; empty for a cloud model. */
  readonly threads: string;
  readonly chosenAs: readonly ('cheap' | 'escalation' | 'baseline')[];
}

export interface DownloadParams {
  readonly requestId: string;
  readonly modelId: string;
}

export interface DownloadProgress {
  readonly requestId: string;
  readonly stage: string;
  readonly receivedBytes: number;
  readonly totalBytes: number | null;
  readonly message: string;
}

/** What a calibration aims at: a share of the cloud model's quality to keep, or a share of prompts that may escalate. */
export interface CalibrateTargetWire {
  readonly kind: 'kept' | 'escalated';
  /** In [0,1]. */
  readonly value: number;
}

export interface CalibrateParams {
  readonly requestId: string;
  readonly modelId: string;
  readonly target: CalibrateTargetWire;
  /** At least 30; all of them when absent. */
  readonly questions?: number;
}

export interface CalibrateProgress {
  readonly requestId: string;
  readonly done: number;
  readonly total: number;
  readonly message: string;
}

/** What a calibration found and what it changes. */
export interface CalibrationWire {
  readonly modelId: string;
  /** `SmolLM2: answered in the cloud 84.0 % → 50.0 %, quality kept 92.3 % → 81.9 %` */
  readonly summary: string;
  readonly figures: readonly {
    readonly name: string;
    readonly before: string;
    readonly after: string;
  }[];
  /** All of it as Markdown. */
  readonly document: string;
}

export type CalibrateResult =
  | { readonly kind: 'calibrated'; readonly calibration: CalibrationWire }
  /** Answers so far are kept; the same request goes on from there. */
  | { readonly kind: 'cancelled'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

export interface WhatIfParams {
  readonly requestId: string;
  /** A log of prompts, a folder of such logs, or OpenAI's usage export. Only read. */
  readonly path: string;
}

export interface WhatIfProgress {
  readonly requestId: string;
  /** Of what there is to read, in [0,1]. */
  readonly share: number;
  readonly message: string;
}

/** What past prompts would have cost. A cost that is not wholly known has no number, only its text. */
export interface WhatIfWire {
  /** Name of the file or folder. */
  readonly source: string;
  /** What was routed where, as sentences. */
  readonly lines: readonly string[];
  /** `≈ 23 % escalated to the cloud`; empty where nothing could be routed. */
  readonly escalated: string;
  /** `saved ≈ $1.20 against gpt-5`; empty where nothing could be routed. */
  readonly saved: string;
  readonly costs: readonly {
    readonly name: string;
    readonly nanoUsd: number | null;
    readonly cost: string;
  }[];
  /** By the model that would have answered first; empty where nothing could be routed. */
  readonly models: readonly {
    readonly name: string;
    readonly prompts: number;
    readonly cost: string;
  }[];
  /** What is estimated, and what could not be read. */
  readonly notes: readonly string[];
}

export type WhatIfResult =
  | { readonly kind: 'done'; readonly whatIf: WhatIfWire }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'failed'; readonly message: string };

export type DoneResult =
  | { readonly kind: 'done'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

export type AgentToolResult =
  /** JSON, as the same tool says over MCP. */
  | { readonly kind: 'done'; readonly json: string }
  /** The input is not what the tool takes. */
  | { readonly kind: 'failed'; readonly message: string };

export interface SetKeyParams {
  /** `null` forgets the key. Never stored, logged or echoed by the server. */
  readonly key: string | null;
  /** The base URL that the key was entered for; at any other it is not used. */
  readonly baseUrl: string;
}

export type Verdict = 'kept' | 'dismissed' | 'up' | 'down' | 'good_enough' | 'asked_bigger';

export interface OutcomeParams {
  readonly promptId: string;
  readonly verdict: Verdict;
}

export type ExplainTask = 'explain' | 'find_problems' | 'write_test' | 'document';

/** What a text that is kept about code answers: one of the tasks, or a question of the person's own. */
export type KeptTask = ExplainTask | 'question';

/** A range of code that something is asked about. Lines and characters as LSP counts them. */
export interface CodeRange {
  readonly uri: string;
  readonly startLine: number;
  readonly startCharacter: number;
  readonly endLine: number;
  readonly endCharacter: number;
}

/** The prompt that a code task stands for, made by the server so that every editor asks alike. */
export interface CodeTaskResult {
  readonly task: ExplainTask;
  readonly text: string;
  readonly context: readonly ContextWire[];
  readonly title: string;
  /** Hash of the code, under which an explanation is kept. */
  readonly codeHash: string;
  readonly range: CodeRange;
}

export interface ExplanationWire {
  readonly codeHash: string;
  readonly task: KeptTask;
  readonly promptId: string;
  readonly text: string;
  readonly line: string;
  /** The code under it has changed since. */
  readonly stale: boolean;
  readonly range: CodeRange;
}

export interface KeepExplanationParams {
  readonly codeHash: string;
  /** Each task keeps a text of its own about the same code. */
  readonly task: KeptTask;
  readonly range: CodeRange;
  readonly promptId: string;
  readonly text: string;
  readonly line: string;
}

export interface HistoryEntry {
  readonly promptId: string;
  readonly atMs: number;
  readonly question: string;
  readonly answer: string;
  readonly line: string;
}

/** Client asks, server answers: method -> [params, result]. Cancel is LSP's own. */
export interface Requests {
  readonly 'costAwareRouter/answer': [AskParams, AnswerResultWire];
  readonly 'costAwareRouter/preview': [AskParams, PreviewResult];
  readonly 'costAwareRouter/chat': [ChatParams, ChatResultWire];
  readonly 'costAwareRouter/chatModels': [null, readonly ChatModelWire[]];
  readonly 'costAwareRouter/countTokens': [{ readonly text: string }, { readonly tokens: number }];
  readonly 'costAwareRouter/agentTool': [AgentToolParams, AgentToolResult];
  readonly 'costAwareRouter/wouldSend': [AskParams, WouldSendResult];
  readonly 'costAwareRouter/status': [null, StatusWire];
  readonly 'costAwareRouter/report': [ReportParams, ReportWire];
  readonly 'costAwareRouter/routes': [RoutesParams, RoutesPage];
  readonly 'costAwareRouter/trace': [{ readonly promptId: string }, TraceWire | null];
  readonly 'costAwareRouter/models': [null, readonly ModelWire[]];
  readonly 'costAwareRouter/download': [DownloadParams, DoneResult];
  readonly 'costAwareRouter/probe': [{ readonly modelId: string }, DoneResult];
  readonly 'costAwareRouter/calibrate': [CalibrateParams, CalibrateResult];
  readonly 'costAwareRouter/calibration': [{ readonly modelId: string }, CalibrationWire | null];
  readonly 'costAwareRouter/rollbackCalibration': [{ readonly modelId: string }, DoneResult];
  readonly 'costAwareRouter/setKey': [SetKeyParams, DoneResult];
  /** One cheap call that proves the key, without generating: the provider's list of models. */
  readonly 'costAwareRouter/testKey': [null, DoneResult];
  readonly 'costAwareRouter/outcome': [OutcomeParams, DoneResult];
  readonly 'costAwareRouter/codeTask': [
    { readonly task: ExplainTask; readonly range: CodeRange },
    CodeTaskResult | null,
  ];
  /** Functions and classes of an open document, outer ones before inner; empty where its language has no grammar here. */
  readonly 'costAwareRouter/symbols': [
    { readonly uri: string },
    readonly { readonly name: string; readonly range: CodeRange }[],
  ];
  readonly 'costAwareRouter/explanations': [{ readonly uri: string }, readonly ExplanationWire[]];
  readonly 'costAwareRouter/keepExplanation': [KeepExplanationParams, DoneResult];
  readonly 'costAwareRouter/dropExplanation': [
    { readonly codeHash: string; readonly task: KeptTask },
    DoneResult,
  ];
  readonly 'costAwareRouter/history': [{ readonly workspaceId: string }, readonly HistoryEntry[]];
  readonly 'costAwareRouter/clearHistory': [{ readonly workspaceId: string | null }, DoneResult];
  /** The whole ledger's answers of a month as CSV or JSON lines. */
  readonly 'costAwareRouter/export': [
    { readonly month: string; readonly format: 'csv' | 'jsonl' },
    { readonly text: string },
  ];
  readonly 'costAwareRouter/refreshPrices': [null, DoneResult];
  /** What past prompts would have cost with this router; nothing is asked, sent or recorded. */
  readonly 'costAwareRouter/whatIf': [WhatIfParams, WhatIfResult];
}

/** Server tells the client: method -> params. */
export interface Notifications {
  readonly 'costAwareRouter/answerEvent': {
    readonly requestId: string;
    readonly event: AnswerEvent;
  };
  readonly 'costAwareRouter/statusChanged': StatusWire;
  readonly 'costAwareRouter/downloadProgress': DownloadProgress;
  readonly 'costAwareRouter/calibrateProgress': CalibrateProgress;
  readonly 'costAwareRouter/whatIfProgress': WhatIfProgress;
  /** Stored explanations of this document changed, so lenses and hovers are to be asked for again. */
  readonly 'costAwareRouter/explanationsChanged': { readonly uri: string };
}

/** What a client says of itself when it starts the server (`initializationOptions`). */
export interface InitOptions {
  /** Where the ledger, cache and models are kept; absent for the user's data folder. */
  readonly dataDir?: string;
  readonly modelsDir?: string;
  /** The language of every sentence that the server sends, as VS Code names it (`de`); absent for LSP's own `locale`. */
  readonly locale?: string;
}

/** Commands that the server's lenses and actions name. A plain LSP client has them run by `workspace/executeCommand`. */
export const COMMANDS = {
  explain: 'costAwareRouter.explain',
  findProblems: 'costAwareRouter.findProblems',
  writeTest: 'costAwareRouter.writeTest',
  document: 'costAwareRouter.document',
} as const;
