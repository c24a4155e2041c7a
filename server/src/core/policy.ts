/**
 * Chooses the cheapest plan that is good enough. The reason is found, not written: limits are applied one layer
 * after the other, and the last one that made another model answer is the reason.
 */
import { usedShare } from './budget.ts';
import type { Conversation } from './conversation.ts';
import { flipsOf, layers } from './flips.ts';
import { type Candidate, listCandidates, type PlanInput } from './plans.ts';
import type { Reason } from './reason.ts';
import { type Refused, refuse, refuseForced } from './refusals.ts';
import type { Settings } from './schema.ts';

export interface PolicyInput extends PlanInput {
  /** What escalating this prompt is worth; without an escalation model, the chance that the cheap one fails. */
  readonly score: number;
  /** The score above which the escalation tier answers at once. */
  readonly threshold: number;
  readonly task: string;
  /** Moves the threshold, unless a quality is asked for by number. */
  readonly conversation: Conversation | undefined;
  /** Whose quality an escalated answer must have: the configured escalation model. */
  readonly escalationId: string | undefined;
  /** What the threshold rises to so that the budget lasts; equal to `threshold` while nothing has to be held back. */
  readonly pacedThreshold: number;
  /** Whether another plan answers when the budget does not cover the wanted model. */
  readonly atLimit: Settings['atLimit'];
}

export interface Choice {
  readonly candidate: Candidate;
  readonly reason: Reason;
  /** The model that would have answered first had nothing stood in the way. */
  readonly wanted: string;
  /** What was compared with the threshold: with `minQuality`, the chance that the cheap model fails. */
  readonly score: number;
  /** The threshold that held, pacing and `minQuality` included. */
  readonly threshold: number;
  /** The chosen plan is not expected to be good enough; it is the best that may be used. */
  readonly belowWanted: boolean;
  /** What would have changed the choice, as sentences. */
  readonly flips: readonly string[];
}

export type PolicyResult =
  | { readonly kind: 'chosen'; readonly choice: Choice; readonly candidates: readonly Candidate[] }
  | Refused;

type Reaches = (candidate: Candidate) => boolean;

export function choosePlan(input: PolicyInput): PolicyResult {
  const candidates = listCandidates(input);
  const forced = forcedCandidates(candidates, input);
  if (forced !== undefined) return chooseForced(forced, candidates, input);

  const score = comparedScore(input);
  const easyUpTo = thresholdOf(input, candidates);
  let reaches = reachesWanted(input, easyUpTo);
  let chosen = best(candidates, reaches);
  if (chosen === undefined) return refuse(undefined, candidates);
  const wanted = chosen.first;
  let reason = complexityReason(input, easyUpTo, chosen);
  let threshold = easyUpTo;

  if (input.constraints.minQuality === undefined) {
    // Pacing would hide the limit from somebody who wants to be asked at it.
    const asks = input.atLimit !== 'local' && chosen.exclusions.budget !== undefined;
    if (input.pacedThreshold > Math.max(easyUpTo, input.threshold) && !asks) {
      threshold = input.pacedThreshold;
      reaches = reachesWanted(input, threshold);
      const next = best(candidates, reaches) ?? chosen;
      // A model that the budget does not cover at all was not kept away by mere pacing.
      if (next.first !== chosen.first) {
        reason = chosen.exclusions.budget ?? pacingReason(input, threshold);
      }
      chosen = next;
    }
  }

  let left: readonly Candidate[] = candidates;
  for (const layer of layers) {
    const allowed = left.filter((candidate) => candidate.exclusions[layer] === undefined);
    // Nothing was taken away, so the best of them is still the best.
    if (allowed.length === left.length) continue;
    const exclusion: Reason | undefined = chosen.exclusions[layer];
    const tried = left;
    // Being late is better than being silent: when no plan is fast enough, the fastest stays.
    left = allowed.length > 0 ? allowed : layer === 'latency' ? [fastest(left)] : [];
    const next = best(left, reaches);
    if (next === undefined) return refuse(easiestToMend(exclusion, tried), candidates, reason);
    const gaveWay = exclusion !== undefined && next.first !== chosen.first;
    if (gaveWay && layer === 'budget' && input.atLimit !== 'local') {
      return refuse(exclusion, candidates);
    }
    if (exclusion !== undefined && (next.first !== chosen.first || allowed.length === 0)) {
      reason = exclusion;
    }
    chosen = next;
  }

  const belowWanted = !reaches(chosen);
  const { minQuality } = input.constraints;
  if (belowWanted && minQuality !== undefined) {
    const limited = chosen.first === wanted ? undefined : reason.code;
    reason = {
      code: 'quality_unreachable',
      facts: {
        expected: chosen.quality,
        wanted: minQuality,
        ...(limited === undefined ? {} : { because: limited }),
      },
    };
  }
  const flips = flipsOf({
    cheapId: input.cheap?.model.id,
    escalationId: input.escalationId,
    score,
    threshold,
    wanted,
    chosen,
    candidates,
  });
  return {
    kind: 'chosen',
    choice: { candidate: chosen, reason, wanted, score, threshold, belowWanted, flips },
    candidates,
  };
}

