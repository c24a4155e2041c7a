/** What the past would have cost, in the words that every surface shows alike. */
import { formatUsd } from './report.ts';
import type { Translate } from './translate.ts';
import { escalatedShare, type Sum, type WhatIf } from './whatIf.ts';

export function whatIfHead(whatIf: WhatIf, t: Translate): readonly string[] {
  const { prompts, local, cloud, keptPrivate, refused } = whatIf;
  const percent = (count: number) => Math.round((count / prompts) * 100);
  return [
    t(
      '{prompts} prompts: {local} % local, {cloud} % cloud at once, ≈ {deferred} local drafts deferred',
      {
        prompts,
        local: percent(local),
        cloud: percent(cloud),
        deferred: whatIf.expectedDeferrals.toFixed(1),
      },
    ),
    ...(keptPrivate > 0
      ? [t('{n} kept local because of what stands in them', { n: keptPrivate })]
      : []),
    ...(refused > 0 ? [t('{n} that no model could have answered', { n: refused })] : []),
  ];
}

export function escalatedText(whatIf: WhatIf, t: Translate): string {
  return t('≈ {share} % escalated to the cloud', {
    share: Math.round(escalatedShare(whatIf) * 100),
  });
}

/** @param of how much the sum is over, or `undefined` where that is not prompts */
export function sumText({ costNanoUsd, unknown }: Sum, t: Translate, of?: number): string {
  if (of !== undefined && unknown >= of) return t('unknown');
  const amount = `≈ ${formatUsd(costNanoUsd)}`;
  return unknown === 0 ? amount : t('{amount}, and {n} unknown', { amount, n: unknown });
}

export function savedAgainst({ baseline, routed }: WhatIf, label: string, t: Translate): string {
  if (baseline.unknown > 0 || routed.unknown > 0) {
    return t('saved: unknown, because some costs are unknown');
  }
  const saved = baseline.costNanoUsd - routed.costNanoUsd;
  return saved >= 0
    ? t('saved ≈ {amount} against {model}', { amount: formatUsd(saved), model: label })
    : t('≈ {amount} more than {model} would have cost', {
        amount: formatUsd(-saved),
        model: label,
      });
}

export function whatIfNotes({ estimatedUsage }: WhatIf, t: Translate): readonly string[] {
  return [
    t('Prices of today.'),
    ...(estimatedUsage > 0
      ? [t('Prompts whose tokens are estimated: {n}.', { n: estimatedUsage })]
      : []),
    t(
      'Whether the local answers would have been good enough is an estimate; calibrate measures it.',
    ),
  ];
}

export function exportHead(calls: number, days: number, t: Translate): string {
  return t(
    '{calls} calls on {days} days. The export has tokens and no prompts, so where they would have gone is unknown.',
    { calls, days },
  );
}
