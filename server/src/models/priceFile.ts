/** The user's `pricing.yaml` brought up to the bundled price data, and what became of that in words. */
import { type Failure, failure } from '../core/errors.ts';
import type { Model } from '../core/types.ts';
import { utcDay } from './pricing.ts';
import { describeChange, refreshPrices, writePrices } from './refreshPrices.ts';

export type PricesRefreshed =
  | { readonly kind: 'refreshed'; readonly changes: readonly string[] }
  | { readonly kind: 'failed'; readonly failure: Failure };

export function refreshPriceFile(
  pricingPath: string,
  models: readonly Model[],
  nowMs: number,
): PricesRefreshed {
  const refreshed = refreshPrices({ pricingPath, models, today: utcDay(nowMs) });
  if (refreshed.kind === 'failed') {
    const message = refreshed.problems.map((problem) => problem.message).join('\n');
    return { kind: 'failed', failure: failure('bad_request', message) };
  }
  try {
    writePrices(pricingPath, refreshed.text);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const message = `expected to write ${pricingPath}, got ${String(error.code)}; copy the file to a folder of yours and name it with --pricing`;
    return { kind: 'failed', failure: failure('bad_request', message) };
  }
  return { kind: 'refreshed', changes: refreshed.changes.map(describeChange) };
}
