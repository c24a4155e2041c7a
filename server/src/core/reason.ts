/** Why an answer went where it went: a code, its facts, and the one function that turns both into a sentence. */

import type { Need } from './callerWishes.ts';
import type { BudgetPeriod } from './ports.ts';
import { english, type Facts, type Translate } from './translate.ts';

export const reasonCodes = [
  'cache_hit',
  'forced',
  'privacy_floor',
  'prompt_complexity_low',
  'prompt_complexity_high',
  'conversation_kept',
  'low_confidence',
  'confident',
  'quality_unreachable',
  'cost_limit',
  'latency_limit',
  'context_limit',
  'capability_missing',
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
      readonly code: 'conversation_kept';
      readonly facts: {
        readonly model: string;
        readonly score: number;
        readonly threshold: number;
        /** The prompt-cache discount that a switch would lose. */
        readonly switchNanoUsd: number;
      };
    }
  | {
      readonly code: 'low_confidence' | 'confident';
      readonly facts: {
        readonly confidence: number;
        readonly needed: number;
        readonly model: string;
        /** Whose answer was unsure, where that was no model run here. */
        readonly draft?: string;
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
      readonly code: 'capability_missing';
      readonly facts: { readonly wanted: string; readonly needs: Need };
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

/** Dollars with no more decimals than they need, as the wire and headers have them. */
export function decimalUsd(nano: number): string {
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
  t: Translate = english,
): string {
  switch (reason.code) {
    case 'cache_hit':
      return t('Answered before by {model}; nothing was spent again.', {
        model: names(reason.facts.model),
      });
    case 'forced':
      return t('You asked for {model}.', { model: names(reason.facts.model) });
    case 'privacy_floor':
      return privacySentence(reason.facts.rule, t);
    case 'prompt_complexity_low':
      return t('Looks easy ({score} of {threshold}; {task}).', scoreFacts(reason.facts, t));
    case 'prompt_complexity_high':
      return t(
        'Looks hard ({score}, local up to {threshold}; {task}).',
        scoreFacts(reason.facts, t),
      );
    case 'conversation_kept':
      return t(
        'The conversation stays with {model}: a switch would lose {cost} of cache discount, more than it is worth (score {score} of {threshold}).',
        {
          model: names(reason.facts.model),
          cost: money(reason.facts.switchNanoUsd),
          score: fixed(reason.facts.score),
          threshold: fixed(reason.facts.threshold),
        },
      );
    case 'low_confidence':
      if (reason.facts.draft !== undefined) {
        return t(
          'The answer of {draft} shows signs of failure (confidence {confidence} of {needed}), so {model} answered.',
          {
            ...confidenceFacts(reason.facts),
            model: names(reason.facts.model),
            draft: names(reason.facts.draft),
          },
        );
      }
      return t(
        'The local draft was unsure (confidence {confidence} of {needed}), so {model} answered.',
        { ...confidenceFacts(reason.facts), model: names(reason.facts.model) },
      );
    case 'confident':
      return t(
        'The local answer was sure enough (confidence {confidence} of {needed}).',
        confidenceFacts(reason.facts),
      );
    case 'quality_unreachable': {
      const { because } = reason.facts;
      const expected = fixed(reason.facts.expected);
      const wanted = fixed(reason.facts.wanted);
      return because
        ? t(
            'No plan that may be used reaches the quality wanted ({expected} of {wanted}), because of {because}.',
            { expected, wanted, because },
          )
        : t('No plan that may be used reaches the quality wanted ({expected} of {wanted}).', {
            expected,
            wanted,
          });
    }
    case 'cost_limit':
      return t("{model} could cost {needs}, over this request's limit of {limit}.", {
        model: names(reason.facts.wanted),
        needs: money(reason.facts.needsNanoUsd),
        limit: money(reason.facts.limitNanoUsd),
      });
    case 'budget_exhausted':
      return t('{model} could cost {needs}, and {left} of {budget} is left.', {
        model: names(reason.facts.wanted),
        needs: money(reason.facts.needsNanoUsd),
        left: money(reason.facts.limitNanoUsd),
        budget: budgetName(reason.facts.period, t),
      });
    case 'latency_limit':
      return t('{model} takes ≈ {needs} here, over the limit of {limit}.', {
        model: names(reason.facts.wanted),
        needs: seconds(reason.facts.needsMs),
        limit: seconds(reason.facts.limitMs),
      });
    case 'context_limit':
      return t('The prompt (≈ {tokens} tokens) does not fit {model} ({limit}).', {
        tokens: reason.facts.tokens,
        model: names(reason.facts.wanted),
        limit: reason.facts.limit,
      });
    case 'capability_missing': {
      const model = names(reason.facts.wanted);
      return reason.facts.needs === 'tools'
        ? t('The request offers tools, which {model} can not call.', { model })
        : t('The request asks for a form of the answer that {model} can not keep to.', { model });
    }
    case 'budget_pacing':
      return t(
        'Kept local to pace the budget: {percent} % is used (score {score} of {threshold}).',
        {
          percent: Math.round(reason.facts.usedShare * 100),
          score: fixed(reason.facts.score),
          threshold: fixed(reason.facts.threshold),
        },
      );
    case 'no_api_key': {
      const model = names(reason.facts.wanted);
      return reason.facts.wouldCostNanoUsd === undefined
        ? t('Wanted {model}, but there is no API key.', { model })
        : t('Wanted {model} (would cost ≈ {cost}), but there is no API key.', {
            model,
            cost: money(reason.facts.wouldCostNanoUsd),
          });
    }
    case 'model_missing':
      return t('{model} is not on this machine yet.', { model: names(reason.facts.wanted) });
    case 'provider_unavailable':
      return t('{model} could not answer ({failure}).', {
        model: names(reason.facts.wanted),
        failure: reason.facts.failure,
      });
    case 'unknown_price':
      return t('The price of {model} is unknown, so it is not used.', {
        model: names(reason.facts.wanted),
      });
  }
}

function privacySentence(rule: string, t: Translate): string {
  switch (rule) {
    case 'local-only':
      return t('Kept local: you asked that nothing leaves this machine.');
    case 'untrusted-workspace':
      return t('Kept local: this workspace is not trusted, so nothing leaves this machine.');
    case 'policy':
      return t('Kept local: the administrator of this machine lets nothing leave it.');
    case 'secret-file':
      return t('Kept local: a file of the context is one that holds secrets.');
    case 'excluded-file':
      return t('Kept local: a file of the context is on your list of files that stay here.');
    case 'git-ignored':
      return t('Kept local: a file of the context is ignored by git.');
    case 'scan-failed':
      return t('Kept local: the prompt could not be scanned for secrets.');
    default:
      return t('Kept local: the prompt contains what looks like a secret ({rule}).', { rule });
  }
}

/** As it stands in the middle of a sentence. */
export function budgetName(period: BudgetPeriod, t: Translate = english): string {
  switch (period) {
    case 'month':
      return t("this month's budget");
    case 'day':
      return t("today's budget");
    case 'session':
      return t("this session's budget");
    case 'workspace':
      return t("this workspace's budget of the month");
  }
}

function scoreFacts(
  facts: { readonly score: number; readonly threshold: number; readonly task: string },
  t: Translate,
): Facts {
  return { score: fixed(facts.score), threshold: fixed(facts.threshold), task: t(facts.task) };
}

function confidenceFacts(facts: { readonly confidence: number; readonly needed: number }): Facts {
  return { confidence: fixed(facts.confidence), needed: fixed(facts.needed) };
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
