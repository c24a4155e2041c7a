/** What one model of a plan would cost for a prompt, how long it would take, and what stands against it. */
import type { BudgetLeft } from './budget.ts';
import { isAble, type Need } from './callerWishes.ts';
import type { Availability, BudgetState } from './ports.ts';
import { costBound, costOf, outputCapWithin, ZERO_USD } from './price.ts';
import type { Reason } from './reason.ts';
import { runsHere } from './runsHere.ts';
import type {
  Constraints,
  MeasuredSpeed,
  Model,
  NanoUsd,
  PriceRow,
  PrivacyFinding,
} from './types.ts';

/** What is known of one model for one prompt. */
export interface ModelEstimate {
  readonly model: Model;
  readonly availability: Availability;
  /** Chance that this model's answer is not good enough. */
  readonly score: number;
  /** ≈ tokens of the prompt. */
  readonly inputTokens: number;
  /** Never less than what the provider will count. */
  readonly inputBound: number;
  /** `undefined` for a local model, which costs nothing, and for a cloud model without a price, which is refused. */
  readonly price: PriceRow | undefined;
  /** Measured on this machine, or unknown. */
  readonly speed: MeasuredSpeed | undefined;
}

/** How well the gate on finished local answers works, as measured when it was fitted. */
export interface Gate {
  readonly needed: number;
  /** Share of bad answers that it rejects. */
  readonly catchRate: number;
  /** Share of good answers that it rejects. */
  readonly falseRejectRate: number;
}

export interface PlanningFigures {
  readonly expectedOutputTokens: number;
  readonly maxOutputTokens: number;
  /** An output cap lower than this is not worth paying for. */
  readonly minUsefulOutputTokens: number;
}

export type Layer =
  | 'privacy'
  | 'capability'
  | 'context'
  | 'price'
  | 'cost'
  | 'latency'
  | 'budget'
  | 'availability';

export interface EstimateInput {
  readonly constraints: Constraints;
  readonly needs: readonly Need[];
  readonly budget: BudgetState;
  readonly findings: readonly PrivacyFinding[];
  readonly figures: PlanningFigures;
}

export interface PlanningContext extends EstimateInput {
  readonly tightest: BudgetLeft | undefined;
}

/** One model's share of any plan that it is in. */
export interface PlanPart {
  readonly estimate: ModelEstimate;
  readonly cap: number;
  readonly costNanoUsd: NanoUsd | undefined;
  readonly boundNanoUsd: NanoUsd | undefined;
  readonly latencyMs: number | undefined;
  readonly exclusions: readonly (readonly [Layer, Reason])[];
}

export function estimatePart(estimate: ModelEstimate, context: PlanningContext): PlanPart {
  const cap = capFor(estimate, context);
  return {
    estimate,
    cap,
    costNanoUsd: expectedCost(estimate, cap, context.figures),
    boundNanoUsd: boundOf(estimate, cap),
    latencyMs: expectedLatencyMs(estimate, context.figures.expectedOutputTokens),
    exclusions: partExclusions(estimate, context),
  };
}

type Exclusion = readonly [Layer, Reason];

const NONE: readonly Exclusion[] = [];

function partExclusions(part: ModelEstimate, input: PlanningContext): readonly Exclusion[] {
  const { model } = part;
  const wanted = model.id;
  const { constraints, figures } = input;
  const found: Exclusion[] = [];
  if (!runsHere(model)) {
    const { privacy = 'any' } = constraints;
    const rule = privacy === 'any' ? input.findings[0]?.rule : privacy;
    if (rule !== undefined) {
      found.push(['privacy', { code: 'privacy_floor', facts: { rule, wanted } }]);
    }
  }
  const lacks = input.needs.find((need) => !isAble(model, need));
  if (lacks !== undefined) {
    found.push(['capability', { code: 'capability_missing', facts: { wanted, needs: lacks } }]);
  }
  const room = Math.min(figures.minUsefulOutputTokens, requestedCap(part, input));
  if (part.inputTokens + room > model.contextWindow) {
    const { inputTokens: tokens } = part;
    const facts = { wanted, tokens, limit: model.contextWindow };
    found.push(['context', { code: 'context_limit', facts }]);
  }
  if (model.provider !== 'local' && part.price === undefined) {
    found.push(['price', { code: 'unknown_price', facts: { wanted } }]);
  }
  if (part.price !== undefined) found.push(...moneyExclusions(part, part.price, input));
  found.push(...availabilityExclusion(part, input));
  return found.length === 0 ? NONE : found;
}

