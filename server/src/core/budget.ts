/**
 * Budget arithmetic and the life of a reservation, as pure functions. The ledger stores what they decide.
 * Invariant: the counters of a month, day, session or workspace are the sum of `shareOf` over its reservations, so that
 * they can always be verified.
 */
import { assertNever } from './errors.ts';
import type { BudgetLimits, BudgetPeriod, BudgetScope, BudgetState } from './ports.ts';
import { addUsd, nanoUsd, ZERO_USD } from './price.ts';
import type { Settings } from './schema.ts';
import type { NanoUsd } from './types.ts';

/** The UTC month of a time in milliseconds, as `2026-11`. Months sort as text. */
export function monthOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 7);
}

/** The UTC day of a time in milliseconds, as `2026-11-23`. Days sort as text. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

/** The ISO date, UTC, on which the month after `month` begins. */
export function resetDate(month: string): string {
  const next = new Date(`${month}-01T00:00:00Z`);
  next.setUTCMonth(next.getUTCMonth() + 1);
  return next.toISOString().slice(0, 10);
}

/** The limits that hold for one prompt. A session or workspace that nobody named has none of its own. */
export function limitsOf(settings: Settings, scope: BudgetScope = {}): BudgetLimits {
  const session = scope.sessionId === undefined ? undefined : settings.sessionBudgetNanoUsd;
  const workspaces = settings.workspaceBudgetsNanoUsd;
  const workspace =
    scope.workspaceId !== undefined && Object.hasOwn(workspaces, scope.workspaceId)
      ? workspaces[scope.workspaceId]
      : undefined;
  const daily = settings.dailyBudgetNanoUsd;
  return {
    monthlyNanoUsd: settings.monthlyBudgetNanoUsd,
    ...(daily === undefined ? {} : { dailyNanoUsd: daily }),
    ...(session === undefined ? {} : { sessionNanoUsd: session }),
    ...(workspace === undefined ? {} : { workspaceNanoUsd: workspace }),
  };
}

/** One budget that is in force, and how far it is used. */
export interface BudgetInForce extends Balance {
  readonly period: BudgetPeriod;
  readonly limitNanoUsd: NanoUsd;
}

export interface BudgetLeft extends BudgetInForce {
  /** What may still be held of it; zero after an overrun. */
  readonly leftNanoUsd: NanoUsd;
}

/** The budgets in force, the one that binds first at the front; of equal ones the wider. */
export function byTightness(state: BudgetState): readonly BudgetLeft[] {
  return inForce(state)
    .map((budget) => ({
      ...budget,
      leftNanoUsd: nanoUsd(
        Math.max(0, budget.limitNanoUsd - budget.spentNanoUsd - budget.heldNanoUsd),
      ),
    }))
    .toSorted((one, other) => one.leftNanoUsd - other.leftNanoUsd);
}

/** The budget that binds first; `undefined` without any limit. */
export function tightest(state: BudgetState): BudgetLeft | undefined {
  return byTightness(state)[0];
}

/** What may still be held under all limits; zero after an overrun, `undefined` without a limit. */
export function remaining(state: BudgetState): NanoUsd | undefined {
  return tightest(state)?.leftNanoUsd;
}

/**
 * Spent and held as a share of the limit, of the budget that is used most; above 1 after an overrun, `undefined` without
 * a limit. A limit of zero is used up.
 */
export function usedShare(state: BudgetState): number | undefined {
  const shares = inForce(state).map(({ limitNanoUsd, spentNanoUsd, heldNanoUsd }) =>
    limitNanoUsd === 0 ? 1 : (spentNanoUsd + heldNanoUsd) / limitNanoUsd,
  );
  return shares.length === 0 ? undefined : Math.max(...shares);
}

/** The budgets in force, the widest at the front. */
export function inForce(state: BudgetState): readonly BudgetInForce[] {
  const { limitNanoUsd, spentNanoUsd, heldNanoUsd, narrower = [] } = state;
  if (limitNanoUsd === undefined) return narrower;
  return [{ period: 'month', limitNanoUsd, spentNanoUsd, heldNanoUsd }, ...narrower];
}

/** Whether a call that may cost `bound` can be held without passing any limit. */
export function fits(state: BudgetState, bound: NanoUsd): boolean {
  const left = remaining(state);
  return left === undefined || bound <= left;
}

export type OpenState = {
  readonly kind: 'reserved' | 'dispatched';
  readonly boundNanoUsd: NanoUsd;
};

type EndedState = {
  readonly kind: 'settled' | 'settled_at_bound' | 'overrun' | 'voided';
  readonly boundNanoUsd: NanoUsd;
  readonly bookedNanoUsd: NanoUsd;
};

