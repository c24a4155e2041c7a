/** The dashboard's readings of the ledger: a month from its sums, pages of routes, one trace, and the verdicts of people. */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { z } from 'zod';
import type { AnswerRecord, BudgetState } from '../core/ports.ts';
import { nanoUsd, ZERO_USD } from '../core/price.ts';
import { exportHead } from '../core/routeExport.ts';
import {
  type JudgedRecord,
  type MonthReport,
  type RoutePage,
  type RouteReports,
  type RouteRow,
  type RoutesQuery,
  type StoredRoute,
  type StoredTrace,
  type Sums,
  type Verdict,
  verdicts,
} from '../core/routeReports.ts';
import { auditFrom, auditOf, NO_AUDITS } from './ledgerAudits.ts';
import { amount, integer, optionalText, type Row, text } from './sqliteRows.ts';

/** A month without the budget, which depends on the limits of whoever asks, and without its audits. */
export type MonthSums = Omit<MonthReport, 'budget' | 'audits'>;

export interface RouteShelf {
  month(month: string): MonthSums;
  routes(query: RoutesQuery): RoutePage;
  find(promptId: string): StoredRoute | undefined;
  /** A month's rows, oldest first, in pages. */
  pages(month: string): Iterable<readonly RouteRow[]>;
  judged(): readonly JudgedRecord[];
  /** Must run inside a write transaction. The same verdict twice is kept once. */
  judge(promptId: string, verdict: Verdict, atMs: number): void;
}

export const servedSchema = z.enum(['local', 'cloud', 'cache', 'none']);
const statusSchema = z.enum(['complete', 'failed', 'cancelled']);
export const verdictSchema = z.enum(verdicts);

const SUMS = `sum(answers) AS answers, sum(cost_nano_usd) AS cost, sum(saved_nano_usd) AS saved,
  sum(baseline_nano_usd) AS baseline, sum(unknown_savings) AS unknown`;

export const NO_SUMS: Sums = {
  answers: 0,
  costNanoUsd: ZERO_USD,
  savedNanoUsd: 0,
  baselineNanoUsd: ZERO_USD,
  unknownSavings: 0,
};

