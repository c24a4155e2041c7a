/**
 * Reads what is left of a damaged ledger, from a copy, so that the damaged file keeps every byte. Rows are read by
 * ranges of their keys, narrower and narrower around what can't be read; events also straight off the pages.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { eventHash, type LedgerEvent } from '../core/ledgerAudit.ts';
import type { Salvage } from '../core/ledgerRebuild.ts';
import type { Reservation } from '../core/ledgerRules.ts';
import type { BudgetPeriod } from '../core/ports.ts';
import { nanoUsd } from '../core/price.ts';
import type { NanoUsd } from '../core/types.ts';
import { AUDIT_COLUMNS } from './ledgerAudits.ts';
import { eventsOnPages } from './ledgerPages.ts';
import { balanceFrom, eventFrom, reservationFrom } from './ledgerRows.ts';
import { faultOf, fileId } from './sqliteFile.ts';
import { integer, optionalText, type Row, text } from './sqliteRows.ts';

export interface SalvagedFile extends Salvage {
  /** `undefined` where it can't be read. */
  readonly ledgerId: string | undefined;
  /** Records of answers as JSON, oldest first. */
  readonly answers: readonly string[];
  readonly outcomes: readonly Outcome[];
  readonly audits: readonly AuditRow[];
}

/** Values of an audit in the order of `AUDIT_COLUMNS`; the database that takes them checks them. */
export type AuditRow = readonly SQLInputValue[];

interface Outcome {
  readonly promptId: string;
  readonly atMs: number;
  readonly verdict: string;
}

type Totals = Record<BudgetPeriod, Record<string, NanoUsd>>;

/** No ledger has more rows than this; a search for the last one ends here. */
const MOST_ROWS = 1 << 20;

/** @param path a ledger that nobody has open */
export function salvage(path: string, sha256: (text: string) => string): SalvagedFile {
  return onCopy(path, (copy) => {
    const bytes = fileId(copy) === undefined ? new Uint8Array() : readFileSync(copy);
    const wal = fileId(`${copy}-wal`) === undefined ? undefined : readFileSync(`${copy}-wal`);
    const read = readDatabase(copy);
    const events = soundEvents(read.events, eventsOnPages(bytes, wal), read.ledgerId, sha256);
    return { ...read, events };
  });
}

