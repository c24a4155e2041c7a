/** Known ways to lose money, each planted around the ports or in the place of one rule, for the oracle to find. */
import { fits, isOpen } from '../../server/src/core/budget.ts';
import { type LedgerTx, settleIn } from '../../server/src/core/ledgerRules.ts';
import type { BudgetLimits, Ledger, ModelEvent, ModelPort } from '../../server/src/core/ports.ts';
import { costOf } from '../../server/src/core/price.ts';
import type { Rules } from './memoryLedger.ts';
import type { Life } from './scheduler.ts';
import { prices, type World } from './world.ts';

export interface PlantedBug {
  readonly name: string;
  readonly rules?: Partial<Rules>;
  readonly ledger?: (inner: Ledger, world: World, life: Life) => Ledger;
  readonly cloud?: (inner: ModelPort, world: World) => ModelPort;
  readonly inputBound?: (bound: number) => number;
  /** Changed limits don't reach the router. */
  readonly deafToLimits?: boolean;
}

type Generate = ModelPort['generate'];

function generating(change: (generate: Generate) => Generate): PlantedBug['cloud'] {
  return (inner) => ({ ...inner, generate: change(inner.generate) });
}

/** Each event of the stream as the bug tells it. */
function retelling(change: (event: ModelEvent) => ModelEvent): PlantedBug['cloud'] {
  return generating(
    (generate) =>
      async function* (model, request, signal) {
        for await (const event of generate(model, request, signal)) yield change(event);
      },
  );
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'the check and the hold are two transactions',
    ledger: (inner) => ({
      ...inner,
      async reserve(request, limits) {
        const state = await inner.budget(limits, request);
        if (!fits(state, request.boundNanoUsd)) return { kind: 'exhausted', state };
        return inner.reserve(request, { monthlyNanoUsd: undefined });
      },
    }),
  },
  {
    name: 'a crash voids what was dispatched',
    rules: {
      resolveDeadIn(tx, entry) {
        for (const owner of tx.deadOwners()) {
          for (const { id } of tx.openOf(owner)) {
            settleIn(tx, id, { kind: 'voided', why: 'its process ended' }, entry);
          }
          tx.forgetOwner(owner);
        }
        return 0;
      },
    },
  },
  {
    name: 'an abort settles at the tokens received',
    cloud: generating(
      (generate) =>
        async function* (model, request, signal) {
          let outputTokens = 0;
          for await (const event of generate(model, request, signal)) {
            if (event.type === 'text-delta') outputTokens += 1;
            if (!signal.aborted) yield event;
            else if (event.type === 'end') {
              yield { ...event, usage: { ...event.usage, outputTokens } };
            }
          }
        },
    ),
  },
  {
    name: 'the SDK retries on its own, under the same reservation',
    cloud: generating(
      (generate) =>
        async function* (model, request, signal) {
          for await (const event of generate(model, request, signal)) {
            if (event.type === 'failed' && event.failure.retryable) {
              yield* generate(model, request, signal);
              return;
            }
            yield event;
          }
        },
    ),
  },
  {
    name: 'the call carries no output cap',
    cloud: generating(
      (generate) => (model, request, signal) =>
        generate(model, { ...request, maxOutputTokens: model.maxOutputTokens }, signal),
    ),
  },
  {
    name: 'a settlement over the limit is refused',
    ledger(inner) {
      let newest: BudgetLimits = { monthlyNanoUsd: undefined };
      return {
        ...inner,
        reserve(request, asked) {
          newest = asked;
          return inner.reserve(request, asked);
        },
        async settle(id, settlement) {
          if (settlement.kind === 'settled') {
            const state = await inner.budget(newest);
            const { limitNanoUsd = Number.POSITIVE_INFINITY, spentNanoUsd } = state;
            if (spentNanoUsd + settlement.costNanoUsd > limitNanoUsd) {
              throw new Error('the limit is passed');
            }
          }
          return inner.settle(id, settlement);
        },
      };
    },
  },
  {
    name: 'dispatched is committed after the first byte',
    ledger: (inner, { scheduler }, life) => ({
      ...inner,
      async dispatch(id) {
        void scheduler
          .point(life, 'dispatches later')
          .then(() => inner.dispatch(id))
          .catch(() => undefined);
      },
    }),
  },
  {
    name: 'a dispatch that failed is ignored',
    ledger: (inner) => ({ ...inner, dispatch: (id) => inner.dispatch(id).catch(() => undefined) }),
  },
  {
    name: 'a retry shares the reservation of the first attempt',
    ledger(inner) {
      const first = new Map<string, string>();
      const idOf = new Map<string, string>();
      return {
        ...inner,
        async reserve(request, limits) {
          const key = `${request.promptId} ${request.fingerprint}`;
          const shared = first.get(key);
          idOf.set(request.id, shared ?? request.id);
          if (shared !== undefined) return inner.reserve({ ...request, id: shared }, limits);
          const result = await inner.reserve(request, limits);
          if (result.kind === 'held') first.set(key, request.id);
          return result;
        },
        dispatch: (id) => inner.dispatch(idOf.get(id) ?? id).catch(() => undefined),
        settle: async (id, settlement) =>
          settlement.kind === 'voided'
            ? (0 as Awaited<ReturnType<Ledger['settle']>>)
            : inner.settle(idOf.get(id) ?? id, settlement),
      };
    },
  },
  {
    name: 'months and days follow the clock back',
    rules: { tx: (tx): LedgerTx => ({ ...tx, latest: () => undefined }) },
  },
  {
    name: 'a settlement without an answer is taken back',
    ledger: (inner) => ({
      ...inner,
      settle: (id, settlement) =>
        inner.settle(id, settlement).catch(() => inner.settle(id, { kind: 'voided', why: 'lost' })),
    }),
  },
  {
    name: 'what should be booked at its bound is voided',
    rules: {
      settleIn(tx, id, settlement, entry) {
        const state = tx.find(id)?.state;
        if (state !== undefined && isOpen(state) && settlement.kind === 'settled_at_bound') {
          return settleIn(tx, id, { kind: 'voided', why: settlement.why }, entry);
        }
        return settleIn(tx, id, settlement, entry);
      },
    },
  },
  {
    name: 'what a failed transaction wrote stays',
    rules: { atomic: false },
  },
  {
    name: 'an end is booked without letting go of the hold',
    rules: {
      tx: (tx): LedgerTx => ({
        ...tx,
        save: (after, before) => tx.save(after, isOpen(after.state) ? before : undefined),
      }),
    },
  },
  {
    name: 'a failure of unknown billing is taken as unbilled',
    cloud: retelling((event) =>
      event.type === 'failed'
        ? { ...event, failure: { ...event.failure, billing: 'nothing' } }
        : event,
    ),
  },
  {
    name: 'a usage that nobody told is taken as zero',
    cloud: retelling((event) =>
      event.type === 'end' && event.usage.outputTokens === undefined
        ? { ...event, usage: { ...event.usage, outputTokens: 0 } }
        : event,
    ),
  },
  {
    name: 'cached input is taken as free',
    rules: {
      settleIn(tx, id, settlement, entry) {
        if (settlement.kind !== 'settled') return settleIn(tx, id, settlement, entry);
        const price = prices[tx.find(id)?.modelId ?? ''];
        const { inputTokens = 0, cachedInputTokens = 0 } = settlement.usage;
        const usage = {
          ...settlement.usage,
          inputTokens: inputTokens - cachedInputTokens,
          cachedInputTokens: 0,
        };
        const costNanoUsd = (price && costOf(price, usage)) ?? settlement.costNanoUsd;
        return settleIn(tx, id, { ...settlement, costNanoUsd }, entry);
      },
    },
  },
  {
    name: 'the bound counts half of the input',
    inputBound: (bound) => Math.floor(bound / 2),
  },
  {
    name: 'a changed limit is not heard of',
    deafToLimits: true,
  },
  {
    name: 'a frozen model may be used',
    rules: { tx: (tx): LedgerTx => ({ ...tx, isFrozen: () => false }) },
    ledger: (inner) => ({ ...inner, frozenModels: async () => new Set() }),
  },
];
