/** The site of the docs: every page has its place, and the pages that are made hold all of what they are made from. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import MarkdownIt from 'markdown-it';
import { everyCommand, nameOf } from '../../scripts/docs/commandPage.ts';
import { editorPage } from '../../scripts/docs/editorPage.ts';
import { headingId } from '../../scripts/docs/markdown.ts';
import { outsideLinks } from '../../scripts/docs/outsideLinks.ts';
import {
  describedFiles,
  openApi,
  program,
  referencePages,
  root,
} from '../../scripts/docs/reference.ts';
import { fieldTable } from '../../scripts/docs/schemaText.ts';
import { sitePlan } from '../../scripts/docs/sitePlan.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = await referencePages();
const made = (path: string) => {
  const page = pages.find((each) => each.path === `reference/${path}`);
  assert.ok(page, path);
  return page.text;
};
const headingIds = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => headingId(heading));

test('every page has one place on the site, and every place leads to a page and a heading', () => {
  const links = sitePlan.flatMap(({ items }) => items.map(({ link }) => link));
  const written = readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md') && name !== 'index.md')
    .map((name) => `/${name.slice(0, -3)}`);
  const generated = pages
    .filter(({ path }) => path.endsWith('.md'))
    .map(({ path }) => `/${path.slice(0, -3)}`);
  assert.deepEqual(
    [...new Set(links.map((link) => link.replace(/#.*/, '')))].toSorted(),
    [...written, ...generated].toSorted(),
  );
  for (const link of links.filter((each) => each.includes('#'))) {
    const [page = '', heading = ''] = link.split('#');
    assert.ok(headingIds(read(`docs${page}.md`)).includes(heading), link);
  }
});

test('the page of commands has the help of each, flags included', () => {
  const page = made('commands.md');
  const commands = everyCommand(program());
  assert.ok(commands.length > 30, `${commands.length}`);
  for (const command of commands) {
    const part = page.split(`\n## ${nameOf(command)}\n`)[1]?.split('\n## ')[0] ?? '';
    assert.match(part, /Usage: /, nameOf(command));
    for (const { long } of command.options) assert.ok(part.includes(long ?? ''), `${long}`);
  }
});

test('the page of VS Code has every setting with its default, and every command', () => {
  const page = made('vscode.md');
  const { contributes } = JSON.parse(read('package.json'));
  for (const { properties } of contributes.configuration) {
    for (const [name, setting] of Object.entries<{ default: unknown }>(properties)) {
      const part = page.split(`#### \`${name}\``)[1]?.split('####')[0] ?? '';
      assert.ok(part.includes(`| default | \`${JSON.stringify(setting.default)}\` |`), name);
    }
  }
  for (const { command } of contributes.commands) assert.ok(page.includes(`\`${command}\``));
  assert.doesNotMatch(page, /%[\w.]+%|\(command:/);
  const lacking = {
    contributes: { commands: [{ command: 'x', title: '%gone%' }], configuration: [] },
  };
  assert.throws(() => editorPage(lacking, {}), /%gone%/);
});

test('the page of REST has every call and every shape of the document', async () => {
  const page = made('rest.md');
  const { paths, components } = await openApi();
  const calls = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `\n## ${method.toUpperCase()} ${path}\n`),
  );
  const shapes = Object.keys(components.schemas).map((name) => `\n### ${name}\n`);
  assert.ok(calls.length > 8 && shapes.length > 10);
  for (const heading of [...calls, ...shapes]) assert.ok(page.includes(heading), heading);
});

test('the page of files has the fields that the shipped files use, and a schema for each file', () => {
  const page = made('files.md');
  for (const field of ['models[].file.sources[].wheel.member', 'prices[].tiers[].cache_write'])
    assert.ok(page.includes(`\`${field}\``), field);
  const unexplained = [...page.matchAll(/^\| (`\S+)`.* \| (.*) \| {2}\|$/gm)].filter(
    ([, field = '', type = '']) => !/object/.test(type) && field !== '`version',
  );
  assert.deepEqual(
    unexplained.map(([, field]) => field),
    [],
  );
  for (const { id } of describedFiles()) {
    const schema = pages.find(({ path }) => path === `public/schemas/${id}.json`);
    assert.equal(JSON.parse(schema?.text ?? 'null')?.type, 'object', id);
  }
});

test('fields of a form say which value of the choosing field they belong to', () => {
  const form = (kind: string, field: string) => ({
    type: 'object',
    properties: { kind: { const: kind }, name: { type: 'string' }, [field]: { type: 'number' } },
    required: ['kind', field],
  });
  assert.deepEqual(
    fieldTable({ oneOf: [form('a', 'x'), form('b', 'y')] })
      .split('\n')
      .slice(2),
    [
      '| `kind` * | `"a"` or `"b"` |  |',
      '| `name` | string |  |',
      '| `x` * | number | Only with `kind: a`. |',
      '| `y` * | number | Only with `kind: b`. |',
    ],
  );
});

test('a link to a file of the repository leads there or becomes text; to nothing it fails', () => {
  const render = (markdown: string, filesAt: string | undefined) => {
    const parser = new MarkdownIt();
    outsideLinks(parser, { root, filesAt });
    return parser.render(markdown, { relativePath: 'TEAM.md' }).trim();
  };
  const at = 'https://example.com/o/n/blob/HEAD';
  assert.match(
    render('[c](../compose.yaml)', at),
    /href="https:\/\/example.com\/o\/n\/blob\/HEAD\/compose.yaml"/,
  );
  assert.equal(render('[c](../compose.yaml)', undefined), '<p><span>c</span></p>');
  for (const link of ['MONEY.md#the-promise', 'https://example.com/', '#here', '/reference/rest']) {
    assert.ok(render(`[x](${link})`, undefined).includes(`href="${link}"`), link);
  }
  assert.throws(() => render('[x](../gone.yaml)', at), /expected gone\.yaml/);
});

test('commands that the tutorial and the README name are those of the palette', () => {
  const titles = new Set(Object.values<string>(JSON.parse(read('package.nls.json'))));
  for (const file of ['docs/tutorial.md', 'README.md']) {
    const named = [...read(file).matchAll(/\*Cost-Aware Router: ([^*]+)\*/g)].map(
      ([, title = '']) => title.replaceAll('…', '...').replaceAll(/\s+/g, ' '),
    );
    assert.ok(named.length >= 3, file);
    assert.deepEqual(
      named.filter((title) => !titles.has(title)),
      [],
      file,
    );
  }
  assert.ok(existsSync(join(root, 'docs', 'index.md')));
});
