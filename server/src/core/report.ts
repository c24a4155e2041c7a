/** The words and figures that every surface shows alike: money, time, and one line about an answer. */

import type { AnswerResult } from './answer.ts';
import { reasonSentence } from './reason.ts';
import { type Stepped, stepsAbove } from './stepsAbove.ts';
import { english, type Translate } from './translate.ts';
import { leftOutSentence } from './trimToFit.ts';
import type { Registry, Savings, UnknownSavings } from './types.ts';

/** `$3.12` from a cent up, two significant digits below (`$0.0042`); zero is `$0.00`, a negative amount keeps its sign. */
export function formatUsd(nanoUsd: number): string {
  const sign = nanoUsd < 0 ? '-' : '';
  const usd = Math.abs(nanoUsd) / 1e9;
  if (usd === 0) return '$0.00';
  // 0.00995 and up would print as a rounded cent, so it belongs to the upper form.
  if (usd >= 0.00995) return `${sign}$${usd.toFixed(2)}`;
  const decimals = 1 - Math.floor(Math.log10(usd));
  return `${sign}$${usd.toFixed(Math.min(decimals, 9))}`;
}

/** `84.0 %` */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** `0.8 s`; whole seconds from ten up. */
export function formatSeconds(ms: number): string {
  const seconds = ms / 1000;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

export function formatSavings(savings: Savings, t: Translate = english): string {
  if (savings.kind === 'unknown') return unknownSavings(savings.why, t);
  return savings.savedNanoUsd < 0
    ? t('cost {amount} more than the baseline', { amount: formatUsd(-savings.savedNanoUsd) })
    : t('saved {amount}', { amount: formatUsd(savings.savedNanoUsd) });
}

/** Why nothing is claimed stands beside it, or people would take it for a defect. */
function unknownSavings(why: UnknownSavings, t: Translate): string {
  switch (why) {
    case 'below_wanted_quality':
      return t('savings unknown (may not be good enough)');
    case 'answer_incomplete':
      return t('savings unknown (not a whole answer)');
    case 'baseline_missing':
    case 'baseline_unpriced':
      return t('savings unknown (no baseline with a price)');
    case 'tokens_unknown':
      return t('savings unknown (tokens not counted)');
    case 'measurement':
      return t('savings unknown (a measurement)');
  }
}

/** `free`, `cached`, or an amount; `at most` marks a bound that stands in for an unknown bill. */
export function formatCost(
  result: Pick<AnswerResult, 'served' | 'costNanoUsd' | 'costIsBound'>,
  t: Translate = english,
): string {
  if (result.served === 'cache') return t('cached');
  if (result.served === 'local' && result.costNanoUsd === 0) return t('free');
  const amount = formatUsd(result.costNanoUsd);
  return result.costIsBound ? t('at most {amount}', { amount }) : amount;
}

export function labelOf(registry: Registry): (modelId: string) => string {
  return (modelId) => registry.models.find((model) => model.id === modelId)?.label ?? modelId;
}

/** Those that take over an unsure answer, in their order: `gpt-5-mini → gpt-5`. */
export function takeoverText(plan: Stepped, names: (modelId: string) => string): string {
  return stepsAbove(plan).map(names).join(' → ');
}

/** `local · SmolLM2-135M · free · 1.3 s · saved $0.0038 · Looks easy (0.22 of 0.55).` */
export function answerLine(
  result: AnswerResult,
  registry: Registry,
  t: Translate = english,
): string {
  const names = labelOf(registry);
  return [
    servedWord(result.served, t),
    names(result.modelId),
    ...(result.served === 'cache' ? [] : [formatCost(result, t)]),
    formatSeconds(result.timing.latencyMs),
    formatSavings(result.savings, t),
    reasonSentence(result.reason, names, formatUsd, t),
    ...(result.route.trace.leftOut ?? []).map((one) => leftOutSentence(one, t)),
  ].join(' · ');
}

function servedWord(served: AnswerResult['served'], t: Translate): string {
  switch (served) {
    case 'local':
      return t('local');
    case 'cloud':
      return t('cloud');
    case 'cache':
      return t('cached');
  }
}
