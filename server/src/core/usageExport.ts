/**
 * OpenAI's own record, as a file: replies of the costs API and of the completions usage API, and the two CSV files of the
 * usage page. The API's fields are those of the official SDK's types (`OrganizationCostsResult`,
 * `OrganizationUsageCompletionsResult`) and of https://platform.openai.com/docs/api-reference/usage; the columns of the
 * CSV files are the same names in one flat row, with `amount_value` and `amount_currency` for the amount.
 */
import { z } from 'zod';
import { csvRows } from './csvRows.ts';
import { type DecimalUsd, decimalUsd } from './decimalUsd.ts';

/** One figure of the export: of a UTC day and, where the export is grouped so, of a model. */
export interface ExportRow {
  readonly day: string;
  /** The provider's name; `undefined` where the export does not say. */
  readonly model: string | undefined;
  readonly projectId: string | undefined;
  readonly apiKeyId: string | undefined;
  readonly calls: number | undefined;
  readonly inputTokens: number | undefined;
  readonly cachedInputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly cost: DecimalUsd | undefined;
}

export interface UsageExport {
  /** `costs` has amounts and no tokens, `usage` has calls and tokens and no amounts. */
  readonly holds: 'costs' | 'usage';
  /** The UTC days it covers, also those on which nothing was used. */
  readonly days: ReadonlySet<string>;
  readonly rows: readonly ExportRow[];
}

export type ParsedExport =
  | { readonly kind: 'ok'; readonly usage: UsageExport }
  | { readonly kind: 'bad'; readonly why: string };

export function parseUsageExport(text: string): ParsedExport {
  const start = text.replace(/^\uFEFF/, '').trimStart();
  return start.startsWith('{') || start.startsWith('[') ? parseJson(start) : parseCsv(text);
}

const FORMS =
  'a reply of /v1/organization/costs or /v1/organization/usage/completions, or a CSV file of the usage page';

// JSON ----------------------------------------------------------------------------------------------------------------

const count = z.number().int().nonnegative();
const name = z.string().nullish();
const amountText = z.string().refine((text) => decimalUsd(text) !== undefined, 'an amount');

const costsResult = z.object({
  object: z.literal('organization.costs.result'),
  amount: z.object({ value: amountText, currency: z.string() }),
  line_item: name,
  project_id: name,
  api_key_id: name,
});

const usageResult = z.object({
  object: z.literal('organization.usage.completions.result'),
  input_tokens: count,
  output_tokens: count,
  input_cached_tokens: count.nullish(),
  num_model_requests: count,
  model: name,
  project_id: name,
  api_key_id: name,
});

const page = z.object({
  object: z.literal('page'),
  data: z.array(
    z.object({
      object: z.literal('bucket'),
      start_time: count,
      end_time: count,
      results: z.array(z.union([costsResult, usageResult])),
    }),
  ),
  has_more: z.boolean(),
});

/** One page, or all pages of a longer reply in an array. */
const pages = z.union([page.transform((one) => [one]), z.array(page).min(1)]);

function parseJson(text: string): ParsedExport {
  let read: unknown;
  try {
    read = JSON.parse(text, amountAsWritten);
  } catch (error) {
    return bad(`expected JSON, got ${error instanceof Error ? error.message : String(error)}`);
  }
  const parsed = pages.safeParse(read);
  if (!parsed.success) {
    return bad(`expected ${FORMS}, got JSON of another form: ${firstIssue(parsed.error)}`);
  }
  if (parsed.data.at(-1)?.has_more === true) {
    return bad(
      'expected the whole export, got a page with has_more; fetch the next pages and put all of them in one JSON array',
    );
  }
  const buckets = parsed.data.flatMap(({ data }) => data);
  return assemble(
    buckets.flatMap(({ start_time, end_time, results }): readonly Piece[] => {
      const span = { startS: start_time, endS: end_time };
      if (results.length === 0) return [emptyPiece(span)];
      return results.map((result) =>
        result.object === 'organization.costs.result'
          ? costsPiece(span, result, result.amount.value, result.amount.currency)
          : usagePiece(span, result),
      );
    }),
  );
}

/** An amount keeps the digits of the file; as a number it would lose those past the sixteenth. */
function amountAsWritten(
  key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  return key === 'value' && typeof value === 'number' ? (context?.source ?? String(value)) : value;
}

// CSV -----------------------------------------------------------------------------------------------------------------

const text = z.string().optional();
/** The usage page writes counts as `10.0`. */
const countText = z
  .string()
  .regex(/^\d+(\.0+)?$/, 'a count such as 10 or 10.0')
  .transform((value) => Number(value))
  .pipe(count);
const spanCells = { start_time: countText, end_time: countText };
const costsLine = z.object({
  ...spanCells,
  amount_value: amountText,
  amount_currency: z.string(),
  line_item: text,
  project_id: text,
  api_key_id: text,
});
const usageLine = z.object({
  ...spanCells,
  num_model_requests: countText,
  input_tokens: countText,
  output_tokens: countText,
  input_cached_tokens: countText.optional(),
  model: text,
  project_id: text,
  api_key_id: text,
});
const emptyLine = z.object(spanCells);

