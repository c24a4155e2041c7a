/**
 * What the extension may tell a page, checked before it is drawn: another frame can send messages to a page too. A message of
 * unknown kind or shape is dropped; fields that nobody named are left out.
 */
import * as z from 'zod/mini';
import type {
  AnswerEvent,
  AnswerResultWire,
  DownloadProgress,
  ReportWire,
  RoutesPage,
  StatusWire,
  TraceWire,
  WhatIfWire,
} from '../../server/src/protocol.ts';
import type { TrainingRun } from '../src/trainingCurve.ts';
import type { HostToAnswers, HostToDashboard } from '../src/webviewMessages.ts';

// The policy of the pages forbids code made from text, which zod would otherwise try.
z.config({ jitless: true });

const text = z.string();
const texts = z.array(text);
const number = z.number();
const maybe = <T extends z.ZodMiniType>(schema: T) => z.nullable(schema);
const money = z.object({ nanoUsd: number, text });
const nextStep = z.enum([
  'download_model',
  'choose_model',
  'set_key',
  'raise_budget',
  'refresh_prices',
  'show_log',
  'trust_workspace',
]);
const served = z.enum(['local', 'cloud', 'cache', 'none']);
const tier = z.enum(['local', 'cloud']);

const part = z.object({ name: text, added: number, detail: text });
const trace = z.object({
  task: text,
  score: number,
  threshold: number,
  parts: z.array(part),
  candidates: z.array(
    z.object({
      label: text,
      quality: number,
      cost: text,
      latency: text,
      whyNot: text,
      chosen: z.boolean(),
    }),
  ),
  wouldFlip: texts,
  findings: texts,
  leftOut: texts,
  confidence: maybe(
    z.object({ value: number, needed: number, parts: z.array(part), notes: z.array(text) }),
  ),
  attempts: z.array(
    z.object({ model: text, outcome: text, cost: text, priceRow: text, latency: text }),
  ),
  estimateAgainstBill: text,
  audit: text,
}) satisfies z.ZodMiniType<TraceWire>;

const route = z.object({
  model: text,
  modelId: text,
  tier,
  ifUnsure: maybe(text),
  reasonCode: text,
  reason: text,
  score: number,
  threshold: number,
  estimate: text,
  bound: text,
  latency: text,
  trace,
});

const answerEvent = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('route'), route }),
  z.object({
    kind: z.literal('progress'),
    stage: z.enum(['queued', 'loading', 'reading']),
    share: number,
  }),
  z.object({ kind: z.literal('delta'), text, model: text, draft: z.boolean() }),
  z.object({ kind: z.literal('deferred'), line: text, toModel: text }),
  z.object({ kind: z.literal('fallback'), reason: text, toModel: text }),
]) satisfies z.ZodMiniType<AnswerEvent>;

const answerResult = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('answered'),
    answer: z.object({
      requestId: text,
      text,
      model: text,
      modelId: text,
      served: z.enum(['local', 'cloud', 'cache']),
      complete: z.boolean(),
      cost: money,
      savings: z.object({ nanoUsd: maybe(number), text }),
      latency: text,
      reasonCode: text,
      reason: text,
      line: text,
      trace,
    }),
  }),
  z.object({ kind: z.literal('at_limit'), message: text }),
  z.object({ kind: z.literal('failed'), code: text, message: text, nextStep: maybe(nextStep) }),
]) satisfies z.ZodMiniType<AnswerResultWire>;

const answersMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('question'),
    requestId: text,
    question: text,
    context: text,
    destination: z.enum(['auto', 'local', 'cloud']),
    retryOf: maybe(text),
    replaces: maybe(text),
    canKeep: z.boolean(),
  }),
  z.object({ type: z.literal('event'), requestId: text, event: answerEvent }),
  z.object({ type: z.literal('result'), requestId: text, result: answerResult }),
  z.object({ type: z.literal('notice'), requestId: text, message: text }),
  z.object({ type: z.literal('clear') }),
]) satisfies z.ZodMiniType<HostToAnswers>;

