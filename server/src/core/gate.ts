/**
 * The gate on answers: one that is unsure is deferred where it may be and where that is worth its cost, and stands with the
 * reason where not. A growing answer that is as good as sure to be deferred is stopped at once.
 */
import { agreementWith } from './agreement.ts';
import type { AnswerResult, Confidence, Route, RouterEvent } from './answer.ts';
import { callModel, requestTo } from './callModel.ts';
import { confidenceOf, gateOf } from './confidence.ts';
import { modelById } from './decide.ts';
import { type DeferralRule, deferralRule } from './deferral.ts';
import type { Failure } from './errors.ts';
import { UNKNOWN_USAGE, type Watch } from './modelCall.ts';
import { pressureOf } from './pacing.ts';
import { portOf } from './portOf.ts';
import type { RouterPorts } from './ports.ts';
import { costOf } from './price.ts';
import type { Reason } from './reason.ts';
import { type Answered, type Run, resultOf } from './run.ts';
import type { Settings } from './schema.ts';
import { stepsAbove } from './stepsAbove.ts';
import type { Model, Prompt, Registry } from './types.ts';

/**
 * @param isFallback the answer comes from a model that took over; its reason is then that failure, and stays
 */
export async function* checkAnswer(
  run: Run,
  route: Route,
  answered: Answered,
  isFallback: boolean,
): AsyncGenerator<RouterEvent, AnswerResult> {
  const model = modelById(run.decided.registry, route.modelId);
  const routed = { reason: route.reason, belowWanted: route.belowWanted };
  const steps = stepsAbove(route);
  const [next] = steps;
  if (!isChecked(model, answered, next)) return await resultOf(run, route, answered, model, routed);

  const confidence = await judge(run, route, model, answered, next);
  const facts = { confidence: confidence.value, needed: confidence.needed };
  if (confidence.value >= confidence.needed && answered.cutShort !== true) {
    const reason: Reason = reliedOnGate(run, route)
      ? { code: 'confident', facts: { ...facts, model: model.id } }
      : route.reason;
    return await resultOf(run, route, answered, model, { ...routed, reason, confidence });
  }

  if (route.reason.code === 'forced') {
    return await resultOf(run, route, answered, model, { ...routed, confidence });
  }
  if (next === undefined) {
    const reason = (isFallback ? undefined : deferralBlock(route)) ?? route.reason;
    return await resultOf(run, route, answered, model, { reason, belowWanted: true, confidence });
  }
  return yield* goUp(run, route, { model, answered, confidence }, steps);
}

/**
 * Of a model that is not run here only signs of a failed answer are seen; they matter where another model may take over. Calls
 * of tools are no text that could show them.
 */
function isChecked(model: Model, { toolCalls }: Answered, next: string | undefined): boolean {
  return model.provider === 'local' || (next !== undefined && toolCalls.length === 0);
}

/** An answer that is unsure. */
interface Draft {
  readonly model: Model;
  readonly answered: Answered;
  readonly confidence: Confidence;
}

