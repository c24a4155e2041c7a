/** The real rules of the ledger on tables in memory, shared by virtual processes. */
import { balancesAt, stateUnder } from '../../server/src/core/budgetsInForce.ts';
import {
  balanceDifferences,
  chainFindings,
  replayFindings,
  sumsOf,
} from '../../server/src/core/ledgerAudit.ts';
import {
  dispatchIn,
  endHoldsIn,
  type LedgerTx,
  reserveIn,
  resolveDeadIn,
  settleIn,
  unfreezeIn,
} from '../../server/src/core/ledgerRules.ts';
import type { Clock } from '../../server/src/core/ports.ts';
import { NO_AUDITS } from '../../server/src/store/ledgerAudits.ts';
import { LedgerUnavailableError } from '../../server/src/store/ledgerFaults.ts';
import { createMemoryStore, LEDGER_ID, sha256 } from './memoryStore.ts';
import type { Random } from './random.ts';
import type { SharedLedger, SimulatedLedger } from './sharedLedger.ts';

/** What a planted bug may put in the place of a rule. */
export interface Rules {
  readonly reserveIn: typeof reserveIn;
  readonly dispatchIn: typeof dispatchIn;
  readonly settleIn: typeof settleIn;
  readonly resolveDeadIn: typeof resolveDeadIn;
  readonly tx: (tx: LedgerTx) => LedgerTx;
  readonly atomic: boolean;
}

const realRules: Rules = {
  reserveIn,
  dispatchIn,
  settleIn,
  resolveDeadIn,
  tx: (tx) => tx,
  atomic: true,
};

export function createMemoryLedger(random: Random, planted: Partial<Rules> = {}): SharedLedger {
  const rules = { ...realRules, ...planted };
  const gone = new Set<string>();
  const store = createMemoryStore({ isGone: (owner) => gone.has(owner), atomic: rules.atomic });
  const tx = rules.tx(store.tx);

  async function open(owner: string, clock: Clock): Promise<SimulatedLedger | undefined> {
    let closed = false;
    const entry = () => ({ owner, atMs: clock.now() });
    async function write<T>(work: () => T): Promise<T> {
      if (closed) throw new LedgerUnavailableError('the ledger was closed by this process');
      return store.transaction(work);
    }
    const budget: SimulatedLedger['budget'] = async (limits, scope = {}) =>
      stateUnder(limits, balancesAt(tx, clock.now(), scope));
    try {
      await write(() => {
        rules.resolveDeadIn(tx, entry());
        store.tx.enter(owner);
      });
    } catch (error) {
      if (error instanceof LedgerUnavailableError) return undefined;
      throw error;
    }
    return {
      budget,
      frozenModels: async () => store.tx.frozenModels(),
      answered: async (promptId) => store.tx.hasAnswer(promptId),
      spend: async (limits) => ({
        budget: await budget(limits),
        answers: 0,
        savedNanoUsd: 0,
        unknownSavings: 0,
        rows: [],
        audits: NO_AUDITS,
      }),
      async reserve(request, limits) {
        try {
          return await write(() => rules.reserveIn(tx, request, limits, entry()));
        } catch (error) {
          if (error instanceof LedgerUnavailableError) {
            return { kind: 'unavailable', why: String(error) };
          }
          throw error;
        }
      },
      async reserveDispatched(request, limits) {
        try {
          return await write(() => {
            const result = rules.reserveIn(tx, request, limits, entry());
            if (result.kind === 'held') rules.dispatchIn(tx, request.id, entry());
            return result;
          });
        } catch (error) {
          if (error instanceof LedgerUnavailableError) {
            return { kind: 'unavailable', why: String(error) };
          }
          throw error;
        }
      },
      dispatch: (id) => write(() => rules.dispatchIn(tx, id, entry())),
      settle: (id, settlement) => write(() => rules.settleIn(tx, id, settlement, entry())),
      recordAudit: async () => {},
      record: (answer) => write(() => store.tx.addAnswer(answer)),
      unfreeze: (modelId) => write(() => unfreezeIn(tx, modelId, entry())),
      async close() {
        try {
          await write(() => endHoldsIn(tx, owner, 'the ledger was closed', entry()));
        } finally {
          closed = true;
          gone.add(owner);
        }
      },
    };
  }

  const counters = () => store.balances;
  const reservations = () => [...store.reservations.values()];
  return {
    open,
    reservations,
    counters,
    crash: (owner) => void gone.add(owner),
    setFull: (full) => store.setRoom(full ? random.whole(0, 4) : undefined),
    eventsAfter: (seq) => store.events.slice(seq),
    findings() {
      const sums = sumsOf(reservations());
      return [
        ...chainFindings(store.events, { hash: LEDGER_ID, seq: 1 }, sha256),
        ...replayFindings(store.events, {
          reservations: store.reservations.values(),
          months: store.balances.get('month') ?? new Map(),
          frozen: store.tx.frozenModels(),
        }),
        ...[...store.balances].flatMap(([period, stored]) =>
          balanceDifferences(sums.get(period) ?? new Map(), stored, period, 'its reservations'),
        ),
      ];
    },
    dispose() {},
  };
}
