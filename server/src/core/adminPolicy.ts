/** What the administrator of a machine allows: it can only tighten what a person set. */
import { formatUsd } from './report.ts';
import type { Settings } from './schema.ts';
import { english, type Translate } from './translate.ts';
import type { NanoUsd } from './types.ts';

export interface AdminPolicy {
  /** Nothing may leave the machine. */
  readonly localOnly: boolean;
  /** Ids of the registry; absent for all. */
  readonly allowedModels?: readonly string[];
  readonly maxMonthlyNanoUsd?: NanoUsd;
  /** Why the policy can't be read: then nothing leaves until it can. */
  readonly problem?: string;
}

/** Why a model is not available that the policy leaves out. */
export const NOT_ALLOWED = 'the administrator of this machine allows other models only';

export const NO_POLICY: AdminPolicy = { localOnly: false };

/** The settings as far as the policy allows them. */
export function underPolicy(settings: Settings, policy: AdminPolicy): Settings {
  const { maxMonthlyNanoUsd } = policy;
  if (maxMonthlyNanoUsd === undefined && !policy.localOnly) return settings;
  const { monthlyBudgetNanoUsd } = settings;
  const tighter =
    maxMonthlyNanoUsd !== undefined &&
    (monthlyBudgetNanoUsd === undefined || maxMonthlyNanoUsd < monthlyBudgetNanoUsd);
  return {
    ...settings,
    ...(tighter && { monthlyBudgetNanoUsd: maxMonthlyNanoUsd }),
    ...(policy.localOnly && { localOnly: true }),
  };
}

export function allows(policy: AdminPolicy, modelId: string): boolean {
  return policy.allowedModels?.includes(modelId) ?? true;
}

/** What is locked, as sentences for a person; empty without a policy. */
export function lockedSentences(policy: AdminPolicy, t: Translate = english): string[] {
  const { problem, localOnly, allowedModels, maxMonthlyNanoUsd } = policy;
  if (problem !== undefined) {
    return [
      t(
        'The policy of this machine can not be read, so nothing leaves it until its administrator mends it: {problem}',
        { problem },
      ),
    ];
  }
  return [
    localOnly ? t('Locked by the administrator: only local models may answer.') : '',
    allowedModels === undefined
      ? ''
      : t('Locked by the administrator: only these models may answer: {models}.', {
          models: allowedModels.join(', '),
        }),
    maxMonthlyNanoUsd === undefined
      ? ''
      : t('Locked by the administrator: at most {amount} a month.', {
          amount: formatUsd(maxMonthlyNanoUsd),
        }),
  ].filter((sentence) => sentence !== '');
}