/** Where a download would be enough, a refusal asks for that rather than for a key: it costs nothing. */
function easiestToMend(
  exclusion: Reason | undefined,
  tried: readonly Candidate[],
): Reason | undefined {
  if (exclusion?.code !== 'no_api_key') return exclusion;
  const reasons = tried.map(({ exclusions }) => exclusions.availability);
  return reasons.find((reason) => reason?.code === 'model_missing') ?? exclusion;
}

function forcedCandidates(
  candidates: readonly Candidate[],
  input: PolicyInput,
): readonly Candidate[] | undefined {
  const force = input.constraints.forceModel;
  if (force === undefined) return undefined;
  const alone = candidates.filter((candidate) => candidate.ifUnsure === undefined);
  if ('id' in force) return alone.filter((candidate) => candidate.first === force.id);
  const wanted = force.tier === 'cheap' ? input.cheap?.model.id : input.escalationId;
  return alone.filter((candidate) => candidate.first === wanted);
}

/** A forced model overrules score, quality and latency. It can't overrule privacy or money: then the answer is a refusal. */
function chooseForced(
  forced: readonly Candidate[],
  candidates: readonly Candidate[],
  input: PolicyInput,
): PolicyResult {
  const [candidate] = forced;
  if (candidate === undefined) return refuse(undefined, candidates);
  for (const layer of layers) {
    const exclusion = layer === 'latency' ? undefined : candidate.exclusions[layer];
    if (exclusion !== undefined) return refuseForced(exclusion, candidates);
  }
  const reason: Reason = { code: 'forced', facts: { model: candidate.first } };
  return {
    kind: 'chosen',
    choice: {
      candidate,
      reason,
      wanted: candidate.first,
      score: input.score,
      threshold: input.threshold,
      belowWanted: false,
      flips: ['no model had been forced'],
    },
    candidates,
  };
}

/** Cheapest of those that are good enough; else the best there is. A checked plan is preferred to the same plan unchecked. */
function best(candidates: readonly Candidate[], reaches: Reaches): Candidate | undefined {
  const reaching = candidates.filter(reaches);
  if (reaching.length === 0) return minBy(candidates, (candidate) => -candidate.quality);
  const isChecked = (id: string) =>
    reaching.some(({ first, ifUnsure }) => first === id && ifUnsure !== undefined);
  const pool = reaching.filter(
    ({ first, ifUnsure }) => ifUnsure !== undefined || !isChecked(first),
  );
  return minBy(pool, (candidate) => candidate.expectedCostNanoUsd ?? Number.POSITIVE_INFINITY);
}

