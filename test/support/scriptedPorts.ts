/** A router over scripted models and a ledger in memory that keeps the real rules: for tests of the decision, the gate and the money. */
import { createHash } from 'node:crypto';
import type { RouterEvent } from '../../server/src/core/answer.ts';
import type { AuditRecord } from '../../server/src/core/audit.ts';
import {
  EMPTY_BALANCE,
  fits,
  monthOf,
  nextState,
  type ReservationState,
  rebalance,
} from '../../server/src/core/budget.ts';
import type { ToolCall } from '../../server/src/core/callerWishes.ts';
import type { FittedConfidence } from '../../server/src/core/confidence.ts';
import type {
  AnswerRecord,
  Availability,
  BudgetLimits,
  CachedAnswer,
  GenerationRequest,
  Ledger,
  ModelEvent,
  ModelPort,
  RouterPorts,
} from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { createRouter, type Router } from '../../server/src/core/router.ts';
import { type Settings, settingsSchema } from '../../server/src/core/schema.ts';
import type {
  Constraints,
  FinishReason,
  MeasuredSpeed,
  Model,
  PriceRow,
  PrivacyFinding,
  Prompt,
  Registry,
  Usage,
} from '../../server/src/core/types.ts';
import { NO_AUDITS } from '../../server/src/store/ledgerAudits.ts';
import { gateConfidence, scorerOf } from './scriptedScores.ts';

export const LOCAL = 'small-local';
export const MINI = 'cloud-mini';
export const BIG = 'cloud-big';

const local: Model = {
  id: LOCAL,
  label: 'Small Local',
  tier: 'cheap',
  provider: 'local',
  enabled: true,
  contextWindow: 4096,
  maxOutputTokens: 512,
  ability: { kind: 'size', billions: 1 },
  file: {
    fileName: 'small.gguf',
    sizeBytes: 1,
    sha256: 'a'.repeat(64),
    sources: [],
    chatTemplate: 'auto',
    systemPrompt: 'Answer.',
    thoughtTokens: 0,
  },
};

function cloud(id: string): Model {
  return {
    id,
    label: id,
    tier: 'escalation',
    provider: 'openai',
    enabled: true,
    contextWindow: 100_000,
    maxOutputTokens: 10_000,
    ability: { kind: 'size', billions: 100 },
    apiModel: id,
    key: 'openai',
    tools: true,
  };
}

export const registry: Registry = {
  models: [local, cloud(MINI), cloud(BIG)],
  defaults: { cheap: LOCAL, escalation: BIG, baseline: BIG },
};

/** Dollars per million tokens as pico-dollars per token. */
function row(model: string, input: number, output: number): PriceRow {
  return {
    id: `${model}@2026-01-01`,
    model,
    effectiveFrom: '2026-01-01',
    source: 'test',
    checkedAt: '2026-01-01',
    base: { inputPicoUsd: input * 1e6, outputPicoUsd: output * 1e6 },
    tiers: [],
  };
}

export const prices: Readonly<Record<string, PriceRow>> = {
  [MINI]: row(MINI, 1, 4),
  [BIG]: row(BIG, 10, 40),
};

export interface Script {
  /** Chance of failure by model id. @default local 0.2, mini 0.15, big 0.1 */
  readonly scores?: Readonly<Record<string, number>>;
  readonly threshold?: number;
  /** What each model streams; the last entry repeats. */
  readonly answers?: Readonly<Record<string, readonly ScriptedAnswer[]>>;
  readonly availability?: Readonly<Record<string, Availability>>;
  readonly speeds?: Readonly<Record<string, MeasuredSpeed>>;
  readonly findings?: readonly PrivacyFinding[];
  readonly settings?: Partial<Settings>;
  readonly spentNanoUsd?: number;
  readonly prices?: Readonly<Record<string, PriceRow>>;
  readonly registry?: Registry;
  readonly ledger?: Partial<Ledger>;
  readonly now?: () => number;
  readonly confidence?: FittedConfidence;
  readonly checkCode?: RouterPorts['checkCode'];
  readonly random?: () => number;
}