/** Defers to the models above, one after the other: what answers is checked in its turn, what fails is passed over. */
async function* goUp(
  run: Run,
  route: Route,
  { model, answered, confidence }: Draft,
  steps: readonly string[],
): AsyncGenerator<RouterEvent, AnswerResult> {
  const stands = { belowWanted: true, confidence };
  const isLocal = model.provider === 'local';
  const facts = { confidence: confidence.value, needed: confidence.needed };
  let kept: Reason | undefined;
  let isDeferred = false;
  for (const [at, id] of steps.entries()) {
    const late = answered.cutShort === true ? undefined : tooLate(run, id);
    if (late !== undefined) {
      kept ??= late;
      break;
    }
    if (!isDeferred) {
      const from = isLocal ? {} : { fromModelId: model.id };
      yield { type: 'answer-deferred', confidence, toModelId: id, ...from };
      markDeferred(run);
      isDeferred = true;
    } else if (kept !== undefined) {
      yield { type: 'fallback-started', reason: kept, toModelId: id };
    }
    const outcome = yield* callModel(run, route, id);
    if (outcome.kind === 'answered') {
      const better = modelById(run.decided.registry, id);
      const above = steps.slice(at + 1);
      const reason: Reason = {
        code: 'low_confidence',
        facts: { ...facts, model: id, ...(isLocal ? {} : { draft: model.id }) },
      };
      if (!isChecked(better, outcome, above[0])) {
        const verdict = { reason, belowWanted: false, confidence };
        return await resultOf(run, route, outcome, better, verdict);
      }
      const own = await judge(run, route, better, outcome, above[0]);
      const isSure = own.value >= own.needed;
      if (isSure || above.length === 0) {
        // The signs that a paid answer lacks say less than why the draft was not kept.
        const shown = better.provider === 'local' ? own : confidence;
        const verdict = { reason, belowWanted: !isSure, confidence: shown };
        return await resultOf(run, route, outcome, better, verdict);
      }
      return yield* goUp(run, route, { model: better, answered: outcome, confidence: own }, above);
    }
    kept ??= outcome.reason ?? unavailable(id, outcome.failure);
    if (run.signal.aborted) break;
  }
  // The draft is there: it stands, and the reason says what kept the better answer away.
  const reason = kept ?? route.reason;
  if (isDeferred) yield { type: 'fallback-started', reason, toModelId: model.id };
  if (answered.cutShort === true) {
    // Half a draft is no answer: it is written again, to its end.
    const whole = yield* callModel(run, { ...route, ifUnsure: undefined, further: [] }, model.id);
    const whatStands: Answered =
      whole.kind === 'answered' ? whole : { ...answered, finish: 'length' };
    return await resultOf(run, route, whatStands, model, { reason, ...stands });
  }
  return await resultOf(run, route, answered, model, { reason, ...stands });
}

export function unavailable(wanted: string, failed: Failure): Reason {
  if (failed.code === 'no_api_key' || failed.code === 'model_missing') {
    return { code: failed.code, facts: { wanted } };
  }
  return { code: 'provider_unavailable', facts: { wanted, failure: failed.code } };
}

/** Every so many tokens a growing answer is looked at again. */
const LOOK_EVERY = 8;

/** Stops a growing answer whose end is as good as sure to be deferred; `undefined` where it may not be deferred at all. */
export function watchFor(run: Run, route: Route): Watch | undefined {
  const { ports, confidence } = run.deps;
  const model = modelById(run.decided.registry, route.modelId);
  const { ifUnsure } = route;
  if (model.provider !== 'local' || ifUnsure === undefined || route.reason.code === 'forced') {
    return undefined;
  }
  const { task } = route.trace;
  const identity = ports.local.identity(model);
  const gate = gateOf(confidence(), identity, task);
  const { early } = gate;
  if (early === undefined) return undefined;
  const below = Math.min(early.below, ruleFor(run, route, gate.needed, ifUnsure).needed);
  let look = early.fromTokens;
  return ({ text, logProbs }) => {
    if (logProbs.length < look) return false;
    look = logProbs.length + LOOK_EVERY;
    const growing = { text, logProbs, finish: 'stop', growing: true } as const;
    const { value } = confidenceOf(growing, task, confidence(), identity);
    return value < below && tooLate(run, ifUnsure) === undefined;
  };
}

/** @param next who would take over */
async function judge(
  run: Run,
  route: Route,
  model: Model,
  answered: Answered,
  next: string | undefined,
): Promise<Confidence> {
  const { ports, confidence } = run.deps;
  const growing = answered.cutShort === true;
  const code = growing ? undefined : await ports.checkCode?.(answered.text);
  const agreement = growing ? undefined : await agreed(run, route, model, answered.text);
  const judged = { ...answered, code, growing, agreement };
  const found = confidenceOf(
    judged,
    route.trace.task,
    confidence(),
    portOf(model, ports).identity(model),
  );
  const rule = ruleFor(run, route, found.needed, next);
  const tokens = answered.logProbs?.length ?? 0;
  const notes = growing ? [`clear after ${tokens} tokens`, ...rule.notes] : rule.notes;
  return { ...found, needed: rule.needed, ...(notes.length > 0 && { notes }) };
}

