/**
 * The threat model holds together: every line has a threat, a control, what was tried and a test that exists.
 * A test is named as `` `test/room/file.test.ts` "part of its name" ``; several stand in one cell.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');
const areas = [
  'Keys',
  'Settings',
  'What leaves the machine',
  'Prompt injection',
  'Webview and Markdown',
  'REST',
  'Files',
  'Resources',
  'Corporate networks',
  'Supply chain',
  'Fuzzing',
];
const HEADING = ['threat', 'control', 'what was tried', 'test'];

interface Line {
  readonly area: string;
  readonly cells: readonly string[];
}

const text = readFileSync(join(root, 'docs/SECURITY.md'), 'utf8');
const lines = linesOf(text);

function linesOf(document: string): Line[] {
  return document.split(/^## /m).flatMap((section) => {
    const [area = '', ...rest] = section.split('\n');
    const rows = rest.filter((line) => line.startsWith('|')).map(cellsOf);
    const [heading, rule, ...body] = rows;
    if (heading === undefined || heading.join() !== HEADING.join() || rule === undefined) return [];
    return body.map((cells) => ({ area, cells }));
  });
}

/** A bar that is meant as text is written `\|`. */
function cellsOf(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}

function problemsOf({ area, cells }: Line): string[] {
  const [threat = ''] = cells;
  const said = `${area}: ${threat}`;
  if (cells.length !== HEADING.length || cells.some((cell) => cell === '')) {
    return [`${said}: expected a threat, a control, what was tried and a test`];
  }
  const tests = [...(cells[3] ?? '').matchAll(/`(test\/[\w/]+\.test\.ts)` "([^"]+)"/g)];
  if (tests.length === 0) return [`${said}: expected a test as \`file\` "name"`];
  return tests.flatMap(([, file = '', name = '']) => {
    const path = join(root, file);
    if (!existsSync(path)) return [`${said}: there is no ${file}`];
    return readFileSync(path, 'utf8').includes(name) ? [] : [`${said}: ${file} has no "${name}"`];
  });
}

test('every line of the threat model has a control, an attack and a test that exists', () => {
  assert.deepEqual(lines.flatMap(problemsOf), []);
});

test('every area has its section', () => {
  const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, name]) => name);
  assert.deepEqual(
    areas.filter((area) => !sections.includes(area)),
    [],
  );
});

test('the rule bites: a line without a test, and one whose test is gone', () => {
  const here = 'test/tidy/securityDoc.test.ts';
  const rows = ['| a | b | c | |', `| a | b | c | \`${here}\` "no such ${'name'}" |`];
  const document = `## Keys\n\n| ${HEADING.join(' | ')} |\n| - | - | - | - |\n${rows.join('\n')}\n`;
  assert.equal(linesOf(document).flatMap(problemsOf).length, 2);
});
