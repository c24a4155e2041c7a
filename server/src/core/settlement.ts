/** How a call's end is booked. */
import type { FinalEvent } from './modelCall.ts';
import type { Settlement } from './ports.ts';
import { costOf } from './price.ts';
import type { PriceRow, Usage } from './types.ts';

/** Void only what is proved unbilled; an answer whose bill can't be worked out is booked at its bound, never at zero. */
export function settlementOf(last: FinalEvent, price: PriceRow): Settlement {
  if (last.type === 'failed') {
    return last.failure.billing === 'nothing'
      ? { kind: 'voided', why: last.failure.code }
      : { kind: 'settled_at_bound', why: last.failure.code };
  }
  const costNanoUsd = costOf(price, last.usage);
  return costNanoUsd === undefined
    ? { kind: 'settled_at_bound', why: whyUnknown(last.usage) }
    : { kind: 'settled', costNanoUsd, usage: last.usage };
}

function whyUnknown({ inputTokens, outputTokens, unpriced }: Usage): string {
  if (unpriced !== undefined) return `unpriced_${unpriced}`;
  // Told, and still without a bill: its parts don't add up, or the cache was written and has no price.
  return inputTokens === undefined || outputTokens === undefined
    ? 'usage_untold'
    : 'usage_not_priceable';
}
