/**
 * An answer, a decision and a failure as `--json` prints them, one object each. Field by field the REST reply,
 * so that a script can change from one to the other; a test compares the two.
 */
import type { AnswerResult, Attempt, Confidence, Route } from '../core/answer.ts';
import type { Failure } from '../core/errors.ts';
import { dollars } from '../core/price.ts';
import { type Reason, reasonSentence, reasonText } from '../core/reason.ts';
import { formatUsd, labelOf } from '../core/report.ts';
import type { NanoUsd, Registry, Savings } from '../core/types.ts';

type Json = Record<string, unknown>;

export function answerJson(result: AnswerResult, registry: Registry): Json {
  const { route, usage } = result;
  return {
    request_id: result.promptId,
    text: result.text,
    chosen_model: result.modelId,
    served: result.served,
    tokens_in: usage.inputTokens ?? null,
    tokens_out: usage.outputTokens ?? null,
    latency_ms: result.timing.latencyMs,
    estimated_cost_usd: usdOrNull(route.expectedCostNanoUsd),
    cost_bound_usd: usdOrNull(route.boundNanoUsd),
    cost_usd: dollars(result.costNanoUsd),
    cost_is_bound: result.costIsBound,
    quality_proxy: result.quality,
    ...reasonJson(result.reason, registry),
    cache_hit: result.served === 'cache',
    ...savingsJson(result.savings),
    finish: result.finish,
    trace: traceJson(route, result.confidence, result.attempts),
  };
}

/** A decision without an answer: nothing was generated or spent, so `text` is null and the cost 0. */
export function routeJson(route: Route, registry: Registry): Json {
  return {
    request_id: route.promptId,
    text: null,
    chosen_model: route.modelId,
    served: null,
    tokens_in: null,
    tokens_out: null,
    latency_ms: route.expectedLatencyMs ?? null,
    estimated_cost_usd: usdOrNull(route.expectedCostNanoUsd),
    cost_bound_usd: usdOrNull(route.boundNanoUsd),
    cost_usd: 0,
    cost_is_bound: false,
    quality_proxy: route.quality,
    ...reasonJson(route.reason, registry),
    cache_hit: null,
    saved_cost_usd: null,
    savings_unknown_because: 'dry_run',
    finish: null,
    trace: traceJson(route, undefined, []),
  };
}

export function failureJson(
  failed: Failure,
  reason: Reason | undefined,
  costNanoUsd: NanoUsd,
  registry: Registry | undefined,
): Json {
  return {
    error: {
      code: failed.code,
      message: failed.message,
      path: null,
      ...(reason !== undefined && registry !== undefined && reasonJson(reason, registry)),
      cost_usd: dollars(costNanoUsd),
    },
  };
}

function reasonJson(reason: Reason, registry: Registry): Json {
  return {
    route_reason: reasonText(reason),
    reason: reasonSentence(reason, labelOf(registry), formatUsd),
  };
}

function savingsJson(savings: Savings): Json {
  return savings.kind === 'known'
    ? { saved_cost_usd: dollars(savings.savedNanoUsd) }
    : { saved_cost_usd: null, savings_unknown_because: savings.why };
}

function traceJson(
  route: Route,
  confidence: Confidence | undefined,
  attempts: readonly Attempt[],
): Json {
  const { trace } = route;
  return {
    task: trace.task,
    score: route.score,
    threshold: route.threshold,
    parts: trace.parts,
    wanted_model: route.wanted,
    if_unsure: route.ifUnsure ?? null,
    below_wanted: route.belowWanted,
    qualities: route.qualities,
    candidates: trace.candidates.map((plan) => ({
      model: plan.first,
      if_unsure: plan.ifUnsure ?? null,
      quality: plan.quality,
      deferral_share: plan.deferralShare,
      expected_cost_usd: usdOrNull(plan.expectedCostNanoUsd),
      cost_bound_usd: usdOrNull(plan.boundNanoUsd),
      expected_latency_ms: plan.expectedLatencyMs ?? null,
      output_caps: plan.outputCaps,
      excluded_by: Object.values(plan.exclusions).map(reasonText),
    })),
    would_flip: trace.flips,
    findings: trace.findings,
    decision_ms: trace.decisionMs,
    confidence: confidence ?? null,
    attempts: attempts.map(attemptJson),
  };
}

function attemptJson(attempt: Attempt): Json {
  return {
    model: attempt.modelId,
    outcome: attempt.outcome,
    failure: attempt.failure?.code ?? null,
    tokens_in: attempt.usage.inputTokens ?? null,
    tokens_out: attempt.usage.outputTokens ?? null,
    cost_usd: dollars(attempt.costNanoUsd),
    cost_is_bound: attempt.costIsBound,
    price_row: attempt.priceRowId ?? null,
    latency_ms: attempt.timing.latencyMs,
    first_token_ms: attempt.timing.firstTokenMs ?? null,
  };
}

function usdOrNull(amount: NanoUsd | undefined): number | null {
  return amount === undefined ? null : dollars(amount);
}
