/**
 * The rules of the ledger, whatever keeps it: each function here is one write transaction's work on what it reads through
 * `LedgerTx`. The SQLite file, the team's PostgreSQL and the simulator run this same code; they only store.
 */
import {
  fits,
  isOpen,
  nextState,
  type OpenState,
  type ReservationEvent,
  type ReservationState,
} from './budget.ts';
import { type BudgetDates, balancesAt, type Counters, stateUnder } from './budgetsInForce.ts';
import type { BudgetLimits, ReservationRequest, ReserveResult, Settlement } from './ports.ts';
import { nanoUsd, ZERO_USD } from './price.ts';
import type { NanoUsd } from './types.ts';

/** A reservation as the ledger keeps it. */
export interface Reservation extends ReservationRequest {
  /** UTC month and day whose budgets it counts against, fixed when it was reserved. */
  readonly month: string;
  /** `undefined` for one made by a program that knew no days. */
  readonly day: string | undefined;
  readonly owner: string;
  readonly state: ReservationState;
}

/** What is to be written of one step; the store adds its place in the hash chain. */
export interface NewEvent {
  /** `rebuilt` books what a rebuild took over from a damaged ledger or its mirror; see `ledgerRebuild.ts`. */
  readonly kind: ReservationState['kind'] | 'unfrozen' | 'rebuilt';
  /** `null` only for events that concern no reservation. */
  readonly reservationId: string | null;
  /** The bound until the reservation ends, then what was booked. */
  readonly amountNanoUsd: NanoUsd;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Who writes, and when. */
export interface Entry {
  readonly owner: string;
  readonly atMs: number;
}

/** One write transaction, all or nothing, that no other writer can come between. */
export interface LedgerTx extends Counters {
  find(reservationId: string): Reservation | undefined;
  isFrozen(modelId: string): boolean;
  openOf(owner: string): readonly Reservation[];
  /** Owners with open holds whose process has surely ended. */
  deadOwners(): readonly string[];
  /** Keeps a new or moved reservation, and every counter it has a share in. */
  save(after: Reservation, before: Reservation | undefined): void;
  append(event: NewEvent, entry: Entry): void;
  /** By the event that was appended last. */
  freeze(modelId: string): void;
  /** Returns whether it was frozen. */
  unfreeze(modelId: string): boolean;
  forgetOwner(owner: string): void;
}

/** Checks every limit and holds the bound. */
export function reserveIn(
  tx: LedgerTx,
  request: ReservationRequest,
  limits: BudgetLimits,
  entry: Entry,
): ReserveResult {
  const earlier = tx.find(request.id);
  // Its dispatch can only happen once, so the first result may be told again.
  if (earlier !== undefined) return { kind: isSame(earlier, request) ? 'held' : 'conflict' };
  if (tx.isFrozen(request.modelId)) {
    const why = `model ${request.modelId} is frozen because a bill passed its bound; unfreeze it to use it again`;
    return { kind: 'unavailable', why };
  }
  const before = balancesAt(tx, entry.atMs, request);
  if (!fits(stateUnder(limits, before), request.boundNanoUsd)) {
    // Holds of a process that died since may be what fills the budget.
    resolveDeadIn(tx, entry);
    const state = stateUnder(limits, balancesAt(tx, entry.atMs, request));
    if (!fits(state, request.boundNanoUsd)) return { kind: 'exhausted', state };
  }
  hold(tx, request, before, entry);
  return { kind: 'held' };
}

function hold(
  tx: LedgerTx,
  request: ReservationRequest,
  { month, day }: BudgetDates,
  entry: Entry,
): void {
  const { id, boundNanoUsd, ...facts } = request;
  const state: OpenState = { kind: 'reserved', boundNanoUsd: nanoUsd(boundNanoUsd) };
  tx.save({ ...request, month, day, owner: entry.owner, state }, undefined);
  const details = { ...facts, month, day };
  tx.append({ kind: 'reserved', reservationId: id, amountNanoUsd: boundNanoUsd, details }, entry);
}

/** Marks that the call is about to leave. Throws when it may not: it has left already, or has ended. */
export function dispatchIn(tx: LedgerTx, reservationId: string, entry: Entry): void {
  advance(tx, reservationId, { kind: 'dispatched' }, {}, entry);
}

/**
 * Holds the bound for a call that leaves as soon as this is durable. Throws for an id that was dispatched before: two
 * calls would leave under one bound.
 */
export function reserveDispatchedIn(
  tx: LedgerTx,
  request: ReservationRequest,
  limits: BudgetLimits,
  entry: Entry,
): ReserveResult {
  const result = reserveIn(tx, request, limits, entry);
  if (result.kind === 'held') dispatchIn(tx, request.id, entry);
  return result;
}

/** Ends a reservation, once; the same end again changes nothing, another one throws. Returns what was booked. */
export function settleIn(
  tx: LedgerTx,
  reservationId: string,
  settlement: Settlement,
  entry: Entry,
): NanoUsd {
  const details =
    settlement.kind === 'settled' ? { usage: settlement.usage } : { why: settlement.why };
  const state = advance(tx, reservationId, settlement, details, entry);
  if (isOpen(state)) throw new Error(`expected reservation ${reservationId} to have ended`);
  return state.bookedNanoUsd;
}

/** Ends what dead owners left open and returns how many reservations that were. */
export function resolveDeadIn(tx: LedgerTx, entry: Entry): number {
  return tx
    .deadOwners()
    .filter((owner) => owner !== entry.owner)
    .reduce((count, owner) => count + endHoldsIn(tx, owner, 'its process ended', entry), 0);
}

/**
 * Ends all that an owner has open: at the bound where the call may have left, voided where it never did.
 * @param how why they end, as the beginning of a sentence
 */
export function endHoldsIn(tx: LedgerTx, owner: string, how: string, entry: Entry): number {
  const open = tx.openOf(owner);
  for (const { id, state } of open) {
    const kind = state.kind === 'dispatched' ? 'settled_at_bound' : 'voided';
    advance(tx, id, { kind }, { why: `${how} while it was ${state.kind}` }, entry);
  }
  tx.forgetOwner(owner);
  return open.length;
}

export function unfreezeIn(tx: LedgerTx, modelId: string, entry: Entry): void {
  if (!tx.unfreeze(modelId)) return;
  const details = { modelId };
  tx.append({ kind: 'unfrozen', reservationId: null, amountNanoUsd: ZERO_USD, details }, entry);
}

function advance(
  tx: LedgerTx,
  reservationId: string,
  event: ReservationEvent,
  details: Readonly<Record<string, unknown>>,
  entry: Entry,
): ReservationState {
  const before = tx.find(reservationId);
  if (before === undefined) {
    throw new Error(`expected a reservation that exists, got ${reservationId}`);
  }
  const step = nextState(before.state, event);
  if (step.kind === 'refused') throw new Error(`reservation ${reservationId}: ${step.why}`);
  if (step.kind === 'repeated') return step.state;
  const { state } = step;
  const amountNanoUsd = isOpen(state) ? state.boundNanoUsd : nanoUsd(state.bookedNanoUsd);
  tx.save({ ...before, state }, before);
  tx.append({ kind: state.kind, reservationId, amountNanoUsd, details }, entry);
  if (state.kind === 'overrun') tx.freeze(before.modelId);
  return state;
}

function isSame(earlier: ReservationRequest, request: ReservationRequest): boolean {
  return (
    earlier.fingerprint === request.fingerprint &&
    earlier.promptId === request.promptId &&
    earlier.modelId === request.modelId &&
    earlier.priceRowId === request.priceRowId &&
    earlier.boundNanoUsd === request.boundNanoUsd
  );
}