/** Works on a copy of a database that nobody has open, and removes it. */
export function onCopy<T>(path: string, work: (copy: string) => T): T {
  const folder = mkdtempSync(join(dirname(path), 'ledger.copy-'));
  try {
    const copy = join(folder, basename(path));
    for (const suffix of ['', '-wal', '-journal']) {
      if (fileId(path + suffix) !== undefined) copyFileSync(path + suffix, copy + suffix);
    }
    return work(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readDatabase(copy: string): SalvagedFile {
  const totals: Totals = { month: {}, day: {}, session: {}, workspace: {} };
  let db: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(copy, { timeout: 0 });
    db = opened;
    const events = byRange(opened, 'events').flatMap((row) => parsed(() => eventFrom(row)));
    const ids = new Set(events.flatMap(({ reservationId }) => reservationId ?? []));
    for (const row of fromBothEnds(opened, 'balances', 'scope, key')) {
      const [total] = parsed(() => totalFrom(row));
      if (total !== undefined) totals[total.period][total.key] = total.amountNanoUsd;
    }
    return {
      ledgerId: parsed(() => text(opened.prepare('SELECT id FROM ledger').get(), 'id'))[0],
      events,
      reservations: reservationsOf(opened, ids),
      totals,
      answers: byRange(opened, 'answers').flatMap((row) => parsed(() => text(row, 'record'))),
      outcomes: byRange(opened, 'outcomes').flatMap((row) => parsed(() => outcomeFrom(row))),
      audits: byRange(opened, 'audits').map((row) =>
        AUDIT_COLUMNS.split(', ').map((column) => row[column] ?? null),
      ),
    };
  } catch (error) {
    // No database any more; its pages may still hold events.
    if (faultOf(error) === undefined) throw error;
    const none = { events: [], reservations: [], answers: [], outcomes: [], audits: [] };
    return { ledgerId: undefined, totals, ...none };
  } finally {
    db?.close();
  }
}

function reservationsOf(db: DatabaseSync, ids: ReadonlySet<string>): readonly Reservation[] {
  const rows = new Map(fromBothEnds(db, 'reservations', 'id').map((row) => [row['id'], row]));
  const byId = readable(() => db.prepare('SELECT * FROM reservations WHERE id = ?'));
  for (const id of ids) {
    if (rows.has(id)) continue;
    const row = readable(() => byId?.get(id));
    if (row !== undefined) rows.set(id, row);
  }
  return [...rows.values()].flatMap((row) =>
    // A ledger of the first version has no such columns.
    parsed(() => reservationFrom({ day: null, session_id: null, workspace_id: null, ...row })),
  );
}

/** Rows of a table with a `seq`, without those that can't be read. */
function byRange(db: DatabaseSync, table: string): readonly Row[] {
  const range = readable(() =>
    db.prepare(`SELECT * FROM ${table} WHERE seq BETWEEN ? AND ? ORDER BY seq`),
  );
  if (range === undefined) return [];
  const last = readable(() => db.prepare(`SELECT max(seq) AS n FROM ${table}`).get());
  const most = last === undefined ? MOST_ROWS : last['n'] === null ? 0 : integer(last, 'n');
  // Where no place at all can be reached, the root is gone, and a search would only take long to say so.
  const places = Array.from({ length: 21 }, (_, power) => 2 ** power);
  if (places.every((seq) => readable(() => range.all(seq, seq)) === undefined)) return [];
  const rows: Row[] = [];
  const pending: [from: number, to: number][] = [[1, most]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [from, to] = next;
    const found = from > to ? [] : readable(() => range.all(from, to));
    if (found !== undefined) rows.push(...found);
    else if (from < to) {
      const middle = Math.floor((from + to) / 2);
      // The later half waits below the earlier one, so that rows come in order.
      pending.push([middle + 1, to], [from, middle]);
    }
  }
  return rows;
}

/** Rows of a table without numbers: from its beginning and from its end, each as far as it goes. */
function fromBothEnds(db: DatabaseSync, table: string, key: string): readonly Row[] {
  const descending = key.replaceAll(',', ' DESC,');
  const rows = new Map<string, Row>();
  for (const order of [key, `${descending} DESC`]) {
    readable(() => {
      for (const row of db.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).iterate()) {
        const id = JSON.stringify(key.split(', ').map((column) => row[column]));
        if (rows.has(id)) break;
        rows.set(id, row);
      }
      return true;
    });
  }
  return [...rows.values()];
}

/**
 * One event for each place in the chain, in order. One that follows a readable event and does not match its hash was
 * changed by the damage, and is left out: its reservation's row, or the bound, speaks for it.
 */
function soundEvents(
  rows: readonly LedgerEvent[],
  onPages: readonly LedgerEvent[],
  ledgerId: string | undefined,
  sha256: (text: string) => string,
): readonly LedgerEvent[] {
  const bySeq = new Map(rows.map((event) => [event.seq, event]));
  const previousHash = (seq: number) => (seq === 1 ? ledgerId : bySeq.get(seq - 1)?.hash);
  const isChanged = (event: LedgerEvent) => {
    const before = previousHash(event.seq);
    return before !== undefined && eventHash(sha256, before, event) !== event.hash;
  };
  for (const event of onPages.toSorted((a, b) => a.seq - b.seq)) {
    const known = bySeq.get(event.seq);
    if (known === undefined || (isChanged(known) && !isChanged(event))) {
      bySeq.set(event.seq, event);
    }
  }
  return [...bySeq.values()].toSorted((a, b) => a.seq - b.seq).filter((event) => !isChanged(event));
}

function totalFrom(row: Row): {
  readonly period: BudgetPeriod;
  readonly key: string;
  readonly amountNanoUsd: NanoUsd;
} {
  const scope = text(row, 'scope');
  if (scope !== 'month' && scope !== 'day' && scope !== 'session' && scope !== 'workspace') {
    throw new TypeError(`expected the scope of a counter, got ${scope}`);
  }
  const { spentNanoUsd, heldNanoUsd } = balanceFrom(row);
  const amountNanoUsd = nanoUsd(spentNanoUsd + heldNanoUsd);
  return { period: scope, key: text(row, 'key'), amountNanoUsd };
}

function outcomeFrom(row: Row): Outcome {
  return {
    promptId: text(row, 'prompt_id'),
    atMs: integer(row, 'at_ms'),
    verdict: optionalText(row, 'verdict') ?? '',
  };
}

/** What SQLite reads, or `undefined` where the file does not give it. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // 1 is an unknown table or column: the schema is damaged, or older. A STRICT value of another type is a TypeError.
    const isSql = error instanceof Error && 'errcode' in error;
    if (isSql || error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

/** One value, or none where the row is not what it should be. */
function parsed<T>(parse: () => T): readonly T[] {
  const value = readable(parse);
  return value === undefined ? [] : [value];
}
