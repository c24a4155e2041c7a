/**
 * Checks of a ledger against itself. The short one runs at every opening, the full one when a person asks. Both read one
 * snapshot and return what is wrong as sentences; an empty list means a sound ledger.
 */
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import {
  type Balance,
  EMPTY_BALANCE,
  nextState,
  type ReservationEvent,
  type ReservationState,
  rebalance,
} from '../core/budget.ts';
import {
  balanceFrom,
  eventHash,
  eventsFrom,
  type LedgerEvent,
  reservationFrom,
} from './ledgerRows.ts';
import { faultOf } from './sqliteFile.ts';
import { integer, text } from './sqliteRows.ts';

const MONEY_TABLES = ['events', 'reservations', 'balances', 'frozen_models'];

/** What the check reads from an event's details. */
const detailsSchema = z.object({
  month: z.string().optional(),
  modelId: z.string().optional(),
  day: z.string().optional(),
  sessionId: z.string().optional(),
  workspaceId: z.string().optional(),
});

/** What each scope of the counters is a sum by. */
const COUNTER_KEYS = {
  month: 'month',
  day: 'day',
  session: 'session_id',
  workspace: "month || ' ' || workspace_id",
};

const TAIL_EVENTS = 256;

/** More would only say again that the file is damaged. */
const MOST_FINDINGS = 20;

/** The pages of all tables that hold money, the counters against their sums, and the end of the hash chain. */
export function checkAtOpening(db: DatabaseSync, sha256: (text: string) => string): string[] {
  return readable(() => {
    const pages = MONEY_TABLES.flatMap((table) => pageFindings(db, `quick_check(${table})`));
    if (pages.length > 0) return pages;
    const last = integer(db.prepare('SELECT coalesce(max(seq), 0) AS n FROM events').get(), 'n');
    const tail = Math.max(1, last - TAIL_EVENTS + 1);
    return [...counterFindings(db), ...chainFindings(db, sha256, tail)];
  });
}

/** Everything: all pages, the whole chain, every reservation replayed from its events, and all counters. */
export function checkFully(db: DatabaseSync, sha256: (text: string) => string): string[] {
  return readable(() => {
    const pages = pageFindings(db, 'integrity_check');
    if (pages.length > 0) return pages;
    const chain = chainFindings(db, sha256, 1);
    return [...chain, ...replayFindings(db), ...counterFindings(db)].slice(0, MOST_FINDINGS);
  });
}

/** A row that can't be read is a finding like any other. */
function readable(check: () => string[]): string[] {
  try {
    return check();
  } catch (error) {
    const unreadable = [TypeError, RangeError, SyntaxError, z.ZodError].some(
      (type) => error instanceof type,
    );
    if (unreadable || faultOf(error) === 'damaged') {
      return [error instanceof Error ? error.message : String(error)];
    }
    throw error;
  }
}

function pageFindings(db: DatabaseSync, pragma: string): string[] {
  const lines = db
    .prepare(`PRAGMA ${pragma}`)
    .all()
    .flatMap((row) => Object.values(row).map(String));
  return lines[0] === 'ok' ? [] : lines.slice(0, MOST_FINDINGS);
}

function chainFindings(
  db: DatabaseSync,
  sha256: (text: string) => string,
  fromSeq: number,
): string[] {
  const before = db.prepare('SELECT hash FROM events WHERE seq = ?').get(fromSeq - 1);
  const start = fromSeq === 1 ? db.prepare('SELECT id AS hash FROM ledger').get() : before;
  if (start === undefined) return [`expected event ${fromSeq - 1}, got none`];
  let previous = text(start, 'hash');
  let expectedSeq = fromSeq;
  for (const event of eventsFrom(db, fromSeq)) {
    if (event.seq !== expectedSeq) return [`expected event ${expectedSeq}, got ${event.seq}`];
    if (event.hash !== eventHash(sha256, previous, event)) {
      return [`event ${event.seq} does not match its hash or the event before it`];
    }
    previous = event.hash;
    expectedSeq += 1;
  }
  return [];
}

function counterFindings(db: DatabaseSync): string[] {
  return Object.entries(COUNTER_KEYS).flatMap(([scope, key]) => {
    const sums = db
      .prepare(
        `SELECT ${key} AS key, sum(coalesce(booked_nano_usd, 0)) AS spent_nano_usd,
           sum(CASE WHEN booked_nano_usd IS NULL THEN bound_nano_usd ELSE 0 END) AS held_nano_usd
         FROM reservations WHERE ${key} IS NOT NULL GROUP BY 1`,
      )
      .all();
    const expected = new Map(sums.map((row) => [text(row, 'key'), balanceFrom(row)]));
    return differences(expected, storedBalances(db, scope), scope, 'its reservations');
  });
}

/** Folds the events by the rules of the core and compares the result with the tables derived from them. */
function replayFindings(db: DatabaseSync): string[] {
  const findings: string[] = [];
  const states = new Map<string, Replayed>();
  const balances = new Map<string, Balance>();
  const frozen = new Set<string>();
  for (const event of eventsFrom(db, 1)) {
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
  for (const row of db.prepare('SELECT * FROM reservations').iterate()) {
    const reservation = reservationFrom(row);
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
  const stored = db.prepare('SELECT model_id FROM frozen_models').all();
  if (!sameSet(frozen, new Set(stored.map((row) => text(row, 'model_id'))))) {
    findings.push('the list of frozen models is not what the events say');
  }
  return [
    ...findings,
    ...differences(balances, storedBalances(db, 'month'), 'month', 'its events'),
  ];
}

interface Replayed {
  readonly month: string;
  readonly model: string;
  readonly budgets: string | undefined;
  readonly state: ReservationState;
}

/** The budgets beside the month's, to be compared; a reservation from before there were any names no day. */
function budgetsNamed(named: {
  readonly day?: string;
  readonly sessionId?: string;
  readonly workspaceId?: string;
}): string | undefined {
  const { day, sessionId = null, workspaceId = null } = named;
  return day === undefined ? undefined : JSON.stringify([day, sessionId, workspaceId]);
}

function replay(
  state: ReservationState | undefined,
  event: LedgerEvent,
): ReservationState | string {
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
  kind: Exclude<LedgerEvent['kind'], 'reserved'>,
  event: LedgerEvent,
): ReservationEvent {
  if (kind === 'settled' || kind === 'overrun') {
    return { kind: 'settled', costNanoUsd: event.amountNanoUsd };
  }
  if (kind === 'unfrozen') throw new TypeError(`expected event ${event.seq} without a reservation`);
  return { kind };
}

function storedBalances(db: DatabaseSync, scope: string): Map<string, Balance> {
  const rows = db.prepare('SELECT * FROM balances WHERE scope = ?').all(scope);
  return new Map(rows.map((row) => [text(row, 'key'), balanceFrom(row)]));
}

function differences(
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

function sameSet(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((item) => b.has(item));
}
