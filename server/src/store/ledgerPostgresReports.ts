/** The team ledger's readings of the past: the same figures, order and filters as those of the file. */
import { z } from 'zod';
import type { AnswerRecord } from '../core/ports.ts';
import type { AuditSums } from '../core/qualityKept.ts';
import { exportHead, exportLines } from '../core/routeExport.ts';
import type {
  ExportFormat,
  JudgedRecord,
  RoutePage,
  RoutesQuery,
  StoredRoute,
} from '../core/routeReports.ts';
import { auditFrom, auditOf, auditSumsFrom, auditWindow } from './ledgerAudits.ts';
import { recordOf } from './ledgerPostgresAnswers.ts';
import { type AnswerSums, answerSumsFrom } from './ledgerReports.ts';
import {
  addSums,
  judgedFrom,
  type MonthSums,
  NO_MODEL,
  NO_SUMS,
  routeFrom,
  servedSchema,
  sumsFrom,
  traceFrom,
  verdictCounts,
  verdictSchema,
} from './ledgerRoutes.ts';
import type { PostgresSession, Statement } from './postgresSession.ts';
import { integer, optionalText, type Row, text } from './sqliteRows.ts';

const SUMS = `sum(answers) AS answers, sum(cost_nano_usd) AS cost, sum(saved_nano_usd) AS saved,
  sum(baseline_nano_usd) AS baseline, sum(unknown_savings) AS unknown`;

const BY_COST = 'cost DESC, answers DESC, name';
const BY_ANSWERS = 'answers DESC, name';

export async function monthSums(session: PostgresSession, month: string): Promise<MonthSums> {
  const by = (column: string, order: string): Statement => ({
    text: `SELECT ${column} AS name, ${SUMS} FROM route_sums WHERE month = $1 GROUP BY 1 ORDER BY ${order}`,
    values: [month],
  });
  const replies = await session.flight([
    by('day', 'name'),
    by('model_id', BY_COST),
    by('task', BY_COST),
    by('served', BY_ANSWERS),
    by('reason_code', BY_ANSWERS),
    {
      text: `SELECT month FROM route_sums UNION SELECT key FROM balances WHERE scope = 'month' ORDER BY 1 DESC`,
    },
    {
      text: 'SELECT verdict, count(*) AS n FROM outcomes JOIN routes USING (prompt_id) WHERE month = $1 GROUP BY verdict',
      values: [month],
    },
  ]);
  const [days, models, tasks, served, reasons, months, verdicts] = replies.map(({ rows }) => rows);
  const named = (rows: readonly Row[] | undefined) => (rows ?? []).map(sumsFrom);
  return {
    months: (months ?? []).map((row) => text(row, 'month')),
    total: named(days)
      .map(({ sums }) => sums)
      .reduce(addSums, NO_SUMS),
    days: named(days).map(({ name, sums }) => ({ day: name, ...sums })),
    byModel: named(models).map(({ name, sums }) => ({ modelId: name, ...sums })),
    byTask: named(tasks).map(({ name, sums }) => ({ task: name, ...sums })),
    byServed: named(served).map(({ name, sums }) => ({
      served: servedSchema.parse(name),
      ...sums,
    })),
    byReason: named(reasons).map(({ name, sums }) => ({ reasonCode: name, ...sums })),
    verdicts: verdictCounts(
      new Map((verdicts ?? []).map((row) => [text(row, 'verdict'), integer(row, 'n')])),
    ),
  };
}

export async function answerSums(session: PostgresSession, month: string): Promise<AnswerSums> {
  const [reply] = await session.flight([
    {
      text: `SELECT model_id, served, sum(answers) AS answers, sum(cost_nano_usd) AS cost, sum(saved_nano_usd) AS saved,
          sum(unknown_savings) AS unknown
        FROM route_sums WHERE month = $1 GROUP BY model_id, served ORDER BY answers DESC, model_id, served`,
      values: [month],
    },
  ]);
  return answerSumsFrom(reply?.rows ?? []);
}

