/** The manifest of the extension against its code: commands, settings, texts and their German twins. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { COMMAND_NAMES, commandId } from '../../client/src/commandIds.ts';
import { estimateCost, getBudget } from '../../server/src/core/agentTools.ts';
import { editorSettings } from '../../server/src/lsp/settings.ts';
import { serverTexts, visibleTexts } from './serverTexts.ts';

const root = resolve(import.meta.dirname, '../..');

interface Setting {
  readonly default: unknown;
  readonly scope: string;
  readonly markdownDescription: string;
}

interface Step {
  readonly media: { readonly markdown: string };
  readonly completionEvents: readonly string[];
}

interface MenuItem {
  readonly command?: string;
}

interface Manifest {
  readonly name: string;
  readonly publisher: string;
  readonly icon: string;
  readonly keywords?: readonly string[];
  readonly capabilities: {
    readonly untrustedWorkspaces: { readonly restrictedConfigurations: readonly string[] };
  };
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly menus: Readonly<Record<string, readonly MenuItem[]>>;
    readonly keybindings: readonly MenuItem[];
    readonly configuration: readonly { readonly properties: Readonly<Record<string, Setting>> }[];
    readonly languageModelTools: readonly {
      readonly name: string;
      readonly modelDescription: string;
      readonly inputSchema: object;
    }[];
    readonly walkthroughs: readonly { readonly steps: readonly Step[] }[];
  };
}

const json = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));
const manifest = json('package.json') as Manifest;
const english = json('package.nls.json') as Record<string, string>;
const german = json('package.nls.de.json') as Record<string, string>;
const germanBundle = json('l10n/bundle.l10n.de.json') as Record<string, string>;
const { contributes } = manifest;
const settings: Record<string, Setting> = Object.assign(
  {},
  ...contributes.configuration.map(({ properties }) => properties),
);

const clientTexts = [...visibleTexts('client/src'), ...visibleTexts('client/webview')];
const texts = [...new Set([...clientTexts, ...serverTexts()])];

test('every contributed command has a handler and the reverse', () => {
  assert.deepEqual(
    contributes.commands.map(({ command }) => command).sort(),
    COMMAND_NAMES.map(commandId).sort(),
  );
});

test('the tools for agents are those that MCP has, word for word', () => {
  const tools = [estimateCost, getBudget];
  assert.deepEqual(
    contributes.languageModelTools.map(({ name, modelDescription, inputSchema }) => ({
      name,
      modelDescription,
      inputSchema: { ...inputSchema, additionalProperties: false },
    })),
    tools.map(({ name, description, input }) => {
      const { $schema: _, ...inputSchema } = z.toJSONSchema(input.strict(), { io: 'input' });
      return { name: `cost-aware-router_${name}`, modelDescription: description, inputSchema };
    }),
  );
});

test('menus, keys, walkthrough and settings name only commands that exist', () => {
  const known = new Set(COMMAND_NAMES.map(commandId));
  const steps = contributes.walkthroughs.flatMap((walkthrough) => walkthrough.steps);
  const named = [
    ...[...Object.values(contributes.menus).flat(), ...contributes.keybindings].flatMap(
      ({ command }) => command ?? [],
    ),
    ...steps.flatMap(({ completionEvents }) =>
      completionEvents.flatMap((event) => event.match(/^onCommand:(.+)$/)?.[1] ?? []),
    ),
    ...[...Object.values(english), ...Object.values(german)].flatMap((text) =>
      [...text.matchAll(/\(command:([^)]+)\)/g)].map(([, name = '']) => name),
    ),
  ];
  assert.ok(named.length > 40, `expected the commands of all surfaces, got ${named.length}`);
  assert.deepEqual(
    named.filter((name) => !known.has(name)),
    [],
  );
});

test('every setting is documented, and the server understands its default', () => {
  assert.ok(Object.keys(settings).length >= 18);
  for (const [name, { markdownDescription }] of Object.entries(settings)) {
    const text = english[markdownDescription.slice(1, -1)] ?? '';
    assert.ok(text.length > 20, `${name} has no description`);
  }
  const section: Record<string, unknown> = {};
  for (const [name, { default: value }] of Object.entries(settings)) {
    const path = name.split('.').slice(1);
    const last = path.pop() ?? '';
    let at = section;
    for (const part of path) {
      at[part] ??= {};
      at = at[part] as Record<string, unknown>;
    }
    at[last] = value;
  }
  assert.deepEqual(editorSettings(section).notices, []);
});

test('what moves money, keys or paths is the user’s own and restricted without trust', () => {
  const { restrictedConfigurations } = manifest.capabilities.untrustedWorkspaces;
  const userOnly = /^costAwareRouter\.(audit|budget|openai|models|history|dataDir|privacy)/;
  const delicate =
    /^costAwareRouter\.(audit|budget|workspaceBudget|openai|models|history|dataDir|privacy|workspacePrivacy|quality|latency)/;
  for (const [name, { scope }] of Object.entries(settings)) {
    if (userOnly.test(name)) assert.match(scope, /^(application|machine)$/, name);
    assert.equal(restrictedConfigurations.includes(name), delicate.test(name), name);
  }
});

test('every text of the manifest is there in both languages', () => {
  const used = [...JSON.stringify(manifest).matchAll(/"%([^%"]+)%"/g)].map(([, key = '']) => key);
  assert.deepEqual([...new Set(used)].sort(), Object.keys(english).sort());
  assert.deepEqual(Object.keys(german).sort(), Object.keys(english).sort());
});

test('every text of the client, its pages and the server has a German twin with the same places', () => {
  assert.ok(
    clientTexts.length > 100,
    `expected the texts of the client, got ${clientTexts.length}`,
  );
  assert.ok(serverTexts().length > 200, `expected the server's, got ${serverTexts().length}`);
  assert.deepEqual(
    texts.filter((text) => germanBundle[text] === undefined),
    [],
    'texts without a German twin',
  );
  assert.deepEqual(
    Object.keys(germanBundle).filter((text) => !texts.includes(text)),
    [],
    'German texts that nothing says any more',
  );
  const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([place]) => place).sort();
  for (const [text, twin] of Object.entries(germanBundle)) {
    assert.deepEqual(places(twin), places(text), text);
  }
});

test('the marketplace finds the extension by words of its own, no more than it takes', () => {
  const { keywords = [] } = manifest;
  assert.ok(keywords.length >= 5, 'expected words to search by');
  // vsce adds some of what is contributed; thirty tags is the marketplace's limit.
  assert.ok(new Set(keywords).size === keywords.length && keywords.length <= 20);
  for (const word of keywords) assert.ok(word.length <= 50 && word === word.toLowerCase(), word);
});

test('pictures and pages that the manifest names are there', () => {
  const pages = contributes.walkthroughs.flatMap(({ steps }) =>
    steps.map(({ media }) => media.markdown),
  );
  for (const file of [manifest.icon, 'media/icon.svg', ...pages]) {
    assert.ok(existsSync(join(root, file)), file);
  }
});

test('German says du, throughout', () => {
  const german = ['l10n/bundle.l10n.de.json', 'package.nls.de.json'].flatMap((path) =>
    Object.values(json(path) as Record<string, string>),
  );
  const formal = german.filter((text) =>
    /\b\p{Ll}+en Sie\b|\bIhre?[nmrs]?\b|\bIhnen\b/u.test(text),
  );
  assert.deepEqual(formal, []);
});

test('every page of the walkthrough has a German twin, under the name that VS Code looks for', () => {
  for (const { steps } of contributes.walkthroughs) {
    for (const { media } of steps) {
      const twin = media.markdown.replace(/\.md$/, '.nls.de.md');
      assert.ok(existsSync(join(root, twin)), twin);
    }
  }
});