/** Only where the gate weighs it: samples that change nothing are not worth their time. */
async function agreed(
  run: Run,
  route: Route,
  model: Model,
  text: string,
): Promise<number | undefined> {
  const { ports, confidence } = run.deps;
  if (model.provider !== 'local') return undefined;
  const gate = gateOf(confidence(), ports.local.identity(model), route.trace.task);
  if (gate.withLogProbs.agreement === undefined) return undefined;
  const request = requestTo(model, run.prompt, run.decided.settings, route);
  return await agreementWith(text, ports.local, model, request, run.signal);
}

const USUAL_INPUT_TOKENS = 300;

/** What deferring is judged by, beside the route. */
export interface DeferralContext {
  readonly prompt: Pick<Prompt, 'constraints'>;
  readonly settings: Settings;
  readonly registry: Registry;
  readonly ports: Pick<RouterPorts, 'catalogue' | 'clock'>;
}

function ruleFor(run: Run, route: Route, needed: number, next: string | undefined): DeferralRule {
  return deferralRuleFor({ ...run.decided, ports: run.deps.ports }, route, needed, next);
}

/** What deferring this prompt's answer would cost and bring, against the usual. A quality that was asked for is not traded. */
export function deferralRuleFor(
  { prompt, settings, registry, ports }: DeferralContext,
  route: Route,
  needed: number,
  next: string | undefined = route.ifUnsure,
): DeferralRule {
  const { trace } = route;
  if (next === undefined || prompt.constraints.minQuality !== undefined) {
    return { needed, notes: [] };
  }
  const alone = trace.candidates.find((plan) => plan.first === next && !plan.ifUnsure);
  const price = ports.catalogue.price(modelById(registry, next).id, ports.clock.now());
  const usual =
    price &&
    costOf(price, {
      ...UNKNOWN_USAGE,
      inputTokens: USUAL_INPUT_TOKENS,
      outputTokens: settings.expectedOutputTokens,
    });
  const expected = alone?.expectedCostNanoUsd;
  return deferralRule({
    needed,
    otherQuality: route.qualities[next] ?? 1,
    costRatio: expected === undefined || !usual ? undefined : expected / usual,
    pressure: pressureOf(trace.budget, ports.clock.now(), settings.pacingFrom),
  });
}

/** True where the first model alone was not expected to be good enough, so that passing the gate decided. */
function reliedOnGate(run: Run, route: Route): boolean {
  const { minQuality } = run.prompt.constraints;
  return minQuality !== undefined && route.ifUnsure !== undefined && 1 - route.score < minQuality;
}

/** Why an unsure local answer may not be deferred: what excluded the plan that would have deferred it. */
function deferralBlock(route: Route): Reason | undefined {
  const plan = route.trace.candidates.findLast(
    ({ first, ifUnsure }) => first === route.modelId && ifUnsure !== undefined,
  );
  return plan === undefined ? undefined : Object.values(plan.exclusions)[0];
}

/** A deferral that would end past the latency limit is not begun; an unmeasured model is given the chance. */
function tooLate(run: Run, wanted: string): Reason | undefined {
  const { ports } = run.deps;
  const limitMs = run.prompt.constraints.maxLatencyMs;
  const model = modelById(run.decided.registry, wanted);
  const speed = ports.speeds.get(portOf(model, ports).identity(model));
  if (limitMs === undefined || speed === undefined) return undefined;
  const answerMs = (run.decided.settings.expectedOutputTokens / speed.outputTokensPerSecond) * 1000;
  const elapsedMs = ports.clock.monotonicMs() - run.startedMs;
  const needsMs = elapsedMs + speed.timeToFirstTokenMs + answerMs;
  if (needsMs <= limitMs) return undefined;
  return { code: 'latency_limit', facts: { wanted, needsMs, limitMs } };
}

function markDeferred(run: Run): void {
  const draft = run.attempts.pop();
  if (draft !== undefined) run.attempts.push({ ...draft, outcome: 'deferred' });
}
