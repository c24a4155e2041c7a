// Runs the tests by Node's own runner and ends with one plain line of counts; any failure, and a run without tests, exits 1.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { root } from './setup.mjs';

const wanted = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), { recursive: true })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => join('test', file))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();

const counts = { passed: 0, failed: 0, skipped: 0 };
// Two at a time: the tests with a real model use one thread each.
const stream = run({
  files: files.map((file) => join(root, file)),
  cwd: root,
  concurrency: 2,
  timeout: 300_000,
});
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite' || isFile(event)) return;
  if (event.skip !== undefined || event.todo !== undefined) counts.skipped++;
  else counts.passed++;
});
stream.on('test:fail', (event) => {
  if (event.details.type === 'suite') return;
  counts.failed++;
});
stream.compose(new spec()).pipe(process.stdout);
await new Promise((resolve) => stream.once('end', resolve));
await new Promise((resolve) => setImmediate(resolve));

const { passed, failed, skipped } = counts;
const ok = failed === 0 && passed > 0;
process.stdout.write(
  `\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
);
process.exit(ok ? 0 : 1);

/** The runner also reports each file as a test of its own; that is no test of ours. */
function isFile(event) {
  return event.nesting === 0 && files.some((file) => event.name.endsWith(file));
}
