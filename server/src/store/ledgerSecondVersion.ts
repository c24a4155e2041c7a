/**
 * The ledger's second version: budgets beside the month's, and what a dashboard reads. Counters and report tables are
 * kept by triggers, so that a process of the first version, which may still have the file open, keeps them right too.
 */

/** A workspace's counter has keys like `2026-11 <workspace id>`, since its budget is monthly. */
const COUNTED_SCOPES = (row: 'new' | 'reservations') => `
  (SELECT 'day' AS scope, ${row}.day AS key
    UNION ALL SELECT 'session', ${row}.session_id
    UNION ALL SELECT 'workspace', ${row}.month || ' ' || ${row}.workspace_id)`;

const RESERVATIONS = `
ALTER TABLE reservations ADD COLUMN day TEXT;
ALTER TABLE reservations ADD COLUMN session_id TEXT;
ALTER TABLE reservations ADD COLUMN workspace_id TEXT;

-- What was reserved before counts against the day on which it was, so that a new daily limit knows of today's spend.
DROP TRIGGER reservations_end_once;
UPDATE reservations SET day = (
  SELECT max(strftime('%Y-%m-%d', at_ms / 1000, 'unixepoch'), reservations.month || '-01') FROM events
  WHERE reservation_id = reservations.id AND kind = 'reserved');
CREATE TRIGGER reservations_end_once BEFORE UPDATE ON reservations
  WHEN old.booked_nano_usd IS NOT NULL OR new.id IS NOT old.id OR new.month IS NOT old.month
    OR new.bound_nano_usd IS NOT old.bound_nano_usd OR new.day IS NOT old.day
    OR new.session_id IS NOT old.session_id OR new.workspace_id IS NOT old.workspace_id
  BEGIN SELECT RAISE(ABORT, 'a reservation ends once and keeps its budgets and bound'); END;

INSERT INTO balances (scope, key, spent_nano_usd, held_nano_usd)
  SELECT 'day', day, sum(coalesce(booked_nano_usd, 0)),
    sum(CASE WHEN booked_nano_usd IS NULL THEN bound_nano_usd ELSE 0 END)
  FROM reservations WHERE day IS NOT NULL GROUP BY day;
CREATE TRIGGER count_reserved AFTER INSERT ON reservations BEGIN
  INSERT INTO balances (scope, key, spent_nano_usd, held_nano_usd)
    SELECT scope, key, 0, new.bound_nano_usd FROM ${COUNTED_SCOPES('new')} WHERE key IS NOT NULL
    ON CONFLICT (scope, key) DO UPDATE SET held_nano_usd = held_nano_usd + excluded.held_nano_usd;
END;
CREATE TRIGGER count_ended AFTER UPDATE ON reservations
  WHEN old.booked_nano_usd IS NULL AND new.booked_nano_usd IS NOT NULL BEGIN
  UPDATE balances SET spent_nano_usd = spent_nano_usd + new.booked_nano_usd,
      held_nano_usd = held_nano_usd - old.bound_nano_usd
    WHERE (scope, key) IN (SELECT scope, key FROM ${COUNTED_SCOPES('new')});
END;
`;

/** The code before the facts: `forced(model=x)` is `forced`. */
const CODE_OF_REASON = `substr(reason, 1, instr(reason || '(', '(') - 1)`;

/** Columns of a route, read out of one record. */
const ROUTE_VALUES = (record: string, seq: string, month: string) => `
  ${seq}, ${record} ->> 'promptId', ${record} ->> 'atMs', ${month},
  strftime('%Y-%m-%d', (${record} ->> 'atMs') / 1000, 'unixepoch'), ${record} ->> 'promptSha256',
  ${record} ->> 'modelId', ${record} ->> 'served', ${record} ->> 'status', ${record} ->> 'reason',
  coalesce(CASE WHEN json_valid(${record} ->> 'trace')
    THEN (${record} ->> 'trace') ->> '$.route.trace.task' END, 'unknown'),
  CAST(${record} ->> 'score' AS REAL), CAST(${record} ->> 'confidence' AS REAL),
  ${record} ->> 'costNanoUsd', ${record} ->> '$.savings.savedNanoUsd',
  ${record} ->> '$.savings.baselineCostNanoUsd', CAST(${record} ->> '$.timing.latencyMs' AS REAL),
  ${record} ->> '$.usage.inputTokens', ${record} ->> '$.usage.outputTokens', ${record} ->> 'workspaceId'`;

