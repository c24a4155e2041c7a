/** A ledger's tables in memory, with transactions that undo everything when they throw, and a disk that can be full. */
import { hash } from 'node:crypto';
import { type Balance, EMPTY_BALANCE, isOpen, rebalance } from '../../server/src/core/budget.ts';
import { countersOf } from '../../server/src/core/budgetsInForce.ts';
import { eventHash, type LedgerEvent } from '../../server/src/core/ledgerAudit.ts';
import type { LedgerTx, Reservation } from '../../server/src/core/ledgerRules.ts';
import type { AnswerRecord, BudgetPeriod } from '../../server/src/core/ports.ts';
import { LedgerUnavailableError } from '../../server/src/store/ledgerFaults.ts';

export const LEDGER_ID = 'simulated';
export const sha256 = (text: string) => hash('sha256', text);

export interface MemoryTx extends LedgerTx {
  enter(owner: string): void;
  owners(): ReadonlySet<string>;
  frozenModels(): ReadonlySet<string>;
  addAnswer(answer: AnswerRecord): void;
  hasAnswer(promptId: string): boolean;
}

export interface MemoryStore {
  readonly tx: MemoryTx;
  readonly events: readonly LedgerEvent[];
  readonly reservations: ReadonlyMap<string, Reservation>;
  readonly balances: ReadonlyMap<BudgetPeriod, ReadonlyMap<string, Balance>>;
  transaction<T>(work: () => T): T;
  /** @param afterWrites of one transaction, from which on there is no room */
  setRoom(afterWrites: number | undefined): void;
}

export interface MemoryStoreOptions {
  readonly isGone: (owner: string) => boolean;
  /** False plants a bug: what a failed transaction wrote stays. @default true */
  readonly atomic?: boolean;
}

export function createMemoryStore({ isGone, atomic = true }: MemoryStoreOptions): MemoryStore {
  const events: LedgerEvent[] = [];
  const reservations = new Map<string, Reservation>();
  const balances = new Map<BudgetPeriod, Map<string, Balance>>([
    ['month', new Map()],
    ['day', new Map()],
    ['session', new Map()],
    ['workspace', new Map()],
  ]);
  const frozen = new Set<string>();
  const owners = new Set<string>();
  const answers = new Map<string, string>();
  let undo: (() => void)[] = [];
  let writes = 0;
  let room: number | undefined;

  function wrote(undoing: () => void): void {
    undo.push(undoing);
    writes += 1;
    if (room !== undefined && writes > room)
      throw new LedgerUnavailableError('database or disk is full');
  }
  function put<K, V>(map: Map<K, V>, key: K, value: V): void {
    const before = map.get(key);
    map.set(key, value);
    wrote(() => (before === undefined ? map.delete(key) : map.set(key, before)));
  }
  function add<T>(set: Set<T>, item: T): void {
    if (set.has(item)) return;
    set.add(item);
    wrote(() => set.delete(item));
  }
  function remove<T>(set: Set<T>, item: T): boolean {
    if (!set.delete(item)) return false;
    wrote(() => set.add(item));
    return true;
  }
  function ofPeriod(period: BudgetPeriod): Map<string, Balance> {
    const found = balances.get(period);
    if (found === undefined) throw new Error(`expected a period of budgets, got ${period}`);
    return found;
  }
  const balance = (period: BudgetPeriod, key: string) => ofPeriod(period).get(key) ?? EMPTY_BALANCE;

  const tx: MemoryTx = {
    balance,
    latest: (period) => [...ofPeriod(period).keys()].sort().at(-1),
    find: (id) => reservations.get(id),
    isFrozen: (modelId) => frozen.has(modelId),
    openOf: (owner) =>
      [...reservations.values()].filter((one) => one.owner === owner && isOpen(one.state)),
    deadOwners: () => [...owners].filter(isGone),
    save(after, before) {
      put(reservations, after.id, after);
      for (const { period, key } of countersOf(after)) {
        put(ofPeriod(period), key, rebalance(balance(period, key), before?.state, after.state));
      }
    },
    append(event, { owner, atMs }) {
      const { kind, reservationId, amountNanoUsd } = event;
      const details = JSON.stringify(event.details);
      const seq = events.length + 1;
      const row = { seq, kind, reservationId, atMs, owner, amountNanoUsd, details };
      const previous = events.at(-1)?.hash ?? LEDGER_ID;
      events.push({ ...row, hash: eventHash(sha256, previous, row) });
      wrote(() => events.pop());
    },
    freeze: (modelId) => add(frozen, modelId),
    unfreeze: (modelId) => remove(frozen, modelId),
    forgetOwner: (owner) => void remove(owners, owner),
    enter: (owner) => add(owners, owner),
    owners: () => owners,
    frozenModels: () => new Set(frozen),
    addAnswer(answer) {
      const record = JSON.stringify(answer);
      const known = answers.get(answer.promptId);
      if (known === undefined) put(answers, answer.promptId, record);
      else if (known !== record) {
        throw new Error(`expected one record of prompt ${answer.promptId}, got another one`);
      }
    },
    hasAnswer: (promptId) => answers.has(promptId),
  };

  return {
    tx,
    events,
    reservations,
    balances,
    setRoom(afterWrites) {
      room = afterWrites;
    },
    transaction(work) {
      undo = [];
      writes = 0;
      try {
        const result = work();
        // What wrote too little to meet the end of the room meets it when it commits.
        if (room !== undefined && writes > 0)
          throw new LedgerUnavailableError('database or disk is full');
        return result;
      } catch (error) {
        if (atomic) for (const step of undo.reverse()) step();
        throw error;
      }
    },
  };
}
