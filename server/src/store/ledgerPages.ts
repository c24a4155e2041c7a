/**
 * Events read straight off the pages of a ledger's files, for when SQLite can't find its way to them: a lost first page,
 * a broken index of pages, a torn end of the write-ahead log. Works on bytes alone.
 * Format: https://www.sqlite.org/fileformat2.html, leaf pages of table b-trees.
 */
import type { LedgerEvent } from '../core/ledgerAudit.ts';
import { eventFrom } from './ledgerRows.ts';

const LEAF_OF_TABLE = 0x0d;
const PAGE_BYTES = 4096;
const FRAME_HEAD_BYTES = 24;
const WAL_HEAD_BYTES = 32;
/** What the columns of an event are, as stored: the key is in the cell, the generated column nowhere. */
const COLUMNS = [
  'seq',
  'kind',
  'reservation_id',
  'at_ms',
  'owner',
  'amount_nano_usd',
  'details',
  'hash',
];

type Value = string | number | null;

/** Every event that still parses, also ones of rolled back or half-written commits; one `seq` may come more than once. */
export function eventsOnPages(ledger: Uint8Array, wal: Uint8Array | undefined): LedgerEvent[] {
  const found: LedgerEvent[] = [];
  for (let at = 0; at + PAGE_BYTES <= ledger.length; at += PAGE_BYTES) {
    take(ledger.subarray(at, at + PAGE_BYTES), at === 0 ? 100 : 0);
  }
  const frame = FRAME_HEAD_BYTES + PAGE_BYTES;
  for (let at = WAL_HEAD_BYTES; wal !== undefined && at + frame <= wal.length; at += frame) {
    take(wal.subarray(at + FRAME_HEAD_BYTES, at + frame), 0);
  }
  return found;

  function take(page: Uint8Array, head: number): void {
    if (page[head] !== LEAF_OF_TABLE) return;
    const view = new DataView(page.buffer, page.byteOffset, page.length);
    const cells = Math.min(view.getUint16(head + 3), (PAGE_BYTES - head - 8) / 2);
    for (let cell = 0; cell < cells; cell += 1) {
      try {
        const event = eventAt(view, view.getUint16(head + 8 + cell * 2));
        if (event !== undefined) found.push(event);
      } catch {
        // Noise where a cell was, or a row of another table.
      }
    }
  }
}

function eventAt(view: DataView, start: number): LedgerEvent | undefined {
  const payload = varint(view, start);
  const key = varint(view, payload.next);
  // What does not fit on its page goes on elsewhere; an event is far shorter.
  if (payload.value > PAGE_BYTES - 35) return undefined;
  const head = varint(view, key.next);
  const types: number[] = [];
  let at = head.next;
  while (at < key.next + head.value) {
    const type = varint(view, at);
    types.push(type.value);
    at = type.next;
  }
  if (types.length !== COLUMNS.length) return undefined;
  const values = types.map((type): Value => {
    const size = sizeOf(type);
    const value = valueAt(view, at, type, size);
    at += size;
    return value;
  });
  const row = Object.fromEntries(COLUMNS.map((column, nth) => [column, values[nth] ?? null]));
  const event = eventFrom({ ...row, seq: key.value });
  JSON.parse(event.details);
  return /^[0-9a-f]{64}$/.test(event.hash) ? event : undefined;
}

/** Seven bits a byte, the highest first; longer ones than seven bytes are beyond any number kept here. */
function varint(view: DataView, start: number): { readonly value: number; readonly next: number } {
  let value = 0;
  for (let at = start; at < start + 7; at += 1) {
    const byte = view.getUint8(at);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, next: at + 1 };
  }
  throw new RangeError('expected a number of at most seven bytes');
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function sizeOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  return INTEGER_BYTES[type] ?? 0;
}

function valueAt(view: DataView, at: number, type: number, size: number): Value {
  if (type >= 13) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, size);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  }
  if (type === 0) return null;
  if (type === 8 || type === 9) return type - 8;
  if (type > 6) throw new TypeError(`expected an integer or text, got type ${type}`);
  let value = view.getInt8(at);
  for (let byte = 1; byte < size; byte += 1) value = value * 256 + view.getUint8(at + byte);
  return value;
}
