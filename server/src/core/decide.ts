/** From a prompt to a decision: features, scores, estimates, policy. Reads counters and tables only, so it takes microseconds. */
import type { Decision, Route } from './answer.ts';
import { limitsOf } from './budget.ts';
import { needsOf } from './callerWishes.ts';
import { type FittedConfidence, planningGate } from './confidence.ts';
import { type AnswerMemory, conversationOf, createAnswerMemory } from './conversation.ts';
import type { ModelEstimate } from './estimate.ts';
import { featuresOf } from './features.ts';
import { type ModelsInPlay, modelsInPlay } from './modelsInPlay.ts';
import { pacedShare, pressureOf } from './pacing.ts';
import type { Rung } from './plans.ts';
import { choosePlan, type PolicyInput, type PolicyResult } from './policy.ts';
import { portOf } from './portOf.ts';
import type { Availability, BudgetLimits, GenerationRequest, RouterPorts } from './ports.ts';
import { byteBound, generationRequest, scopeOf, withinSettings } from './request.ts';
import { runsHere } from './runsHere.ts';
import type { Settings } from './schema.ts';
import type { Scorer } from './score.ts';
import { stepsAbove } from './stepsAbove.ts';
import type { Model, PrivacyFinding, Prompt, Registry } from './types.ts';

export interface DecideOptions {
  /** False leaves out the scan for secrets: for bulk scoring, where nothing is sent. @default true */
  readonly scan?: boolean;
  /** True judges the prompt alone: every model is taken to be ready and the budget to be open. @default false */
  readonly assumeAvailable?: boolean;
}

export interface RouterOptions {
  readonly ports: RouterPorts;
  readonly scorer: Scorer;
  /** Read at every prompt, so that a calibration holds at once. */
  readonly confidence: () => FittedConfidence;
  /** Read at every prompt, so that a changed limit holds at once. */
  readonly settings: () => Settings;
}

/** A decision with what it was made from, so that a failed model can be taken out and the policy asked again. */
export interface Decided {
  /** The prompt with the limits of the settings in its constraints. */
  readonly prompt: Prompt;
  readonly decision: Decision;
  readonly registry: Registry;
  readonly settings: Settings;
  /** The budgets in force now; a prompt under way heeds those that were changed since it was decided. */
  readonly limitsNow: () => BudgetLimits;
  /** What the scan finds in this prompt; it is made once, when first asked for. */
  findings(): Promise<readonly PrivacyFinding[]>;
  /** Decides again as if these models could not answer. */
  without(failed: ReadonlyMap<string, string>): Promise<Decision>;
}

interface DecideDeps extends RouterOptions {
  /** @default one of its own, which knows of no conversation */
  readonly memory?: AnswerMemory;
}

export type Decide = (prompt: Prompt, options?: DecideOptions) => Promise<Decided>;

