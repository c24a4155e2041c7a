/** Routes as files for other programs: CSV for spreadsheets, JSON lines for scripts. Amounts are whole nano-USD and dollars. */
import { dollars } from './price.ts';
import type { ExportFormat, RouteRow } from './routeReports.ts';

/** What is unknown is an empty cell. */
export type Cell = string | number | undefined;

const COLUMNS: readonly (readonly [name: string, cell: (row: RouteRow) => Cell])[] = [
  ['time', (row) => new Date(row.atMs).toISOString()],
  ['prompt_id', (row) => row.promptId],
  ['prompt_sha256', (row) => row.promptSha256],
  ['model', (row) => row.modelId],
  ['served', (row) => row.served],
  ['status', (row) => row.status],
  ['task', (row) => row.task],
  ['score', (row) => row.score],
  ['confidence', (row) => row.confidence],
  ['reason_code', (row) => row.reasonCode],
  ['reason', (row) => row.reason],
  ['cost_nano_usd', (row) => row.costNanoUsd],
  ['cost_usd', (row) => dollars(row.costNanoUsd)],
  ['saved_nano_usd', (row) => row.savedNanoUsd],
  ['baseline_nano_usd', (row) => row.baselineNanoUsd],
  ['latency_ms', (row) => row.latencyMs],
  ['input_tokens', (row) => row.inputTokens],
  ['output_tokens', (row) => row.outputTokens],
  ['workspace', (row) => row.workspaceId],
];

/** What stands before the first row. */
export function exportHead(format: ExportFormat): string {
  return format === 'csv' ? `${COLUMNS.map(([name]) => name).join(',')}\r\n` : '';
}

/** One line a row, each with its end; what is unknown is an empty cell, or `null` in JSON. */
export function exportLines(rows: readonly RouteRow[], format: ExportFormat): string {
  return rows.map((row) => (format === 'csv' ? csvLine(row) : jsonLine(row))).join('');
}

function csvLine(row: RouteRow): string {
  return csvRow(COLUMNS.map(([, cell]) => cell(row)));
}

function jsonLine(row: RouteRow): string {
  const fields = COLUMNS.map(([name, cell]) => [name, cell(row) ?? null] as const);
  return `${JSON.stringify(Object.fromEntries(fields))}\n`;
}

/** One line of CSV with its end, safe to open in a spreadsheet. */
export function csvRow(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(cell: Cell): string {
  if (cell === undefined) return '';
  if (typeof cell === 'number') return String(cell);
  // A spreadsheet takes text that begins so for a formula and would run it; an amount below zero is only a number.
  const isNumber = /^-?\d+(\.\d+)?$/.test(cell);
  const safe = !isNumber && /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
