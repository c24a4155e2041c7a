/** Real source files without secrets: those of the installed packages and of this repository, the same ones on every run. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { repositoryRoot } from './localModel.ts';

export interface CleanFile {
  readonly path: string;
  readonly text: string;
}

const KINDS = [
  '.js',
  '.mjs',
  '.cjs',
  '.ts',
  '.mts',
  '.json',
  '.md',
  '.css',
  '.html',
  '.yml',
  '.yaml',
  '.py',
  '.h',
  '.c',
  '.sh',
];
/** Packages about secrets hold examples of them, on purpose. */
const ABOUT_SECRETS = /[\\/]@secretlint[\\/]/;
const SMALLEST = 300;
const LARGEST = 100_000;

export function cleanFiles(count: number, seed: number): readonly CleanFile[] {
  const root = join(repositoryRoot, 'node_modules');
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => KINDS.includes(extname(path)) && !path.endsWith('.min.js'))
    .map((path) => join(root, path))
    .filter((path) => !ABOUT_SECRETS.test(path))
    .sort();
  const chosen: CleanFile[] = [];
  const perKind = new Map<string, number>();
  for (const path of createSeededRandom(seed).shuffle(paths)) {
    if (chosen.length === count) break;
    const kind = extname(path);
    const sofar = perKind.get(kind) ?? 0;
    // No more than a third of one kind, so that typings do not crowd out the rest.
    if (sofar > count / 3) continue;
    const stats = statSync(path);
    // A package may be a folder with the name of a file, as `highlight.js`.
    if (!stats.isFile() || stats.size < SMALLEST || stats.size > LARGEST) continue;
    perKind.set(kind, sofar + 1);
    chosen.push({ path: path.slice(root.length + 1), text: readFileSync(path, 'utf8') });
  }
  return chosen;
}
