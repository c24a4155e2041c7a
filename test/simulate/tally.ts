/** Sums over the results of many seeds. */
import type { SimulationResult } from './simulation.ts';

export interface Tally {
  readonly seeds: number;
  readonly steps: number;
  readonly prompts: number;
  readonly climbs: number;
  readonly reservations: number;
  readonly calls: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly failed: readonly number[];
}

export const EMPTY_TALLY: Tally = {
  seeds: 0,
  steps: 0,
  prompts: 0,
  climbs: 0,
  reservations: 0,
  calls: 0,
  faults: {},
  failed: [],
};

/** @param more one seed's result, or the sums of others */
export function addTally(sum: Tally, more: SimulationResult | Tally): Tally {
  const faults: Record<string, number> = { ...sum.faults };
  for (const [kind, times] of Object.entries(more.faults)) {
    faults[kind] = (faults[kind] ?? 0) + times;
  }
  const one = 'findings' in more;
  const failed = one ? (more.findings.length > 0 ? [more.seed] : []) : more.failed;
  return {
    seeds: sum.seeds + (one ? 1 : more.seeds),
    steps: sum.steps + more.steps,
    prompts: sum.prompts + more.prompts,
    climbs: sum.climbs + more.climbs,
    reservations: sum.reservations + more.reservations,
    calls: sum.calls + more.calls,
    faults,
    failed: [...sum.failed, ...failed].sort((a, b) => a - b),
  };
}