export type ReservationState = OpenState | EndedState;

export type ReservationEvent =
  | { readonly kind: 'dispatched' }
  | { readonly kind: 'settled'; readonly costNanoUsd: NanoUsd }
  | { readonly kind: 'settled_at_bound' }
  | { readonly kind: 'voided' };

export type Transition =
  | { readonly kind: 'moved'; readonly state: ReservationState }
  /** The reservation has already ended in just this way; nothing is to be booked again. */
  | { readonly kind: 'repeated'; readonly state: EndedState }
  | { readonly kind: 'refused'; readonly why: string };

export function isOpen(state: ReservationState): state is OpenState {
  return state.kind === 'reserved' || state.kind === 'dispatched';
}

/**
 * The rules of a reservation: reserved, dispatched, then one end. Only a dispatched call can have a bill.
 * A dispatched one may be voided too, but only by whoever has proof that it was not billed (refused connection, a 4xx).
 */
export function nextState(state: ReservationState, event: ReservationEvent): Transition {
  if (event.kind === 'dispatched') {
    // A second dispatch would send two calls under one bound.
    return state.kind === 'reserved'
      ? { kind: 'moved', state: { kind: 'dispatched', boundNanoUsd: state.boundNanoUsd } }
      : refused(state, event);
  }
  const end = endOf(state.boundNanoUsd, event);
  if (!isOpen(state)) {
    const same = end.kind === state.kind && end.bookedNanoUsd === state.bookedNanoUsd;
    return same ? { kind: 'repeated', state } : refused(state, event);
  }
  return state.kind === 'dispatched' || end.kind === 'voided'
    ? { kind: 'moved', state: end }
    : refused(state, event);
}

/**
 * What a rebuilt ledger makes of a reservation whose end could not be read: ended, with the most that it can have cost.
 * @param boundNanoUsd as it was held, where that could be read
 */
export function rebuiltState(
  boundNanoUsd: NanoUsd | undefined,
  bookedNanoUsd: NanoUsd,
): EndedState {
  return { kind: 'settled_at_bound', boundNanoUsd: boundNanoUsd ?? bookedNanoUsd, bookedNanoUsd };
}

function endOf(
  boundNanoUsd: NanoUsd,
  event: Exclude<ReservationEvent, { kind: 'dispatched' }>,
): EndedState {
  switch (event.kind) {
    case 'settled': {
      const bookedNanoUsd = event.costNanoUsd;
      const kind = bookedNanoUsd > boundNanoUsd ? 'overrun' : 'settled';
      return { kind, boundNanoUsd, bookedNanoUsd };
    }
    case 'settled_at_bound':
      return { kind: 'settled_at_bound', boundNanoUsd, bookedNanoUsd: boundNanoUsd };
    case 'voided':
      return { kind: 'voided', boundNanoUsd, bookedNanoUsd: ZERO_USD };
    default:
      return assertNever(event);
  }
}

function refused(state: ReservationState, event: ReservationEvent): Transition {
  const amount = isOpen(state) ? '' : ` with ${state.bookedNanoUsd} nano-USD booked`;
  return {
    kind: 'refused',
    why: `expected a reservation that can become ${event.kind}, got one that is ${state.kind}${amount}`,
  };
}

/** Counters of one month, or one reservation's part of them. */
export interface Balance {
  readonly spentNanoUsd: NanoUsd;
  readonly heldNanoUsd: NanoUsd;
}

export const EMPTY_BALANCE: Balance = { spentNanoUsd: ZERO_USD, heldNanoUsd: ZERO_USD };

function shareOf(state: ReservationState): Balance {
  return isOpen(state)
    ? { spentNanoUsd: ZERO_USD, heldNanoUsd: state.boundNanoUsd }
    : { spentNanoUsd: state.bookedNanoUsd, heldNanoUsd: ZERO_USD };
}

/** A month's counters after one of its reservations moved. Throws when they would become negative: they were wrong before. */
export function rebalance(
  balance: Balance,
  from: ReservationState | undefined,
  to: ReservationState,
): Balance {
  const before = from === undefined ? EMPTY_BALANCE : shareOf(from);
  const after = shareOf(to);
  return {
    spentNanoUsd: nanoUsd(addUsd(balance.spentNanoUsd, after.spentNanoUsd) - before.spentNanoUsd),
    heldNanoUsd: nanoUsd(addUsd(balance.heldNanoUsd, after.heldNanoUsd) - before.heldNanoUsd),
  };
}
