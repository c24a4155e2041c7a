/**
 * The ledger's tables and their migrations, forward only. The database itself keeps the hardest rules: events are only
 * appended, a reservation is reserved, dispatched and ended at most once each, and an ended one never changes.
 */
import type { DatabaseSync } from 'node:sqlite';
import { FOURTH_VERSION } from './ledgerFourthVersion.ts';
import { SECOND_VERSION } from './ledgerSecondVersion.ts';
import { THIRD_VERSION } from './ledgerThirdVersion.ts';
import { inTransaction } from './sqliteFile.ts';
import { integer } from './sqliteRows.ts';

/** Marks the file as a ledger, so that another program's database is not taken for one. */
const APPLICATION_ID = 0x63617231;

const FIRST_VERSION = `
CREATE TABLE ledger (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  id TEXT NOT NULL
) STRICT;

-- The truth. Everything but answers and owners can be built again from it.
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN (
    'reserved', 'dispatched', 'settled', 'settled_at_bound', 'overrun', 'voided', 'unfrozen')),
  -- NULL only for events that concern no reservation.
  reservation_id TEXT CHECK ((reservation_id IS NULL) = (kind = 'unfrozen')),
  step INTEGER GENERATED ALWAYS AS (
    CASE kind WHEN 'reserved' THEN 1 WHEN 'dispatched' THEN 2 WHEN 'unfrozen' THEN NULL ELSE 3 END) VIRTUAL,
  at_ms INTEGER NOT NULL,
  owner TEXT NOT NULL,
  -- The bound until the reservation ends, then what was booked.
  amount_nano_usd INTEGER NOT NULL CHECK (amount_nano_usd >= 0),
  details TEXT NOT NULL CHECK (json_valid(details)),
  -- SHA-256 over the hash before it and this event.
  hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_event_per_step ON events (reservation_id, step);
CREATE TRIGGER events_stay BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
  BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;

-- Each reservation as its events left it.
CREATE TABLE reservations (
  id TEXT PRIMARY KEY,
  prompt_id TEXT NOT NULL,
  model_id TEXT NOT NULL,
  price_row_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  bound_nano_usd INTEGER NOT NULL CHECK (bound_nano_usd >= 0),
  month TEXT NOT NULL,
  owner TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN (
    'reserved', 'dispatched', 'settled', 'settled_at_bound', 'overrun', 'voided')),
  booked_nano_usd INTEGER CHECK (booked_nano_usd >= 0),
  CHECK ((booked_nano_usd IS NULL) = (state IN ('reserved', 'dispatched')))
) STRICT, WITHOUT ROWID;
CREATE INDEX open_reservations ON reservations (owner) WHERE booked_nano_usd IS NULL;
CREATE TRIGGER reservations_end_once BEFORE UPDATE ON reservations
  WHEN old.booked_nano_usd IS NOT NULL OR new.id IS NOT old.id OR new.month IS NOT old.month
    OR new.bound_nano_usd IS NOT old.bound_nano_usd
  BEGIN SELECT RAISE(ABORT, 'a reservation ends once and keeps its month and bound'); END;

-- Counters, so that a check costs one row; scope 'month' has keys like 2026-11.
CREATE TABLE balances (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  spent_nano_usd INTEGER NOT NULL CHECK (spent_nano_usd >= 0),
  held_nano_usd INTEGER NOT NULL CHECK (held_nano_usd >= 0),
  PRIMARY KEY (scope, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE frozen_models (
  model_id TEXT PRIMARY KEY,
  event_seq INTEGER NOT NULL REFERENCES events (seq)
) STRICT, WITHOUT ROWID;

-- Processes that may have open reservations; each holds a lock file of its own.
CREATE TABLE owners (
  id TEXT PRIMARY KEY,
  entered_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One record per prompt as JSON; the columns are read out of it, so that they can't differ from it.
CREATE TABLE answers (
  seq INTEGER PRIMARY KEY,
  record TEXT NOT NULL CHECK (json_valid(record)),
  prompt_id TEXT NOT NULL UNIQUE GENERATED ALWAYS AS (record ->> 'promptId') STORED,
  at_ms INTEGER NOT NULL GENERATED ALWAYS AS (record ->> 'atMs') STORED,
  month TEXT NOT NULL
    GENERATED ALWAYS AS (strftime('%Y-%m', (record ->> 'atMs') / 1000, 'unixepoch')) STORED,
  model_id TEXT GENERATED ALWAYS AS (record ->> 'modelId') STORED,
  served TEXT NOT NULL GENERATED ALWAYS AS (record ->> 'served') STORED,
  cost_nano_usd INTEGER NOT NULL GENERATED ALWAYS AS (record ->> 'costNanoUsd') STORED,
  -- NULL where the savings are unknown.
  saved_nano_usd INTEGER GENERATED ALWAYS AS (record ->> '$.savings.savedNanoUsd') STORED
) STRICT;
CREATE INDEX answers_by_month ON answers (month, model_id, served, cost_nano_usd, saved_nano_usd);
`;

/** Each entry leads from the version of its index to the next. Published entries never change. */
const MIGRATIONS: readonly string[] = [
  FIRST_VERSION,
  SECOND_VERSION,
  THIRD_VERSION,
  FOURTH_VERSION,
];

export const SCHEMA_VERSION = MIGRATIONS.length;

export type SchemaState =
  | { readonly kind: 'empty' }
  | { readonly kind: 'known'; readonly version: number }
  | { readonly kind: 'newer'; readonly version: number }
  | { readonly kind: 'foreign' };

export function schemaState(db: DatabaseSync): SchemaState {
  const version = integer(db.prepare('PRAGMA user_version').get(), 'user_version');
  const application = integer(db.prepare('PRAGMA application_id').get(), 'application_id');
  if (application !== APPLICATION_ID) {
    const objects = integer(db.prepare('SELECT count(*) AS n FROM sqlite_schema').get(), 'n');
    return objects === 0 && version === 0 ? { kind: 'empty' } : { kind: 'foreign' };
  }
  return version > SCHEMA_VERSION ? { kind: 'newer', version } : { kind: 'known', version };
}

/**
 * Brings the file to this version and returns what it was; a newer or foreign file is left as it is.
 * Processes that start together do it once.
 */
export function migrate(db: DatabaseSync, newLedgerId: () => string): SchemaState {
  const before = schemaState(db);
  if (before.kind === 'known' && before.version === SCHEMA_VERSION) return before;
  return inTransaction(db, () => {
    const state = schemaState(db);
    if (state.kind === 'newer' || state.kind === 'foreign') return state;
    for (const step of MIGRATIONS.slice(state.kind === 'known' ? state.version : 0)) db.exec(step);
    if (state.kind === 'empty') {
      db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      db.prepare('INSERT INTO ledger (only, id) VALUES (1, ?)').run(newLedgerId());
    }
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    return state;
  });
}
