/**
 * A new ledger out of what is left of a damaged one and its mirror. Every reservation that can be read is carried over;
 * one whose end is unknown ends at its bound; and where counters or the mirror know of more than that, the difference is
 * booked as an event of its own kind, so that no budget ever stands lower than the most that any source says.
 */
import { z } from 'zod';
import { dayOf, isOpen, monthOf, nextState, rebuiltState } from './budget.ts';
import { workspaceKey } from './budgetsInForce.ts';
import type { LedgerEvent } from './ledgerAudit.ts';
import type { Entry, LedgerTx, Reservation } from './ledgerRules.ts';
import type { BudgetPeriod, NewId } from './ports.ts';
import { nanoUsd, ZERO_USD } from './price.ts';
import type { NanoUsd } from './types.ts';

/** What counters said, spent and held together, by period and key. */
export type Totals = Readonly<Record<BudgetPeriod, Readonly<Record<string, NanoUsd>>>>;

export const NO_TOTALS: Totals = { month: {}, day: {}, session: {}, workspace: {} };

/** What could be read of a damaged ledger; anything may be missing. */
export interface Salvage {
  /** In their order. */
  readonly events: readonly LedgerEvent[];
  readonly reservations: readonly Reservation[];
  readonly totals: Totals;
}

/** Where a month's spend in the new ledger comes from. */
export interface RebuiltMonth {
  readonly month: string;
  /** Calls that were carried over, those of unknown end at their bound. */
  readonly carriedNanoUsd: NanoUsd;
  /** What the damaged ledger's counter said; `undefined` where it could not be read. */
  readonly counterNanoUsd: NanoUsd | undefined;
  readonly mirrorNanoUsd: NanoUsd | undefined;
  /** The largest of them, which the new ledger begins with. */
  readonly spentNanoUsd: NanoUsd;
}

const reservedSchema = z.object({
  promptId: z.string(),
  modelId: z.string(),
  priceRowId: z.string(),
  fingerprint: z.string(),
  month: z.string(),
  day: z.string().optional(),
  sessionId: z.string().optional(),
  workspaceId: z.string().optional(),
});

const UNKNOWN = 'unknown';

interface Carrying {
  readonly tx: LedgerTx;
  readonly entry: Entry;
  readonly newId: NewId;
  /** Ids of carried reservations that have no end yet. */
  readonly open: Set<string>;
  /** The most that events name of reservations that can't be carried by them alone. */
  readonly orphans: Map<string, { readonly amountNanoUsd: NanoUsd; readonly atMs: number }>;
}

/** Fills a new, empty ledger in one transaction. */
export function rebuildIn(
  tx: LedgerTx,
  salvage: Salvage,
  mirror: Totals,
  entry: Entry,
  newId: NewId,
): readonly RebuiltMonth[] {
  const carrying: Carrying = { tx, entry, newId, open: new Set(), orphans: new Map() };
  for (const event of salvage.events) carryEvent(carrying, event);
  for (const reservation of salvage.reservations) carryReservation(carrying, reservation);
  for (const id of carrying.open) {
    const before = tx.find(id);
    if (before !== undefined)
      end(carrying, before, before.boundNanoUsd, 'its end was not readable');
  }
  for (const [id, { amountNanoUsd, atMs }] of carrying.orphans) {
    if (tx.find(id) !== undefined) continue;
    const dates = { month: monthOf(atMs), day: dayOf(atMs) };
    bookAmount(carrying, id, amountNanoUsd, dates, 'only its amount was readable');
  }
  const months = [...new Set([...Object.keys(salvage.totals.month), ...Object.keys(mirror.month)])];
  const carried = new Map(months.map((month) => [month, tx.balance('month', month).spentNanoUsd]));
  bookDifferences(carrying, largest(salvage.totals, mirror));
  for (const { month } of salvage.reservations) if (!months.includes(month)) months.push(month);
  const last = tx.latest('month');
  if (last !== undefined && !months.includes(last)) months.push(last);
  return months.toSorted().map((month) => {
    const spentNanoUsd = tx.balance('month', month).spentNanoUsd;
    return {
      month,
      carriedNanoUsd: carried.get(month) ?? spentNanoUsd,
      counterNanoUsd: salvage.totals.month[month],
      mirrorNanoUsd: mirror.month[month],
      spentNanoUsd,
    };
  });
}

