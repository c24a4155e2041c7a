/** A file or stdin (`-`) as JSON objects, one a line. Throws what the file system throws when `path` can't be read. */
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { type JsonLine, jsonLinesOf } from '../jsonLines.ts';
import type { CliIo } from './io.ts';

export function readJsonLines(path: string, io: CliIo): AsyncGenerator<JsonLine, void> {
  return jsonLinesOf(path === '-' ? io.stdin : createReadStream(resolve(io.cwd, path)));
}
