/**
 * The ledger's book: reservations, their events and the counters, on an open database. Every method that writes must run
 * inside one write transaction; together they keep events, reservations and counters in step.
 */
import type { DatabaseSync } from 'node:sqlite';
import {
  type Balance,
  EMPTY_BALANCE,
  isOpen,
  nextState,
  type ReservationEvent,
  type ReservationState,
  rebalance,
} from '../core/budget.ts';
import type { NarrowerBudget, ReservationRequest } from '../core/ports.ts';
import { nanoUsd } from '../core/price.ts';
import type { NanoUsd } from '../core/types.ts';
import {
  balanceFrom,
  eventHash,
  type LedgerEvent,
  type Reservation,
  reservationFrom,
} from './ledgerRows.ts';
import { integer, optionalText, text } from './sqliteRows.ts';

/** Who writes, and when. */
export interface Entry {
  readonly owner: string;
  readonly atMs: number;
}

/** The UTC month and day that a reservation counts against. */
export interface BudgetDates {
  readonly month: string;
  readonly day: string;
}

type NarrowPeriod = NarrowerBudget['period'];

export interface Book {
  readonly ledgerId: string;
  find(reservationId: string): Reservation | undefined;
  balance(month: string): Balance;
  /** Counters of a day, a session or a workspace's month. The database keeps them in step with the reservations. */
  narrowBalance(period: NarrowPeriod, key: string): Balance;
  /** The latest month or day that was ever opened; neither ever goes back behind it. */
  latest(period: 'month' | 'day'): string | undefined;
  months(): ReadonlyMap<string, Balance>;
  /** Owners of open reservations. */
  debtors(): readonly string[];
  openOf(owner: string): readonly Reservation[];
  frozenModels(): ReadonlySet<string>;
  reserve(request: ReservationRequest, when: BudgetDates, entry: Entry): void;
  /** Moves a reservation on and returns its new state; throws when the rules refuse. */
  advance(
    reservationId: string,
    event: ReservationEvent,
    details: Readonly<Record<string, unknown>>,
    entry: Entry,
  ): ReservationState;
  unfreeze(modelId: string, entry: Entry): void;
}

export function openBook(db: DatabaseSync, sha256: (text: string) => string): Book {
  const sql = {
    find: db.prepare('SELECT * FROM reservations WHERE id = ?'),
    openOf: db.prepare('SELECT * FROM reservations WHERE owner = ? AND booked_nano_usd IS NULL'),
    debtors: db.prepare('SELECT DISTINCT owner FROM reservations WHERE booked_nano_usd IS NULL'),
    insert: db.prepare(
      `INSERT INTO reservations (id, prompt_id, model_id, price_row_id, fingerprint, bound_nano_usd,
         month, day, session_id, workspace_id, owner, state)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'reserved')`,
    ),
    update: db.prepare('UPDATE reservations SET state = ?, booked_nano_usd = ? WHERE id = ?'),
    balance: db.prepare('SELECT * FROM balances WHERE scope = ? AND key = ?'),
    balances: db.prepare(`SELECT * FROM balances WHERE scope = 'month'`),
    latest: db.prepare('SELECT max(key) AS key FROM balances WHERE scope = ?'),
    setBalance: db.prepare(
      `INSERT INTO balances (scope, key, spent_nano_usd, held_nano_usd) VALUES ('month', ?, ?, ?)
         ON CONFLICT (scope, key) DO UPDATE
         SET spent_nano_usd = excluded.spent_nano_usd, held_nano_usd = excluded.held_nano_usd`,
    ),
    lastEvent: db.prepare('SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1'),
    append: db.prepare(
      `INSERT INTO events (seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    frozen: db.prepare('SELECT model_id FROM frozen_models'),
    freeze: db.prepare('INSERT OR IGNORE INTO frozen_models (model_id, event_seq) VALUES (?, ?)'),
    unfreeze: db.prepare('DELETE FROM frozen_models WHERE model_id = ?'),
  };
  const ledgerId = text(db.prepare('SELECT id FROM ledger').get(), 'id');

  function balanceOf(period: 'month' | NarrowPeriod, key: string): Balance {
    const row = sql.balance.get(period, key);
    return row === undefined ? EMPTY_BALANCE : balanceFrom(row);
  }

  function balance(month: string): Balance {
    return balanceOf('month', month);
  }

  function move(month: string, from: ReservationState | undefined, to: ReservationState): void {
    const next = rebalance(balance(month), from, to);
    sql.setBalance.run(month, next.spentNanoUsd, next.heldNanoUsd);
  }

  function append(
    kind: LedgerEvent['kind'],
    reservationId: string | null,
    amountNanoUsd: NanoUsd,
    details: Readonly<Record<string, unknown>>,
    entry: Entry,
  ): number {
    const last = sql.lastEvent.get();
    const seq = last === undefined ? 1 : integer(last, 'seq') + 1;
    const event = {
      seq,
      kind,
      reservationId,
      atMs: entry.atMs,
      owner: entry.owner,
      amountNanoUsd,
      details: JSON.stringify(details),
    };
    const hash = eventHash(sha256, last === undefined ? ledgerId : text(last, 'hash'), event);
    sql.append.run(
      seq,
      kind,
      reservationId,
      event.atMs,
      event.owner,
      amountNanoUsd,
      event.details,
      hash,
    );
    return seq;
  }

  return {
    ledgerId,
    balance,
    narrowBalance: balanceOf,
    find(reservationId) {
      const row = sql.find.get(reservationId);
      return row && reservationFrom(row);
    },
    latest: (period) => optionalText(sql.latest.get(period), 'key'),
    months: () =>
      new Map(sql.balances.all().map((row) => [text(row, 'key'), balanceFrom(row)] as const)),
    debtors: () => sql.debtors.all().map((row) => text(row, 'owner')),
    openOf: (owner) => sql.openOf.all(owner).map(reservationFrom),
    frozenModels: () => new Set(sql.frozen.all().map((row) => text(row, 'model_id'))),

    reserve(request, { month, day }, entry) {
      const { id, boundNanoUsd, ...facts } = request;
      sql.insert.run(
        id,
        request.promptId,
        request.modelId,
        request.priceRowId,
        request.fingerprint,
        nanoUsd(boundNanoUsd),
        month,
        day,
        request.sessionId ?? null,
        request.workspaceId ?? null,
        entry.owner,
      );
      append('reserved', id, boundNanoUsd, { ...facts, month, day }, entry);
      move(month, undefined, { kind: 'reserved', boundNanoUsd });
    },

    advance(reservationId, event, details, entry) {
      const row = sql.find.get(reservationId);
      if (row === undefined) {
        throw new Error(`expected a reservation that exists, got ${reservationId}`);
      }
      const { state: before, month, modelId } = reservationFrom(row);
      const step = nextState(before, event);
      if (step.kind === 'refused') throw new Error(`reservation ${reservationId}: ${step.why}`);
      if (step.kind === 'repeated') return step.state;
      const { state } = step;
      const booked = isOpen(state) ? null : nanoUsd(state.bookedNanoUsd);
      const seq = append(state.kind, reservationId, booked ?? state.boundNanoUsd, details, entry);
      sql.update.run(state.kind, booked, reservationId);
      move(month, before, state);
      if (state.kind === 'overrun') sql.freeze.run(modelId, seq);
      return state;
    },

    unfreeze(modelId, entry) {
      const frozen = sql.unfreeze.run(modelId);
      if (frozen.changes > 0) append('unfrozen', null, nanoUsd(0), { modelId }, entry);
    },
  };
}
