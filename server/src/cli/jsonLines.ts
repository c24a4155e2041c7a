/** Reads a file or stdin line by line as JSON objects, in bounded memory and with the number of every line. */
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { CliIo } from './io.ts';

export type JsonLine =
  | { readonly kind: 'object'; readonly line: number; readonly value: Record<string, unknown> }
  | { readonly kind: 'bad'; readonly line: number; readonly message: string };

/** Throws what the file system throws when `path` can't be read; `-` is stdin. Blank lines are passed over. */
export async function* readJsonLines(path: string, io: CliIo): AsyncGenerator<JsonLine, void> {
  const input = path === '-' ? Readable.from(io.stdin) : createReadStream(resolve(io.cwd, path));
  // An interface drops the errors of its input, so they are caught beside it and thrown at the end.
  let failed: unknown;
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  input.once('error', (error: Error) => {
    failed = error;
    lines.close();
  });
  let number = 0;
  try {
    for await (const text of lines) {
      number += 1;
      // A byte order mark is no part of the first line.
      const line = number === 1 ? text.replace(/^\uFEFF/, '') : text;
      if (line.trim() !== '') yield parseLine(number, line);
    }
  } finally {
    input.destroy();
  }
  if (failed !== undefined) throw failed;
}

function parseLine(line: number, text: string): JsonLine {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return { kind: 'object', line, value };
    return { kind: 'bad', line, message: 'expected a JSON object, got another JSON value' };
  } catch {
    return { kind: 'bad', line, message: 'expected a JSON object on one line, got no valid JSON' };
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
