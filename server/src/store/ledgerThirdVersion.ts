/**
 * The ledger's third version: one more kind of event, `rebuilt`. SQLite can't change a constraint, so the table is
 * written anew; every row of it keeps its bytes, and the hash chain its hashes.
 */
export const THIRD_VERSION = `
CREATE TABLE events_3 (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN (
    'reserved', 'dispatched', 'settled', 'settled_at_bound', 'overrun', 'voided', 'unfrozen', 'rebuilt')),
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
INSERT INTO events_3 (seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash)
  SELECT seq, kind, reservation_id, at_ms, owner, amount_nano_usd, details, hash FROM events ORDER BY seq;
CREATE TABLE frozen_models_3 (
  model_id TEXT PRIMARY KEY,
  event_seq INTEGER NOT NULL REFERENCES events_3 (seq)
) STRICT, WITHOUT ROWID;
INSERT INTO frozen_models_3 SELECT model_id, event_seq FROM frozen_models;
DROP TABLE frozen_models;
DROP TABLE events;
ALTER TABLE events_3 RENAME TO events;
ALTER TABLE frozen_models_3 RENAME TO frozen_models;
CREATE UNIQUE INDEX one_event_per_step ON events (reservation_id, step);
CREATE TRIGGER events_stay BEFORE UPDATE ON events
  BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
CREATE TRIGGER events_are_kept BEFORE DELETE ON events
  BEGIN SELECT RAISE(ABORT, 'events are only appended'); END;
`;
