/**
 * The models that may answer, as rungs by price: any number of them in place of the pair. What escalating to the yardstick
 * (the configured escalation model) is still worth is asked of every rung, by the one threshold; see docs/ROUTING.md.
 */
import { costOf, ZERO_USD } from './price.ts';
import type { LocalModel, Model, NanoUsd, PriceRow, Registry } from './types.ts';

export interface LadderInput {
  /** `auto` is every enabled model; a list names them, in any order. */
  readonly ladder: NonNullable<Registry['defaults']['ladder']>;
  readonly registry: Registry;
  /** Ids that the configuration names; they are rungs whatever the list says. */
  readonly cheapId: string;
  readonly escalationId: string;
  readonly priceOf: (model: Model) => PriceRow | undefined;
  readonly isHere: (model: LocalModel) => boolean;
}

/** A usual prompt and its answer; prices are compared by it. */
const USUAL = { inputTokens: 300, outputTokens: 256 };

/**
 * The rungs, the cheapest first; of two that cost the same, in the order of the registry. A model that nothing prices comes
 * last. With `auto`, a local model that was never fetched is no rung, unless it is the configured one and the only one.
 */
export function rungsOf(input: LadderInput): readonly Model[] {
  const { ladder, registry, cheapId, escalationId, isHere } = input;
  const enabled = registry.models.filter((model) => model.enabled);
  const named = (model: Model) =>
    ladder === 'auto' ? model.provider !== 'local' || isHere(model) : ladder.includes(model.id);
  const rungs = enabled.filter((model) => named(model) || model.id === escalationId);
  const cheap = enabled.find(({ id }) => id === cheapId);
  const hasLocal = rungs.some(({ provider }) => provider === 'local');
  if (ladder === 'auto' && !hasLocal && cheap !== undefined && !rungs.includes(cheap)) {
    rungs.unshift(cheap);
  }
  const costs = new Map(rungs.map((model) => [model, usualCost(model, input.priceOf(model))]));
  const costOfRung = (model: Model) => costs.get(model) ?? Number.POSITIVE_INFINITY;
  // Two costs that are both infinite have no difference.
  return rungs.toSorted((a, b) =>
    costOfRung(a) === costOfRung(b) ? 0 : costOfRung(a) - costOfRung(b),
  );
}

function usualCost(model: Model, price: PriceRow | undefined): NanoUsd | undefined {
  if (model.provider === 'local') return ZERO_USD;
  const more = {
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
  return price && costOf(price, { ...USUAL, ...more });
}