export function createDecide(options: DecideDeps): Decide {
  const { ports, scorer, confidence, memory = createAnswerMemory() } = options;
  const thresholdOf = createThresholds(scorer);

  return async (asked, { scan = true, assumeAvailable = false } = {}) => {
    const startedMs = ports.clock.monotonicMs();
    const settings = options.settings();
    const prompt = withinSettings(asked, settings);
    const registry = ports.catalogue.registry();
    const pair = modelsInPlay(registry, settings, prompt, ports);
    const scope = scopeOf(prompt);
    const limits: BudgetLimits = assumeAvailable
      ? { monthlyNanoUsd: undefined }
      : limitsOf(settings, scope);
    // Asked in one breath: the ledger then looks once whether another process has written.
    const [budget, frozen] = await Promise.all([
      ports.ledger.budget(limits, scope),
      ports.ledger.frozenModels(),
    ]);
    const nowMs = ports.clock.now();
    const features = featuresOf(prompt);
    const chances = new Map<string, number>();
    const chanceOf = (model: Model): number => {
      const known = chances.get(model.id);
      if (known !== undefined) return known;
      const chance = scorer.chance(features, model);
      chances.set(model.id, chance);
      return chance;
    };
    const rank =
      pair.cheap && pair.escalation
        ? scorer.gain(features, pair.cheap, pair.escalation)
        : scorer.score(features, pair.first);
    const request = generationRequest(prompt, pair.first, 1);
    const boundedBytes = byteBound(request);
    const inputTokens = Math.ceil(boundedBytes / 4);

    const threshold = thresholdOf(pair, settings.escalateShare);
    const conversation = conversationOf({
      history: prompt.history,
      memory,
      cheapId: pair.cheap?.id,
      escalationId: pair.escalation?.id,
      price: pair.escalation && ports.catalogue.price(pair.escalation.id, nowMs),
      thresholdAlone: threshold,
      historyTokens: features.historyTokens,
      inputTokens,
      expectedOutputTokens: settings.expectedOutputTokens,
    });
    const fitted = confidence();
    const gateFor = (model: Model) =>
      planningGate(fitted, model, portOf(model, ports).identity(model), rank.task);
    const gate = gateFor(pair.first);
    const rungOf = (model: Model): Rung => {
      const top = pair.escalation;
      if (top === undefined || chanceOf(model) <= chanceOf(top)) {
        return { gate: gateFor(model) };
      }
      const gain = model === pair.cheap ? rank : scorer.gain(features, model, top);
      return { gate: gateFor(model), gain: gain.value };
    };
    const rungs = pair.isLadder
      ? new Map([pair.first, ...pair.escalations].map((model) => [model.id, rungOf(model)]))
      : undefined;

    const estimate = (
      model: Model,
      inputBound: number,
      failed?: ReadonlyMap<string, string>,
    ): ModelEstimate => ({
      model,
      availability: assumeAvailable
        ? { kind: 'ready' }
        : availabilityOf(model, ports, failed, frozen),
      score: chanceOf(model),
      inputTokens,
      inputBound,
      price: ports.catalogue.price(model.id, nowMs),
      speed: ports.speeds.get(portOf(model, ports).identity(model)),
    });

    const needs = needsOf(prompt);
    const held = pressureOf(budget, nowMs, settings.pacingFrom);
    const pacedThreshold = thresholdOf(pair, pacedShare(settings.escalateShare, held));

    const inputFor = (
      bound: (model: Model) => number,
      findings: readonly PrivacyFinding[],
      failed?: ReadonlyMap<string, string>,
    ): PolicyInput => ({
      cheap: pair.cheap && estimate(pair.cheap, bound(pair.cheap), failed),
      escalations: pair.escalations.map((model) => estimate(model, bound(model), failed)),
      escalationId: pair.escalation?.id,
      gate,
      rungs,
      constraints: prompt.constraints,
      needs,
      budget,
      findings,
      figures: settings,
      score: rank.value,
      threshold,
      conversation,
      pacedThreshold,
      task: rank.task,
      atLimit: settings.atLimit,
    });

    let bound: (model: Model) => number = () => boundedBytes;
    let findings: readonly PrivacyFinding[] = [];
    let result = choosePlan(inputFor(bound, findings));
    if (moneyIsShort(result)) {
      // Bytes overstate tokens about fourfold; before a limit turns a model away, count exactly.
      const exact = new Map<string, number>();
      for (const model of [pair.cheap, ...pair.escalations]) {
        if (model === undefined || model.provider === 'local') continue;
        const sent = generationRequest(prompt, model, settings.maxOutputTokens);
        exact.set(model.id, await ports.tokens.inputBound(model, sent));
      }
      bound = (model) => exact.get(model.id) ?? boundedBytes;
      result = choosePlan(inputFor(bound, findings));
    }
    let scanning: Promise<readonly PrivacyFinding[]> | undefined;
    const scanOnce = () => {
      scanning ??= scanned(request, prompt, ports);
      return scanning;
    };
    const byPromptAlone = result;
    /** A plan that stays here is not held up by a scan; one that might leave is not chosen without. */
    const choose = async (failed?: ReadonlyMap<string, string>): Promise<PolicyResult> => {
      const chosen =
        failed === undefined ? byPromptAlone : choosePlan(inputFor(bound, findings, failed));
      if (!scan || !mayLeave(chosen, registry)) return chosen;
      findings = await scanOnce();
      return findings.length === 0 ? chosen : choosePlan(inputFor(bound, findings, failed));
    };
    result = await choose();
    const decisionMs = ports.clock.monotonicMs() - startedMs;

    const decisionOf = (chosen: PolicyResult): Decision => {
      if (chosen.kind === 'refused') {
        const { failure, reason, candidates } = chosen;
        return { kind: 'refused', failure, reason, score: rank.value, candidates };
      }
      const { choice, candidates } = chosen;
      const { candidate } = choice;
      const { minQuality } = prompt.constraints;
      const model = modelById(registry, candidate.first);
      const route: Route = {
        promptId: prompt.id,
        modelId: candidate.first,
        tier: model.tier,
        ifUnsure: candidate.ifUnsure,
        ...(candidate.further && { further: candidate.further.map(({ modelId }) => modelId) }),
        reason: choice.reason,
        wanted: choice.wanted,
        score: choice.score,
        threshold: choice.threshold,
        quality: candidate.quality,
        expectedCostNanoUsd: candidate.expectedCostNanoUsd,
        boundNanoUsd: candidate.boundNanoUsd,
        expectedLatencyMs: candidate.expectedLatencyMs,
        qualities: qualitiesOf(chances),
        belowWanted: choice.belowWanted,
        trace: {
          task: rank.task,
          ...(conversation !== undefined && { conversation }),
          // Texts for people, written when somebody asks.
          get parts() {
            return minQuality === undefined ? rank.parts : scorer.score(features, pair.first).parts;
          },
          candidates,
          flips: choice.flips,
          findings,
          budget,
          decisionMs,
        },
      };
      return { kind: 'routed', route };
    };

    return {
      prompt,
      decision: decisionOf(result),
      registry,
      settings,
      limitsNow: () => limitsOf(options.settings(), scope),
      findings: scanOnce,
      without: async (failed) => decisionOf(await choose(failed)),
    };
  };
}

