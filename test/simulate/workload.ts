/** What people ask of the virtual processes, and the limits they set. */
import { nanoUsd } from '../../server/src/core/price.ts';
import type { Settings } from '../../server/src/core/schema.ts';
import type { Prompt } from '../../server/src/core/types.ts';
import { MINI } from '../support/scriptedPorts.ts';
import type { Random } from './random.ts';

const OUTPUT_CAP = 200;

/** About what the dearest call can cost. */
const CALL_NANO_USD = 13_000_000;

export type Limits = Pick<
  Settings,
  'monthlyBudgetNanoUsd' | 'dailyBudgetNanoUsd' | 'sessionBudgetNanoUsd' | 'workspaceBudgetsNanoUsd'
>;

const SESSIONS = ['morning', 'evening'];
const WORKSPACES = ['shop', 'site'];

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

/** Its text begins with its id, by which the provider's bill finds its reservation. */
export function drawPrompt(random: Random, id: string): Prompt {
  const length = random.pick([0, 20, 120]);
  const force = random.weighed<Prompt['constraints']>([
    [6, { forceModel: { tier: 'escalation' } }],
    [2, { forceModel: { id: MINI } }],
    [4, {}],
  ]);
  return {
    id,
    text: `#${id} ${'why '.repeat(length / 4)}`,
    context: [],
    history: [],
    constraints: {
      ...(random.chance(0.2) ? { maxOutputTokens: random.whole(10, 120) } : {}),
      ...(random.chance(0.2) ? { maxCostNanoUsd: nanoUsd(random.whole(1, 30) * 1e6) } : {}),
      ...force,
    },
    ...(random.chance(0.7) ? { sessionId: random.pick(SESSIONS) } : {}),
    ...(random.chance(0.7) ? { workspaceId: random.pick(WORKSPACES) } : {}),
    useCache: random.chance(0.3),
  };
}
