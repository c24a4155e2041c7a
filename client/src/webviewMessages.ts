/**
 * Every message between the extension and its two webview pages, in both directions. What a page sends is untrusted until
 * a `parse…` function of this file has read it: a message of unknown kind or shape is dropped. Nothing here decides or
 * calculates; figures arrive ready to show in the server's own types.
 */
import type {
  AnswerEvent,
  AnswerResultWire,
  Destination,
  DownloadProgress,
  NextStep,
  ReportWire,
  RoutesPage,
  RoutesParams,
  StatusWire,
  TraceWire,
  Verdict,
  WhatIfWire,
} from '../../server/src/protocol.ts';
import type { TrainingRun } from './trainingCurve.ts';

/** What a page may ask the extension to run; the extension maps each to one of its commands. Nothing else can be run. */
export const PAGE_COMMANDS = [
  'download_model',
  'choose_model',
  'set_key',
  'raise_budget',
  'refresh_prices',
  'show_log',
  'trust_workspace',
  'ask',
  'open_settings',
  'open_walkthrough',
  'open_tab',
  'restart_server',
  'what_if',
] as const satisfies readonly (
  | NextStep
  | 'ask'
  | 'open_settings'
  | 'open_walkthrough'
  | 'open_tab'
  | 'restart_server'
  | 'what_if'
)[];
export type PageCommand = (typeof PAGE_COMMANDS)[number];

/** Dashboard asks, extension answers with the same `id`; everything without an `id` wants no answer. */
export type DashboardToHost =
  /** Sent once when the page listens; the extension answers with `server` and, when it runs, `status`. */
  | { readonly type: 'ready' }
  | { readonly type: 'report'; readonly id: number; readonly month: string | null }
  | { readonly type: 'routes'; readonly id: number; readonly params: RoutesParams }
  | { readonly type: 'trace'; readonly id: number; readonly promptId: string }
  | { readonly type: 'export'; readonly month: string; readonly format: 'csv' | 'jsonl' }
  | { readonly type: 'close_what_if' }
  | { readonly type: 'command'; readonly command: PageCommand; readonly modelId: string | null };

export type HostToDashboard =
  | { readonly type: 'report'; readonly id: number; readonly report: ReportWire }
  | { readonly type: 'routes'; readonly id: number; readonly page: RoutesPage }
  | { readonly type: 'trace'; readonly id: number; readonly trace: TraceWire | null }
  /** The question with this `id` could not be answered; `message` says why in a sentence. */
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  /** Pushed at `ready` and whenever it changes; the page then asks for its figures again. */
  | { readonly type: 'status'; readonly status: StatusWire }
  | {
      readonly type: 'server';
      readonly state: 'starting' | 'running' | 'stopped';
      readonly message: string;
    }
  | { readonly type: 'download'; readonly progress: DownloadProgress }
  /** A training run of this window, pushed at `ready` and whenever it changes. */
  | { readonly type: 'training'; readonly run: TrainingRun }
  /** What past prompts would have cost, pushed at `ready` and whenever it changes; `null` puts it away. */
  | { readonly type: 'what-if'; readonly figures: WhatIfWire | null }
  /** Shows that route of the current month with its trace open. */
  | { readonly type: 'open-route'; readonly promptId: string };

export type CodeAction = 'copy' | 'insert' | 'diff';

export type AnswersToHost =
  | { readonly type: 'ready' }
  | { readonly type: 'cancel'; readonly requestId: string }
  /** Ask the same again of the other tier. The extension answers with a `question` whose `retryOf` is this request. */
  | {
      readonly type: 'ask_other';
      readonly requestId: string;
      readonly destination: 'local' | 'cloud';
    }
  /** Nothing was answered: ask the same again. The extension answers with a `question` that `replaces` this request. */
  | {
      readonly type: 'ask_again';
      readonly requestId: string;
      readonly destination: Destination;
    }
  | { readonly type: 'verdict'; readonly requestId: string; readonly verdict: Verdict }
  | { readonly type: 'keep_explanation'; readonly requestId: string }
  | {
      readonly type: 'code';
      readonly action: CodeAction;
      readonly requestId: string;
      readonly code: string;
      readonly language: string;
    }
  | { readonly type: 'copy_answer'; readonly requestId: string }
  | { readonly type: 'command'; readonly command: PageCommand; readonly modelId: string | null };

/** One request as the answers page shows it before anything is known about its answer. */
export interface QuestionMessage {
  readonly type: 'question';
  readonly requestId: string;
  readonly question: string;
  /** `selection (41 lines)` or empty. */
  readonly context: string;
  readonly destination: Destination;
  /** Set for "ask the other tier": the answer then stands in a column beside that request's. */
  readonly retryOf: string | null;
  /** Set for the same question asked again: the answer then stands in that request's place. */
  readonly replaces: string | null;
  /** Whether the answer can be kept as an explanation of a piece of code. */
  readonly canKeep: boolean;
}

