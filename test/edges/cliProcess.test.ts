/** The command line as a process, on the real local model and the shipped score: what only the operating system can show. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ensureSmolLm2, repositoryRoot, smolLm2, testModelsDir } from '../support/localModel.ts';

const main = join(repositoryRoot, 'server', 'src', 'cli', 'main.ts');
const dataDir = mkdtempSync(join(tmpdir(), 'cli-process-'));
const env = {
  PATH: process.env['PATH'],
  HOME: dataDir,
  COST_AWARE_ROUTER_DATA_DIR: dataDir,
  COST_AWARE_ROUTER_MODELS_DIR: testModelsDir,
  COST_AWARE_ROUTER_THREADS: '1',
};

before(async () => {
  await ensureSmolLm2();
});
after(() => rmSync(dataDir, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A group of its own, so that a signal reaches the model host too, as Ctrl-C in a terminal does. */
function start(argv: readonly string[]): ChildProcess {
  return spawn(process.execPath, [main, ...argv], { env, detached: true, cwd: dataDir });
}

async function end(child: ChildProcess, input = ''): Promise<Ended> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin?.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

test('a data folder that can not be made is told as such, whatever the command', async () => {
  const file = join(dataDir, 'a-file');
  writeFileSync(file, '');
  for (const named of [
    ['--data-dir', file],
    ['--models-dir', join(file, 'models')],
    // A file system that has this folder and can make none in it: Node's own recursive way never ends there.
    ...(process.platform === 'linux' ? [['--data-dir', '/proc/a-file/data']] : []),
  ]) {
    const ended = await end(start(['spend', ...named]));
    assert.equal(ended.code, 2);
    assert.equal(ended.stdout, '');
    assert.match(
      ended.stderr,
      /^error: expected a data folder that can be made, got .*a-file.*; name/,
    );
  }
});

test('ask answers with text of the real model that changes with the prompt', async () => {
  const ask = (prompt: string) => end(start(['ask', prompt, '--json', '--force', 'cheap']));
  const sky = await ask('What colour is the sky on a clear day? Answer in one word.');
  assert.equal(sky.code, 0, sky.stderr);
  assert.equal(sky.stderr, '');
  const answer = JSON.parse(sky.stdout) as Record<string, unknown>;
  assert.equal(answer['chosen_model'], smolLm2.id);
  assert.equal(answer['cost_usd'], 0);
  assert.ok(Number(answer['tokens_out']) > 0);
  const capital = await ask('What is the capital of France?');
  assert.match(String((JSON.parse(capital.stdout) as Record<string, unknown>)['text']), /Paris/);
  assert.notEqual(capital.stdout, sky.stdout);
});

test('a piped prompt is read, and the month has counted the answers', async () => {
  const asked = await end(start(['ask', '--local-only']), 'What is the capital of France?\n');
  assert.equal(asked.code, 0, asked.stderr);
  assert.match(asked.stdout, /Paris/);
  assert.match(asked.stderr, /^(local|cached) · /);
  const spend = await end(start(['spend', '--json']));
  assert.ok(Number((JSON.parse(spend.stdout) as Record<string, unknown>)['answers']) >= 1);
});

test('Ctrl-C in the middle of the work ends with 130 and without a stray word', async () => {
  const child = start(['demo']);
  const ended = end(child);
  // The first answer is complete, so the model is busy with the second.
  await once(child.stdout ?? child, 'data');
  process.kill(-(child.pid ?? 0), 'SIGINT');
  const { code, stdout, stderr } = await ended;
  assert.equal(code, 130);
  assert.match(stdout, /^Prompt: [^\n]+\n-> Routed to /);
  assert.equal(stdout.match(/Prompt:/g)?.length, 1);
  assert.match(stderr, /^(smollm2-135m-instruct: \w+( +\d+ %)?\n)+$/);
});

test('a reader that leaves early is no error', async () => {
  const path = join(dataDir, 'many.jsonl');
  writeFileSync(path, lines(5_000));
  const child = start(['route', '--jsonl', path]);
  child.stdout?.once('data', () => child.stdout?.destroy());
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'exit')) as [number];
  assert.deepEqual([code, stderr], [0, '']);
});

