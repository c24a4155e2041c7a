// `npm run docs:build` and `docs:dev`: writes the pages that are made, then runs VitePress over `docs/`. A link that leads
// nowhere fails the build.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { referencePages, root } from './docs/reference.ts';

const [command, ...args] = process.argv.slice(2);
if (command !== 'build' && command !== 'dev') {
  throw new Error(`expected build or dev, got ${command ?? 'nothing'}`);
}

const docs = join(root, 'docs');
for (const made of ['reference', 'public']) {
  rmSync(join(docs, made), { recursive: true, force: true });
}
for (const { path, text } of await referencePages()) {
  const file = join(docs, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const vitepress = join(root, 'node_modules', 'vitepress', 'bin', 'vitepress.js');
const { status, error } = spawnSync(process.execPath, [vitepress, command, docs, ...args], {
  cwd: root,
  stdio: 'inherit',
});
if (error !== undefined) throw error;
process.exitCode = status ?? 1;