/** The extension sends `question`, then any `event`s, then one `result`, each with the same `requestId`. */
export type HostToAnswers =
  | QuestionMessage
  | { readonly type: 'event'; readonly requestId: string; readonly event: AnswerEvent }
  | { readonly type: 'result'; readonly requestId: string; readonly result: AnswerResultWire }
  /** How a verdict, a keep or a code action went, as a sentence for the line under the answer. */
  | { readonly type: 'notice'; readonly requestId: string; readonly message: string }
  | { readonly type: 'clear' };

const SHORT = 200;
const CODE = 1_000_000;

export function parseDashboardMessage(value: unknown): DashboardToHost | null {
  if (!isRecord(value)) return null;
  switch (value['type']) {
    case 'ready':
      return { type: 'ready' };
    case 'report': {
      const { id, month } = value;
      if (!isCount(id) || !(month === null || isMonth(month))) return null;
      return { type: 'report', id, month };
    }
    case 'routes': {
      const params = parseRoutesParams(value['params']);
      return isCount(value['id']) && params ? { type: 'routes', id: value['id'], params } : null;
    }
    case 'trace': {
      const { id, promptId } = value;
      return isCount(id) && isText(promptId, SHORT) ? { type: 'trace', id, promptId } : null;
    }
    case 'export': {
      const { month, format } = value;
      if (!isMonth(month) || !isOneOf(format, ['csv', 'jsonl'] as const)) return null;
      return { type: 'export', month, format };
    }
    case 'close_what_if':
      return { type: 'close_what_if' };
    case 'command':
      return parseCommand(value);
    default:
      return null;
  }
}

export function parseAnswersMessage(value: unknown): AnswersToHost | null {
  if (!isRecord(value)) return null;
  if (value['type'] === 'ready') return { type: 'ready' };
  if (value['type'] === 'command') return parseCommand(value);
  const { requestId } = value;
  if (!isText(requestId, SHORT)) return null;
  switch (value['type']) {
    case 'cancel':
      return { type: 'cancel', requestId };
    case 'keep_explanation':
      return { type: 'keep_explanation', requestId };
    case 'copy_answer':
      return { type: 'copy_answer', requestId };
    case 'ask_other': {
      const { destination } = value;
      if (!isOneOf(destination, ['local', 'cloud'] as const)) return null;
      return { type: 'ask_other', requestId, destination };
    }
    case 'ask_again': {
      const { destination } = value;
      if (!isOneOf(destination, DESTINATIONS)) return null;
      return { type: 'ask_again', requestId, destination };
    }
    case 'verdict': {
      const { verdict } = value;
      return isOneOf(verdict, VERDICTS) ? { type: 'verdict', requestId, verdict } : null;
    }
    case 'code': {
      const { action, code, language } = value;
      if (!isOneOf(action, ['copy', 'insert', 'diff'] as const)) return null;
      if (!isText(code, CODE) || !isText(language, SHORT)) return null;
      return { type: 'code', action, requestId, code, language };
    }
    default:
      return null;
  }
}

const VERDICTS = ['kept', 'dismissed', 'up', 'down', 'good_enough', 'asked_bigger'] as const;
const DESTINATIONS = ['auto', 'local', 'cloud'] as const;
const SERVED = ['local', 'cloud', 'cache', 'none'] as const;
const MAX_PAGE = 500;

function parseCommand(
  value: Record<string, unknown>,
): Extract<DashboardToHost, { type: 'command' }> | null {
  const { command, modelId } = value;
  if (!isOneOf(command, PAGE_COMMANDS)) return null;
  if (modelId !== null && !isText(modelId, SHORT)) return null;
  return { type: 'command', command, modelId };
}

function parseRoutesParams(value: unknown): RoutesParams | null {
  if (!isRecord(value)) return null;
  const { offset, limit, month, served, modelId, reason, search } = value;
  if (!isCount(offset) || !isCount(limit) || limit > MAX_PAGE) return null;
  if (month !== undefined && !isMonth(month)) return null;
  if (served !== undefined && !isOneOf(served, SERVED)) return null;
  if (modelId !== undefined && !isText(modelId, SHORT)) return null;
  if (reason !== undefined && !isText(reason, SHORT)) return null;
  if (search !== undefined && !isText(search, SHORT)) return null;
  return {
    offset,
    limit,
    ...(month === undefined ? {} : { month }),
    ...(served === undefined ? {} : { served }),
    ...(modelId === undefined ? {} : { modelId }),
    ...(reason === undefined ? {} : { reason }),
    ...(search === undefined ? {} : { search }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isText(value: unknown, longest: number): value is string {
  return typeof value === 'string' && value.length <= longest;
}

function isMonth(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d{2}$/.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isOneOf<const T extends string>(value: unknown, words: readonly T[]): value is T {
  return words.some((word) => word === value);
}