/** An event that follows what was carried before is taken over as it is, in a chain of the new ledger's own. */
function carryEvent(carrying: Carrying, event: LedgerEvent): void {
  const { tx, open, orphans } = carrying;
  const { kind, reservationId: id, amountNanoUsd, owner, atMs } = event;
  const details = jsonObject(event.details);
  const copy = { kind, reservationId: id, amountNanoUsd, details };
  if (id === null) {
    const { modelId } = details;
    if (typeof modelId === 'string' && tx.unfreeze(modelId)) tx.append(copy, { owner, atMs });
    return;
  }
  const before = tx.find(id);
  if (before === undefined) {
    if (kind === 'reserved' && carryReserved(carrying, id, event)) return;
    const known = orphans.get(id)?.amountNanoUsd ?? 0;
    // Voided is worth nothing, but its reservation's bound must not be taken for its bill either.
    orphans.set(id, {
      amountNanoUsd: nanoUsd(kind === 'voided' ? 0 : Math.max(known, amountNanoUsd)),
      atMs,
    });
    return;
  }
  if (!isOpen(before.state)) return;
  if (kind === 'rebuilt') {
    end(carrying, before, amountNanoUsd, 'as an earlier rebuild said');
    return;
  }
  if (kind === 'reserved' || kind === 'unfrozen') return;
  const step = nextState(
    before.state,
    kind === 'settled' || kind === 'overrun'
      ? { kind: 'settled', costNanoUsd: amountNanoUsd }
      : { kind },
  );
  // An event whose reservation never left, by what could be read, ends it all the same: at what it says.
  if (step.kind !== 'moved' || step.state.kind !== kind) {
    if (kind !== 'dispatched') end(carrying, before, amountNanoUsd, `${kind}, by its last event`);
    return;
  }
  tx.save({ ...before, state: step.state }, before);
  tx.append(copy, { owner, atMs });
  if (kind === 'overrun') tx.freeze(before.modelId);
  if (!isOpen(step.state)) open.delete(id);
}

function carryReserved({ tx, open }: Carrying, id: string, event: LedgerEvent): boolean {
  const details = jsonObject(event.details);
  const read = reservedSchema.safeParse(details);
  if (!read.success) return false;
  const { amountNanoUsd: boundNanoUsd, owner, atMs } = event;
  const { sessionId, workspaceId, day, ...facts } = read.data;
  const reservation: Reservation = {
    ...facts,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(workspaceId === undefined ? {} : { workspaceId }),
    id,
    boundNanoUsd,
    // Reserved by a program that knew no days: it counts against the day on which it was, within its month.
    day: day ?? [dayOf(atMs), `${facts.month}-01`].toSorted()[1],
    owner,
    state: { kind: 'reserved', boundNanoUsd },
  };
  tx.save(reservation, undefined);
  tx.append(
    { kind: 'reserved', reservationId: id, amountNanoUsd: boundNanoUsd, details },
    { owner, atMs },
  );
  open.add(id);
  return true;
}

/** A row of the table of reservations: it says what events that could not be read would have said. */
function carryReservation(carrying: Carrying, row: Reservation): void {
  const { tx, orphans } = carrying;
  const said = isOpen(row.state) ? row.boundNanoUsd : row.state.bookedNanoUsd;
  const before = tx.find(row.id);
  if (before === undefined) {
    const known = orphans.get(row.id)?.amountNanoUsd ?? 0;
    const amountNanoUsd = nanoUsd(Math.max(said, isOpen(row.state) ? 0 : known));
    book(carrying, { ...row, boundNanoUsd: amountNanoUsd }, 'its first events were not readable');
  } else if (isOpen(before.state)) {
    end(carrying, before, said, `its events were not all readable; ${row.state.kind} by its row`);
  } else if (said > before.state.bookedNanoUsd && !isOpen(row.state)) {
    const more = nanoUsd(said - before.state.bookedNanoUsd);
    book(
      carrying,
      { ...before, id: carrying.newId(), boundNanoUsd: more },
      `more by the row of ${row.id}`,
    );
  }
}

function end(carrying: Carrying, before: Reservation, amountNanoUsd: NanoUsd, why: string): void {
  const { tx, entry, open } = carrying;
  tx.save({ ...before, state: rebuiltState(before.boundNanoUsd, amountNanoUsd) }, before);
  tx.append({ kind: 'rebuilt', reservationId: before.id, amountNanoUsd, details: { why } }, entry);
  open.delete(before.id);
}