const status = z.object({
  text,
  level: z.enum(['normal', 'pacing', 'exhausted']),
  running: maybe(z.object({ tier, model: text })),
  rows: z.array(
    z.object({
      served: z.enum(['local', 'cloud', 'cache']),
      answers: number,
      spent: text,
      saved: text,
    }),
  ),
  spent: money,
  budgets: texts,
  usedUp: text,
  pricesAsOf: text,
  lastReason: text,
  missing: z.array(
    z.object({
      what: z.enum(['model', 'key', 'ledger', 'prices', 'registry', 'trust']),
      message: text,
      nextStep,
    }),
  ),
  notices: texts,
  locked: texts,
}) satisfies z.ZodMiniType<StatusWire>;

const group = z.object({
  name: text,
  answers: number,
  answersText: text,
  spent: text,
  saved: text,
  unknownSavings: number,
});
const report = z.object({
  month: text,
  months: texts,
  spent: money,
  budget: maybe(money),
  usedShare: maybe(number),
  projection: text,
  saved: text,
  baseline: text,
  unknownSavings: number,
  answers: number,
  answersText: text,
  shares: z.object({ local: number, cloud: number, cache: number }),
  quality: text,
  qualityLines: z.array(text),
  days: z.array(
    z.object({
      day: text,
      spentNanoUsd: number,
      savedNanoUsd: number,
      baselineNanoUsd: number,
      spent: text,
      saved: text,
      baseline: text,
    }),
  ),
  byModel: z.array(group),
  byTask: z.array(group),
  pricesAsOf: text,
  models: z.array(
    z.object({
      id: text,
      label: text,
      tier,
      provider: text,
      enabled: z.boolean(),
      state: z.enum(['ready', 'missing', 'no_key', 'unavailable']),
      detail: text,
      sizeBytes: maybe(number),
      price: text,
      speed: text,
      memory: text,
      threads: text,
      chosenAs: z.array(z.enum(['cheap', 'escalation', 'baseline'])),
    }),
  ),
}) satisfies z.ZodMiniType<ReportWire>;

const routesPage = z.object({
  total: number,
  totalText: text,
  offset: number,
  rows: z.array(
    z.object({
      promptId: text,
      atMs: number,
      time: text,
      title: text,
      model: text,
      served,
      cost: text,
      saved: text,
      latency: text,
      score: number,
      reasonCode: text,
      reason: text,
    }),
  ),
}) satisfies z.ZodMiniType<RoutesPage>;

const progress = z.object({
  requestId: text,
  stage: text,
  receivedBytes: number,
  totalBytes: maybe(number),
  message: text,
}) satisfies z.ZodMiniType<DownloadProgress>;

const losses = z.array(z.tuple([number, number]));
const trainingRun = z.object({
  name: text,
  state: z.enum(['running', 'ended', 'stopped', 'failed']),
  totalSteps: maybe(number),
  train: losses,
  validation: losses,
}) satisfies z.ZodMiniType<TrainingRun>;

const whatIf = z.object({
  source: text,
  lines: texts,
  escalated: text,
  saved: text,
  costs: z.array(z.object({ name: text, nanoUsd: maybe(number), cost: text })),
  models: z.array(z.object({ name: text, prompts: number, cost: text })),
  notes: texts,
}) satisfies z.ZodMiniType<WhatIfWire>;

const dashboardMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('report'), id: number, report }),
  z.object({ type: z.literal('routes'), id: number, page: routesPage }),
  z.object({ type: z.literal('trace'), id: number, trace: maybe(trace) }),
  z.object({ type: z.literal('failed'), id: number, message: text }),
  z.object({ type: z.literal('status'), status }),
  z.object({
    type: z.literal('server'),
    state: z.enum(['starting', 'running', 'stopped']),
    message: text,
  }),
  z.object({ type: z.literal('download'), progress }),
  z.object({ type: z.literal('training'), run: trainingRun }),
  z.object({ type: z.literal('what-if'), figures: maybe(whatIf) }),
  z.object({ type: z.literal('open-route'), promptId: text }),
]) satisfies z.ZodMiniType<HostToDashboard>;

export function parseHostToAnswers(value: unknown): HostToAnswers | null {
  const parsed = answersMessage.safeParse(value);
  return parsed.success ? parsed.data : null;
}

export function parseHostToDashboard(value: unknown): HostToDashboard | null {
  const parsed = dashboardMessage.safeParse(value);
  return parsed.success ? parsed.data : null;
}
