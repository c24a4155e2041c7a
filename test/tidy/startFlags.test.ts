/** Whoever starts the command line gets the same limit of memory: npm's starters read its first line. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../support/localModel.ts';

const textOf = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');

test('the image and the checkout start the command line as its first line says', () => {
  const [first = ''] = textOf('server/src/cli/main.ts').split('\n');
  // The form that npm's own starters for Windows read: an interpreter after `env -S`, then what it gets.
  const [, interpreter, rest = ''] = /^#!\/usr\/bin\/env -S (\S+) (.+)$/.exec(first) ?? [];
  assert.equal(interpreter, 'node');
  const flags = rest.split(' ');
  for (const flag of flags) assert.match(flag, /^--[a-z-]+=\d+$/);
  const [, entry = '[]'] = /^ENTRYPOINT (\[.*\])$/m.exec(textOf('Dockerfile')) ?? [];
  assert.deepEqual(JSON.parse(entry), ['node', ...flags, 'dist/cli.js']);
  const listed = flags.map((flag) => `'${flag}'`).join(', ');
  assert.ok(textOf('scripts/run.mjs').includes(`firstLineFlags = [${listed}]`));
});