function moneyExclusions(
  part: ModelEstimate,
  price: PriceRow,
  input: PlanningContext,
): readonly Exclusion[] {
  const { maxCostNanoUsd } = input.constraints;
  const budget = input.tightest;
  if (maxCostNanoUsd === undefined && budget === undefined) return NONE;
  const wanted = part.model.id;
  const cap = Math.min(input.figures.minUsefulOutputTokens, requestedCap(part, input));
  const needsNanoUsd = costBound(price, part.inputBound, cap);
  const found: Exclusion[] = [];
  if (maxCostNanoUsd !== undefined && needsNanoUsd > maxCostNanoUsd) {
    const facts = { wanted, needsNanoUsd, limitNanoUsd: maxCostNanoUsd };
    found.push(['cost', { code: 'cost_limit', facts }]);
  }
  if (budget !== undefined && needsNanoUsd > budget.leftNanoUsd) {
    const { leftNanoUsd: limitNanoUsd, period } = budget;
    const facts = { wanted, needsNanoUsd, limitNanoUsd, period };
    found.push(['budget', { code: 'budget_exhausted', facts }]);
  }
  return found;
}

function availabilityExclusion(part: ModelEstimate, input: PlanningContext): readonly Exclusion[] {
  const wanted = part.model.id;
  switch (part.availability.kind) {
    case 'ready':
      return NONE;
    case 'no_api_key': {
      const wouldCostNanoUsd = expectedCost(part, capFor(part, input), input.figures);
      return [['availability', { code: 'no_api_key', facts: { wanted, wouldCostNanoUsd } }]];
    }
    case 'model_missing':
      return [['availability', { code: 'model_missing', facts: { wanted } }]];
    case 'unavailable': {
      const facts = { wanted, failure: part.availability.why };
      return [['availability', { code: 'provider_unavailable', facts }]];
    }
  }
}

/** OpenAI refuses a smaller `max_output_tokens`. */
const LEAST_CLOUD_CAP = 16;

function requestedCap(part: ModelEstimate, input: EstimateInput): number {
  const wanted = input.constraints.maxOutputTokens ?? input.figures.maxOutputTokens;
  const least = part.model.provider === 'openai' ? LEAST_CLOUD_CAP : 1;
  return Math.max(least, Math.min(wanted, part.model.maxOutputTokens));
}

/** The output cap of a part: what was asked for, lowered to what the context, the money and the time allow. */
function capFor(part: ModelEstimate, input: PlanningContext): number {
  let cap = Math.min(
    requestedCap(part, input),
    Math.max(1, part.model.contextWindow - part.inputTokens),
  );
  if (part.price !== undefined) {
    for (const limit of [input.constraints.maxCostNanoUsd, input.tightest?.leftNanoUsd]) {
      if (limit !== undefined)
        cap = Math.min(cap, outputCapWithin(part.price, part.inputBound, limit));
    }
  }
  const { maxLatencyMs } = input.constraints;
  if (maxLatencyMs !== undefined && part.speed !== undefined) {
    const left = maxLatencyMs - (expectedLatencyMs(part, 0) ?? 0);
    const tokens = Math.floor((left / 1000) * part.speed.outputTokensPerSecond);
    if (tokens >= input.figures.minUsefulOutputTokens) cap = Math.min(cap, tokens);
  }
  return Math.max(0, cap);
}

function expectedCost(
  part: ModelEstimate,
  cap: number,
  figures: PlanningFigures,
): NanoUsd | undefined {
  if (part.model.provider === 'local') return ZERO_USD;
  if (part.price === undefined) return undefined;
  return costOf(part.price, {
    inputTokens: part.inputTokens,
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    outputTokens: Math.min(figures.expectedOutputTokens, Math.max(cap, 1)),
    reasoningTokens: undefined,
  });
}

function boundOf(part: ModelEstimate, cap: number): NanoUsd | undefined {
  if (part.model.provider === 'local') return ZERO_USD;
  return part.price === undefined ? undefined : costBound(part.price, part.inputBound, cap);
}

function expectedLatencyMs(part: ModelEstimate, outputTokens: number): number | undefined {
  if (part.speed === undefined) return undefined;
  const { promptTokensPerSecond, outputTokensPerSecond, timeToFirstTokenMs } = part.speed;
  const readingMs = (part.inputTokens / promptTokensPerSecond) * 1000;
  return Math.max(timeToFirstTokenMs, readingMs) + (outputTokens / outputTokensPerSecond) * 1000;
}