export async function auditSums(session: PostgresSession, month: string): Promise<AuditSums> {
  const { from, to } = auditWindow(month);
  const [reply] = await session.flight([
    {
      text: `SELECT month, baseline_id, verdict, count(*) AS n, sum(cost_nano_usd) AS cost
        FROM audits WHERE month BETWEEN $1 AND $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
      values: [from, to],
    },
  ]);
  return auditSumsFrom(reply?.rows ?? [], month);
}

export async function routePage(session: PostgresSession, query: RoutesQuery): Promise<RoutePage> {
  const { where, values } = conditionsOf(query);
  const { offset, limit } = query;
  const [count, page] = await session.flight([
    { text: `SELECT count(*) AS n FROM routes WHERE ${where}`, values },
    {
      text: `SELECT * FROM routes WHERE ${where} ORDER BY at_ms DESC, seq DESC
        LIMIT $${values.length + 1} OFFSET $${values.length + 2}`,
      values: [...values, limit, offset],
    },
  ]);
  return { total: integer(count?.rows[0], 'n'), rows: (page?.rows ?? []).map(routeFrom) };
}

function conditionsOf(query: RoutesQuery): {
  readonly where: string;
  readonly values: readonly unknown[];
} {
  const values: unknown[] = [];
  const place = (value: unknown) => `$${values.push(value)}`;
  const { month, served, modelId, reasonCode, alsoPromptIds = [] } = query;
  const where = [`month = ${place(month)}`];
  if (served !== undefined) where.push(`served = ${place(served)}`);
  if (modelId !== undefined) where.push(`coalesce(model_id, '${NO_MODEL}') = ${place(modelId)}`);
  if (reasonCode !== undefined) where.push(`reason_code = ${place(reasonCode)}`);
  const search = query.search?.trim() ?? '';
  if (search !== '') {
    const pattern = place(`%${search.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%`);
    const found = ['task', 'reason', 'model_id', 'prompt_id'].map(
      (column) => `${column} ILIKE ${pattern}`,
    );
    where.push(`(${found.join(' OR ')} OR prompt_id = ANY (${place(alsoPromptIds)}))`);
  }
  return { where: where.join(' AND '), values };
}

export async function judgedRecords(session: PostgresSession): Promise<readonly JudgedRecord[]> {
  const [reply] = await session.flight([
    {
      text: 'SELECT outcomes.seq AS seq, verdict, record FROM outcomes JOIN answers USING (prompt_id) ORDER BY outcomes.seq',
    },
  ]);
  return (reply?.rows ?? []).map(judgedFrom);
}

export async function storedRoute(
  session: PostgresSession,
  promptId: string,
): Promise<StoredRoute | undefined> {
  const [found, given, audited] = await session.flight([
    recordOf(promptId),
    { text: 'SELECT verdict FROM outcomes WHERE prompt_id = $1 ORDER BY seq', values: [promptId] },
    { text: auditOf('$1'), values: [promptId] },
  ]);
  const json = optionalText(found?.rows[0], 'record');
  if (json === undefined) return undefined;
  // Only the ledger writes this column, from an AnswerRecord whose trace the core wrote as a StoredTrace.
  const record = JSON.parse(json) as AnswerRecord;
  const verdicts = z.array(verdictSchema);
  return {
    record,
    trace: traceFrom(record.trace),
    audit: auditFrom(audited?.rows[0]),
    verdicts: verdicts.parse((given?.rows ?? []).map((row) => text(row, 'verdict'))),
  };
}

const PAGE_ROWS = 2_000;

/** @param page runs one page's reading; others may read in between */
export async function exportRoutes(
  page: <T>(read: (session: PostgresSession) => Promise<T>) => Promise<T>,
  month: string,
  format: ExportFormat,
): Promise<string> {
  let written = exportHead(format);
  let after: readonly [number, number] = [Number.MIN_SAFE_INTEGER, 0];
  for (;;) {
    const [reply] = await page((session) =>
      session.flight([
        {
          text: `SELECT * FROM routes WHERE month = $1 AND (at_ms, seq) > ($2, $3) ORDER BY at_ms, seq LIMIT ${PAGE_ROWS}`,
          values: [month, ...after],
        },
      ]),
    );
    const rows = reply?.rows ?? [];
    written += exportLines(rows.map(routeFrom), format);
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_ROWS) return written;
    after = [integer(last, 'at_ms'), integer(last, 'seq')];
  }
}
