/** `route --jsonl`: one decision a line, nothing generated, nothing that the budget or a key could change. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BIG, LOCAL, MINI, type Script } from '../support/scriptedPorts.ts';
import { type CliOptions, type CliRun, cli } from './cliHarness.ts';

type Line = Record<string, unknown>;

const folder = mkdtempSync(join(tmpdir(), 'cli-route-'));
after(() => rmSync(folder, { recursive: true }));

async function route(
  input: string,
  argv: readonly string[] = [],
  script: Script = {},
): Promise<CliRun & { readonly lines: readonly Line[] }> {
  const options: CliOptions = { stdin: input, script };
  const run = await cli(['route', '--jsonl', '-', ...argv], options);
  const lines = run.stdout.split('\n').filter((line) => line !== '');
  return { ...run, lines: lines.map((line) => JSON.parse(line) as Line) };
}

test('a line has its decision, and its own fields as they were', async () => {
  const { code, lines, stderr } = await route(
    '{"id":7,"prompt":"what?","tags":["a"],"score":"theirs"}\n',
  );
  assert.equal(code, 0);
  assert.equal(stderr, '');
  assert.deepEqual(Object.keys(lines[0] ?? {}), [
    'id',
    'prompt',
    'tags',
    'score',
    'quality',
    'chosen_model',
    'route_reason',
    'estimated_cost_usd',
  ]);
  const { id, tags, score, quality, chosen_model, route_reason } = lines[0] ?? {};
  assert.deepEqual(
    { id, tags, score, chosen_model },
    { id: 7, tags: ['a'], score: 0.2, chosen_model: LOCAL },
  );
  assert.deepEqual(quality, { [LOCAL]: 0.8, [MINI]: 0.85, [BIG]: 0.9 });
  assert.equal(route_reason, 'prompt_complexity_low(score=0.20, threshold=0.50, task=question)');
});

const unchanged: readonly (readonly [name: string, script: Script])[] = [
  [
    'a missing key',
    { availability: { [BIG]: { kind: 'no_api_key' }, [MINI]: { kind: 'no_api_key' } } },
  ],
  ['a missing local model', { availability: { [LOCAL]: { kind: 'model_missing' } } }],
  ['a used-up budget', { settings: { monthlyBudgetNanoUsd: 0 as never } }],
  ['a secret in the prompt', { findings: [{ rule: 'aws', where: 'prompt' }] }],
];

for (const [name, script] of unchanged) {
  test(`${name} changes nothing`, async () => {
    const hard: Script = { scores: { [LOCAL]: 0.9 } };
    const plain = await route('{"prompt":"what?"}\n', [], hard);
    assert.equal(plain.lines[0]?.['chosen_model'], BIG);
    assert.ok(Number(plain.lines[0]?.['estimated_cost_usd']) > 0);
    assert.deepEqual(
      (await route('{"prompt":"what?"}\n', [], { ...hard, ...script })).lines,
      plain.lines,
    );
  });
}

test('bad lines are told on stderr by number, the others go on', async () => {
  const input = '\uFEFF{"prompt":"one"}\n\nnope\n[1]\n{"prompt":5}\r\n{"prompt":"six"}';
  const { code, lines, stderr } = await route(input);
  assert.equal(code, 2);
  assert.deepEqual(
    lines.map(({ prompt }) => prompt),
    ['one', 'six'],
  );
  const errors = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { line: number; error: { code: string } });
  assert.deepEqual(
    errors.map(({ line, error }) => [line, error.code]),
    [
      [3, 'bad_request'],
      [4, 'bad_request'],
      [5, 'bad_request'],
    ],
  );
});

test('a file is read as well as stdin, and an empty one has no lines', async () => {
  const path = join(folder, 'prompts.jsonl');
  writeFileSync(path, '{"prompt":"one"}\n{"prompt":"two"}\n');
  const run = await cli(['route', '--jsonl', path]);
  assert.equal(run.stdout.trim().split('\n').length, 2);
  assert.deepEqual([(await route('')).code, (await route('')).stdout], [0, '']);
});

test('a pair leaves the other models out', async () => {
  const { lines } = await route('{"prompt":"what?"}\n', ['--escalation', MINI], {
    scores: { [LOCAL]: 0.9 },
  });
  assert.equal(lines[0]?.['chosen_model'], MINI);
  assert.deepEqual(Object.keys(lines[0]?.['quality'] ?? {}), [LOCAL, MINI]);
});

test('a model of the registry takes the role that it is named for', async () => {
  const { lines, code } = await route('{"prompt":"what?"}\n', ['--cheap', MINI]);
  assert.equal(code, 0);
  assert.equal(lines[0]?.['chosen_model'], MINI);
  assert.match(String(lines[0]?.['route_reason']), /^prompt_complexity_low\(/);
});

test('a pair of one model is bad input', async () => {
  const { code, stderr } = await route('', ['--cheap', BIG]);
  assert.equal(code, 2);
  assert.match(stderr, /two models, got cloud-big twice/);
});

test('the budget is lifted and the strategy handed on', async () => {
  const { opened } = await route('', ['--strategy', 'length']);
  assert.equal(opened[0]?.monthlyBudgetNanoUsd, null);
  assert.equal(opened[0]?.strategy, 'length');
});

test('Ctrl-C stops between two lines', async () => {
  const run = await cli(['route', '--jsonl', '-'], {
    stdin: '{"prompt":"one"}\n',
    signal: AbortSignal.abort(),
  });
  assert.deepEqual([run.code, run.stdout], [130, '']);
});
