/**
 * The ledger's fourth version: audits. A process of an earlier version, which may still have the file open, knows nothing
 * of the table and loses nothing by it; the money of audits is in reservations like any other.
 */
export const FOURTH_VERSION = `
CREATE TABLE audits (
  seq INTEGER PRIMARY KEY,
  -- An answer is audited once.
  prompt_id TEXT NOT NULL UNIQUE,
  at_ms INTEGER NOT NULL,
  month TEXT NOT NULL GENERATED ALWAYS AS (strftime('%Y-%m', at_ms / 1000, 'unixepoch')) STORED,
  model_id TEXT NOT NULL,
  identity TEXT NOT NULL,
  baseline_id TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('as_good', 'worse', 'unjudged')),
  method TEXT NOT NULL CHECK (method IN ('checked', 'judged', 'none')),
  cost_nano_usd INTEGER NOT NULL CHECK (cost_nano_usd >= 0)
) STRICT;
CREATE INDEX audits_by_month ON audits (month, baseline_id, verdict, cost_nano_usd);
`;
