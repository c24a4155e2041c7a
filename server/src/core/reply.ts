/** An answer, a decision and their trace as every edge hands them out: snake_case, dollars for money, null for what is unknown. */
import type { AnswerResult, Attempt, Confidence, Part, Route } from './answer.ts';
import { dollars } from './price.ts';
import { type Reason, reasonSentence, reasonText } from './reason.ts';
import { formatUsd, labelOf } from './report.ts';
import { leftOutSentence } from './trimToFit.ts';
import type { NanoUsd, Registry } from './types.ts';

export function answerOf(result: AnswerResult, registry: Registry) {
  const { route, savings } = result;
  return {
    request_id: result.promptId,
    text: result.text,
    chosen_model: result.modelId,
    served: result.served,
    tokens_in: result.usage.inputTokens ?? null,
    tokens_out: result.usage.outputTokens ?? null,
    latency_ms: Math.round(result.timing.latencyMs),
    estimated_cost_usd: usdOf(route.expectedCostNanoUsd),
    cost_bound_usd: usdOf(route.boundNanoUsd),
    cost_usd: dollars(result.costNanoUsd),
    cost_is_bound: result.costIsBound,
    quality_proxy: result.quality,
    route_reason: reasonText(result.reason),
    reason: sentenceOf(result.reason, registry),
    cache_hit: result.served === 'cache',
    ...(savings.kind === 'known'
      ? { saved_cost_usd: dollars(savings.savedNanoUsd) }
      : { saved_cost_usd: null, savings_unknown_because: savings.why }),
    finish: result.finish,
    trace: traceOf(route, result),
  };
}

/** A decision without an answer: nothing was generated or spent, so `text` is null and the cost 0. */
export function dryRunOf(route: Route, registry: Registry) {
  return {
    request_id: route.promptId,
    text: null,
    chosen_model: route.modelId,
    served: null,
    tokens_in: null,
    tokens_out: null,
    latency_ms: roundedMs(route.expectedLatencyMs),
    estimated_cost_usd: usdOf(route.expectedCostNanoUsd),
    cost_bound_usd: usdOf(route.boundNanoUsd),
    cost_usd: 0,
    cost_is_bound: false,
    quality_proxy: route.quality,
    route_reason: reasonText(route.reason),
    reason: sentenceOf(route.reason, registry),
    cache_hit: null,
    saved_cost_usd: null,
    savings_unknown_because: 'dry_run' as const,
    finish: null,
    trace: traceOf(route, { attempts: [] }),
  };
}

type Outcome = {
  readonly confidence?: Confidence | undefined;
  readonly attempts: readonly Attempt[];
};

export function traceOf(route: Route, outcome: Outcome) {
  const { trace } = route;
  return {
    task: trace.task,
    score: route.score,
    threshold: route.threshold,
    parts: parts(trace.parts),
    wanted_model: route.wanted,
    if_unsure: route.ifUnsure ?? null,
    below_wanted: route.belowWanted,
    qualities: { ...route.qualities },
    candidates: trace.candidates.map((plan) => ({
      model: plan.first,
      if_unsure: plan.ifUnsure ?? null,
      further: (plan.further ?? []).map(({ modelId }) => modelId),
      quality: plan.quality,
      deferral_share: plan.deferralShare,
      expected_cost_usd: usdOf(plan.expectedCostNanoUsd),
      cost_bound_usd: usdOf(plan.boundNanoUsd),
      expected_latency_ms: roundedMs(plan.expectedLatencyMs),
      output_caps: { ...plan.outputCaps },
      excluded_by: Object.values(plan.exclusions).map(reasonText),
    })),
    would_flip: [...trace.flips],
    findings: trace.findings.map(({ rule, where }) => ({ rule, where })),
    left_out: (trace.leftOut ?? []).map((one) => leftOutSentence(one)),
    decision_ms: trace.decisionMs,
    confidence: outcome.confidence === undefined ? null : confidenceOf(outcome.confidence),
    attempts: outcome.attempts.map((one) => ({
      model: one.modelId,
      outcome: one.outcome,
      failure: one.failure?.code ?? null,
      tokens_in: one.usage.inputTokens ?? null,
      tokens_out: one.usage.outputTokens ?? null,
      cost_usd: dollars(one.costNanoUsd),
      cost_is_bound: one.costIsBound,
      price_row: one.priceRowId ?? null,
      latency_ms: Math.round(one.timing.latencyMs),
      first_token_ms: roundedMs(one.timing.firstTokenMs),
    })),
  };
}

export function confidenceOf(confidence: Confidence) {
  const { value, needed, notes = [] } = confidence;
  return { value, needed, parts: parts(confidence.parts), notes: [...notes] };
}

function parts(all: readonly Part[]) {
  return all.map(({ name, added, detail }) => ({ name, added, detail }));
}

export function usdOf(amount: NanoUsd | undefined): number | null {
  return amount === undefined ? null : dollars(amount);
}

/** Whole milliseconds: what is finer is noise. */
export function roundedMs(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms);
}

/** Ids become labels in sentences, money becomes dollars. */
export function sentenceOf(reason: Reason, registry: Registry): string {
  return reasonSentence(reason, labelOf(registry), formatUsd);
}
