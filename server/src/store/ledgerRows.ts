/** Rows of the ledger as values: what a reservation and an event are, how they are read, and what is hashed of an event. */
import type { DatabaseSync } from 'node:sqlite';
import type { Balance, ReservationState } from '../core/budget.ts';
import type { ReservationRequest } from '../core/ports.ts';
import type { NanoUsd } from '../core/types.ts';
import { amount, integer, optionalText, type Row, text } from './sqliteRows.ts';

export interface Reservation extends ReservationRequest {
  /** UTC month and day whose budgets it counts against, fixed when it was reserved. */
  readonly month: string;
  /** `undefined` for one made by a program that knew no days. */
  readonly day: string | undefined;
  readonly owner: string;
  readonly state: ReservationState;
}

export interface LedgerEvent {
  readonly seq: number;
  readonly kind: ReservationState['kind'] | 'unfrozen';
  readonly reservationId: string | null;
  readonly atMs: number;
  /** The process that wrote it; for the holds of a dead process, the one that resolved them. */
  readonly owner: string;
  /** The bound until the reservation ends, then what was booked. */
  readonly amountNanoUsd: NanoUsd;
  /** JSON: model, price row and month of a reservation, usage of a settlement, why something was voided. */
  readonly details: string;
  readonly hash: string;
}

/** The first event is chained to the ledger's id, each further one to the hash before it. */
export function eventHash(
  sha256: (text: string) => string,
  previous: string,
  event: Omit<LedgerEvent, 'hash'>,
): string {
  const { seq, kind, reservationId, atMs, owner, amountNanoUsd, details } = event;
  return sha256(
    JSON.stringify([previous, seq, kind, reservationId, atMs, owner, amountNanoUsd, details]),
  );
}

function eventFrom(row: Row): LedgerEvent {
  const kind = text(row, 'kind');
  return {
    seq: integer(row, 'seq'),
    kind: kind === 'unfrozen' ? kind : stateKind(kind),
    reservationId: optionalText(row, 'reservation_id') ?? null,
    atMs: integer(row, 'at_ms'),
    owner: text(row, 'owner'),
    amountNanoUsd: amount(row, 'amount_nano_usd'),
    details: text(row, 'details'),
    hash: text(row, 'hash'),
  };
}

const PAGE_EVENTS = 500;

/** Events in order. Read in pages: a statement left open would keep this connection from writing. */
export function* eventsFrom(db: DatabaseSync, firstSeq: number): Generator<LedgerEvent> {
  const page = db.prepare('SELECT * FROM events WHERE seq >= ? ORDER BY seq LIMIT ?');
  let events: readonly LedgerEvent[];
  let next = firstSeq;
  do {
    events = page.all(next, PAGE_EVENTS).map(eventFrom);
    yield* events;
    next = (events.at(-1)?.seq ?? 0) + 1;
  } while (events.length === PAGE_EVENTS);
}

export function reservationFrom(row: Row): Reservation {
  return {
    id: text(row, 'id'),
    promptId: text(row, 'prompt_id'),
    modelId: text(row, 'model_id'),
    priceRowId: text(row, 'price_row_id'),
    fingerprint: text(row, 'fingerprint'),
    boundNanoUsd: amount(row, 'bound_nano_usd'),
    month: text(row, 'month'),
    day: optionalText(row, 'day'),
    sessionId: optionalText(row, 'session_id'),
    workspaceId: optionalText(row, 'workspace_id'),
    owner: text(row, 'owner'),
    state: stateFrom(row),
  };
}

function stateFrom(row: Row): ReservationState {
  const kind = stateKind(text(row, 'state'));
  const boundNanoUsd = amount(row, 'bound_nano_usd');
  return kind === 'reserved' || kind === 'dispatched'
    ? { kind, boundNanoUsd }
    : { kind, boundNanoUsd, bookedNanoUsd: amount(row, 'booked_nano_usd') };
}

function stateKind(value: string): ReservationState['kind'] {
  switch (value) {
    case 'reserved':
    case 'dispatched':
    case 'settled':
    case 'settled_at_bound':
    case 'overrun':
    case 'voided':
      return value;
    default:
      throw new TypeError(`expected a state of a reservation in the ledger, got ${value}`);
  }
}

export function balanceFrom(row: Row): Balance {
  return {
    spentNanoUsd: amount(row, 'spent_nano_usd'),
    heldNanoUsd: amount(row, 'held_nano_usd'),
  };
}
