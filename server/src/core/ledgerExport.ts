/** Every event of the ledger as a file for other programs: CSV for spreadsheets, JSON lines with all that the hash covers. */
import { z } from 'zod';
import type { LedgerEvent } from './ledgerAudit.ts';
import { dollars } from './price.ts';
import { type Cell, csvRow } from './routeExport.ts';

export type LedgerFormat = 'jsonl' | 'csv';

const detailsSchema = z.record(z.string(), z.unknown());

type Details = z.infer<typeof detailsSchema>;

const NAMED = [
  'promptId',
  'modelId',
  'priceRowId',
  'month',
  'day',
  'sessionId',
  'workspaceId',
  'why',
];

const COLUMNS: readonly (readonly [
  name: string,
  cell: (event: LedgerEvent, details: Details) => Cell,
])[] = [
  ['seq', ({ seq }) => seq],
  ['time', ({ atMs }) => new Date(atMs).toISOString()],
  ['kind', ({ kind }) => kind],
  ['reservation_id', ({ reservationId }) => reservationId ?? undefined],
  ['amount_nano_usd', ({ amountNanoUsd }) => amountNanoUsd],
  ['amount_usd', ({ amountNanoUsd }) => dollars(amountNanoUsd)],
  ...NAMED.map(
    (name) => [snake(name), (_: LedgerEvent, details: Details) => textOf(details[name])] as const,
  ),
  ['usage', (_, { usage }) => (usage === undefined ? undefined : JSON.stringify(usage))],
  ['owner', ({ owner }) => owner],
  ['hash', ({ hash }) => hash],
];

export function ledgerExportHead(format: LedgerFormat): string {
  return format === 'csv' ? csvRow(COLUMNS.map(([name]) => name)) : '';
}

/** One line with its end. */
export function ledgerExportLine(event: LedgerEvent, format: LedgerFormat): string {
  const details = detailsSchema.parse(JSON.parse(event.details));
  if (format === 'csv') return csvRow(COLUMNS.map(([, cell]) => cell(event, details)));
  const { seq, atMs, kind, reservationId, owner, amountNanoUsd, hash } = event;
  return `${JSON.stringify({
    seq,
    at_ms: atMs,
    kind,
    reservation_id: reservationId,
    owner,
    amount_nano_usd: amountNanoUsd,
    details,
    hash,
  })}\n`;
}

function snake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function textOf(value: unknown): Cell {
  return typeof value === 'string' ? value : undefined;
}
