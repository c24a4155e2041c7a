/**
 * Checks of a ledger against itself. The short one runs at every opening, the full one when a person asks. Both read one
 * snapshot and return what is wrong as sentences; an empty list means a sound ledger.
 */
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { Balance } from '../core/budget.ts';
import { balanceDifferences, chainFindings, replayFindings } from '../core/ledgerAudit.ts';
import { balanceFrom, eventsFrom, reservationFrom } from './ledgerRows.ts';
import { faultOf, inSnapshot } from './sqliteFile.ts';
import { integer, text } from './sqliteRows.ts';

const MONEY_TABLES = ['events', 'reservations', 'balances', 'frozen_models'];

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
    return [...counterFindings(db), ...chainFrom(db, sha256, tail)];
  });
}

/** Everything: all pages, the whole chain, every reservation replayed from its events, and all counters. */
export function checkFully(db: DatabaseSync, sha256: (text: string) => string): string[] {
  return readable(() => {
    const pages = pageFindings(db, 'integrity_check');
    if (pages.length > 0) return pages;
    const chain = chainFrom(db, sha256, 1);
    return [...chain, ...derivedFindings(db), ...counterFindings(db)].slice(0, MOST_FINDINGS);
  });
}

/** `checkFully` on one state of the file. Damage that shows only when the reading ends is a finding too. */
export function verifyFile(db: DatabaseSync, sha256: (text: string) => string): string[] {
  return readable(() => inSnapshot(db, () => checkFully(db, sha256)));
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

function chainFrom(db: DatabaseSync, sha256: (text: string) => string, fromSeq: number): string[] {
  const before = db.prepare('SELECT hash FROM events WHERE seq = ?').get(fromSeq - 1);
  const start = fromSeq === 1 ? db.prepare('SELECT id AS hash FROM ledger').get() : before;
  if (start === undefined) return [`expected event ${fromSeq - 1}, got none`];
  const from = { hash: text(start, 'hash'), seq: fromSeq };
  return chainFindings(eventsFrom(db, fromSeq), from, sha256);
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
    return balanceDifferences(expected, storedBalances(db, scope), scope, 'its reservations');
  });
}

/** The tables that are derived from the events, against the events. */
function derivedFindings(db: DatabaseSync): string[] {
  const frozen = db.prepare('SELECT model_id FROM frozen_models').all();
  return replayFindings(eventsFrom(db, 1), {
    reservations: db.prepare('SELECT * FROM reservations').all().map(reservationFrom),
    months: storedBalances(db, 'month'),
    frozen: new Set(frozen.map((row) => text(row, 'model_id'))),
  });
}

function storedBalances(db: DatabaseSync, scope: string): Map<string, Balance> {
  const rows = db.prepare('SELECT * FROM balances WHERE scope = ?').all(scope);
  return new Map(rows.map((row) => [text(row, 'key'), balanceFrom(row)]));
}