function reachesWanted(input: PolicyInput, threshold: number): Reaches {
  const { minQuality } = input.constraints;
  if (minQuality !== undefined) return (candidate) => candidate.quality >= minQuality;
  const cheapId = input.cheap?.model.id;
  const easy = input.cheap !== undefined && input.score <= threshold;
  const escalated = qualityById(input);
  const wanted = escalated.get(input.escalationId ?? '') ?? 0;
  const strong = (id: string) => (escalated.get(id) ?? 0) >= wanted;
  const { rungs } = input;
  // What the escalation model would still add is worth as little as what the threshold leaves to the cheap one.
  const enough = (id: string) => strong(id) || (rungs?.get(id)?.gain ?? 1) <= threshold;
  return ({ first, ifUnsure }) =>
    first === cheapId ? easy && (ifUnsure === undefined || enough(ifUnsure)) : enough(first);
}

function qualityById(input: PolicyInput): Map<string, number> {
  return new Map(input.escalations.map(({ model, score }) => [model.id, 1 - score]));
}

/** A quality that is asked for by number is about the cheap model alone; the default is about what escalating is worth. */
function comparedScore(input: PolicyInput): number {
  return input.constraints.minQuality === undefined ? input.score : (input.cheap?.score ?? 1);
}

/**
 * With `minQuality`, the score at which the best plan that starts cheap stops reaching it. A checked plan's quality
 * falls linearly with the score, so two points of that line give where it crosses the wanted quality.
 */
function thresholdOf(input: PolicyInput, candidates: readonly Candidate[]): number {
  const { minQuality } = input.constraints;
  if (minQuality === undefined || input.cheap === undefined) {
    return input.conversation?.threshold ?? input.threshold;
  }
  const score = input.cheap.score;
  const cheapFirst = candidates.filter(({ first }) => first === input.cheap?.model.id);
  const crossings = cheapFirst.map((candidate) => {
    const { ifUnsure, further } = candidate;
    if (ifUnsure === undefined) return 1 - minQuality;
    // The same plan without its first model.
    const after = candidates.find(
      (plan) => plan.first === ifUnsure && plan.ifUnsure === further?.[0]?.modelId,
    );
    const atZero = 1 - input.gate.falseRejectRate * (1 - (after?.quality ?? 1));
    const slope = score === 0 ? 1 : (atZero - candidate.quality) / score;
    return (atZero - minQuality) / slope;
  });
  return Math.min(1, Math.max(0, ...crossings));
}

function complexityReason(input: PolicyInput, threshold: number, chosen: Candidate): Reason {
  const { cheap, task, conversation } = input;
  const score = comparedScore(input);
  const isAlone = input.constraints.minQuality !== undefined || conversation === undefined;
  if (!isAlone && score > input.threshold !== score > threshold) {
    const { modelId: model, lostDiscountNanoUsd: switchNanoUsd } = conversation;
    return { code: 'conversation_kept', facts: { model, score, threshold, switchNanoUsd } };
  }
  const code =
    chosen.first === cheap?.model.id ? 'prompt_complexity_low' : 'prompt_complexity_high';
  return { code, facts: { score, threshold, task } };
}

function pacingReason(input: PolicyInput, threshold: number): Reason {
  return {
    code: 'budget_pacing',
    facts: { score: input.score, threshold, usedShare: usedShare(input.budget) ?? 0 },
  };
}

function fastest(candidates: readonly Candidate[]): Candidate {
  const found = minBy(
    candidates,
    (candidate) => candidate.expectedLatencyMs ?? Number.POSITIVE_INFINITY,
  );
  if (found === undefined) throw new Error('expected at least one candidate, got none');
  return found;
}

function minBy<T>(items: readonly T[], key: (item: T) => number): T | undefined {
  let found: T | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const value = key(item);
    if (found === undefined || value < least) {
      found = item;
      least = value;
    }
  }
  return found;
}
