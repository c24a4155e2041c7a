/**
 * The team ledger's tables and their migrations, forward only. As with the file, the database itself keeps the hardest
 * rules: events are only appended, a reservation is reserved, dispatched and ended at most once each, an ended one never
 * changes, and the counters follow the reservations.
 */
import { LedgerUnavailableError } from './ledgerFaults.ts';
import { type PostgresPlace, type PostgresSession, SCHEMA } from './postgresSession.ts';
import { integer } from './sqliteRows.ts';

/**
 * Locks of this ledger: pairs of two whole numbers, so that they can't meet the locks of owners, which are single ones.
 * The first number marks them as ours among all advisory locks of the database.
 */
const LOCKS = 0x63617231;

/** Held to the end of its transaction by whoever writes money: check and hold are one step, and the hash chain has no forks. */
export const LOCK_LEDGER = `SELECT pg_advisory_xact_lock(${LOCKS}, 1)`;
const LOCK_SCHEMA = `SELECT pg_advisory_xact_lock(${LOCKS}, 2)`;

// "C" compares by bytes, as SQLite and JavaScript do, whatever the database's own order is.
const TEXT = 'text COLLATE "C"';

const COUNTED = `(VALUES ('month', new.month), ('day', new.day), ('session', new.session_id),
  ('workspace', new.month || ' ' || new.workspace_id)) AS counted (scope, key)`;

const MONEY = `
CREATE TABLE events (
  seq bigint PRIMARY KEY CHECK (seq > 0),
  kind ${TEXT} NOT NULL CHECK (kind IN (
    'reserved', 'dispatched', 'settled', 'settled_at_bound', 'overrun', 'voided', 'unfrozen')),
  reservation_id ${TEXT} CHECK ((reservation_id IS NULL) = (kind = 'unfrozen')),
  step smallint GENERATED ALWAYS AS (
    CASE kind WHEN 'reserved' THEN 1 WHEN 'dispatched' THEN 2 WHEN 'unfrozen' THEN NULL ELSE 3 END) STORED,
  at_ms bigint NOT NULL,
  owner ${TEXT} NOT NULL,
  -- The bound until the reservation ends, then what was booked.
  amount_nano_usd bigint NOT NULL CHECK (amount_nano_usd >= 0),
  -- JSON as it was hashed, so it is kept as text.
  details ${TEXT} NOT NULL CHECK (details::json IS NOT NULL),
  hash ${TEXT} NOT NULL
);
CREATE UNIQUE INDEX one_event_per_step ON events (reservation_id, step);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN RAISE EXCEPTION 'events are only appended'; END $$;
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse();
CREATE TRIGGER events_are_kept BEFORE TRUNCATE ON events EXECUTE FUNCTION refuse();

CREATE TABLE reservations (
  id ${TEXT} PRIMARY KEY,
  prompt_id ${TEXT} NOT NULL,
  model_id ${TEXT} NOT NULL,
  price_row_id ${TEXT} NOT NULL,
  fingerprint ${TEXT} NOT NULL,
  bound_nano_usd bigint NOT NULL CHECK (bound_nano_usd >= 0),
  month ${TEXT} NOT NULL,
  day ${TEXT} NOT NULL,
  session_id ${TEXT},
  workspace_id ${TEXT},
  owner ${TEXT} NOT NULL,
  state ${TEXT} NOT NULL CHECK (state IN (
    'reserved', 'dispatched', 'settled', 'settled_at_bound', 'overrun', 'voided')),
  booked_nano_usd bigint CHECK (booked_nano_usd >= 0),
  CHECK ((booked_nano_usd IS NULL) = (state IN ('reserved', 'dispatched')))
);
CREATE INDEX open_reservations ON reservations (owner) WHERE booked_nano_usd IS NULL;
CREATE FUNCTION end_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF old.booked_nano_usd IS NOT NULL OR (new.id, new.month, new.day, new.bound_nano_usd, new.session_id, new.workspace_id)
    IS DISTINCT FROM (old.id, old.month, old.day, old.bound_nano_usd, old.session_id, old.workspace_id)
  THEN RAISE EXCEPTION 'a reservation ends once and keeps its budgets and bound'; END IF;
  RETURN new; END $$;
CREATE TRIGGER reservations_end_once BEFORE UPDATE ON reservations FOR EACH ROW EXECUTE FUNCTION end_once();

CREATE TABLE balances (
  scope ${TEXT} NOT NULL,
  key ${TEXT} NOT NULL,
  spent_nano_usd bigint NOT NULL CHECK (spent_nano_usd >= 0),
  held_nano_usd bigint NOT NULL CHECK (held_nano_usd >= 0),
  PRIMARY KEY (scope, key)
);
CREATE FUNCTION count_reserved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO ${SCHEMA}.balances AS b (scope, key, spent_nano_usd, held_nano_usd)
    SELECT scope, key, 0, new.bound_nano_usd FROM ${COUNTED} WHERE key IS NOT NULL
    ON CONFLICT (scope, key) DO UPDATE SET held_nano_usd = b.held_nano_usd + excluded.held_nano_usd;
  RETURN NULL; END $$;
CREATE TRIGGER count_reserved AFTER INSERT ON reservations FOR EACH ROW EXECUTE FUNCTION count_reserved();
CREATE FUNCTION count_ended() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  UPDATE ${SCHEMA}.balances b SET spent_nano_usd = b.spent_nano_usd + new.booked_nano_usd,
    held_nano_usd = b.held_nano_usd - old.bound_nano_usd
    FROM ${COUNTED} WHERE b.scope = counted.scope AND b.key = counted.key;
  RETURN NULL; END $$;
CREATE TRIGGER count_ended AFTER UPDATE ON reservations FOR EACH ROW
  WHEN (old.booked_nano_usd IS NULL AND new.booked_nano_usd IS NOT NULL) EXECUTE FUNCTION count_ended();

CREATE TABLE frozen_models (
  model_id ${TEXT} PRIMARY KEY,
  event_seq bigint NOT NULL REFERENCES events (seq)
);

-- Processes that may have open reservations. Each holds the advisory lock of this key on a connection of its own.
CREATE TABLE owners (
  id ${TEXT} PRIMARY KEY,
  lock_key bigint NOT NULL UNIQUE,
  entered_at_ms bigint NOT NULL
);
`;

