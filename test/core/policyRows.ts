/** Each constraint, alone and in pairs, and the route that it must lead to. docs/LIMITS.md shows the same rows. */
import { nanoUsd, nanoUsdFromDollars } from '../../server/src/core/price.ts';
import type { Constraints, MeasuredSpeed, Prompt, Tier } from '../../server/src/core/types.ts';
import { BIG, LOCAL, MINI, prices, registry, type Script } from '../support/scriptedPorts.ts';

const easy: Script = { scores: { [LOCAL]: 0.2 } };
export const hard: Script = { scores: { [LOCAL]: 0.8 } };
export const usd = nanoUsdFromDollars;
const budgetNanoUsd = nanoUsd(20e9);
export const noKey = { [MINI]: { kind: 'no_api_key' }, [BIG]: { kind: 'no_api_key' } } as const;
export const missing = { [LOCAL]: { kind: 'model_missing' } } as const;
const localOnly: Constraints = { privacy: 'local-only' };
/** The documented costs are those of a short prompt: mini needs about $0.0004 at least, big about $0.004. */
const onlyMiniAffordable: Constraints = { maxCostNanoUsd: usd(0.001) };

function speed(secondsPerAnswer: number): MeasuredSpeed {
  return {
    promptTokensPerSecond: 1e6,
    outputTokensPerSecond: 256 / secondsPerAnswer,
    timeToFirstTokenMs: 1,
    samples: 5,
  };
}

/** A cloud model that reads again at a tenth of the price, and a local one that can read as much. */
function talking(score: number): Script {
  const big = prices[BIG];
  if (big === undefined) throw new Error('expected a price');
  const base = { ...big.base, cachedInputPicoUsd: big.base.inputPicoUsd / 10 };
  return {
    scores: { [LOCAL]: score },
    prices: { ...prices, [BIG]: { ...big, base } },
    registry: {
      ...registry,
      models: registry.models.map((model) => ({ ...model, contextWindow: 100_000 })),
    },
  };
}

export interface Row {
  readonly name: string;
  readonly script: Script;
  readonly constraints?: Constraints;
  readonly prompt?: Partial<Prompt> & { text?: string };
  /** The tier that has answered a long question just before, in the same conversation. */
  readonly earlier?: Tier;
  /** `refused` or the model that answers first, then the reason code. */
  readonly leadsTo: readonly [model: string, code: string];
  readonly ifUnsure?: string | undefined;
}

