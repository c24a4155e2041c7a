/**
 * What past calls would have cost with this router: sums over decisions that were made and never carried out. Costs are ≈
 * wherever tokens or a deferral are estimated; what can't be known is counted, never taken as zero.
 */
import type { Decision } from './answer.ts';
import { costOf, ZERO_USD } from './price.ts';
import type { NanoUsd, PriceRow, Usage } from './types.ts';
import type { UsageExport } from './usageExport.ts';

/** One prompt of the past with the decision on it. */
export interface PastPrompt {
  readonly decision: Decision;
  /** Of the answer that was given then, or an estimate. */
  readonly usage: Usage;
  /** Whether the usage was told, not estimated. */
  readonly usageTold: boolean;
  /** The price row of the model that answered then; `undefined` when it has none or nobody told which it was. */
  readonly paidRow: PriceRow | undefined;
}

export interface WhatIfModel {
  readonly modelId: string;
  readonly prompts: number;
  readonly costNanoUsd: NanoUsd;
}

export interface WhatIf {
  readonly prompts: number;
  /** Prompts that no plan could have answered. */
  readonly refused: number;
  readonly local: number;
  readonly cloud: number;
  /** Prompts kept local although another model was wanted, because of what stands in them. */
  readonly keptPrivate: number;
  /** Expected number of local answers that would have been deferred to the cloud. */
  readonly expectedDeferrals: number;
  /** Prompts whose tokens were estimated. */
  readonly estimatedUsage: number;
  readonly routed: Sum;
  readonly baseline: Sum;
  readonly paid: Sum;
  /** By the model that would have answered first. */
  readonly models: readonly WhatIfModel[];
}

/** A sum over the prompts whose cost is known, and how many are not in it. */
export interface Sum {
  readonly costNanoUsd: NanoUsd;
  readonly unknown: number;
}

export interface WhatIfPrices {
  readonly baseline: PriceRow | undefined;
  readonly of: (modelId: string) => PriceRow | undefined;
  readonly isLocal: (modelId: string) => boolean;
}

/** Adds prompts up one by one, so that the past may be longer than memory. */
export interface WhatIfSums {
  add(past: PastPrompt): void;
  sums(): WhatIf;
}

export function createWhatIf(prices: WhatIfPrices): WhatIfSums {
  const counts = { prompts: 0, refused: 0, local: 0, cloud: 0, keptPrivate: 0, estimatedUsage: 0 };
  const routed = createSum();
  const baseline = createSum();
  const paid = createSum();
  const models = new Map<string, { prompts: number; costNanoUsd: number }>();
  let expectedDeferrals = 0;

  function add({ decision, usage, usageTold, paidRow }: PastPrompt): void {
    counts.prompts += 1;
    if (!usageTold) counts.estimatedUsage += 1;
    paid.add(usageTold && paidRow !== undefined ? costOf(paidRow, usage) : undefined);
    baseline.add(prices.baseline && costOf(prices.baseline, usage));
    if (decision.kind === 'refused') {
      counts.refused += 1;
      routed.add(undefined);
      return;
    }
    const { route } = decision;
    const here = prices.isLocal(route.modelId);
    counts[here ? 'local' : 'cloud'] += 1;
    if (route.reason.code === 'privacy_floor') counts.keptPrivate += 1;
    const plan = route.trace.candidates.find(
      ({ first, ifUnsure }) => first === route.modelId && ifUnsure === route.ifUnsure,
    );
    const share = plan?.deferralShare ?? 0;
    expectedDeferrals += share;
    const first = costAt(route.modelId, usage, prices);
    const later = [
      ...(route.ifUnsure === undefined ? [] : [{ modelId: route.ifUnsure, share }]),
      ...(plan?.further ?? []),
    ];
    const cost = later.reduce<NanoUsd | undefined>((sum, step) => {
      const more = costAt(step.modelId, usage, prices);
      return sum === undefined || more === undefined
        ? undefined
        : ((sum + Math.round(more * step.share)) as NanoUsd);
    }, first);
    routed.add(cost);
    const row = models.get(route.modelId) ?? { prompts: 0, costNanoUsd: 0 };
    models.set(route.modelId, {
      prompts: row.prompts + 1,
      costNanoUsd: row.costNanoUsd + (cost ?? 0),
    });
  }

  return {
    add,
    sums: () => ({
      ...counts,
      expectedDeferrals,
      routed: routed.sum(),
      baseline: baseline.sum(),
      paid: paid.sum(),
      models: [...models]
        .map(([modelId, row]) => ({
          modelId,
          prompts: row.prompts,
          costNanoUsd: row.costNanoUsd as NanoUsd,
        }))
        .sort((a, b) => b.prompts - a.prompts || a.modelId.localeCompare(b.modelId)),
    }),
  };
}

/** Of all prompts: those of the cloud at once and the local drafts that would have been deferred. */
export function escalatedShare({ prompts, cloud, expectedDeferrals }: WhatIf): number {
  return prompts === 0 ? 0 : (cloud + expectedDeferrals) / prompts;
}

function costAt(modelId: string, usage: Usage, prices: WhatIfPrices): NanoUsd | undefined {
  if (prices.isLocal(modelId)) return ZERO_USD;
  const row = prices.of(modelId);
  return row && costOf(row, usage);
}

function createSum() {
  let costNanoUsd = 0;
  let unknown = 0;
  return {
    add(cost: NanoUsd | undefined) {
      if (cost === undefined) unknown += 1;
      else costNanoUsd += cost;
    },
    sum: (): Sum => ({ costNanoUsd: costNanoUsd as NanoUsd, unknown }),
  };
}

/** A usage export has tokens and no prompts, so nothing can be routed: its tokens at every model's price are all that is known. */
export interface ExportPriced {
  readonly calls: number;
  readonly days: number;
  /** `unknown` counts rows of the export. */
  readonly models: readonly (Sum & { readonly modelId: string })[];
}

export function priceExport(
  usage: UsageExport,
  models: readonly { readonly modelId: string; readonly price: PriceRow }[],
): ExportPriced {
  return {
    calls: usage.rows.reduce((all, row) => all + (row.calls ?? 0), 0),
    days: usage.days.size,
    models: models.map(({ modelId, price }) => ({ modelId, ...exportCost(usage, price) })),
  };
}

/** A row sums many calls, so a price by context length can't be told from it; the base rates are taken. */
function exportCost(usage: UsageExport, price: PriceRow): Sum {
  const sum = createSum();
  for (const { inputTokens, cachedInputTokens, outputTokens } of usage.rows) {
    const tokens = { inputTokens, outputTokens, cachedInputTokens };
    const more = { cacheWriteTokens: undefined, reasoningTokens: undefined };
    sum.add(costOf({ ...price, tiers: [] }, { ...tokens, ...more }));
  }
  return sum.sum();
}
