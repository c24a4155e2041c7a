/** Answers in the ledger's database: keeping them, reading them back newest first, and a month's sums over them. */
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { AnswerRecord, SpendReport, SpendRow } from '../core/ports.ts';
import { amount, integer, type Row, readerOf, text } from './sqliteRows.ts';

/** A month's report without the budget, which depends on the limit of whoever asks. */
export type AnswerSums = Omit<SpendReport, 'budget' | 'audits'>;

export interface StoredAnswer {
  /** Position in the ledger; the place to go on from when reading further back. */
  readonly seq: number;
  readonly answer: AnswerRecord;
}

export interface Answers {
  /** Must run inside a write transaction. The same record twice is kept once; another one for the same prompt throws. */
  add(answer: AnswerRecord): void;
  has(promptId: string): boolean;
  sums(month: string): AnswerSums;
  newest(page: { readonly limit: number; readonly beforeSeq?: number }): readonly StoredAnswer[];
}

const servedSchema = z.enum(['local', 'cloud', 'cache', 'none']);

export const NO_ANSWERS: AnswerSums = { answers: 0, savedNanoUsd: 0, unknownSavings: 0, rows: [] };

/** From one row per model and way. */
export function answerSumsFrom(groups: readonly Row[]): AnswerSums {
  const rows = groups.map(
    (row): SpendRow => ({
      modelId: text(row, 'model_id'),
      served: servedSchema.parse(text(row, 'served')),
      answers: integer(row, 'answers'),
      costNanoUsd: amount(row, 'cost'),
    }),
  );
  return {
    answers: rows.reduce((sum, row) => sum + row.answers, 0),
    // Negative where the router cost more than the baseline would have.
    savedNanoUsd: groups.reduce((sum, row) => sum + integer(row, 'saved'), 0),
    unknownSavings: groups.reduce((sum, row) => sum + integer(row, 'unknown'), 0),
    rows,
  };
}

export function openAnswers(db: DatabaseSync): Answers {
  const insert = db.prepare('INSERT INTO answers (record) VALUES (?) ON CONFLICT DO NOTHING');
  const byPrompt = readerOf(db.prepare('SELECT record FROM answers WHERE prompt_id = ?'));
  const isThere = readerOf(db.prepare('SELECT 1 FROM answers WHERE prompt_id = ?'));
  const page = db.prepare(
    'SELECT seq, record FROM answers WHERE seq < ? ORDER BY seq DESC LIMIT ?',
  );
  const group = db.prepare(
    `SELECT model_id, served, sum(answers) AS answers, sum(cost_nano_usd) AS cost,
       sum(saved_nano_usd) AS saved, sum(unknown_savings) AS unknown
     FROM route_sums WHERE month = ? GROUP BY model_id, served ORDER BY answers DESC, model_id, served`,
  );
  return {
    add(answer) {
      const record = JSON.stringify(answer);
      if (insert.run(record).changes === 1) return;
      if (text(byPrompt.get(answer.promptId), 'record') !== record) {
        throw new Error(`expected one record of prompt ${answer.promptId}, got another one`);
      }
    },

    has: (promptId) => isThere.get(promptId) !== undefined,

    sums(month) {
      return answerSumsFrom(group.all(month));
    },

    newest({ limit, beforeSeq = Number.MAX_SAFE_INTEGER }) {
      return page.all(beforeSeq, limit).map((row) => ({
        seq: integer(row, 'seq'),
        // Only `add` writes this column, so its shape is the one of AnswerRecord.
        answer: JSON.parse(text(row, 'record')) as AnswerRecord,
      }));
    },
  };
}