export type ScriptedAnswer = (
  request: GenerationRequest,
  signal: AbortSignal,
) => AsyncIterable<ModelEvent>;

/** A complete answer. `sure` sets the token probabilities that the gate reads; `undefined` for a cloud model. */
export function says(
  text: string,
  options: {
    readonly sure?: boolean;
    readonly usage?: Partial<Usage>;
    readonly finish?: FinishReason;
    readonly toolCalls?: readonly ToolCall[];
  } = {},
): ScriptedAnswer {
  return async function* () {
    const words = text.split(/(?<= )/);
    const logProb = options.sure === false ? -4 : -0.01;
    const told = (word: string) =>
      options.sure === undefined ? {} : { logProbs: [{ text: word, logProb }] };
    for (const word of words) yield { type: 'text-delta', text: word, ...told(word) };
    const usage = {
      inputTokens: 100,
      cachedInputTokens: 0,
      cacheWriteTokens: undefined,
      outputTokens: 50,
      reasoningTokens: 0,
      ...options.usage,
    };
    yield {
      type: 'end',
      finish: options.finish ?? 'stop',
      usage,
      ...(options.toolCalls === undefined ? {} : { toolCalls: options.toolCalls }),
      ...(options.sure === undefined
        ? {}
        : { logProbs: words.map((word) => ({ text: word, logProb })) }),
    };
  };
}

/** @param said what came before it failed */
export function fails(
  failed: Extract<ModelEvent, { type: 'failed' }>['failure'],
  said = '',
): ScriptedAnswer {
  return async function* () {
    if (said !== '') yield { type: 'text-delta', text: said };
    yield { type: 'failed', failure: failed };
  };
}

export interface Call {
  readonly modelId: string;
  readonly request: GenerationRequest;
}

export interface ScriptedRouter {
  readonly router: Router;
  readonly ports: RouterPorts;
  readonly calls: readonly Call[];
  readonly records: readonly AnswerRecord[];
  readonly audits: readonly AuditRecord[];
  readonly reservations: ReadonlyMap<string, ReservationState>;
}

