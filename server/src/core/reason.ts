/** Why an answer went where it went: a code, its facts, and the one function that turns both into a sentence. */

import type { BudgetPeriod } from './ports.ts';

export const reasonCodes = [
  'cache_hit',
  'forced',
  'privacy_floor',
  'prompt_complexity_low',
  'prompt_complexity_high',
  'low_confidence',
  'confident',
  'quality_unreachable',
  'cost_limit',
  'latency_limit',
  'context_limit',
  'budget_pacing',
  'budget_exhausted',
  'no_api_key',
  'model_missing',
  'provider_unavailable',
  'unknown_price',
] as const;

export type ReasonCode = (typeof reasonCodes)[number];

/** Facts by code. Amounts are nano-USD, shares and scores are in [0,1], names are model ids. */
export type Reason =
  | {
      readonly code: 'cache_hit';
      readonly facts: { readonly model: string; readonly ageMs: number };
    }
  | { readonly code: 'forced'; readonly facts: { readonly model: string } }
  | {
      readonly code: 'privacy_floor';
      readonly facts: { readonly rule: string; readonly wanted?: string };
    }
  | {
      readonly code: 'prompt_complexity_low' | 'prompt_complexity_high';
      readonly facts: { readonly score: number; readonly threshold: number; readonly task: string };
    }
  | {
      readonly code: 'low_confidence' | 'confident';
      readonly facts: {
        readonly confidence: number;
        readonly needed: number;
        readonly model: string;
      };
    }
  | {
      readonly code: 'quality_unreachable';
      readonly facts: {
        readonly expected: number;
        readonly wanted: number;
        /** The limit that stood in the way, where one did. */
        readonly because?: ReasonCode;
      };
    }
  | {
      readonly code: 'cost_limit';
      readonly facts: {
        readonly wanted: string;
        readonly needsNanoUsd: number;
        readonly limitNanoUsd: number;
      };
    }
  | {
      readonly code: 'budget_exhausted';
      readonly facts: {
        readonly wanted: string;
        readonly needsNanoUsd: number;
        /** What is left of the budget that binds. */
        readonly limitNanoUsd: number;
        readonly period: BudgetPeriod;
      };
    }
  | {
      readonly code: 'latency_limit';
      readonly facts: {
        readonly wanted: string;
        readonly needsMs: number;
        readonly limitMs: number;
      };
    }
  | {
      readonly code: 'context_limit';
      readonly facts: { readonly wanted: string; readonly tokens: number; readonly limit: number };
    }
  | {
      readonly code: 'budget_pacing';
      readonly facts: {
        readonly score: number;
        readonly threshold: number;
        readonly usedShare: number;
      };
    }
  | {
      readonly code: 'no_api_key';
      readonly facts: { readonly wanted: string; readonly wouldCostNanoUsd?: number };
    }
  | { readonly code: 'model_missing'; readonly facts: { readonly wanted: string } }
  | {
      readonly code: 'provider_unavailable';
      readonly facts: { readonly wanted: string; readonly failure: string };
    }
  | { readonly code: 'unknown_price'; readonly facts: { readonly wanted: string } };

/** `low_confidence(confidence=0.41, needed=0.62)`: the form on the wire and in the ledger. */
export function reasonText(reason: Reason): string {
  const facts = Object.entries(reason.facts)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => wireFact(name, value as string | number));
  return `${reason.code}(${facts.join(', ')})`;
}

function wireFact(name: string, value: string | number): string {
  const wireName = name
    .replace(/NanoUsd$/, 'Usd')
    .replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
  if (typeof value === 'string') return `${wireName}=${value}`;
  if (name.endsWith('NanoUsd')) return `${wireName}=${decimalUsd(value)}`;
  if (name.endsWith('Ms')) return `${wireName}=${Math.round(value)}`;
  return `${wireName}=${Number.isInteger(value) ? value : value.toFixed(2)}`;
}

function decimalUsd(nano: number): string {
  return (nano / 1e9).toFixed(9).replace(/\.?0+$/, '');
}

/**
 * The sentence a person reads.
 * @param names turns a model id into its label
 * @param money formats nano-USD as the interface does
 */
export function reasonSentence(
  reason: Reason,
  names: (modelId: string) => string,
  money: (nanoUsd: number) => string,
): string {
  switch (reason.code) {
    case 'cache_hit':
      return `Answered before by ${names(reason.facts.model)}; nothing was spent again.`;
    case 'forced':
      return `You asked for ${names(reason.facts.model)}.`;
    case 'privacy_floor':
      return reason.facts.rule === 'local-only'
        ? 'Kept local: you asked that nothing leaves this machine.'
        : `Kept local: the prompt contains what looks like a secret (${reason.facts.rule}).`;
    case 'prompt_complexity_low':
      return `Looks easy (${fixed(reason.facts.score)} of ${fixed(reason.facts.threshold)}; ${reason.facts.task}).`;
    case 'prompt_complexity_high':
      return `Looks hard (${fixed(reason.facts.score)}, local up to ${fixed(reason.facts.threshold)}; ${reason.facts.task}).`;
    case 'low_confidence':
      return `The local draft was unsure (confidence ${fixed(reason.facts.confidence)} of ${fixed(reason.facts.needed)}), so ${names(reason.facts.model)} answered.`;
    case 'confident':
      return `The local answer was sure enough (confidence ${fixed(reason.facts.confidence)} of ${fixed(reason.facts.needed)}).`;
    case 'quality_unreachable':
      return `No plan that may be used reaches the quality wanted (${fixed(reason.facts.expected)} of ${fixed(reason.facts.wanted)})${reason.facts.because ? `, because of ${reason.facts.because}` : ''}.`;
    case 'cost_limit':
      return `${names(reason.facts.wanted)} could cost ${money(reason.facts.needsNanoUsd)}, over this request's limit of ${money(reason.facts.limitNanoUsd)}.`;
    case 'budget_exhausted':
      return `${names(reason.facts.wanted)} could cost ${money(reason.facts.needsNanoUsd)}, and ${money(reason.facts.limitNanoUsd)} of ${budgetName(reason.facts.period)} is left.`;
    case 'latency_limit':
      return `${names(reason.facts.wanted)} takes ≈ ${seconds(reason.facts.needsMs)} here, over the limit of ${seconds(reason.facts.limitMs)}.`;
    case 'context_limit':
      return `The prompt (≈ ${reason.facts.tokens} tokens) does not fit ${names(reason.facts.wanted)} (${reason.facts.limit}).`;
    case 'budget_pacing':
      return `Kept local to pace the budget: ${Math.round(reason.facts.usedShare * 100)} % is used (score ${fixed(reason.facts.score)} of ${fixed(reason.facts.threshold)}).`;
    case 'no_api_key':
      return `Wanted ${names(reason.facts.wanted)}${reason.facts.wouldCostNanoUsd === undefined ? '' : ` (would cost ≈ ${money(reason.facts.wouldCostNanoUsd)})`}, but there is no API key.`;
    case 'model_missing':
      return `${names(reason.facts.wanted)} is not on this machine yet.`;
    case 'provider_unavailable':
      return `${names(reason.facts.wanted)} could not answer (${reason.facts.failure}).`;
    case 'unknown_price':
      return `The price of ${names(reason.facts.wanted)} is unknown, so it is not used.`;
  }
}

/** As it stands in the middle of a sentence. */
export function budgetName(period: BudgetPeriod): string {
  switch (period) {
    case 'month':
      return "this month's budget";
    case 'day':
      return "today's budget";
    case 'session':
      return "this session's budget";
    case 'workspace':
      return "this workspace's budget of the month";
  }
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