function qualitiesOf(chances: ReadonlyMap<string, number>): Route['qualities'] {
  const qualities: Record<string, number> = {};
  for (const [id, chance] of chances) qualities[id] = 1 - chance;
  return qualities;
}

export function modelById(registry: Registry, id: string): Model {
  const model = registry.models.find((entry) => entry.id === id);
  if (model === undefined) throw new Error(`expected a model of the registry, got ${id}`);
  return model;
}

function availabilityOf(
  model: Model,
  ports: RouterPorts,
  failed: ReadonlyMap<string, string> | undefined,
  frozen: ReadonlySet<string>,
): Availability {
  const why = failed?.get(model.id);
  if (why !== undefined) return { kind: 'unavailable', why };
  if (model.provider !== 'local' && frozen.has(model.id)) {
    return { kind: 'unavailable', why: 'frozen: a bill of this model passed its bound' };
  }
  return portOf(model, ports).availability(model);
}

/** A threshold is a quantile over reference prompts, so it is reckoned once per pair of models and share. */
function createThresholds(scorer: Scorer): (pair: ModelsInPlay, escalateShare: number) => number {
  const known = new WeakMap<Model, Kept>();
  return ({ cheap, escalation }, exactShare) => {
    if (cheap === undefined) return 0;
    // A paced share moves with every answer; in steps its thresholds can be kept.
    const share = Math.round(exactShare * SHARE_STEPS) / SHARE_STEPS;
    let kept = known.get(cheap);
    if (kept === undefined || kept.escalation !== escalation) {
      kept = { escalation, thresholds: new Map() };
      known.set(cheap, kept);
    }
    const before = kept.thresholds.get(share);
    if (before !== undefined) return before;
    const threshold =
      escalation === undefined
        ? scorer.threshold(cheap, share)
        : scorer.gainThreshold(cheap, escalation, share);
    kept.thresholds.set(share, threshold);
    return threshold;
  };
}

const SHARE_STEPS = 200;

interface Kept {
  readonly escalation: Model | undefined;
  readonly thresholds: Map<number, number>;
}

function moneyIsShort({ candidates }: PolicyResult): boolean {
  return candidates.some(
    ({ exclusions }) => exclusions.cost !== undefined || exclusions.budget !== undefined,
  );
}

/** Whether the plan as chosen could send anything off this machine. */
function mayLeave(result: PolicyResult, registry: Registry): boolean {
  if (result.kind === 'refused') return false;
  const { candidate } = result.choice;
  return [candidate.first, ...stepsAbove(candidate)].some(
    (id) => !runsHere(modelById(registry, id)),
  );
}

/** Every cloud model is sent the same messages. A scan that fails has found nothing out, so the prompt stays local. */
async function scanned(
  request: GenerationRequest,
  { context }: Prompt,
  { privacy }: RouterPorts,
): Promise<readonly PrivacyFinding[]> {
  try {
    return await privacy.scan(request, context);
  } catch {
    return [{ rule: 'scan-failed', where: 'prompt' }];
  }
}
