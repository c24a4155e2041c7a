/** `eval router` on files of both shapes, and what it says of files that are neither. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { cli, jsonOf } from './cliHarness.ts';

const folder = mkdtempSync(join(tmpdir(), 'router-eval-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const fixture = fileURLToPath(new URL('../fixtures/routing/outcomes.jsonl', import.meta.url));

const figure = z.object({ value: z.number(), low: z.number(), high: z.number() });
const report = z.object({
  data: z.array(
    z.object({
      name: z.string(),
      prompts: z.number(),
      weak: z.object({ name: z.string(), scoredAs: z.string() }),
      routers: z.array(
        z.object({
          router: z.string(),
          apgr: figure,
          cpt50_percent: figure,
          cpt80_percent: figure,
          cost_at_95_percent_quality: figure,
          calibration_error: z.number().nullable(),
          auroc: z.number().nullable(),
          apgr_inside_tasks: z.number().nullable(),
          microseconds: z.number().nullable(),
        }),
      ),
    }),
  ),
});

function file(name: string, lines: readonly unknown[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'));
  return path;
}

/** Hard ones are long; the answers to them are unsure where they are bad. */
const pairLines = Array.from({ length: 60 }, (_, at) => ({
  prompt:
    at % 2 === 0
      ? `Hello ${at}`
      : `Prove that the sum of the first ${at} squares is divisible by ${at} or show each step`,
  weak_tiny: at % 4 === 1 ? 0 : 1,
  strong_huge: 1,
  answer: {
    text: `It is ${at}.`,
    finish: 'stop',
    logProbs: at % 4 === 1 ? [-3, -2.5] : [-0.02, -0.1],
  },
}));

test('a file with tasks: every router with its intervals, and the curves as SVG', async () => {
  const run = await cli(
    ['eval', 'router', '--data', fixture, '--no-refit', '--json', '--plots', join(folder, 'plots')],
    {},
  );
  assert.equal(run.code, 0, run.stderr);
  const { data } = report.parse(jsonOf(run));
  const [set] = data;
  assert.equal(set?.prompts, 274);
  assert.equal(set.weak.name, 'mistral-7b-instruct-v0.3');
  const names = set.routers.map(({ router }) => router);
  assert.deepEqual(names, ['random', 'length', 'keywords', 'table', 'score']);
  for (const { apgr, cpt50_percent: cpt50 } of set.routers) {
    assert.ok(apgr.low < apgr.value && apgr.value < apgr.high);
    assert.ok(cpt50.low <= cpt50.value && cpt50.value <= cpt50.high);
  }
  const by = new Map(set.routers.map((row) => [row.router, row]));
  assert.ok((by.get('score')?.apgr.value ?? 0) > (by.get('length')?.apgr.value ?? 1) + 0.05);
  assert.ok((by.get('score')?.calibration_error ?? 1) < 0.1);
  assert.equal(by.get('length')?.calibration_error, null);
  const svg = readFileSync(join(folder, 'plots/outcomes.svg'), 'utf8');
  assert.match(svg, /^<svg /);
  assert.equal(svg.match(/<polyline/g)?.length, 5);
});

test('a file of one pair with answers: the gate and both together stand beside the score', async () => {
  const path = file('pair.jsonl', pairLines);
  const run = await cli(['eval', 'router', '--data', path, '--weak', 'size:1', '--json'], {});
  assert.equal(run.code, 0, run.stderr);
  const [set] = report.parse(jsonOf(run)).data;
  assert.match(set?.weak.scoredAs ?? '', /prior for 1 billion/);
  const by = new Map(set?.routers.map((row) => [row.router, row]));
  // Log-probabilities tell good from bad here, length only half of it.
  assert.ok((by.get('gate')?.apgr.value ?? 0) > 0.8, `${by.get('gate')?.apgr.value}`);
  assert.ok((by.get('score and gate')?.auroc ?? 0) > 0.9);
  assert.ok((by.get('length')?.apgr.value ?? 1) < 0.8);
});

test('as text, a table with a note of what is taken for granted', async () => {
  const path = file('text.jsonl', pairLines);
  const run = await cli(['eval', 'router', '--data', path], {});
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /text: 60 prompts/);
  assert.match(run.stdout, /nothing is known of tiny: taken as 8 billion parameters/);
  assert.match(run.stdout, /^score and gate +0\.\d{3} \(/m);
});

const bad: [name: string, lines: readonly unknown[], args: readonly string[], says: RegExp][] = [
  ['few', pairLines.slice(0, 3), [], /few\.jsonl: expected at least 20 prompts, got 3/],
  ['blank', [{ prompt: 'x' }, ...pairLines], [], /blank\.jsonl:1: expected either scores by model/],
  ['shapeless', [...pairLines, 7], [], /shapeless\.jsonl:61: expected an object with a text/],
  [
    'range',
    [{ prompt: 'x', scores: { a: 2 } }],
    [],
    /range\.jsonl:1: expected scores to map models/,
  ],
  [
    'unnamed',
    pairLines.map(({ prompt }) => ({ prompt, task: 't', scores: { a: 0, b: 1 } })),
    [],
    /expected --weak and --strong to name two of a, b/,
  ],
  [
    'misnamed',
    pairLines.map(({ prompt }) => ({ prompt, task: 't', scores: { a: 0, b: 1 } })),
    ['--weak', 'a', '--strong', 'c'],
    /expected --strong to name one of a, b; got c/,
  ],
  [
    'reversed',
    pairLines.map(({ prompt }) => ({ prompt, task: 't', scores: { a: 1, b: 0 } })),
    ['--weak', 'a', '--strong', 'b'],
    /expected b to be better than a on the whole/,
  ],
  [
    'stranger',
    pairLines,
    ['--weak', 'nobody'],
    /expected --weak to name a model with known abilities/,
  ],
];
for (const [name, lines, args, says] of bad) {
  test(`a bad file or name is told by what was expected: ${name}`, async () => {
    const run = await cli(['eval', 'router', '--data', file(`${name}.jsonl`, lines), ...args], {});
    assert.equal(run.code, 2);
    assert.match(run.stderr, says);
    assert.equal(run.stdout, '');
  });
}

test('a file that is not there is named', async () => {
  const run = await cli(['eval', 'router', '--data', join(folder, 'none.jsonl')], {});
  assert.equal(run.code, 2);
  assert.match(run.stderr, /none\.jsonl \(ENOENT\)/);
});