export function openRoutes(db: DatabaseSync): RouteShelf {
  const by = (column: string, order: string) =>
    db.prepare(
      `SELECT ${column} AS name, ${SUMS} FROM route_sums WHERE month = ? GROUP BY 1 ORDER BY ${order}`,
    );
  const sql = {
    audit: db.prepare(auditOf('?')),
    days: by('day', 'name'),
    models: by('model_id', 'cost DESC, answers DESC, name'),
    tasks: by('task', 'cost DESC, answers DESC, name'),
    served: by('served', 'answers DESC, name'),
    reasons: by('reason_code', 'answers DESC, name'),
    months: db.prepare(
      `SELECT month FROM route_sums UNION SELECT key FROM balances WHERE scope = 'month' ORDER BY 1 DESC`,
    ),
    verdicts: db.prepare(
      // A cross join keeps SQLite from walking the month's routes to find the few that were judged.
      `SELECT verdict, count(*) AS n FROM outcomes CROSS JOIN routes USING (prompt_id)
       WHERE month = ? GROUP BY verdict`,
    ),
    record: db.prepare('SELECT record FROM answers WHERE prompt_id = ?'),
    verdictsOf: db.prepare('SELECT verdict FROM outcomes WHERE prompt_id = ? ORDER BY seq'),
    judged: db.prepare(
      'SELECT outcomes.seq AS seq, verdict, record FROM outcomes JOIN answers USING (prompt_id) ORDER BY outcomes.seq',
    ),
    judge: db.prepare(
      'INSERT INTO outcomes (prompt_id, at_ms, verdict) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    ),
    page: db.prepare(
      `SELECT * FROM routes WHERE month = ? AND (at_ms, seq) > (?, ?) ORDER BY at_ms, seq LIMIT ${PAGE_ROWS}`,
    ),
  };

  return {
    month(month) {
      const days = sql.days.all(month).map(sumsFrom);
      const counts = new Map(
        sql.verdicts.all(month).map((row) => [text(row, 'verdict'), integer(row, 'n')]),
      );
      return {
        months: sql.months.all().map((row) => text(row, 'month')),
        total: days.map(({ sums }) => sums).reduce(addSums, NO_SUMS),
        days: days.map(({ name, sums }) => ({ day: name, ...sums })),
        byModel: sql.models
          .all(month)
          .map(sumsFrom)
          .map(({ name, sums }) => ({ modelId: name, ...sums })),
        byTask: sql.tasks
          .all(month)
          .map(sumsFrom)
          .map(({ name, sums }) => ({ task: name, ...sums })),
        byServed: sql.served
          .all(month)
          .map(sumsFrom)
          .map(({ name, sums }) => ({ served: servedSchema.parse(name), ...sums })),
        byReason: sql.reasons
          .all(month)
          .map(sumsFrom)
          .map(({ name, sums }) => ({ reasonCode: name, ...sums })),
        verdicts: verdictCounts(counts),
      };
    },

    routes(query) {
      const { where, values } = conditionsOf(query);
      const { offset, limit } = query;
      const total = totalOf(db, query);
      if (total <= offset) return { total, rows: [] };
      const rows = db.prepare(
        `SELECT * FROM routes WHERE ${where} ORDER BY at_ms DESC, seq DESC LIMIT ? OFFSET ?`,
      );
      return { total, rows: rows.all(...values, limit, offset).map(routeFrom) };
    },

    find(promptId) {
      const row = sql.record.get(promptId);
      if (row === undefined) return undefined;
      // Only the ledger writes this column, from an AnswerRecord whose trace the core wrote as a StoredTrace.
      const record = JSON.parse(text(row, 'record')) as AnswerRecord;
      const given = sql.verdictsOf.all(promptId);
      return {
        record,
        trace: traceFrom(record.trace),
        audit: auditFrom(sql.audit.get(promptId)),
        verdicts: given.map((one) => verdictSchema.parse(text(one, 'verdict'))),
      };
    },

    *pages(month) {
      let page: readonly RouteRow[];
      let after: readonly [number, number] = [Number.MIN_SAFE_INTEGER, 0];
      do {
        const rows = sql.page.all(month, ...after);
        page = rows.map(routeFrom);
        yield page;
        const last = rows.at(-1);
        if (last !== undefined) after = [integer(last, 'at_ms'), integer(last, 'seq')];
      } while (page.length === PAGE_ROWS);
    },

    judged: () => sql.judged.all().map(judgedFrom),

    judge(promptId, verdict, atMs) {
      sql.judge.run(promptId, atMs, verdict);
    },
  };
}

const PAGE_ROWS = 2_000;

interface Conditions {
  readonly where: string;
  readonly values: readonly SQLInputValue[];
}

/** Conditions that the sums know too, so that counting does not read the routes. */
function countedConditions(query: RoutesQuery, noModel: string): Conditions {
  const { month, served, modelId, reasonCode } = query;
  const pairs: [string, SQLInputValue | undefined][] = [
    ['month = ?', month],
    ['served = ?', served],
    [`coalesce(model_id, '${noModel}') = ?`, modelId],
    ['reason_code = ?', reasonCode],
  ];
  const given = pairs.flatMap(([where, value]) => (value === undefined ? [] : [{ where, value }]));
  return {
    where: given.map(({ where }) => where).join(' AND '),
    values: given.map(({ value }) => value),
  };
}

/** Stands for the model of prompts that none answered. */
export const NO_MODEL = 'none';

function conditionsOf(query: RoutesQuery): Conditions {
  const counted = countedConditions(query, NO_MODEL);
  const search = query.search?.trim() ?? '';
  if (search === '') return counted;
  const columns = ['task', 'reason', 'model_id', 'prompt_id'];
  const pattern = `%${search.replaceAll(/[\\%_]/g, (sign) => `\\${sign}`)}%`;
  const found = columns.map((column) => `${column} LIKE ? ESCAPE '\\'`);
  return {
    where: `${counted.where} AND (${found.join(' OR ')} OR prompt_id IN (SELECT value FROM json_each(?)))`,
    values: [
      ...counted.values,
      ...columns.map(() => pattern),
      JSON.stringify(query.alsoPromptIds ?? []),
    ],
  };
}

function totalOf(db: DatabaseSync, query: RoutesQuery): number {
  const searched = (query.search?.trim() ?? '') !== '';
  const { where, values } = searched ? conditionsOf(query) : countedConditions(query, NO_MODEL);
  const counted = searched
    ? `SELECT count(*) AS n FROM routes WHERE ${where}`
    : `SELECT coalesce(sum(answers), 0) AS n FROM route_sums WHERE ${where}`;
  return integer(db.prepare(counted).get(...values), 'n');
}

export function sumsFrom(row: Row): { readonly name: string; readonly sums: Sums } {
  return {
    name: text(row, 'name'),
    sums: {
      answers: integer(row, 'answers'),
      costNanoUsd: amount(row, 'cost'),
      savedNanoUsd: integer(row, 'saved'),
      baselineNanoUsd: amount(row, 'baseline'),
      unknownSavings: integer(row, 'unknown'),
    },
  };
}

export function addSums(a: Sums, b: Sums): Sums {
  return {
    answers: a.answers + b.answers,
    costNanoUsd: nanoUsd(a.costNanoUsd + b.costNanoUsd),
    savedNanoUsd: a.savedNanoUsd + b.savedNanoUsd,
    baselineNanoUsd: nanoUsd(a.baselineNanoUsd + b.baselineNanoUsd),
    unknownSavings: a.unknownSavings + b.unknownSavings,
  };
}

export function routeFrom(row: Row): RouteRow {
  return {
    promptId: text(row, 'prompt_id'),
    atMs: integer(row, 'at_ms'),
    promptSha256: text(row, 'prompt_sha256'),
    modelId: optionalText(row, 'model_id'),
    served: servedSchema.parse(text(row, 'served')),
    status: statusSchema.parse(text(row, 'status')),
    task: text(row, 'task'),
    score: real(row, 'score') ?? 0,
    confidence: real(row, 'confidence'),
    reasonCode: text(row, 'reason_code'),
    reason: text(row, 'reason'),
    costNanoUsd: amount(row, 'cost_nano_usd'),
    savedNanoUsd: optionalInteger(row, 'saved_nano_usd'),
    baselineNanoUsd:
      row['baseline_nano_usd'] === null ? undefined : amount(row, 'baseline_nano_usd'),
    latencyMs: real(row, 'latency_ms') ?? 0,
    inputTokens: optionalInteger(row, 'input_tokens'),
    outputTokens: optionalInteger(row, 'output_tokens'),
    workspaceId: optionalText(row, 'workspace_id'),
  };
}

function real(row: Row, column: string): number | undefined {
  const value = row[column];
  if (value === null) return undefined;
  if (typeof value === 'number') return value;
  throw new TypeError(`expected a number in ${column}, got ${value}`);
}

function optionalInteger(row: Row, column: string): number | undefined {
  return row[column] === null ? undefined : integer(row, column);
}

export function traceFrom(json: string): StoredTrace {
  try {
    return JSON.parse(json) as StoredTrace;
  } catch {
    return {};
  }
}

/** From `outcomes` joined with `answers`. */
export function judgedFrom(row: Row): JudgedRecord {
  return {
    seq: integer(row, 'seq'),
    verdict: verdictSchema.parse(text(row, 'verdict')),
    // Only the ledger writes this column, from an AnswerRecord.
    record: JSON.parse(text(row, 'record')) as AnswerRecord,
  };
}

export function verdictCounts(
  counts: ReadonlyMap<string, number>,
): Readonly<Record<Verdict, number>> {
  const of = (verdict: Verdict) => counts.get(verdict) ?? 0;
  return {
    kept: of('kept'),
    dismissed: of('dismissed'),
    up: of('up'),
    down: of('down'),
    good_enough: of('good_enough'),
    asked_bigger: of('asked_bigger'),
    retried: of('retried'),
    tests_passed: of('tests_passed'),
    tests_failed: of('tests_failed'),
  };
}

/** What a dashboard shows of a ledger that can't be read: the budget, and no routes. */
export function closedReports(budget: () => Promise<BudgetState>): Pick<
  RouteReports,
  'routes' | 'trace' | 'judged' | 'export'
> & {
  month(): Promise<MonthReport>;
} {
  return {
    async month() {
      const state = await budget();
      return {
        budget: state,
        months: [state.month],
        total: NO_SUMS,
        days: [],
        byModel: [],
        byTask: [],
        byServed: [],
        byReason: [],
        verdicts: verdictCounts(new Map()),
        audits: NO_AUDITS,
      };
    },
    routes: async () => ({ total: 0, rows: [] }),
    trace: async () => undefined,
    judged: async () => [],
    export: async (_month, format) => exportHead(format),
  };
}
