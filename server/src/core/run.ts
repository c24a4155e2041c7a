/** One answer in the making: what every step of it shares, and how its result is put together. */
import type { AnswerResult, Attempt, Confidence, Route } from './answer.ts';
import type { Background } from './cloudCall.ts';
import { type FittedConfidence, gateOf } from './confidence.ts';
import type { Decide, Decided } from './decide.ts';
import type { CallOutcome } from './modelCall.ts';
import type { RouterPorts } from './ports.ts';
import type { Reason } from './reason.ts';
import { totalCost } from './record.ts';
import { generationRequest } from './request.ts';
import { savingsOf } from './savings.ts';
import type { Model, Prompt, Usage } from './types.ts';

export interface AnswerDeps {
  readonly ports: RouterPorts;
  /** Read at every answer, so that a calibration holds at once. */
  readonly confidence: () => FittedConfidence;
  readonly decide: Decide;
  readonly background: Background;
  /** Keeps what becomes of a prompt after its answer was handed out; until then its id is in use. */
  readonly behind: (promptId: string, work: () => Promise<void>) => void;
  /** Told of every answer before it is handed out; begins an audit of some in the background, and never waits. */
  readonly audit: (run: Run, result: AnswerResult) => void;
}

export interface Run {
  readonly prompt: Prompt;
  readonly decided: Decided;
  readonly deps: AnswerDeps;
  readonly startedMs: number;
  readonly signal: AbortSignal;
  /** Every attempt so far, in order. */
  readonly attempts: Attempt[];
}

export type Answered = Extract<CallOutcome, { kind: 'answered' }>;

/** What is known of an answer beyond its text. */
export interface Verdict {
  readonly reason: Reason;
  /** The router itself would have chosen another answer, had it been allowed to. */
  readonly belowWanted: boolean;
  readonly confidence?: Confidence;
}

export async function resultOf(
  run: Run,
  route: Route,
  answered: Answered,
  model: Model,
  verdict: Verdict,
): Promise<AnswerResult> {
  const { ports } = run.deps;
  const costNanoUsd = totalCost(run.attempts);
  const firstTokenMs = run.attempts.findLast(({ modelId }) => modelId === model.id)?.timing
    .firstTokenMs;
  const baseline = baselineOf(run.decided);
  const baselineUsage = await usageOfBaseline(run, model, answered);
  return {
    promptId: run.prompt.id,
    text: answered.text,
    toolCalls: answered.toolCalls,
    modelId: model.id,
    served: model.provider === 'local' ? 'local' : 'cloud',
    finish: answered.finish,
    usage: answered.usage,
    baselineUsage,
    costNanoUsd,
    costIsBound: run.attempts.some(({ costIsBound }) => costIsBound),
    savings: savingsOf({
      baselineId: baseline?.id,
      baselineRow: baseline && ports.catalogue.price(baseline.id, ports.clock.now()),
      usage: baselineUsage,
      costNanoUsd,
      complete: answered.finish === 'stop' || answered.finish === 'tool-calls',
      belowWantedQuality: verdict.belowWanted,
      isMeasurement: run.prompt.isMeasurement,
    }),
    timing: {
      latencyMs: ports.clock.monotonicMs() - run.startedMs,
      ...(firstTokenMs === undefined ? {} : { firstTokenMs }),
    },
    quality: qualityAfter(run, route, model, verdict.confidence),
    confidence: verdict.confidence,
    reason: verdict.reason,
    route,
    attempts: run.attempts,
  };
}

export function baselineOf({ settings, registry }: Decided): Model | undefined {
  const id = settings.baseline ?? registry.defaults.baseline;
  return registry.models.find((model) => model.id === id);
}

/** A local model counts tokens its own way, so its texts are counted again as the baseline would. */
async function usageOfBaseline(run: Run, model: Model, answered: Answered): Promise<Usage> {
  if (model.provider !== 'local') return answered.usage;
  const { tokens } = run.deps.ports;
  const request = generationRequest(run.prompt, model, 1);
  const asked = [request.system, ...request.turns.map(({ text }) => text)].join('\n');
  return {
    inputTokens: await tokens.count(asked),
    outputTokens: await tokens.count(answered.text),
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}

/** Bayes on the gate's measured rates: what passing or failing the gate says about an answer of this score. */
function qualityAfter(
  run: Run,
  route: Route,
  model: Model,
  confidence: Confidence | undefined,
): number {
  const prior = route.qualities[model.id] ?? route.quality;
  if (confidence === undefined || model.provider !== 'local') return prior;
  const { ports, confidence: fitted } = run.deps;
  const { catchRate, falseRejectRate } = gateOf(
    fitted(),
    ports.local.identity(model),
    route.trace.task,
  );
  const passed = confidence.value >= confidence.needed;
  const good = prior * (passed ? 1 - falseRejectRate : falseRejectRate);
  const bad = (1 - prior) * (passed ? 1 - catchRate : catchRate);
  return good + bad === 0 ? prior : good / (good + bad);
}