const ANSWERS = `
-- One record per prompt as JSON, kept as text to the letter.
CREATE TABLE answers (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prompt_id ${TEXT} NOT NULL UNIQUE,
  record ${TEXT} NOT NULL CHECK (record::json IS NOT NULL)
);

-- Answers without their traces, so that a month of them can be searched.
CREATE TABLE routes (
  seq bigint PRIMARY KEY REFERENCES answers (seq),
  prompt_id ${TEXT} NOT NULL,
  at_ms bigint NOT NULL,
  month ${TEXT} NOT NULL,
  day ${TEXT} NOT NULL,
  prompt_sha256 ${TEXT} NOT NULL,
  model_id ${TEXT},
  served ${TEXT} NOT NULL,
  status ${TEXT} NOT NULL,
  reason ${TEXT} NOT NULL,
  reason_code ${TEXT} NOT NULL,
  task ${TEXT} NOT NULL,
  score double precision NOT NULL,
  confidence double precision,
  cost_nano_usd bigint NOT NULL,
  -- NULL where the savings are unknown.
  saved_nano_usd bigint,
  baseline_nano_usd bigint,
  latency_ms double precision NOT NULL,
  input_tokens bigint,
  output_tokens bigint,
  workspace_id ${TEXT}
);
CREATE INDEX routes_by_time ON routes (month, at_ms, seq);
CREATE INDEX routes_by_prompt ON routes (prompt_id);

-- A month's sums by everything that it is shown by.
CREATE TABLE route_sums (
  month ${TEXT} NOT NULL,
  day ${TEXT} NOT NULL,
  model_id ${TEXT} NOT NULL,
  served ${TEXT} NOT NULL,
  task ${TEXT} NOT NULL,
  reason_code ${TEXT} NOT NULL,
  answers bigint NOT NULL,
  cost_nano_usd bigint NOT NULL,
  saved_nano_usd bigint NOT NULL,
  baseline_nano_usd bigint NOT NULL,
  unknown_savings bigint NOT NULL,
  PRIMARY KEY (month, day, model_id, served, task, reason_code)
);
CREATE FUNCTION sum_route() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO ${SCHEMA}.route_sums AS s VALUES (new.month, new.day, coalesce(new.model_id, 'none'), new.served, new.task,
      new.reason_code, 1, new.cost_nano_usd, coalesce(new.saved_nano_usd, 0),
      CASE WHEN new.saved_nano_usd IS NULL THEN 0 ELSE coalesce(new.baseline_nano_usd, 0) END,
      (new.saved_nano_usd IS NULL)::int)
    ON CONFLICT (month, day, model_id, served, task, reason_code) DO UPDATE SET answers = s.answers + 1,
      cost_nano_usd = s.cost_nano_usd + excluded.cost_nano_usd,
      saved_nano_usd = s.saved_nano_usd + excluded.saved_nano_usd,
      baseline_nano_usd = s.baseline_nano_usd + excluded.baseline_nano_usd,
      unknown_savings = s.unknown_savings + excluded.unknown_savings;
  RETURN NULL; END $$;
CREATE TRIGGER sum_route AFTER INSERT ON routes FOR EACH ROW EXECUTE FUNCTION sum_route();

-- What a person made of an answer. A verdict counts once, however often it is given.
CREATE TABLE outcomes (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prompt_id ${TEXT} NOT NULL,
  at_ms bigint NOT NULL,
  verdict ${TEXT} NOT NULL,
  UNIQUE (prompt_id, verdict)
);
`;