test('route decides 10,000 lines for a pair of reference models', async (context) => {
  const path = join(dataDir, 'bulk.jsonl');
  writeFileSync(path, lines(10_000));
  const pair = [
    '--cheap',
    'mistral-7b-instruct-v0.3',
    '--escalation',
    'llama-3.1-nemotron-51b-instruct',
  ];
  const startedMs = performance.now();
  const run = await end(start(['route', '--jsonl', path, ...pair]));
  context.diagnostic(`10,000 lines in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  assert.equal(run.code, 0, run.stderr);
  const decisions = run.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(decisions.length, 10_000);
  assert.deepEqual(
    decisions.map(({ nth }) => nth),
    decisions.map((_, index) => index),
  );
  const [first] = decisions;
  assert.deepEqual(Object.keys(first?.['quality'] ?? {}), [pair[1], pair[3]]);
  assert.equal(first?.['estimated_cost_usd'], null, 'expected no cost where nobody knows a price');
  assert.deepEqual(
    new Set(decisions.map((one) => one['chosen_model'])),
    new Set([pair[1], pair[3]]),
  );
});

test('every strategy scores, and not alike', async () => {
  const input = '{"prompt":"Design a migration of the payment service and weigh the risks."}\n';
  const scores = new Set<unknown>();
  for (const strategy of ['fitted', 'length', 'keywords', 'random']) {
    const run = await end(start(['route', '--jsonl', '-', '--strategy', strategy]), input);
    assert.equal(run.code, 0, run.stderr);
    scores.add((JSON.parse(run.stdout) as Record<string, unknown>)['score']);
  }
  assert.equal(scores.size, 4);
});

test('serve answers over HTTP with the token it names, and a signal ends it with 0', async () => {
  const child = start(['serve', '--port', '0']);
  const ended = end(child);
  const [said] = (await once(child.stdout ?? child, 'data')) as [string];
  const url = /Listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
  assert.ok(url !== undefined, said);
  assert.equal((await fetch(`${url}/health`)).status, 200);
  assert.equal((await fetch(`${url}/spend`)).status, 401);
  const token = readFileSync(join(dataDir, 'api-token'), 'utf8').trim();
  const spend = await fetch(`${url}/spend`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(spend.status, 200);

  const second = await end(start(['serve', '--port', new URL(url).port]));
  assert.equal(second.code, 2);
  assert.match(second.stderr, /choose another port/);

  child.kill('SIGTERM');
  const { code, stdout, stderr } = await ended;
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^Token in .*api-token$/m);
  assert.equal(stdout.includes(token), false, 'expected the token not to be printed');
});

test('serve --no-auth says so and asks for no token', async () => {
  const child = start(['serve', '--port', '0', '--no-auth']);
  const ended = end(child);
  const [said] = (await once(child.stdout ?? child, 'data')) as [string];
  const url = /Listening on (\S+)/.exec(said)?.[1];
  assert.equal((await fetch(`${url}/spend`)).status, 200);
  child.kill('SIGINT');
  assert.equal((await ended).code, 0);
});

test('a mistake in a registry is told with its line', async () => {
  const path = join(dataDir, 'broken.yaml');
  writeFileSync(path, 'version: 1\nmodels: 5\n');
  const run = await end(start(['models', 'list', '--registry', path]));
  assert.deepEqual([run.code, run.stdout], [2, '']);
  assert.match(run.stderr, /broken\.yaml:2/);
});

test('models refresh-prices leaves a fresh file in place', async () => {
  const path = join(dataDir, 'pricing.yaml');
  writeFileSync(path, readFileSync(join(repositoryRoot, 'models', 'pricing.yaml')));
  const run = await end(start(['models', 'refresh-prices', '--pricing', path]));
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^gpt-6-sol: /m);
  assert.match(readFileSync(path, 'utf8'), /model: gpt-6-sol/);
});

function lines(count: number): string {
  return Array.from({ length: count }, (_, nth) =>
    JSON.stringify({ nth, prompt: prompts[nth % prompts.length] }),
  ).join('\n');
}

const prompts = [
  'Rewrite this sentence so that it sounds friendly.',
  'Prove that the sum of two even integers is even, and generalise the proof to n integers.',
  'How many apples are left if 3 of 8 apples are eaten and half of the rest are given away?',
  'Explain what a mutex is.',
];
