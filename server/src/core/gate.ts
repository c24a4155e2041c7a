/** The gate on finished local answers: one that is unsure is deferred where it may be, and stands with the reason where it may not. */
import type { AnswerResult, Confidence, Route, RouterEvent } from './answer.ts';
import { callModel } from './callModel.ts';
import { confidenceOf } from './confidence.ts';
import { modelById } from './decide.ts';
import type { Failure } from './errors.ts';
import type { Reason } from './reason.ts';
import { type Answered, type Run, resultOf } from './run.ts';

/**
 * @param isFallback the answer comes from a model that took over; its reason is then that failure, and stays
 */
export async function* checkAnswer(
  run: Run,
  route: Route,
  answered: Answered,
  isFallback: boolean,
): AsyncGenerator<RouterEvent, AnswerResult> {
  const { registry } = run.decided;
  const model = modelById(registry, route.modelId);
  const routed = { reason: route.reason, belowWanted: route.belowWanted };
  if (model.provider !== 'local') return await resultOf(run, route, answered, model, routed);

  const confidence = judge(run, route, answered);
  const facts = { confidence: confidence.value, needed: confidence.needed };
  if (confidence.value >= confidence.needed) {
    const reason: Reason = reliedOnGate(run, route)
      ? { code: 'confident', facts: { ...facts, model: model.id } }
      : route.reason;
    return await resultOf(run, route, answered, model, { ...routed, reason, confidence });
  }

  if (route.reason.code === 'forced') {
    return await resultOf(run, route, answered, model, { ...routed, confidence });
  }
  const { ifUnsure } = route;
  if (ifUnsure === undefined) {
    const reason = (isFallback ? undefined : deferralBlock(route)) ?? route.reason;
    return await resultOf(run, route, answered, model, { reason, belowWanted: true, confidence });
  }
  const late = tooLate(run, ifUnsure);
  if (late !== undefined) {
    return await resultOf(run, route, answered, model, {
      reason: late,
      belowWanted: true,
      confidence,
    });
  }

  yield { type: 'answer-deferred', confidence, toModelId: ifUnsure };
  markDeferred(run);
  const second = yield* callModel(run, route, ifUnsure);
  if (second.kind === 'answered') {
    const reason: Reason = { code: 'low_confidence', facts: { ...facts, model: ifUnsure } };
    const escalated = modelById(registry, ifUnsure);
    const verdict = { reason, belowWanted: false, confidence };
    return await resultOf(run, route, second, escalated, verdict);
  }
  // The draft is there and paid for by nobody: it stands, and the reason says what kept the better answer away.
  const reason = second.reason ?? unavailable(ifUnsure, second.failure);
  yield { type: 'fallback-started', reason, toModelId: model.id };
  return await resultOf(run, route, answered, model, { reason, belowWanted: true, confidence });
}

export function unavailable(wanted: string, failed: Failure): Reason {
  if (failed.code === 'no_api_key' || failed.code === 'model_missing') {
    return { code: failed.code, facts: { wanted } };
  }
  return { code: 'provider_unavailable', facts: { wanted, failure: failed.code } };
}

function judge(run: Run, route: Route, answered: Answered): Confidence {
  const { ports, confidence } = run.deps;
  const model = modelById(run.decided.registry, route.modelId);
  return confidenceOf(answered, route.trace.task, confidence, ports.local.identity(model));
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
  const speed = ports.speeds.get(ports.cloud.identity(model));
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
