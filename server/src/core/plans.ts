/** Lists the plans for a prompt and estimates what each would cost, how long it would take and how good it would be. Chooses nothing. */
import { tightest } from './budget.ts';
import {
  type EstimateInput,
  type Exclusions,
  estimatePart,
  type Gate,
  type ModelEstimate,
  NOTHING_EXCLUDED,
  type PlanningContext,
  type PlanPart,
} from './estimate.ts';
import { addUsd, tighterLimit } from './price.ts';
import type { NanoUsd } from './types.ts';

/** One plan: the model that answers first and, where the gate may defer, the one that takes over. */
export interface Candidate {
  readonly first: string;
  readonly ifUnsure: string | undefined;
  readonly quality: number;
  /** Chance that `ifUnsure` will have to answer. */
  readonly deferralShare: number;
  /** Who takes over after `ifUnsure`, in this order; absent where nobody does. */
  readonly further?: readonly Further[];
  readonly expectedCostNanoUsd: NanoUsd | undefined;
  /** The most that the whole plan can cost. */
  readonly boundNanoUsd: NanoUsd | undefined;
  readonly expectedLatencyMs: number | undefined;
  /** Output caps by model id, lowered where money or time is short. */
  readonly outputCaps: Readonly<Record<string, number>>;
  readonly exclusions: Exclusions;
}

/** A model further up a plan, and the chance that it will have to answer. */
export interface Further {
  readonly modelId: string;
  readonly share: number;
}

/** What a ladder adds to what is known of a model. */
export interface Rung {
  readonly gate: Gate;
  /** What escalating from it to the yardstick is worth, as the score is; absent for the yardstick and what is as good. */
  readonly gain?: number;
}

export interface PlanInput extends EstimateInput {
  readonly cheap: ModelEstimate | undefined;
  readonly escalations: readonly ModelEstimate[];
  /** Of the cheap model. */
  readonly gate: Gate;
  /** By model id; the cheap model and the escalations are then in the order of their prices. Absent for the pair. */
  readonly rungs?: ReadonlyMap<string, Rung> | undefined;
}

export function listCandidates(input: PlanInput): Candidate[] {
  const context = contextOf(input);
  const cheap = input.cheap && estimatePart(input.cheap, context);
  const escalations = input.escalations.map((estimate) => estimatePart(estimate, context));
  if (input.rungs !== undefined) {
    return ladderPlans(cheap === undefined ? escalations : [cheap, ...escalations], context);
  }
  const clouds = escalations.map((part) => planOf(part, undefined, context));
  if (cheap === undefined) return clouds;
  return [
    planOf(cheap, undefined, context),
    ...escalations.map((part) => planOf(cheap, part, context)),
    ...clouds,
  ];
}

interface Context extends PlanningContext, PlanInput {}

function contextOf(input: PlanInput): Context {
  const budget = tightest(input.budget);
  const mostNanoUsd = tighterLimit(input.constraints.maxCostNanoUsd, budget?.leftNanoUsd);
  return { ...input, tightest: budget, mostNanoUsd };
}

/** Every rung alone, and followed by each dearer and better one, from which the plan goes on upwards. */
function ladderPlans(parts: readonly PlanPart[], context: Context): Candidate[] {
  return parts.flatMap((first, at) => {
    const above = parts.slice(at + 1);
    return [
      planOf(first, undefined, context),
      ...above
        .filter(({ estimate }) => estimate.score < first.estimate.score)
        .map((second) => planOf(first, second, context, furtherUp(first, second, above, context))),
    ];
  });
}

/** What is above the second model of a plan, usable and better each time, as far as the time allows. */
function furtherUp(
  first: PlanPart,
  second: PlanPart,
  above: readonly PlanPart[],
  { constraints }: Context,
): readonly PlanPart[] {
  const further: PlanPart[] = [];
  let below = second;
  let needsMs = (first.latencyMs ?? 0) + (second.latencyMs ?? 0);
  for (const part of above.slice(above.indexOf(second) + 1)) {
    if (part.estimate.score >= below.estimate.score || part.exclusions !== NOTHING_EXCLUDED)
      continue;
    needsMs += part.latencyMs ?? 0;
    if (needsMs > (constraints.maxLatencyMs ?? Number.POSITIVE_INFINITY)) break;
    further.push(part);
    below = part;
  }
  return further;
}

const NOBODY: readonly PlanPart[] = [];

