/** Rows of the ledger as values. */
import type { DatabaseSync } from 'node:sqlite';
import type { Balance, ReservationState } from '../core/budget.ts';
import type { LedgerEvent } from '../core/ledgerAudit.ts';
import type { Reservation } from '../core/ledgerRules.ts';
import { amount, integer, optionalText, type Row, text } from './sqliteRows.ts';

export function eventFrom(row: Row): LedgerEvent {
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