const ROUTE_COLUMNS = `seq, prompt_id, at_ms, month, day, prompt_sha256, model_id, served, status, reason, task,
  score, confidence, cost_nano_usd, saved_nano_usd, baseline_nano_usd, latency_ms, input_tokens, output_tokens,
  workspace_id`;

const SUM_KEYS = `month, day, coalesce(model_id, 'none'), served, task, reason_code`;
const KNOWN_BASELINE =
  'CASE WHEN saved_nano_usd IS NULL THEN 0 ELSE coalesce(baseline_nano_usd, 0) END';

const REPORTS = `
-- Answers without their traces: a hundredth of their size, so that a month of them can be searched.
CREATE TABLE routes (
  seq INTEGER PRIMARY KEY REFERENCES answers (seq),
  prompt_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  month TEXT NOT NULL,
  day TEXT NOT NULL,
  prompt_sha256 TEXT NOT NULL,
  model_id TEXT,
  served TEXT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT NOT NULL,
  task TEXT NOT NULL,
  score REAL NOT NULL,
  confidence REAL,
  cost_nano_usd INTEGER NOT NULL,
  -- NULL where the savings are unknown.
  saved_nano_usd INTEGER,
  baseline_nano_usd INTEGER,
  latency_ms REAL NOT NULL,
  input_tokens INTEGER,
  output_tokens INTEGER,
  workspace_id TEXT,
  reason_code TEXT NOT NULL GENERATED ALWAYS AS (${CODE_OF_REASON}) STORED
) STRICT;
CREATE INDEX routes_by_time ON routes (month, at_ms, seq);
CREATE INDEX routes_by_prompt ON routes (prompt_id);

-- A month's sums by everything that it is shown by; a few thousand rows at most, however many routes there are.
CREATE TABLE route_sums (
  month TEXT NOT NULL,
  day TEXT NOT NULL,
  model_id TEXT NOT NULL,
  served TEXT NOT NULL,
  task TEXT NOT NULL,
  reason_code TEXT NOT NULL,
  answers INTEGER NOT NULL,
  cost_nano_usd INTEGER NOT NULL,
  saved_nano_usd INTEGER NOT NULL,
  baseline_nano_usd INTEGER NOT NULL,
  unknown_savings INTEGER NOT NULL,
  PRIMARY KEY (month, day, model_id, served, task, reason_code)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER sum_route AFTER INSERT ON routes BEGIN
  INSERT INTO route_sums
    SELECT ${SUM_KEYS}, 1, cost_nano_usd, coalesce(saved_nano_usd, 0), ${KNOWN_BASELINE}, saved_nano_usd IS NULL
    FROM routes WHERE seq = new.seq
    ON CONFLICT DO UPDATE SET answers = answers + 1,
      cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd,
      saved_nano_usd = saved_nano_usd + excluded.saved_nano_usd,
      baseline_nano_usd = baseline_nano_usd + excluded.baseline_nano_usd,
      unknown_savings = unknown_savings + excluded.unknown_savings;
END;
CREATE TRIGGER note_route AFTER INSERT ON answers BEGIN
  INSERT INTO routes (${ROUTE_COLUMNS}) SELECT ${ROUTE_VALUES('new.record', 'new.seq', 'new.month')};
END;
INSERT INTO routes (${ROUTE_COLUMNS}) SELECT ${ROUTE_VALUES('record', 'seq', 'month')} FROM answers;

-- What a person made of an answer. A verdict counts once, however often it is given.
CREATE TABLE outcomes (
  seq INTEGER PRIMARY KEY,
  prompt_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  verdict TEXT NOT NULL,
  UNIQUE (prompt_id, verdict)
) STRICT;
`;

export const SECOND_VERSION = RESERVATIONS + REPORTS;
