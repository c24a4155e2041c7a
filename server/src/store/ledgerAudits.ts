/** Audits in the ledger's database: keeping one, and the sums over a month and the two before it. */
import type { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import type { AuditRecord } from '../core/audit.ts';
import { auditMethods, auditVerdicts } from '../core/auditVerdict.ts';
import { nanoUsd, ZERO_USD } from '../core/price.ts';
import type { AuditSums } from '../core/qualityKept.ts';
import type { StoredAudit } from '../core/routeReports.ts';
import { amount, integer, type Row, text } from './sqliteRows.ts';

export interface Audits {
  /** Must run inside a write transaction. The same audit twice is kept once. */
  add(audit: AuditRecord): void;
  sums(month: string): AuditSums;
}

export const NO_AUDITS: AuditSums = { audits: 0, costNanoUsd: ZERO_USD, judged: [] };

export const AUDIT_COLUMNS =
  'prompt_id, at_ms, model_id, identity, baseline_id, verdict, method, cost_nano_usd';

/** In the order of the columns. */
export function auditValues(audit: AuditRecord) {
  const { promptId, atMs, modelId, identity, baselineId, verdict, method, costNanoUsd } = audit;
  return [promptId, atMs, modelId, identity, baselineId, verdict, method, costNanoUsd] as const;
}

/** Verdicts of this month and of the two before it tell the quality kept: one month alone is often too little. */
export function auditWindow(month: string): { readonly from: string; readonly to: string } {
  const first = new Date(`${month}-01T00:00:00Z`);
  first.setUTCMonth(first.getUTCMonth() - 2);
  return { from: first.toISOString().slice(0, 7), to: month };
}

const verdictSchema = z.enum(auditVerdicts);
const methodSchema = z.enum(auditMethods);

/** What a route's trace tells of its audit; the one parameter is the prompt's id. */
export const auditOf = (parameter: '?' | '$1') =>
  `SELECT baseline_id, verdict, method, cost_nano_usd FROM audits WHERE prompt_id = ${parameter}`;

export function auditFrom(row: Row | undefined): StoredAudit | undefined {
  return (
    row && {
      baselineId: text(row, 'baseline_id'),
      verdict: verdictSchema.parse(text(row, 'verdict')),
      method: methodSchema.parse(text(row, 'method')),
      costNanoUsd: nanoUsd(amount(row, 'cost_nano_usd')),
    }
  );
}

/** @param rows one per month, baseline and verdict of a window, with `n` and `cost` */
export function auditSumsFrom(rows: readonly Row[], month: string): AuditSums {
  const now = rows.filter((row) => text(row, 'month') === month);
  const judged = new Map<string, { asGood: number; worse: number }>();
  for (const row of rows) {
    const verdict = verdictSchema.parse(text(row, 'verdict'));
    if (verdict === 'unjudged') continue;
    const baselineId = text(row, 'baseline_id');
    const counts = judged.get(baselineId) ?? { asGood: 0, worse: 0 };
    judged.set(baselineId, counts);
    counts[verdict === 'as_good' ? 'asGood' : 'worse'] += integer(row, 'n');
  }
  return {
    audits: now.reduce((sum, row) => sum + integer(row, 'n'), 0),
    costNanoUsd: nanoUsd(now.reduce((sum, row) => sum + amount(row, 'cost'), 0)),
    judged: [...judged].map(([baselineId, counts]) => ({ baselineId, ...counts })),
  };
}

export function openAudits(db: DatabaseSync): Audits {
  const insert = db.prepare(
    `INSERT INTO audits (${AUDIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const group = db.prepare(
    `SELECT month, baseline_id, verdict, count(*) AS n, sum(cost_nano_usd) AS cost
     FROM audits WHERE month BETWEEN ? AND ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
  );
  return {
    add(audit) {
      insert.run(...auditValues(audit));
    },
    sums(month) {
      const { from, to } = auditWindow(month);
      return auditSumsFrom(group.all(from, to), month);
    },
  };
}
