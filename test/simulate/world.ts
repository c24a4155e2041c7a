/** What all virtual processes of one run share. */

import type { GenerationRequest } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { Settings } from '../../server/src/core/schema.ts';
import type { PriceRow } from '../../server/src/core/types.ts';
import { BIG, MINI, registry } from '../support/scriptedPorts.ts';
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

export { BIG, registry };

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

const OUTPUT_CAP = 200;

/** About what the dearest call can cost. */
const CALL_NANO_USD = 13_000_000;

export type Limits = Pick<
  Settings,
  'monthlyBudgetNanoUsd' | 'dailyBudgetNanoUsd' | 'sessionBudgetNanoUsd' | 'workspaceBudgetsNanoUsd'
>;

export const SESSIONS = ['morning', 'evening'];
export const WORKSPACES = ['shop', 'site'];

/** Limits that some calls fit in and more don't; any of them may be missing. */
export function drawLimits(random: Random, calls: number): Limits {
  const limit = (share: number) =>
    nanoUsd(Math.floor(CALL_NANO_USD * calls * share * (0.3 + random.share())));
  const workspaces = WORKSPACES.filter(() => random.chance(0.4));
  return {
    monthlyBudgetNanoUsd: random.chance(0.9) ? limit(1) : undefined,
    dailyBudgetNanoUsd: random.chance(0.4) ? limit(0.7) : undefined,
    sessionBudgetNanoUsd: random.chance(0.4) ? limit(0.6) : undefined,
    workspaceBudgetsNanoUsd: Object.fromEntries(workspaces.map((id) => [id, limit(0.6)])),
  };
}

export const baseSettings = { maxOutputTokens: OUTPUT_CAP, minUsefulOutputTokens: 20 };
