/**
 * Prompts and answers with their text, for people who turned history on; nothing else writes here. Bounded in number, by
 * workspace, and gone from the disk when it is cleared.
 */
import type { Clock } from '../core/ports.ts';
import { createSideFile } from './sideFile.ts';
import { integer, type Row, text } from './sqliteRows.ts';

interface HistoryRecord {
  readonly workspaceId: string;
  readonly promptId: string;
  readonly atMs: number;
  readonly question: string;
  readonly answer: string;
  /** Tier, cost, latency and reason, as they were shown. */
  readonly line: string;
}

export interface History {
  /** False when it could not be kept. */
  add(record: Omit<HistoryRecord, 'atMs'>): Promise<boolean>;
  /** Newest first. */
  recent(workspaceId: string, limit?: number): readonly HistoryRecord[];
  /** Of every workspace, oldest first. */
  all(): readonly HistoryRecord[];
  /** The prompts whose question or answer contains this text, newest first. */
  find(search: string): readonly string[];
  /** Questions by prompt id, as far as they are known. */
  questions(promptIds: readonly string[]): ReadonlyMap<string, string>;
  /** @param workspaceId every workspace when absent */
  clear(workspaceId?: string): Promise<boolean>;
  close(): void;
}

const SCHEMA = `
CREATE TABLE history (
  seq INTEGER PRIMARY KEY,
  workspace_id TEXT NOT NULL,
  prompt_id TEXT NOT NULL UNIQUE,
  at_ms INTEGER NOT NULL,
  question TEXT NOT NULL,
  answer TEXT NOT NULL,
  line TEXT NOT NULL
) STRICT;
CREATE INDEX history_by_workspace ON history (workspace_id, seq)`;

export interface HistoryOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Entries of one workspace. @default 1000 */
  readonly maxEntries?: number;
}

const MOST_FOUND = 1_000;

export function openHistory(options: HistoryOptions): History {
  const { path, clock, maxEntries = 1_000 } = options;
  const file = createSideFile({ path, clock, versions: [SCHEMA] });
  return {
    add: (record) =>
      file.write((db) => {
        db.exec('PRAGMA secure_delete = ON');
        db.prepare(
          `INSERT OR REPLACE INTO history (workspace_id, prompt_id, at_ms, question, answer, line)
             VALUES (?, ?, ?, ?, ?, ?)`,
        ).run(
          record.workspaceId,
          record.promptId,
          clock.now(),
          record.question,
          record.answer,
          record.line,
        );
        db.prepare(
          `DELETE FROM history WHERE seq IN (SELECT seq FROM history WHERE workspace_id = ?
             ORDER BY seq DESC LIMIT -1 OFFSET ?)`,
        ).run(record.workspaceId, maxEntries);
      }),

    recent: (workspaceId, limit = 100) =>
      file.read<readonly HistoryRecord[]>([], (db) =>
        db
          .prepare('SELECT * FROM history WHERE workspace_id = ? ORDER BY seq DESC LIMIT ?')
          .all(workspaceId, limit)
          .map(recordFrom),
      ),

    all: () =>
      file.read<readonly HistoryRecord[]>([], (db) =>
        db.prepare('SELECT * FROM history ORDER BY seq').all().map(recordFrom),
      ),

    find: (search) =>
      file.read<readonly string[]>([], (db) =>
        db
          .prepare(
            `SELECT prompt_id FROM history WHERE instr(lower(question), lower(?1)) > 0
               OR instr(lower(answer), lower(?1)) > 0 ORDER BY seq DESC LIMIT ${MOST_FOUND}`,
          )
          .all(search)
          .map((row) => text(row, 'prompt_id')),
      ),

    questions: (promptIds) =>
      file.read<ReadonlyMap<string, string>>(new Map(), (db) => {
        const rows = db
          .prepare(
            'SELECT prompt_id, question FROM history WHERE prompt_id IN (SELECT value FROM json_each(?))',
          )
          .all(JSON.stringify(promptIds));
        return new Map(rows.map((row) => [text(row, 'prompt_id'), text(row, 'question')]));
      }),

    async clear(workspaceId) {
      const cleared = await file.write((db) => {
        db.prepare('DELETE FROM history WHERE coalesce(workspace_id = ?, 1)').run(
          workspaceId ?? null,
        );
      });
      // The journal still holds the pages as they were; what a person clears is to be gone.
      file.read(undefined, (db) => db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)'));
      return cleared;
    },

    close: () => file.close(),
  };
}

function recordFrom(row: Row): HistoryRecord {
  return {
    workspaceId: text(row, 'workspace_id'),
    promptId: text(row, 'prompt_id'),
    atMs: integer(row, 'at_ms'),
    question: text(row, 'question'),
    answer: text(row, 'answer'),
    line: text(row, 'line'),
  };
}
