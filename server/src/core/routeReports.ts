/** What a dashboard reads of the past, as data: a month's sums, pages of routes, the trace of one, and people's verdicts. */

import type { Attempt, Confidence, Route } from './answer.ts';
import type { AuditRecord } from './audit.ts';
import type { Candidate } from './plans.ts';
import type { AnswerRecord, BudgetLimits, BudgetState } from './ports.ts';
import type { AuditSums } from './qualityKept.ts';
import type { NanoUsd } from './types.ts';

/** What a person made of an answer afterwards. */
export const verdicts = [
  'kept',
  'dismissed',
  'up',
  'down',
  'good_enough',
  'asked_bigger',
  'retried',
  'tests_passed',
  'tests_failed',
] as const;

export type Verdict = (typeof verdicts)[number];

/** Sums over answers. Those whose savings are unknown are counted apart and have no part in the two sums of savings. */
export interface Sums {
  readonly answers: number;
  readonly costNanoUsd: NanoUsd;
  /** Negative where the router cost more than the baseline would have. */
  readonly savedNanoUsd: number;
  readonly baselineNanoUsd: NanoUsd;
  readonly unknownSavings: number;
}

/** One month. Its size grows with days, models and tasks, never with the number of routes. */
export interface MonthReport {
  readonly budget: BudgetState;
  /** Every month with answers or spend, newest first. */
  readonly months: readonly string[];
  readonly total: Sums;
  /** Days without answers are left out. */
  readonly days: readonly (Sums & { readonly day: string })[];
  /** `none` where no model answered. */
  readonly byModel: readonly (Sums & { readonly modelId: string })[];
  readonly byTask: readonly (Sums & { readonly task: string })[];
  readonly byServed: readonly (Sums & { readonly served: AnswerRecord['served'] })[];
  readonly byReason: readonly (Sums & { readonly reasonCode: string })[];
  readonly verdicts: Readonly<Record<Verdict, number>>;
  readonly audits: AuditSums;
}

export interface RoutesQuery {
  readonly month: string;
  readonly served?: AnswerRecord['served'];
  /** `none` finds prompts that no model answered. */
  readonly modelId?: string;
  readonly reasonCode?: string;
  /** Looked for in task, reason, model and prompt id, without regard to case. */
  readonly search?: string;
  /** Prompts that `search` found elsewhere: in the history, which the ledger does not hold. */
  readonly alsoPromptIds?: readonly string[];
  readonly offset: number;
  readonly limit: number;
}

/** One answered (or failed) prompt, without its trace. */
export interface RouteRow {
  readonly promptId: string;
  readonly atMs: number;
  readonly promptSha256: string;
  readonly modelId: string | undefined;
  readonly served: AnswerRecord['served'];
  readonly status: AnswerRecord['status'];
  readonly task: string;
  readonly score: number;
  readonly confidence: number | undefined;
  readonly reasonCode: string;
  /** Code and facts, as `reasonText` writes them. */
  readonly reason: string;
  readonly costNanoUsd: NanoUsd;
  /** `undefined` where the savings are unknown. */
  readonly savedNanoUsd: number | undefined;
  readonly baselineNanoUsd: NanoUsd | undefined;
  readonly latencyMs: number;
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly workspaceId: string | undefined;
}

export interface RoutePage {
  /** Rows that match, on all pages. */
  readonly total: number;
  /** Newest first. */
  readonly rows: readonly RouteRow[];
}

/** A trace as it was recorded. A refused prompt has only candidates, and a failed one no confidence. */
export interface StoredTrace {
  readonly route?: Route;
  readonly attempts?: readonly Attempt[];
  readonly confidence?: Confidence;
  readonly quality?: number;
  readonly candidates?: readonly Candidate[];
  /** Of the model that answered. */
  readonly identity?: string;
}

/** How the audit of an answer ended. */
export type StoredAudit = Pick<AuditRecord, 'baselineId' | 'verdict' | 'method' | 'costNanoUsd'>;

export interface StoredRoute {
  readonly record: AnswerRecord;
  readonly trace: StoredTrace;
  /** Absent where the answer was not audited. */
  readonly audit?: StoredAudit | undefined;
  /** Oldest first. */
  readonly verdicts: readonly Verdict[];
}

/** A verdict and its place in the ledger. */
export interface JudgedRecord {
  readonly seq: number;
  readonly verdict: Verdict;
  readonly record: AnswerRecord;
}

export type ExportFormat = 'csv' | 'jsonl';

/** The past of a ledger. Every method reads; one that nothing has changed for answers from memory. */
export interface RouteReports {
  /** @param month the current one when absent */
  month(limits: BudgetLimits, month?: string): Promise<MonthReport>;
  routes(query: RoutesQuery): Promise<RoutePage>;
  trace(promptId: string): Promise<StoredRoute | undefined>;
  /** Every verdict with the answer that it is about, oldest first. */
  judged(): Promise<readonly JudgedRecord[]>;
  /** A month's rows, oldest first; traces are left out. */
  export(month: string, format: ExportFormat): Promise<string>;
}