export const rows: readonly Row[] = [
  { name: 'easy', script: easy, leadsTo: [LOCAL, 'prompt_complexity_low'], ifUnsure: BIG },
  { name: 'hard', script: hard, leadsTo: [BIG, 'prompt_complexity_high'] },

  {
    name: 'easy, after a long conversation in the cloud',
    script: talking(0.4),
    earlier: 'escalation',
    leadsTo: [BIG, 'conversation_kept'],
  },
  {
    name: 'hard, after a long conversation here',
    script: talking(0.6),
    earlier: 'cheap',
    leadsTo: [LOCAL, 'conversation_kept'],
  },
  {
    name: 'very easy, after a long conversation in the cloud',
    script: talking(0.05),
    earlier: 'escalation',
    leadsTo: [LOCAL, 'prompt_complexity_low'],
  },

  {
    name: 'forced tier',
    script: easy,
    constraints: { forceModel: { tier: 'escalation' } },
    leadsTo: [BIG, 'forced'],
  },
  {
    name: 'forced cheap',
    script: hard,
    constraints: { forceModel: { tier: 'cheap' } },
    leadsTo: [LOCAL, 'forced'],
    ifUnsure: undefined,
  },
  {
    name: 'forced id',
    script: easy,
    constraints: { forceModel: { id: MINI } },
    leadsTo: [MINI, 'forced'],
  },
  {
    name: 'forced unknown',
    script: easy,
    constraints: { forceModel: { id: 'nobody' } },
    leadsTo: ['refused', 'unknown_model'],
  },

  {
    name: 'max cost, the cheaper cloud fits',
    script: hard,
    constraints: onlyMiniAffordable,
    leadsTo: [MINI, 'cost_limit'],
  },
  {
    name: 'max cost zero',
    script: hard,
    constraints: { maxCostNanoUsd: usd(0) },
    leadsTo: [LOCAL, 'cost_limit'],
    ifUnsure: undefined,
  },
  {
    name: 'max cost on an easy prompt takes the second chance away',
    script: easy,
    constraints: { maxCostNanoUsd: usd(0) },
    leadsTo: [LOCAL, 'prompt_complexity_low'],
    ifUnsure: undefined,
  },

  {
    name: 'max latency, one cloud is fast',
    script: { ...hard, speeds: { [MINI]: speed(0.5), [BIG]: speed(5) } },
    constraints: { maxLatencyMs: 1000 },
    leadsTo: [MINI, 'latency_limit'],
  },
  {
    name: 'max latency, local is slow, cloud unmeasured',
    script: { ...easy, speeds: { [LOCAL]: speed(10) } },
    constraints: { maxLatencyMs: 1000 },
    leadsTo: [BIG, 'latency_limit'],
  },
  {
    name: 'max latency, all are slow: the fastest',
    script: { ...hard, speeds: { [LOCAL]: speed(3), [MINI]: speed(8), [BIG]: speed(9) } },
    constraints: { maxLatencyMs: 1000 },
    leadsTo: [LOCAL, 'latency_limit'],
  },
  {
    name: 'max latency that all keep',
    script: { ...hard, speeds: { [LOCAL]: speed(3), [MINI]: speed(3), [BIG]: speed(3) } },
    constraints: { maxLatencyMs: 9000 },
    leadsTo: [BIG, 'prompt_complexity_high'],
  },

  {
    name: 'min quality reached by the checked local plan',
    script: easy,
    constraints: { minQuality: 0.85 },
    leadsTo: [LOCAL, 'prompt_complexity_low'],
    ifUnsure: MINI,
  },
  {
    name: 'min quality reached by the cloud only',
    script: easy,
    constraints: { minQuality: 0.89 },
    leadsTo: [BIG, 'prompt_complexity_high'],
  },
  {
    name: 'min quality low enough for a hard prompt',
    script: hard,
    constraints: { minQuality: 0.1 },
    leadsTo: [LOCAL, 'prompt_complexity_low'],
  },
  {
    name: 'min quality beyond every plan',
    script: easy,
    constraints: { minQuality: 0.99 },
    leadsTo: [BIG, 'quality_unreachable'],
  },

  {
    name: 'local only by request',
    script: hard,
    constraints: localOnly,
    leadsTo: [LOCAL, 'privacy_floor'],
  },
  {
    name: 'a secret in the prompt',
    script: { ...hard, findings: [{ rule: 'aws', where: 'prompt' }] },
    leadsTo: [LOCAL, 'privacy_floor'],
  },
  {
    name: 'a secret on an easy prompt takes the second chance away',
    script: { ...easy, findings: [{ rule: 'aws', where: 'prompt' }] },
    leadsTo: [LOCAL, 'prompt_complexity_low'],
    ifUnsure: undefined,
  },

  {
    name: 'tools offered',
    script: easy,
    prompt: { tools: { tools: [{ name: 'read_file' }] } },
    leadsTo: [BIG, 'capability_missing'],
  },
  {
    name: 'tools offered, none to be called',
    script: easy,
    prompt: { tools: { tools: [{ name: 'read_file' }], choice: 'none' } },
    leadsTo: [LOCAL, 'prompt_complexity_low'],
  },
  {
    name: 'a form of the answer wanted',
    script: easy,
    prompt: { answerFormat: { kind: 'json' } },
    leadsTo: [BIG, 'capability_missing'],
  },
  {
    name: 'tools offered, local only by request',
    script: easy,
    constraints: localOnly,
    prompt: { tools: { tools: [{ name: 'read_file' }] } },
    leadsTo: ['refused', 'capability_missing'],
  },

  {
    name: 'too long for local',
    script: easy,
    prompt: { text: 'word '.repeat(4000) },
    leadsTo: [BIG, 'context_limit'],
  },
  {
    name: 'too long for all',
    script: easy,
    prompt: { text: 'word '.repeat(100_000) },
    leadsTo: ['refused', 'context_limit'],
  },

  {
    name: 'no key',
    script: { ...hard, availability: noKey },
    leadsTo: [LOCAL, 'no_api_key'],
    ifUnsure: undefined,
  },
  {
    name: 'no key on an easy prompt',
    script: { ...easy, availability: noKey },
    leadsTo: [LOCAL, 'prompt_complexity_low'],
    ifUnsure: undefined,
  },
  {
    name: 'local model missing',
    script: { ...easy, availability: missing },
    leadsTo: [BIG, 'model_missing'],
  },
  {
    name: 'local model missing and no key',
    script: { ...easy, availability: { ...missing, ...noKey } },
    leadsTo: ['refused', 'model_missing'],
  },
  {
    name: 'hard, local model missing and no key',
    script: { ...hard, availability: { ...missing, ...noKey } },
    leadsTo: ['refused', 'model_missing'],
  },
  {
    name: 'provider down',
    script: { ...hard, availability: { [BIG]: { kind: 'unavailable', why: 'frozen' } } },
    leadsTo: [MINI, 'provider_unavailable'],
  },
  {
    name: 'price unknown',
    script: { ...hard, prices: { [MINI]: prices[MINI]! } },
    leadsTo: [MINI, 'unknown_price'],
  },
  {
    name: 'no price at all',
    script: { ...hard, prices: {} },
    leadsTo: [LOCAL, 'unknown_price'],
    ifUnsure: undefined,
  },

  {
    name: 'budget used up',
    script: { ...hard, spentNanoUsd: budgetNanoUsd, settings: { pacingFrom: 1 } },
    leadsTo: [LOCAL, 'budget_exhausted'],
  },
  {
    name: 'budget near its limit: pacing',
    script: { scores: { [LOCAL]: 0.6 }, spentNanoUsd: 19e9 },
    leadsTo: [LOCAL, 'budget_pacing'],
  },
  {
    name: 'pacing leaves the hardest alone',
    script: { scores: { [LOCAL]: 0.95 }, spentNanoUsd: 14e9 },
    leadsTo: [BIG, 'prompt_complexity_high'],
  },
  {
    name: 'no budget is no limit',
    script: { ...hard, spentNanoUsd: 1e12, settings: { monthlyBudgetNanoUsd: undefined } },
    leadsTo: [BIG, 'prompt_complexity_high'],
  },

  {
    name: 'max latency, local is slow and there is no key',
    script: { ...easy, availability: noKey, speeds: { [LOCAL]: speed(10) } },
    constraints: { maxLatencyMs: 1000 },
    leadsTo: [LOCAL, 'latency_limit'],
  },

  // Pairs: what is hard (money, privacy, context) overrules what is wanted (quality, speed), and a forced model overrules wishes only.
  {
    name: 'forced + max cost',
    script: easy,
    constraints: { forceModel: { tier: 'escalation' }, maxCostNanoUsd: usd(0) },
    leadsTo: ['refused', 'cost_limit'],
  },
  {
    name: 'forced + max latency',
    script: { ...easy, speeds: { [BIG]: speed(9) } },
    constraints: { forceModel: { tier: 'escalation' }, maxLatencyMs: 1000 },
    leadsTo: [BIG, 'forced'],
  },
  {
    name: 'forced + min quality',
    script: hard,
    constraints: { forceModel: { tier: 'cheap' }, minQuality: 0.9 },
    leadsTo: [LOCAL, 'forced'],
  },
  {
    name: 'forced + local only',
    script: easy,
    constraints: { forceModel: { tier: 'escalation' }, ...localOnly },
    leadsTo: ['refused', 'privacy_floor'],
  },
  {
    name: 'forced without a key',
    script: { ...easy, availability: noKey },
    constraints: { forceModel: { tier: 'escalation' } },
    leadsTo: ['refused', 'no_api_key'],
  },
  {
    name: 'max cost + min quality',
    script: easy,
    constraints: { ...onlyMiniAffordable, minQuality: 0.89 },
    leadsTo: [LOCAL, 'quality_unreachable'],
  },
  {
    name: 'max cost + max latency',
    script: { ...hard, speeds: { [MINI]: speed(9), [BIG]: speed(0.1) } },
    constraints: { ...onlyMiniAffordable, maxLatencyMs: 1000 },
    leadsTo: [LOCAL, 'latency_limit'],
  },
  {
    name: 'max cost + local only',
    script: hard,
    constraints: { ...onlyMiniAffordable, ...localOnly },
    leadsTo: [LOCAL, 'privacy_floor'],
  },
  {
    name: 'max latency + min quality',
    script: { ...easy, speeds: { [BIG]: speed(9), [LOCAL]: speed(0.1) } },
    constraints: { maxLatencyMs: 1000, minQuality: 0.89 },
    leadsTo: [LOCAL, 'quality_unreachable'],
  },
  {
    name: 'max latency + local only',
    script: { ...easy, speeds: { [LOCAL]: speed(9) } },
    constraints: { maxLatencyMs: 1000, ...localOnly },
    leadsTo: [LOCAL, 'latency_limit'],
  },
  {
    name: 'min quality + local only',
    script: hard,
    constraints: { minQuality: 0.9, ...localOnly },
    leadsTo: [LOCAL, 'quality_unreachable'],
  },
];
