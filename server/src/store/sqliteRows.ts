/** Columns of SQLite rows as values. A column of another type than expected throws: the tables are STRICT, so the file is not ours or damaged. */
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { nanoUsd } from '../core/price.ts';
import type { NanoUsd } from '../core/types.ts';

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** A statement that only reads. */
export interface Reader {
  get(...values: readonly SQLInputValue[]): Row | undefined;
  all(...values: readonly SQLInputValue[]): readonly Row[];
}

/**
 * Node makes an object's names anew for every row, which takes longer than reading it; here they are made once. The columns
 * must stay what they are while the statement lives.
 */
export function readerOf(statement: StatementSync): Reader {
  const names = statement.columns().map(({ name }) => name);
  statement.setReturnArrays(true);
  const named = (values: readonly SQLOutputValue[]): Row => {
    const row: Record<string, SQLOutputValue> = {};
    for (let at = 0; at < names.length; at += 1) row[names[at] ?? ''] = values[at] ?? null;
    return row;
  };
  // With arrays asked for, that is what comes; the types know only of objects.
  return {
    get(...values) {
      const row = statement.get(...values) as unknown as readonly SQLOutputValue[] | undefined;
      return row && named(row);
    },
    all: (...values) =>
      (statement.all(...values) as unknown as (readonly SQLOutputValue[])[]).map(named),
  };
}

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
