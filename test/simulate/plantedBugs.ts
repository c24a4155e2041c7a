/** Known ways to lose money, each planted around the ports or in the place of one rule, for the oracle to find. */
import { fits, isOpen } from '../../server/src/core/budget.ts';
import { type LedgerTx, settleIn } from '../../server/src/core/ledgerRules.ts';
import type { BudgetLimits, Ledger, ModelEvent, ModelPort } from '../../server/src/core/ports.ts';
import { costOf, ZERO_USD } from '../../server/src/core/price.ts';
import type { Rules } from './memoryLedger.ts';
import type { Life } from './scheduler.ts';
import { prices, type World } from './world.ts';

export interface PlantedBug {
  readonly name: string;
  /** Words of a finding that says what it does harm to; any other finding is not enough. */
  readonly harm: string;
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
    harm: 'its largest limit was',
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
    harm: 'was voided and the provider billed',
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
    harm: 'spent and held, the bill is',
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
    harm: 'its largest limit was',
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
    harm: 'its largest limit was',
    cloud: generating(
      (generate) => (model, request, signal) =>
        generate(model, { ...request, maxOutputTokens: model.maxOutputTokens }, signal),
    ),
  },
  {
    name: 'a settlement over the limit is refused',
    harm: 'is still held',
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
    harm: 'was voided and the provider billed',
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
    harm: 'was voided and the provider billed',
    ledger: (inner) => ({ ...inner, dispatch: (id) => inner.dispatch(id).catch(() => undefined) }),
  },
  {
    name: 'a retry shares the reservation of the first attempt',
    harm: 'spent and held, the bill is',
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
        // The first end stands; what the retry costs is nobody's.
        settle: (id, settlement) =>
          inner.settle(idOf.get(id) ?? id, settlement).catch(() => ZERO_USD),
      };
    },
  },
  {
    name: 'months and days follow the clock back',
    harm: 'was opened',
    rules: { tx: (tx): LedgerTx => ({ ...tx, latest: () => undefined }) },
  },
  {
    name: 'a settlement without an answer is taken back',
    harm: 'spent and held, the bill is',
    ledger: (inner) => ({
      ...inner,
      settle: (id, settlement) =>
        inner.settle(id, settlement).catch(() => inner.settle(id, { kind: 'voided', why: 'lost' })),
    }),
  },
  {
    name: 'what should be booked at its bound is voided',
    harm: 'its largest limit was',
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
    harm: 'its events sum to',
    rules: { atomic: false },
  },
  {
    name: 'an end is booked without letting go of the hold',
    harm: 'its events sum to',
    rules: {
      tx: (tx): LedgerTx => ({
        ...tx,
        save: (after, before) => tx.save(after, isOpen(after.state) ? before : undefined),
      }),
    },
  },
  {
    name: 'a failure of unknown billing is taken as unbilled',
    harm: 'was voided and the provider billed',
    cloud: retelling((event) =>
      event.type === 'failed'
        ? { ...event, failure: { ...event.failure, billing: 'nothing' } }
        : event,
    ),
  },
  {
    name: 'a usage that nobody told is taken as zero',
    harm: 'spent and held, the bill is',
    cloud: retelling((event) =>
      event.type === 'end' && event.usage.outputTokens === undefined
        ? { ...event, usage: { ...event.usage, outputTokens: 0 } }
        : event,
    ),
  },
  {
    name: 'cached input is taken as free',
    harm: 'spent and held, the bill is',
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
    harm: 'was told to cost',
    inputBound: (bound) => Math.floor(bound / 2),
  },
  {
    name: 'a changed limit is not heard of',
    harm: 'not in force any more',
    deafToLimits: true,
  },
  {
    name: 'a frozen model may be used',
    harm: 'holds money for a frozen model',
    rules: { tx: (tx): LedgerTx => ({ ...tx, isFrozen: () => false }) },
    ledger: (inner) => ({ ...inner, frozenModels: async () => new Set() }),
  },
];
