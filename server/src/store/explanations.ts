/** What a person kept about code, by the hash of that code and by what was asked. The oldest make room for new ones. */
import type { Clock } from '../core/ports.ts';
import { createSideFile } from './sideFile.ts';
import { integer, type Row, text } from './sqliteRows.ts';

/** Lines and characters as LSP counts them. */
interface ExplainedRange {
  readonly startLine: number;
  readonly startCharacter: number;
  readonly endLine: number;
  readonly endCharacter: number;
}

interface StoredExplanation {
  readonly codeHash: string;
  /** What was asked of the code, in the edge's word for it; each has its own text. */
  readonly task: string;
  readonly uri: string;
  readonly range: ExplainedRange;
  readonly promptId: string;
  readonly text: string;
  /** Tier, cost, latency and reason, as they were shown. */
  readonly line: string;
  readonly atMs: number;
}

export interface Explanations {
  /** All of one file, in the order of their lines. */
  inFile(uri: string): readonly StoredExplanation[];
  /** Of this very code, wherever it was explained; the newest first. */
  ofCode(codeHash: string): readonly StoredExplanation[];
  /** Takes the place of what was kept of the same task about the same code in the same file. False when it could not be kept. */
  keep(explanation: Omit<StoredExplanation, 'atMs'>): Promise<boolean>;
  /** @param uri every file when absent */
  drop(codeHash: string, task: string, uri?: string): Promise<boolean>;
  close(): void;
}

const FIRST_VERSION = `
CREATE TABLE explanations (
  code_hash TEXT NOT NULL,
  uri TEXT NOT NULL,
  range TEXT NOT NULL CHECK (json_valid(range)),
  prompt_id TEXT NOT NULL,
  text TEXT NOT NULL,
  line TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (uri, code_hash)
) STRICT;
CREATE INDEX explanations_by_code ON explanations (code_hash, at_ms);
CREATE INDEX explanations_by_age ON explanations (at_ms)`;

/** Until then each code had one text, whatever was asked; what that was is not told, and nearly all were explanations. */
const BY_TASK = `
ALTER TABLE explanations RENAME TO explanations_before;
CREATE TABLE explanations (
  code_hash TEXT NOT NULL,
  task TEXT NOT NULL,
  uri TEXT NOT NULL,
  range TEXT NOT NULL CHECK (json_valid(range)),
  prompt_id TEXT NOT NULL,
  text TEXT NOT NULL,
  line TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (uri, code_hash, task)
) STRICT;
INSERT INTO explanations
  SELECT code_hash, 'explain', uri, range, prompt_id, text, line, at_ms FROM explanations_before ORDER BY rowid;
DROP TABLE explanations_before;
CREATE INDEX explanations_by_code ON explanations (code_hash, at_ms);
CREATE INDEX explanations_by_age ON explanations (at_ms)`;

export interface ExplanationsOptions {
  readonly path: string;
  readonly clock: Clock;
  /** @default 5000 */
  readonly maxEntries?: number;
}

export function openExplanations(options: ExplanationsOptions): Explanations {
  const { path, clock, maxEntries = 5_000 } = options;
  const file = createSideFile({ path, clock, versions: [FIRST_VERSION, BY_TASK] });
  return {
    inFile: (uri) =>
      file
        .read<readonly StoredExplanation[]>([], (db) =>
          db.prepare('SELECT * FROM explanations WHERE uri = ?').all(uri).map(explanationFrom),
        )
        .toSorted((a, b) => a.range.startLine - b.range.startLine),

    ofCode: (codeHash) =>
      file.read<readonly StoredExplanation[]>([], (db) =>
        db
          .prepare('SELECT * FROM explanations WHERE code_hash = ? ORDER BY at_ms DESC')
          .all(codeHash)
          .map(explanationFrom),
      ),

    keep: (one) =>
      file.write((db) => {
        db.prepare(
          `INSERT OR REPLACE INTO explanations (code_hash, task, uri, range, prompt_id, text, line, at_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        ).run(
          one.codeHash,
          one.task,
          one.uri,
          JSON.stringify(one.range),
          one.promptId,
          one.text,
          one.line,
          clock.now(),
        );
        db.prepare(
          `DELETE FROM explanations WHERE rowid IN (
             SELECT rowid FROM explanations ORDER BY at_ms DESC, rowid DESC LIMIT -1 OFFSET ?)`,
        ).run(maxEntries);
      }),

    drop: (codeHash, task, uri) =>
      file.write((db) => {
        db.prepare(
          'DELETE FROM explanations WHERE code_hash = ? AND task = ? AND coalesce(uri = ?, 1)',
        ).run(codeHash, task, uri ?? null);
      }),

    close: () => file.close(),
  };
}

function explanationFrom(row: Row): StoredExplanation {
  return {
    codeHash: text(row, 'code_hash'),
    task: text(row, 'task'),
    uri: text(row, 'uri'),
    // Only `keep` writes this column, so its shape is the one of ExplainedRange.
    range: JSON.parse(text(row, 'range')) as ExplainedRange,
    promptId: text(row, 'prompt_id'),
    text: text(row, 'text'),
    line: text(row, 'line'),
    atMs: integer(row, 'at_ms'),
  };
}