const FIRST_VERSION = `
CREATE TABLE ledger (one smallint PRIMARY KEY CHECK (one = 1), id ${TEXT} NOT NULL, version integer NOT NULL);
${MONEY}${ANSWERS}`;

const SECOND_VERSION = `
CREATE TABLE audits (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- An answer is audited once.
  prompt_id ${TEXT} NOT NULL UNIQUE,
  at_ms bigint NOT NULL,
  month ${TEXT} NOT NULL,
  model_id ${TEXT} NOT NULL,
  identity ${TEXT} NOT NULL,
  baseline_id ${TEXT} NOT NULL,
  verdict ${TEXT} NOT NULL CHECK (verdict IN ('as_good', 'worse', 'unjudged')),
  method ${TEXT} NOT NULL CHECK (method IN ('checked', 'judged', 'none')),
  cost_nano_usd bigint NOT NULL CHECK (cost_nano_usd >= 0)
);
CREATE INDEX audits_by_month ON audits (month, baseline_id, verdict, cost_nano_usd);
`;

/** Each entry leads from the version of its index to the next. Published entries never change. */
const MIGRATIONS: readonly string[] = [FIRST_VERSION, SECOND_VERSION];

export const TEAM_SCHEMA_VERSION = MIGRATIONS.length;

/**
 * Brings the tables to this version, whichever of several processes comes first; a newer or foreign schema is refused as
 * it is. `mayStart` is asked before a ledger is made where there was none.
 */
export async function migrateTeamLedger(
  session: PostgresSession,
  place: PostgresPlace,
  newLedgerId: () => string,
  mayStart: () => void,
): Promise<void> {
  const [, , found] = await session.flight([
    { text: 'BEGIN' },
    { text: LOCK_SCHEMA },
    {
      text: `SELECT (SELECT count(*) FROM pg_namespace WHERE nspname = '${SCHEMA}') AS schemas,
        (to_regclass('${SCHEMA}.ledger') IS NOT NULL)::int AS ledgers,
        (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = '${SCHEMA}') AS objects`,
    },
  ]);
  const [row] = found?.rows ?? [];
  const has = (column: string) => integer(row, column) > 0;
  if (has('ledgers')) {
    const [reply] = await session.flight([{ text: 'SELECT version FROM ledger' }]);
    const version = integer(reply?.rows[0], 'version');
    refuseNewer(version, place);
    await migrateFrom(session, version);
    return;
  }
  if (has('objects')) {
    throw new LedgerUnavailableError(
      `expected a ledger in the schema ${SCHEMA} at ${place.label}, got other tables; name another database`,
    );
  }
  mayStart();
  if (!has('schemas')) await session.flight([{ text: `CREATE SCHEMA ${SCHEMA}` }]);
  await migrateFrom(session, 0, newLedgerId());
}

async function migrateFrom(
  session: PostgresSession,
  version: number,
  newLedgerId?: string,
): Promise<void> {
  const steps = MIGRATIONS.slice(version).map((text) => ({ text }));
  const insert = {
    text: 'INSERT INTO ledger (one, id, version) VALUES (1, $1, $2)',
    values: [newLedgerId, TEAM_SCHEMA_VERSION],
  };
  const update = { text: 'UPDATE ledger SET version = $1', values: [TEAM_SCHEMA_VERSION] };
  const noted = newLedgerId === undefined ? update : insert;
  await session.flight([...steps, ...(steps.length === 0 ? [] : [noted]), { text: 'COMMIT' }]);
}

/** Asked again in every transaction: a newer program may have migrated the ledger while this one ran. */
export function refuseNewer(version: number, { label }: PostgresPlace): void {
  if (version <= TEAM_SCHEMA_VERSION) return;
  throw new LedgerUnavailableError(
    `expected the team ledger at ${label} to have schema version ${TEAM_SCHEMA_VERSION} or older, got ${version}; update this program`,
  );
}
