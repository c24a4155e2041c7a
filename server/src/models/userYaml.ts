/** Entries in a user's own YAML files: comments are kept, and a file is written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMap, isSeq, parseDocument } from 'yaml';

/** Adds an entry to a list of the file, in place of the one with the same `key`. */
export async function writeEntry(
  path: string,
  list: 'models' | 'prices',
  key: string,
  entry: Readonly<Record<string, unknown>>,
): Promise<void> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return `version: 1\n${list}: []\n`;
    throw error;
  });
  const document = parseDocument(text);
  if (!document.has(list)) document.set(list, document.createNode([]));
  const entries = document.get(list);
  if (!isSeq(entries)) throw new Error(`expected a list of ${list} in ${path}`);
  entries.flow = false;
  const node = document.createNode(entry);
  const at = entries.items.findIndex((item) => isMap(item) && item.get(key) === entry[key]);
  if (at < 0) entries.add(node);
  else entries.items[at] = node;
  const temporary = `${path}.${randomUUID()}.part`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, String(document));
  await rename(temporary, path);
}
