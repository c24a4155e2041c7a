/**
 * How far a proof goes. `COST_AWARE_ROUTER_PROOF=full node --test FILE` runs its long form, `npm test` the short one;
 * `COST_AWARE_ROUTER_SEED` takes another seed than 1.
 */
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';

export function times(forms: { readonly short: number; readonly full: number }): number {
  return process.env['COST_AWARE_ROUTER_PROOF'] === 'full' ? forms.full : forms.short;
}

export const SEED = Number(process.env['COST_AWARE_ROUTER_SEED'] ?? 1);

export interface Random {
  /** In [0,1). */
  (): number;
  /** A whole number in [0, below). */
  below(below: number): number;
}

export function randomFrom(seed: number): Random {
  const { next, below } = createSeededRandom(seed);
  return Object.assign(() => next(), { below });
}
