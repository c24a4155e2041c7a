/** What all virtual processes of one run share. */

import type { GenerationRequest } from '../../server/src/core/ports.ts';
import type { PriceRow } from '../../server/src/core/types.ts';
import { BIG, MINI } from '../support/scriptedPorts.ts';
import type { Faults } from './faults.ts';
import type { Oracle } from './oracle.ts';
import type { PlantedBug } from './plantedBugs.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { SharedLedger } from './sharedLedger.ts';

export interface World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly ledger: SharedLedger;
  readonly oracle: Oracle;
  readonly planted: PlantedBug | undefined;
  /** UTC, which may jump. */
  wallMs(): number;
  newId(prefix: string): string;
}

/** A dearer cache write and a dearer tier, so that a bound that forgets one of them is passed. */
export const prices: Readonly<Record<string, PriceRow>> = {
  [MINI]: row(MINI, { inputPicoUsd: 1e6, outputPicoUsd: 4e6 }),
  [BIG]: {
    ...row(BIG, {
      inputPicoUsd: 10e6,
      cachedInputPicoUsd: 1e6,
      cacheWritePicoUsd: 12_500_001,
      outputPicoUsd: 40e6,
    }),
    tiers: [
      {
        aboveInputTokens: 90,
        rates: { inputPicoUsd: 20e6, cacheWritePicoUsd: 25_000_001, outputPicoUsd: 60e6 },
      },
    ],
  },
};

function row(model: string, base: PriceRow['base']): PriceRow {
  return {
    id: `${model}@2026-01-01`,
    model,
    effectiveFrom: '2026-01-01',
    source: 'simulated',
    checkedAt: '2026-01-01',
    base,
    tiers: [],
  };
}

/** The true count; the provider bills no more input than this. */
export function inputTokensOf({ system, turns }: GenerationRequest): number {
  return turns.reduce((sum, { text }) => sum + Math.ceil(text.length / 2), system.length >> 2);
}