function parseCsv(source: string): ParsedExport {
  const [head, ...lines] = csvRows(source) ?? [];
  if (head === undefined || !head.includes('start_time') || !head.includes('end_time')) {
    return bad(`expected ${FORMS}, got neither JSON nor a CSV file with start_time and end_time`);
  }
  const holds = head.includes('amount_value')
    ? 'costs'
    : head.includes('num_model_requests')
      ? 'usage'
      : undefined;
  if (holds === undefined && head.length > 4) {
    return bad(
      `expected a CSV file with amount_value or num_model_requests, got the columns ${head.join(', ')}`,
    );
  }
  const pieces: Piece[] = [];
  for (const [index, cells] of lines.entries()) {
    // An empty cell is a figure that is not there, which zod shall see as absent.
    const line = Object.fromEntries(
      head.flatMap((column, at) =>
        cells[at] === undefined || cells[at] === '' ? [] : [[column, cells[at]]],
      ),
    );
    const piece = pieceOfLine(line, holds);
    if ('why' in piece) return bad(`line ${index + 2}: ${piece.why}`);
    pieces.push(piece);
  }
  return assemble(pieces);
}

function pieceOfLine(
  line: Readonly<Record<string, string>>,
  holds: UsageExport['holds'] | undefined,
): Piece | { readonly why: string } {
  const marker = holds === 'costs' ? 'amount_value' : 'num_model_requests';
  // A day without use is a row with its times alone.
  if (holds === undefined || line[marker] === undefined) {
    const empty = emptyLine.safeParse(line);
    return empty.success ? emptyPiece(spanOf(empty.data)) : { why: firstIssue(empty.error) };
  }
  if (holds === 'costs') {
    const read = costsLine.safeParse(line);
    if (!read.success) return { why: firstIssue(read.error) };
    const { amount_value, amount_currency } = read.data;
    return costsPiece(spanOf(read.data), read.data, amount_value, amount_currency);
  }
  const read = usageLine.safeParse(line);
  return read.success ? usagePiece(spanOf(read.data), read.data) : { why: firstIssue(read.error) };
}

// Both ----------------------------------------------------------------------------------------------------------------

interface Span {
  readonly startS: number;
  readonly endS: number;
}

/** One row of the export, or a span of time in which nothing was used. */
interface Piece {
  readonly span: Span;
  readonly holds: UsageExport['holds'] | undefined;
  readonly row: Omit<ExportRow, 'day'> | undefined;
  readonly currency?: string | undefined;
}

const NO_FIGURES: Omit<ExportRow, 'day'> = {
  model: undefined,
  projectId: undefined,
  apiKeyId: undefined,
  calls: undefined,
  inputTokens: undefined,
  cachedInputTokens: undefined,
  outputTokens: undefined,
  cost: undefined,
};

/** Both forms name these alike. */
interface Grouping {
  readonly project_id?: string | null | undefined;
  readonly api_key_id?: string | null | undefined;
}

function costsPiece(
  span: Span,
  result: Grouping & { readonly line_item?: string | null | undefined },
  amount: string,
  currency: string,
): Piece {
  const row = {
    ...NO_FIGURES,
    model: modelOfLineItem(result.line_item),
    projectId: result.project_id ?? undefined,
    apiKeyId: result.api_key_id ?? undefined,
    cost: decimalUsd(amount),
  };
  return { span, holds: 'costs', row, currency };
}

interface UsageFigures extends Grouping {
  readonly model?: string | null | undefined;
  readonly num_model_requests: number;
  readonly input_tokens: number;
  readonly input_cached_tokens?: number | null | undefined;
  readonly output_tokens: number;
}

function usagePiece(span: Span, result: UsageFigures): Piece {
  const row = {
    ...NO_FIGURES,
    model: result.model ?? undefined,
    projectId: result.project_id ?? undefined,
    apiKeyId: result.api_key_id ?? undefined,
    calls: result.num_model_requests,
    inputTokens: result.input_tokens,
    cachedInputTokens: result.input_cached_tokens ?? undefined,
    outputTokens: result.output_tokens,
  };
  return { span, holds: 'usage', row };
}

function emptyPiece(span: Span): Piece {
  return { span, holds: undefined, row: undefined };
}

const DAY_S = 86_400;

function assemble(pieces: readonly Piece[]): ParsedExport {
  const days = new Set<string>();
  const rows: ExportRow[] = [];
  const kinds = new Set(pieces.flatMap(({ holds }) => holds ?? []));
  if (kinds.size > 1)
    return bad('expected costs or usage, got both in one file; give them one by one');
  for (const { span, row, currency } of pieces) {
    const dayS = Math.floor(span.startS / DAY_S) * DAY_S;
    if (span.endS <= span.startS || span.endS > dayS + DAY_S) {
      return bad(
        `expected spans of a UTC day or less, got ${span.startS} to ${span.endS}; export by day`,
      );
    }
    if (currency !== undefined && currency.toLowerCase() !== 'usd') {
      return bad(`expected amounts in usd, got ${currency}`);
    }
    const day = new Date(dayS * 1000).toISOString().slice(0, 10);
    days.add(day);
    if (row !== undefined) rows.push({ day, ...row });
  }
  if (days.size === 0) return bad('expected at least one day, got an export without any');
  const [holds = 'usage'] = kinds;
  return { kind: 'ok', usage: { holds, days, rows } };
}

function spanOf({ start_time, end_time }: z.output<typeof emptyLine>): Span {
  return { startS: start_time, endS: end_time };
}

/** `gpt-6-sol, cached input` is a line of gpt-6-sol. */
function modelOfLineItem(lineItem: string | null | undefined): string | undefined {
  const [model = ''] = (lineItem ?? '').split(',');
  return model.trim() === '' ? undefined : model.trim();
}

function firstIssue(error: z.ZodError): string {
  const [issue] = error.issues;
  return issue === undefined
    ? 'unreadable'
    : `${issue.path.join('.') || 'the file'}: ${issue.message}`;
}

function bad(why: string): ParsedExport {
  return { kind: 'bad', why };
}
