/** Columns of SQLite rows as values. A column of another type than expected throws: the tables are STRICT, so the file is not ours or damaged. */
import type { SQLOutputValue } from 'node:sqlite';
import { nanoUsd } from '../core/price.ts';
import type { NanoUsd } from '../core/types.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

export class UnreadableRowError extends TypeError {
  override readonly name = 'UnreadableRowError';
}

export function text(row: Row | undefined, column: string): string {
  const value = row?.[column];
  if (typeof value !== 'string')
    throw new UnreadableRowError(`expected text in ${column}, got ${value}`);
  return value;
}

/** `undefined` for NULL and for a missing row. */
export function optionalText(row: Row | undefined, column: string): string | undefined {
  return row === undefined || row[column] === null ? undefined : text(row, column);
}

export function integer(row: Row | undefined, column: string): number {
  const value = row?.[column];
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw new UnreadableRowError(`expected a whole number in ${column}, got ${value}`);
}

export function amount(row: Row | undefined, column: string): NanoUsd {
  return nanoUsd(integer(row, column));
}