export function scriptedRouter(script: Script = {}): ScriptedRouter {
  const calls: Call[] = [];
  const records: AnswerRecord[] = [];
  const audits: AuditRecord[] = [];
  const reservations = new Map<string, ReservationState>();
  const cached = new Map<string, CachedAnswer>();
  const speeds = new Map(Object.entries(script.speeds ?? {}));
  const now = script.now ?? (() => Date.UTC(2026, 10, 15, 12));
  const settings = settingsSchema.parse({ monthlyBudgetNanoUsd: 20e9, ...script.settings });
  let ids = 0;

  const port = (): ModelPort => ({
    availability: (model) => script.availability?.[model.id] ?? { kind: 'ready' },
    identity: (model) => model.id,
    async *generate(model, request, signal) {
      const answers = script.answers?.[model.id] ?? [says(`answer of ${model.id}`, { sure: true })];
      const nth = calls.filter(({ modelId }) => modelId === model.id).length;
      calls.push({ modelId: model.id, request });
      const answer = answers[Math.min(nth, answers.length - 1)];
      if (answer === undefined) throw new Error(`expected a scripted answer for ${model.id}`);
      yield* answer(request, signal);
    },
  });

  const balance = () =>
    [...reservations.values()].reduce((sum, state) => rebalance(sum, undefined, state), {
      ...EMPTY_BALANCE,
      spentNanoUsd: nanoUsd(script.spentNanoUsd ?? 0),
    });
  const budget = (limits: BudgetLimits) => ({
    month: monthOf(now()),
    limitNanoUsd: limits.monthlyNanoUsd,
    ...balance(),
  });
  const move = (id: string, event: Parameters<typeof nextState>[1]) => {
    const state = reservations.get(id);
    if (state === undefined) throw new Error(`expected a reservation, got ${id}`);
    const next = nextState(state, event);
    if (next.kind === 'refused') throw new Error(next.why);
    reservations.set(id, next.state);
    return next.state;
  };
  const ledger: Ledger = {
    budget: async (limits) => budget(limits),
    async reserve({ id, boundNanoUsd }, limits) {
      const state = budget(limits);
      if (!fits(state, boundNanoUsd)) return { kind: 'exhausted', state };
      reservations.set(id, { kind: 'reserved', boundNanoUsd });
      return { kind: 'held' };
    },
    async dispatch(id) {
      move(id, { kind: 'dispatched' });
    },
    async settle(id, settlement) {
      const state = move(id, settlement);
      return 'bookedNanoUsd' in state ? state.bookedNanoUsd : nanoUsd(0);
    },
    async record(answer) {
      records.push(answer);
    },
    async recordAudit(audit) {
      audits.push(audit);
    },
    spend: async (limits) => ({
      budget: budget(limits),
      answers: records.length,
      savedNanoUsd: 0,
      unknownSavings: 0,
      rows: [],
      audits: NO_AUDITS,
    }),
    frozenModels: async () => new Set(),
    answered: async (promptId) => records.some((record) => record.promptId === promptId),
    ...script.ledger,
  };

  const ports: RouterPorts = {
    clock: { now, monotonicMs: () => performance.now() },
    newId: () => `id-${ids++}`,
    sha256: (text) => createHash('sha256').update(text).digest('hex'),
    catalogue: {
      registry: () => script.registry ?? registry,
      price: (modelId) => (script.prices ?? prices)[modelId],
    },
    local: port(),
    cloud: port(),
    tokens: {
      inputBound: async (_model, request) =>
        request.turns.reduce((sum, turn) => sum + Math.ceil(turn.text.length / 4), 20),
      count: async (text) => Math.ceil(text.length / 4),
    },
    speeds: { get: (identity) => speeds.get(identity), record: () => {} },
    privacy: { scan: async () => script.findings ?? [] },
    ledger,
    cache: { get: (key) => cached.get(key), put: (key, answer) => void cached.set(key, answer) },
    sleep: async () => {},
    random: script.random ?? (() => 0.5),
    ...(script.checkCode && { checkCode: script.checkCode }),
  };
  const scores = { [LOCAL]: 0.2, [MINI]: 0.15, [BIG]: 0.1, ...script.scores };
  const router = createRouter({
    ports,
    scorer: scorerOf((script.registry ?? registry).models, scores, script.threshold ?? 0.5),
    confidence: () => script.confidence ?? gateConfidence,
    settings: () => settings,
  });
  return { router, ports, calls, records, audits, reservations };
}

let prompts = 0;

export function promptOf(
  text: string,
  constraints: Constraints = {},
  rest: Partial<Prompt> = {},
): Prompt {
  return { id: `prompt-${prompts++}`, text, context: [], history: [], constraints, ...rest };
}

export async function collect(
  router: Router,
  prompt: Prompt,
  signal: AbortSignal = new AbortController().signal,
): Promise<RouterEvent[]> {
  const events: RouterEvent[] = [];
  for await (const event of router.answer(prompt, signal)) events.push(event);
  return events;
}

/** The final event as an answer; fails the test with the failure where there is none. */
export function answerOf(events: readonly RouterEvent[]) {
  const last = events.at(-1);
  if (last?.type !== 'answer-end') {
    throw new Error(`expected an answer, got ${JSON.stringify(last)}`);
  }
  return last.result;
}

export function failureOf(events: readonly RouterEvent[]) {
  const last = events.at(-1);
  if (last?.type !== 'answer-failed') {
    throw new Error(`expected a failure, got ${JSON.stringify(last)}`);
  }
  return last;
}
