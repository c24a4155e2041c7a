/**
 * The ledger checked against itself, whatever keeps it: the chain of hashes, every reservation replayed from its events,
 * and the counters against their sums. Findings are sentences; an empty list means a sound ledger.
 */
import { z } from 'zod';
import {
  type Balance,
  EMPTY_BALANCE,
  isOpen,
  nextState,
  type ReservationEvent,
  type ReservationState,
  rebalance,
  rebuiltState,
} from './budget.ts';
import { countersOf } from './budgetsInForce.ts';
import type { NewEvent, Reservation } from './ledgerRules.ts';

export interface LedgerEvent extends Omit<NewEvent, 'details'> {
  /** From 1 on, without gaps. */
  readonly seq: number;
  readonly atMs: number;
  /** The process that wrote it; for the holds of a dead process, the one that resolved them. */
  readonly owner: string;
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

/** Stops at the first break: what follows it can't be judged. */
export function chainFindings(
  events: Iterable<LedgerEvent>,
  start: { readonly hash: string; readonly seq: number },
  sha256: (text: string) => string,
): string[] {
  let { hash: previous, seq: expectedSeq } = start;
  for (const event of events) {
    if (event.seq !== expectedSeq) return [`expected event ${expectedSeq}, got ${event.seq}`];
    if (event.hash !== eventHash(sha256, previous, event)) {
      return [`event ${event.seq} does not match its hash or the event before it`];
    }
    previous = event.hash;
    expectedSeq += 1;
  }
  return [];
}

/** What the check reads from an event's details. */
const detailsSchema = z.object({
  month: z.string().optional(),
  modelId: z.string().optional(),
  day: z.string().optional(),
  sessionId: z.string().optional(),
  workspaceId: z.string().optional(),
});

/** What a ledger keeps beside its events; all of it follows from them. */
export interface Derived {
  readonly reservations: Iterable<Reservation>;
  /** Counters of the months, by month. */
  readonly months: ReadonlyMap<string, Balance>;
  readonly frozen: ReadonlySet<string>;
}

/** Folds the events by the rules of a reservation and compares the result with what was derived from them. */
export function replayFindings(events: Iterable<LedgerEvent>, derived: Derived): string[] {
  const findings: string[] = [];
  const states = new Map<string, Replayed>();
  const balances = new Map<string, Balance>();
  const frozen = new Set<string>();
  for (const event of events) {
    const details = detailsSchema.parse(JSON.parse(event.details));
    const { month: monthNamed = '', modelId = '' } = details;
    if (event.reservationId === null) {
      frozen.delete(modelId);
      continue;
    }
    const known = states.get(event.reservationId);
    const month = known?.month ?? monthNamed;
    const model = known?.model ?? modelId;
    const state = replay(known?.state, event);
    if (typeof state === 'string') {
      findings.push(`event ${event.seq}: ${state}`);
      continue;
    }
    const budgets = known?.budgets ?? budgetsNamed(details);
    states.set(event.reservationId, { month, model, budgets, state });
    balances.set(month, rebalance(balances.get(month) ?? EMPTY_BALANCE, known?.state, state));
    if (state.kind === 'overrun') frozen.add(model);
  }
  for (const reservation of derived.reservations) {
    const { id, state, month } = reservation;
    const replayed = states.get(id);
    states.delete(id);
    const other = replayed?.budgets !== undefined && replayed.budgets !== budgetsNamed(reservation);
    const moved = JSON.stringify(replayed?.state) !== JSON.stringify(state);
    if (moved || other || replayed?.month !== month) {
      findings.push(`reservation ${id} is ${state.kind}, which its events don't say`);
    }
  }
  for (const id of states.keys()) findings.push(`reservation ${id} is missing`);
  if (!sameSet(frozen, derived.frozen)) {
    findings.push('the list of frozen models is not what the events say');
  }
  return [...findings, ...balanceDifferences(balances, derived.months, 'month', 'its events')];
}

/** The counters of all periods, by period and key, as the sums over the reservations. */
export function sumsOf(
  reservations: Iterable<Reservation>,
): ReadonlyMap<string, ReadonlyMap<string, Balance>> {
  const sums = new Map<string, Map<string, Balance>>();
  for (const reservation of reservations) {
    for (const { period, key } of countersOf(reservation)) {
      const ofPeriod = sums.get(period) ?? new Map<string, Balance>();
      sums.set(period, ofPeriod);
      ofPeriod.set(
        key,
        rebalance(ofPeriod.get(key) ?? EMPTY_BALANCE, undefined, reservation.state),
      );
    }
  }
  return sums;
}

export function balanceDifferences(
  expected: ReadonlyMap<string, Balance>,
  stored: ReadonlyMap<string, Balance>,
  scope: string,
  source: string,
): string[] {
  return [...new Set([...expected.keys(), ...stored.keys()])].flatMap((key) => {
    const want = expected.get(key) ?? EMPTY_BALANCE;
    const got = stored.get(key) ?? EMPTY_BALANCE;
    if (want.spentNanoUsd === got.spentNanoUsd && want.heldNanoUsd === got.heldNanoUsd) return [];
    return [
      `${scope} ${key}: expected ${want.spentNanoUsd} spent and ${want.heldNanoUsd} held from ${source}, ` +
        `got counters of ${got.spentNanoUsd} and ${got.heldNanoUsd} nano-USD`,
    ];
  });
}

interface Replayed {
  readonly month: string;
  readonly model: string;
  readonly budgets: string | undefined;
  readonly state: ReservationState;
}

/** The budgets beside the month's, to be compared; a reservation from before there were any names no day. */
function budgetsNamed(named: {
  readonly day?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly workspaceId?: string | undefined;
}): string | undefined {
  const { day, sessionId = null, workspaceId = null } = named;
  return day === undefined ? undefined : JSON.stringify([day, sessionId, workspaceId]);
}

function replay(
  state: ReservationState | undefined,
  event: LedgerEvent,
): ReservationState | string {
  if (event.kind === 'rebuilt') {
    return state === undefined || isOpen(state)
      ? rebuiltState(state?.boundNanoUsd, event.amountNanoUsd)
      : `rebuilt does not follow ${state.kind}`;
  }
  if (event.kind === 'reserved' || state === undefined) {
    return event.kind === 'reserved' && state === undefined
      ? { kind: 'reserved', boundNanoUsd: event.amountNanoUsd }
      : `${event.kind} does not follow ${state?.kind ?? 'nothing'}`;
  }
  const step = nextState(state, reservationEvent(event.kind, event));
  if (step.kind !== 'moved') return `${event.kind} does not follow ${state.kind}`;
  return step.state.kind === event.kind ? step.state : `${event.kind} has the wrong amount`;
}

function reservationEvent(
  kind: Exclude<LedgerEvent['kind'], 'reserved' | 'rebuilt'>,
  event: LedgerEvent,
): ReservationEvent {
  if (kind === 'settled' || kind === 'overrun') {
    return { kind: 'settled', costNanoUsd: event.amountNanoUsd };
  }
  if (kind === 'unfrozen') throw new TypeError(`expected event ${event.seq} without a reservation`);
  return { kind };
}

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