function bookAmount(
  carrying: Carrying,
  id: string,
  amountNanoUsd: NanoUsd,
  scope: Pick<Reservation, 'month' | 'day' | 'sessionId' | 'workspaceId'>,
  why: string,
): void {
  const { owner } = carrying.entry;
  const unknown = {
    promptId: UNKNOWN,
    modelId: UNKNOWN,
    priceRowId: UNKNOWN,
    fingerprint: UNKNOWN,
  };
  const state = { kind: 'reserved', boundNanoUsd: amountNanoUsd } as const;
  book(carrying, { ...unknown, ...scope, id, boundNanoUsd: amountNanoUsd, owner, state }, why);
}

/** Books its bound. */
function book({ tx, entry }: Carrying, reservation: Reservation, why: string): void {
  const { id, boundNanoUsd, promptId, modelId, priceRowId, fingerprint } = reservation;
  const { month, day, sessionId, workspaceId, owner } = reservation;
  const held = { ...reservation, state: { kind: 'reserved', boundNanoUsd } as const };
  tx.save(held, undefined);
  tx.save({ ...held, state: rebuiltState(boundNanoUsd, boundNanoUsd) }, held);
  const facts = { promptId, modelId, priceRowId, fingerprint, month, day, sessionId, workspaceId };
  const details = { ...facts, why };
  const by = { owner, atMs: entry.atMs };
  tx.append({ kind: 'rebuilt', reservationId: id, amountNanoUsd: boundNanoUsd, details }, by);
}

/**
 * Brings every counter up to what a source said of it. A day's, a session's and a workspace's share of a month are
 * booked together where they can be, since one call counts against all of them.
 */
function bookDifferences(carrying: Carrying, wanted: Totals): void {
  const { tx } = carrying;
  const lacking = (period: BudgetPeriod, key: string) =>
    Math.max(0, (wanted[period][key] ?? ZERO_USD) - tx.balance(period, key).spentNanoUsd);
  const months = new Set(Object.keys(wanted.month));
  for (const day of Object.keys(wanted.day)) months.add(day.slice(0, 7));
  for (const key of Object.keys(wanted.workspace)) months.add(key.slice(0, 7));
  const sessions = Object.keys(wanted.session);
  // Of a session nobody knows the months any more; the one in force takes what no other lacks.
  if (sessions.some((one) => lacking('session', one) > 0)) {
    months.add(tx.latest('month') ?? monthOf(carrying.entry.atMs));
  }
  const ordered = [...months].toSorted();
  for (const month of ordered) {
    const days = Object.keys(wanted.day)
      .filter((day) => day.startsWith(month))
      .toSorted()
      .reverse();
    const latestDay = days[0];
    const workspaces = Object.keys(wanted.workspace)
      .filter((key) => key.startsWith(`${month} `))
      .map((key) => key.slice(month.length + 1));
    const isLast = month === ordered.at(-1);
    for (;;) {
      const day = days.find((one) => lacking('day', one) > 0);
      const workspaceId = workspaces.find(
        (one) => lacking('workspace', workspaceKey(month, one)) > 0,
      );
      const sessionId = sessions.find((one) => lacking('session', one) > 0);
      const ofMonth = lacking('month', month);
      const parts = [
        ...(day === undefined ? [] : [lacking('day', day)]),
        ...(workspaceId === undefined
          ? []
          : [lacking('workspace', workspaceKey(month, workspaceId))]),
        // A session may span months: an earlier month takes no more of it than it lacks itself.
        ...(sessionId === undefined || (ofMonth === 0 && !isLast)
          ? []
          : [lacking('session', sessionId)]),
        ...(ofMonth === 0 ? [] : [ofMonth]),
      ];
      if (parts.length === 0) break;
      const scope = {
        month,
        // Of unknown day: counted against the latest known one, where a daily limit may still be in force.
        day: day ?? latestDay ?? `${month}-01`,
        ...(workspaceId === undefined ? {} : { workspaceId }),
        ...(sessionId === undefined || (ofMonth === 0 && !isLast) ? {} : { sessionId }),
      };
      const why = 'counters or the mirror knew of more than could be read';
      bookAmount(carrying, carrying.newId(), nanoUsd(Math.min(...parts)), scope, why);
    }
  }
}

function largest(a: Totals, b: Totals): Totals {
  const of = (period: BudgetPeriod) => {
    const keys = new Set([...Object.keys(a[period]), ...Object.keys(b[period])]);
    return Object.fromEntries(
      [...keys].map((key) => [key, nanoUsd(Math.max(a[period][key] ?? 0, b[period][key] ?? 0))]),
    );
  };
  return { month: of('month'), day: of('day'), session: of('session'), workspace: of('workspace') };
}

function jsonObject(json: string): Readonly<Record<string, unknown>> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(json));
  } catch {
    // A flipped bit; what the event says in its other columns still counts.
    return {};
  }
}
