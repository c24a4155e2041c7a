/** Savings against the baseline: what it would have cost, less all that was paid. Unknown stays unknown. */
import { costOf } from './price.ts';
import type { NanoUsd, PriceRow, Savings, Usage } from './types.ts';

export interface SavingsInput {
  /** `undefined` when the registry has no such baseline. */
  readonly baselineId: string | undefined;
  readonly baselineRow: PriceRow | undefined;
  /** Tokens as the baseline would count them; its output is taken to be as long as the answer that came. */
  readonly usage: Usage;
  /** All that was paid for this prompt, failed attempts included. */
  readonly costNanoUsd: NanoUsd;
  readonly complete: boolean;
  /** An answer that the router itself would not have chosen displaced nothing that can be counted as saved. */
  readonly belowWantedQuality: boolean;
  /** Of a prompt that was asked in order to measure. */
  readonly isMeasurement?: boolean | undefined;
}

export function savingsOf(input: SavingsInput): Savings {
  if (input.isMeasurement === true) return { kind: 'unknown', why: 'measurement' };
  if (input.baselineId === undefined) return { kind: 'unknown', why: 'baseline_missing' };
  if (!input.complete) return { kind: 'unknown', why: 'answer_incomplete' };
  if (input.belowWantedQuality) return { kind: 'unknown', why: 'below_wanted_quality' };
  if (input.baselineRow === undefined) return { kind: 'unknown', why: 'baseline_unpriced' };
  const baselineCostNanoUsd = costOf(input.baselineRow, input.usage);
  if (baselineCostNanoUsd === undefined) return { kind: 'unknown', why: 'tokens_unknown' };
  return {
    kind: 'known',
    baselineCostNanoUsd,
    savedNanoUsd: baselineCostNanoUsd - input.costNanoUsd,
  };
}
