/** Answers in the team ledger: keeping one, reading them back, and what people made of them. */
import type { AuditRecord } from '../core/audit.ts';
import { dayOf, monthOf } from '../core/budget.ts';
import type { AnswerRecord } from '../core/ports.ts';
import type { Verdict } from '../core/routeReports.ts';
import { AUDIT_COLUMNS, auditValues } from './ledgerAudits.ts';
import type { StoredAnswer } from './ledgerReports.ts';
import { traceFrom } from './ledgerRoutes.ts';
import { CHANGED, type PostgresSession, type Statement } from './postgresSession.ts';
import { integer, optionalText, text } from './sqliteRows.ts';

/** The same record twice is kept once; another one for the same prompt throws. One statement, so all or nothing. */
export async function addAnswer(session: PostgresSession, answer: AnswerRecord): Promise<void> {
  const record = JSON.stringify(answer);
  const values = [answer.promptId, record, JSON.stringify(routeOf(answer))];
  const [reply] = await session.flight([{ name: 'answer', text: ADD, values }, NOTIFY]);
  if (integer(reply?.rows[0], 'kept') === 1) return;
  const [found] = await session.flight([recordOf(answer.promptId)]);
  if (optionalText(found?.rows[0], 'record') !== record) {
    throw new Error(`expected one record of prompt ${answer.promptId}, got another one`);
  }
}

export async function addVerdict(
  session: PostgresSession,
  promptId: string,
  verdict: Verdict,
  atMs: number,
): Promise<void> {
  await session.flight([
    {
      text: 'INSERT INTO outcomes (prompt_id, at_ms, verdict) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
      values: [promptId, atMs, verdict],
    },
    NOTIFY,
  ]);
}

export async function addAudit(session: PostgresSession, audit: AuditRecord): Promise<void> {
  await session.flight([
    {
      text: `INSERT INTO audits (${AUDIT_COLUMNS}, month) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
      values: [...auditValues(audit), monthOf(audit.atMs)],
    },
    NOTIFY,
  ]);
}

export function recordOf(promptId: string): Statement {
  return { text: 'SELECT record FROM answers WHERE prompt_id = $1', values: [promptId] };
}

export async function newestAnswers(
  session: PostgresSession,
  {
    limit,
    beforeSeq = Number.MAX_SAFE_INTEGER,
  }: { readonly limit: number; readonly beforeSeq?: number },
): Promise<readonly StoredAnswer[]> {
  const [reply] = await session.flight([
    {
      text: 'SELECT seq, record FROM answers WHERE seq < $1 ORDER BY seq DESC LIMIT $2',
      values: [beforeSeq, limit],
    },
  ]);
  return (reply?.rows ?? []).map((row) => ({
    seq: integer(row, 'seq'),
    // Only `addAnswer` writes this column, so its shape is the one of AnswerRecord.
    answer: JSON.parse(text(row, 'record')) as AnswerRecord,
  }));
}

const NOTIFY: Statement = { text: `NOTIFY ${CHANGED}` };

const ROUTE_COLUMNS = `prompt_id, at_ms, month, day, prompt_sha256, model_id, served, status, reason, reason_code, task,
  score, confidence, cost_nano_usd, saved_nano_usd, baseline_nano_usd, latency_ms, input_tokens, output_tokens, workspace_id`;

const ADD = `WITH kept AS (INSERT INTO answers (prompt_id, record) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING seq),
  routed AS (INSERT INTO routes (seq, ${ROUTE_COLUMNS})
    SELECT kept.seq, ${ROUTE_COLUMNS.replaceAll(/\w+/g, 'r.$&')} FROM kept, json_populate_record(NULL::routes, $3) r)
  SELECT count(*) AS kept FROM kept`;

/** A record as a row of routes, by the names of its columns. */
function routeOf(answer: AnswerRecord): Readonly<Record<string, unknown>> {
  const { atMs, reason, savings, usage } = answer;
  const known = savings.kind === 'known' ? savings : undefined;
  return {
    prompt_id: answer.promptId,
    at_ms: atMs,
    month: monthOf(atMs),
    day: dayOf(atMs),
    prompt_sha256: answer.promptSha256,
    model_id: answer.modelId,
    served: answer.served,
    status: answer.status,
    reason,
    // The code before the facts: `forced(model=x)` is `forced`.
    reason_code: reason.split('(', 1)[0],
    task: traceFrom(answer.trace).route?.trace.task ?? 'unknown',
    score: answer.score,
    confidence: answer.confidence,
    cost_nano_usd: answer.costNanoUsd,
    saved_nano_usd: known?.savedNanoUsd,
    baseline_nano_usd: known?.baselineCostNanoUsd,
    latency_ms: answer.timing.latencyMs,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    workspace_id: answer.workspaceId,
  };
}
