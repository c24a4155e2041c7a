/**
 * How far a proof goes. `COST_AWARE_ROUTER_PROOF=full node --test FILE` runs its long form, `npm test` the short one;
 * `COST_AWARE_ROUTER_SEED` takes another seed than 1.
 */

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

/** Mulberry32: the same seed gives the same numbers everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Object.assign(next, { below: (below: number) => Math.floor(next() * below) });
}