function planOf(
  first: PlanPart,
  second: PlanPart | undefined,
  context: Context,
  more: readonly PlanPart[] = NOBODY,
): Candidate {
  const { score } = first.estimate;
  const firstId = first.estimate.model.id;
  if (second === undefined) {
    return {
      first: firstId,
      ifUnsure: undefined,
      quality: 1 - score,
      deferralShare: 0,
      expectedCostNanoUsd: first.costNanoUsd,
      boundNanoUsd: first.boundNanoUsd,
      expectedLatencyMs: first.latencyMs,
      outputCaps: capsOf([first]),
      exclusions: exclusionsOf(first, undefined, context),
    };
  }
  const gate = context.rungs?.get(firstId)?.gate ?? context.gate;
  const secondId = second.estimate.model.id;
  const third = more[0];
  // What follows when the second model has to answer is a plan of its own.
  const above = third && planOf(second, third, context, more.slice(1));
  const costAfter = above === undefined ? second.costNanoUsd : above.expectedCostNanoUsd;
  const boundAfter = above === undefined ? second.boundNanoUsd : above.boundNanoUsd;
  const latencyAfter = above === undefined ? second.latencyMs : above.expectedLatencyMs;
  const missAfter = above === undefined ? second.estimate.score : 1 - above.quality;
  const deferralShare = score * gate.catchRate + (1 - score) * gate.falseRejectRate;
  const plan: Candidate = {
    first: firstId,
    ifUnsure: secondId,
    quality: checkedQuality(score, missAfter, gate),
    deferralShare,
    expectedCostNanoUsd:
      first.costNanoUsd === undefined || costAfter === undefined
        ? undefined
        : addUsd(first.costNanoUsd, Math.round(costAfter * deferralShare) as NanoUsd),
    boundNanoUsd:
      first.boundNanoUsd === undefined || boundAfter === undefined
        ? undefined
        : within(addUsd(first.boundNanoUsd, boundAfter), context),
    expectedLatencyMs: checkedLatencyMs(first.latencyMs, latencyAfter, deferralShare),
    outputCaps: capsOf([first, second, ...more]),
    exclusions: exclusionsOf(first, second, context),
  };
  return above === undefined ? plan : { ...plan, further: furtherOf(above, deferralShare) };
}

function capsOf(parts: readonly PlanPart[]): Candidate['outputCaps'] {
  const caps: Record<string, number> = {};
  for (const { estimate, cap } of parts) caps[estimate.model.id] = cap;
  return caps;
}

/** @param reached chance that the first model of the plan has to answer at all */
function furtherOf(plan: Candidate, reached: number): readonly Further[] {
  const { ifUnsure, deferralShare, further = [] } = plan;
  const next = ifUnsure === undefined ? [] : [{ modelId: ifUnsure, share: deferralShare }];
  return [...next, ...further].map(({ modelId, share }) => ({ modelId, share: reached * share }));
}

/** Each call is given no more than what the request's own limit has left. */
function within(boundNanoUsd: NanoUsd, { constraints: { maxCostNanoUsd } }: Context): NanoUsd {
  return maxCostNanoUsd === undefined || boundNanoUsd <= maxCostNanoUsd
    ? boundNanoUsd
    : maxCostNanoUsd;
}

/** A good first answer survives unless the gate rejects it in error; a bad one is mended when the gate catches it. */
function checkedQuality(score: number, missAfter: number, gate: Gate): number {
  const good = (1 - score) * (1 - gate.falseRejectRate * missAfter);
  return good + score * gate.catchRate * (1 - missAfter);
}

function checkedLatencyMs(
  first: number | undefined,
  second: number | undefined,
  deferralShare: number,
): number | undefined {
  if (first === undefined || deferralShare === 0) return first;
  return second === undefined ? undefined : first + deferralShare * second;
}

function exclusionsOf(
  first: PlanPart,
  second: PlanPart | undefined,
  { constraints }: PlanningContext,
): Exclusions {
  const both = eitherOf(first.exclusions, second?.exclusions ?? NOTHING_EXCLUDED);
  const limitMs = constraints.maxLatencyMs;
  // What is known of the plan must fit; an unmeasured part has nothing known against it.
  const needsMs = (first.latencyMs ?? 0) + (second?.latencyMs ?? 0);
  if (limitMs === undefined || needsMs <= limitMs) return both;
  const wanted = first.estimate.model.id;
  return { ...both, latency: { code: 'latency_limit', facts: { wanted, needsMs, limitMs } } };
}

/** Of a layer in both, the first's; the first's layers come first. */
function eitherOf(first: Exclusions, second: Exclusions): Exclusions {
  if (second === NOTHING_EXCLUDED) return first;
  return first === NOTHING_EXCLUDED ? second : { ...first, ...second, ...first };
}
