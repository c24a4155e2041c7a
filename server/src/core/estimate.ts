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
  /** The most that one call may cost, by the request's own limit and by the tightest budget. */
  readonly mostNanoUsd: NanoUsd | undefined;
}

/** What stands against a model or a plan, at most one reason a layer. */
export type Exclusions = Readonly<Partial<Record<Layer, Reason>>>;

export const NOTHING_EXCLUDED: Exclusions = Object.freeze({});

/** One model's share of any plan that it is in. */
export interface PlanPart {
  readonly estimate: ModelEstimate;
  readonly cap: number;
  readonly costNanoUsd: NanoUsd | undefined;
  readonly boundNanoUsd: NanoUsd | undefined;
  readonly latencyMs: number | undefined;
  /** `NOTHING_EXCLUDED` itself where there is nothing. */
  readonly exclusions: Exclusions;
}

export function estimatePart(estimate: ModelEstimate, context: PlanningContext): PlanPart {
  const wantedCap = requestedCap(estimate, context);
  const cap = capFor(estimate, wantedCap, context);
  const costNanoUsd = expectedCost(estimate, cap, context.figures);
  return {
    estimate,
    cap,
    costNanoUsd,
    boundNanoUsd: boundOf(estimate, cap),
    latencyMs: expectedLatencyMs(estimate, context.figures.expectedOutputTokens),
    exclusions: partExclusions(estimate, wantedCap, costNanoUsd, context),
  };
}

function partExclusions(
  part: ModelEstimate,
  wantedCap: number,
  costNanoUsd: NanoUsd | undefined,
  input: PlanningContext,
): Exclusions {
  const { model, price, inputTokens } = part;
  const wanted = model.id;
  const found: { -readonly [layer in Layer]?: Reason } = {};
  if (!runsHere(model)) {
    const { privacy = 'any' } = input.constraints;
    const rule = privacy === 'any' ? input.findings[0]?.rule : privacy;
    if (rule !== undefined) found.privacy = { code: 'privacy_floor', facts: { rule, wanted } };
  }
  const lacks = input.needs.find((need) => !isAble(model, need));
  if (lacks !== undefined) {
    found.capability = { code: 'capability_missing', facts: { wanted, needs: lacks } };
  }
  const usefulCap = Math.min(input.figures.minUsefulOutputTokens, wantedCap);
  if (inputTokens + usefulCap > model.contextWindow) {
    const facts = { wanted, tokens: inputTokens, limit: model.contextWindow };
    found.context = { code: 'context_limit', facts };
  }
  if (model.provider !== 'local' && price === undefined) {
    found.price = { code: 'unknown_price', facts: { wanted } };
  }
  const { tightest: budget, mostNanoUsd } = input;
  if (price !== undefined && mostNanoUsd !== undefined) {
    const needsNanoUsd = costBound(price, part.inputBound, usefulCap);
    const { maxCostNanoUsd } = input.constraints;
    if (maxCostNanoUsd !== undefined && needsNanoUsd > maxCostNanoUsd) {
      const facts = { wanted, needsNanoUsd, limitNanoUsd: maxCostNanoUsd };
      found.cost = { code: 'cost_limit', facts };
    }
    if (budget !== undefined && needsNanoUsd > budget.leftNanoUsd) {
      const { leftNanoUsd: limitNanoUsd, period } = budget;
      const facts = { wanted, needsNanoUsd, limitNanoUsd, period };
      found.budget = { code: 'budget_exhausted', facts };
    }
  }
  const unavailable = unavailability(part, costNanoUsd);
  if (unavailable !== undefined) found.availability = unavailable;
  return isEmpty(found) ? NOTHING_EXCLUDED : found;
}

function isEmpty(found: Exclusions): boolean {
  for (const _ in found) return false;
  return true;
}

function unavailability(
  { model, availability }: ModelEstimate,
  costNanoUsd: NanoUsd | undefined,
): Reason | undefined {
  const wanted = model.id;
  switch (availability.kind) {
    case 'ready':
      return undefined;
    case 'no_api_key':
      return { code: 'no_api_key', facts: { wanted, wouldCostNanoUsd: costNanoUsd } };
    case 'model_missing':
      return { code: 'model_missing', facts: { wanted } };
    case 'unavailable':
      return { code: 'provider_unavailable', facts: { wanted, failure: availability.why } };
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
function capFor(part: ModelEstimate, wantedCap: number, input: PlanningContext): number {
  const { price, inputBound } = part;
  let cap = Math.min(wantedCap, Math.max(1, part.model.contextWindow - part.inputTokens));
  if (price !== undefined && input.mostNanoUsd !== undefined) {
    cap = Math.min(cap, outputCapWithin(price, inputBound, input.mostNanoUsd));
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
