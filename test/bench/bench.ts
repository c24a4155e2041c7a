/**
 * `npm run bench`: every row of docs/PERFORMANCE.md, each against a real peer in the same run. It asserts nothing, because
 * machines differ.
 *
 *     --json            prints `{ "rows": [...] }` and nothing else on the standard output
 *     --only NAME       one section, or several by commas
 *     --quick           few rounds: to see that it runs, not for figures
 *     --write FILE      puts tables into a Markdown file, between its markers
 *     --compare FILE    prints which ratios are worse than stored ones; never fails
 *     --save FILE       stores this run's ratios for `--compare`
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { endAllPrograms } from '../support/programs.ts';
import { comparison, ratiosOf } from './baseline.ts';
import { tablesInto, terminalTable } from './report.ts';
import { jsonOf, type ToldRow } from './rows.ts';
import { runSection } from './runSection.ts';
import { sections } from './sections.ts';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    write: { type: 'string' },
    compare: { type: 'string' },
    save: { type: 'string' },
  },
});

const wanted = flags.only?.split(',');
const unknown = wanted?.find((name) => sections.every((one) => one.name !== name));
if (unknown !== undefined) {
  const names = sections.map(({ name }) => name).join(', ');
  console.error(`error: expected --only to name sections (${names}), got ${unknown}`);
  process.exit(2);
}

const chosen = sections.filter(({ name }) => wanted?.includes(name) ?? true);
for (const one of chosen) {
  try {
    await one.prepare?.();
  } catch (error) {
    // Its rows will say that it is not there.
    console.error(`! ${one.title}: ${error instanceof Error ? error.message : error}`);
  }
}
await endAllPrograms();

/** The whole run ends within ten minutes; what does not fit is said. */
const ALL_WITHIN_S = 585;
const begunMs = performance.now();
const all = new Map<string, readonly ToldRow[]>();
for (const one of chosen) {
  const sectionMs = performance.now();
  console.error(`· ${one.title}`);
  const leftS = Math.max(1, ALL_WITHIN_S - secondsSince(begunMs));
  const limitS = Math.min(one.limitS, leftS);
  const told = await runSection({ ...one, limitS }, flags.quick);
  all.set(one.name, told);
  if (!flags.json) console.log(terminalTable(one.title, told));
  console.error(`  ${secondsSince(sectionMs)} s`);
}
const told = [...all.values()].flat();
if (flags.json) console.log(jsonOf(told));
for (const { row, note } of told) if (row.value === null) console.error(`! ${row.name}: ${note}`);
if (flags.write !== undefined) {
  const path = fromCaller(flags.write);
  writeFileSync(path, tablesInto(readFileSync(path, 'utf8'), all, new Date()));
}
if (flags.save !== undefined) {
  writeFileSync(fromCaller(flags.save), `${JSON.stringify(ratiosOf(told), undefined, 2)}\n`);
}
if (flags.compare !== undefined) {
  const stored: unknown = JSON.parse(readFileSync(fromCaller(flags.compare), 'utf8'));
  for (const line of comparison(told, stored)) console.error(line);
}
console.error(`whole run: ${secondsSince(begunMs)} s`);
process.exit(0);

function secondsSince(ms: number): number {
  return Math.round((performance.now() - ms) / 1000);
}

/** npm runs scripts in the package's folder; paths are meant from where the person stands. */
function fromCaller(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? '.', path);
}
