// Runs the tests by Node's own runner and ends with one plain line of counts; any failure, and a run without tests, exits 1.
// Those in a real VS Code run last, one at a time; what they or those of the team ledger need and can't be had is said at
// the end.
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { prepareEditorTests } from './editorTests.mjs';
import { root } from './setup.mjs';

const wanted = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), { recursive: true })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => join('test', file))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  // They install PyTorch; `npm run test:torch` asks for them by name.
  .filter((file) => !file.startsWith(join('test', 'torch')) || wanted.some(isTorch))
  .sort();

function isTorch(part) {
  return part.includes('torch');
}

const inEditor = (file) => file.startsWith(join('test', 'vscode'));
const counts = { passed: 0, failed: 0, skipped: 0 };
/** Milliseconds by file. */
const took = new Map();
const LONGEST_SHOWN = 6;
// Two at a time: the tests with a real model use one thread each. The time limit is for what hangs: a busy machine may well
// take several times what a quiet one does.
await runFiles(
  files.filter((file) => !inEditor(file)),
  { concurrency: 2, timeout: process.env.COST_AWARE_ROUTER_PROOF === 'full' ? 1_800_000 : 900_000 },
);
const editorFiles = files.filter(inEditor);
const lacking = editorFiles.length > 0 ? await prepareEditorTests() : undefined;
// A long file takes three minutes on a quiet machine.
if (lacking === undefined) await runFiles(editorFiles, { concurrency: 1, timeout: 2_000_000 });

const { lacksPostgres } = await import('../test/support/postgres.ts');
const { passed, failed, skipped } = counts;
const ok = failed === 0 && passed > 0;
if (lacking !== undefined) {
  process.stdout.write(`\nLeft out: ${editorFiles.length} files of tests in VS Code: ${lacking}\n`);
}
if (lacksPostgres !== undefined && files.some((file) => file.includes(join('store', 'ledger')))) {
  process.stdout.write(`\nLeft out: the tests of the team ledger: ${lacksPostgres}\n`);
}
if (took.size > LONGEST_SHOWN) {
  const longest = [...took].sort(([, a], [, b]) => b - a).slice(0, LONGEST_SHOWN);
  const said = longest.map(([file, ms]) => `${relative(root, file)} ${Math.round(ms / 1000)} s`);
  process.stdout.write(`\nLongest: ${said.join(', ')}\n`);
}
if (skipped > 0) process.stdout.write(`\nSkipped, each with its reason above: ${skipped}\n`);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(ok ? 0 : 1);

async function runFiles(paths, limits) {
  if (paths.length === 0) return;
  const stream = run({
    files: paths.map((file) => join(root, file)),
    cwd: root,
    ...limits,
  });
  // A test that only holds others counts through them; it is told after them.
  const nestings = new Map();
  const holdsOthers = (event) => {
    const before = nestings.get(event.file) ?? 0;
    nestings.set(event.file, event.nesting);
    return before > event.nesting;
  };
  stream.on('test:complete', (event) => {
    if (event.nesting > 0 || isFile(event)) return;
    took.set(event.file, (took.get(event.file) ?? 0) + event.details.duration_ms);
  });
  stream.on('test:pass', (event) => {
    if (holdsOthers(event) || event.details.type === 'suite' || isFile(event)) return;
    if (event.skip !== undefined || event.todo !== undefined) counts.skipped++;
    else counts.passed++;
  });
  stream.on('test:fail', (event) => {
    holdsOthers(event);
    if (event.details.type === 'suite') return;
    if (event.details.error?.failureType === 'subtestsFailed') return;
    counts.failed++;
  });
  stream.compose(new spec()).pipe(process.stdout);
  await new Promise((resolve) => stream.once('end', resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

/** The runner also reports each file as a test of its own; that is no test of ours. */
function isFile(event) {
  return event.nesting === 0 && files.some((file) => event.name.endsWith(file));
}
