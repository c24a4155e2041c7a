/**
 * Programs that others wrote for OpenAI, pointed at the router on a real socket: OpenAI's SDK for Python, and with
 * `npm run test:clients` the coding agent Codex, which works through tools. What can't be had is left out, and said so.
 * The SDK for Node is in test/edges/httpOpenai.test.ts.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serveHttp } from '../../server/src/http/serveHttp.ts';
import { scriptedApi } from '../edges/httpApi.ts';
import { repositoryRoot } from '../support/localModel.ts';
import { startProgram } from '../support/programs.ts';
import { installPythonPackage, OPENAI_FOR_PYTHON as SDK } from '../support/pythonPackage.ts';
import { BIG, LOCAL, MINI, type ScriptedAnswer, says } from '../support/scriptedPorts.ts';

const TOKEN = 'T'.repeat(43);
const CODEX = '@openai/codex@0.169.0';

async function served(t: TestContext, answer: ScriptedAnswer) {
  const scripted = scriptedApi(
    { scores: { [LOCAL]: 0.9, [MINI]: 0.4, [BIG]: 0.1 }, answers: { [BIG]: [answer] } },
    { token: TOKEN },
  );
  const serving = await serveHttp({ api: scripted.api, port: 0, limits: { closeMs: 0 } });
  t.after(() => serving.close());
  return { ...scripted, url: `${serving.url}/v1` };
}

/** Runs a program to its end and returns what it wrote; fails with its own words. */
async function outputOf(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0, `${command} said: ${stderr.slice(-2000)}`);
  return stdout;
}

let python: string | undefined;
let lacking: string | undefined;
try {
  python = join(await installPythonPackage(SDK, { oldest: 9, newest: 14 }), 'python');
} catch (error) {
  lacking = error instanceof Error ? error.message : 'it could not be installed';
  console.error(`Left out: ${SDK.name}: ${lacking}`);
}

test(`${SDK.name} gets text, streams, tools, models and errors`, { skip: lacking }, async (t) => {
  /** Calls the tool when there is one to call and it has not been called yet. */
  const { url } = await served(t, async function* (request, signal) {
    const called = request.turns.some(({ role }) => role === 'tool');
    const answer =
      request.tools === undefined || called
        ? says(called ? 'It has one line.' : 'Hello from the router.')
        : says('', {
            finish: 'tool-calls',
            toolCalls: [{ id: 'call_1', name: 'read_file', argumentsJson: '{"path":"a.ts"}' }],
          });
    yield* answer(request, signal);
  });
  const script = join(import.meta.dirname, 'pythonSdk.py');
  const got = JSON.parse(await outputOf(python ?? '', [script, url, TOKEN]));
  assert.partialDeepStrictEqual(got, {
    chat: 'Hello from the router.',
    stream: 'Hello from the router.',
    // The same request once more, so it costs nothing.
    stream_router: { model: BIG, served: 'cache', cost_usd: 0 },
    call: ['read_file', { path: 'a.ts' }],
    after_tool: 'It has one line.',
    response: 'Hello from the router.',
    response_stream: 'Hello from the router.',
    response_end: 'response.completed',
    models: ['auto', LOCAL, MINI, BIG],
    not_found: 'model_not_found',
    wrong_key: 401,
  });
  assert.equal(got.headers['x-router-model'], BIG);
  assert.ok(Number(got.headers['x-router-cost-usd']) > 0);
  assert.match(got.headers['x-router-reason'], /^prompt_complexity_high\(/);
  assert.ok(got.tokens > 0 && got.stream_tokens > 0);
});

const { COST_AWARE_ROUTER_CLIENTS: ASKED_FOR } = process.env;

test('Codex works through its tools and tells what it did', {
  skip: ASKED_FOR === 'full' ? false : 'some hundred MB from npm: npm run test:clients',
}, async (t) => {
  const codex = await installCodex();
  const { url, calls } = await served(t, async function* (request, signal) {
    const called = request.turns.some(({ role }) => role === 'tool');
    const answer = called
      ? says('I have made the file.')
      : says('', {
          finish: 'tool-calls',
          toolCalls: [
            {
              id: 'call_1',
              name: 'exec_command',
              argumentsJson: '{"cmd":"echo routed > made.txt"}',
            },
          ],
        });
    yield* answer(request, signal);
  });
  const home = mkdtempSync(join(tmpdir(), 'router-codex-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const work = join(home, 'work');
  mkdirSync(work);
  writeFileSync(
    join(home, 'config.toml'),
    [
      'model = "auto"',
      'model_provider = "router"',
      '[model_providers.router]',
      'name = "router"',
      `base_url = "${url}"`,
      'env_key = "ROUTER_TOKEN"',
      'wire_api = "responses"',
      '',
    ].join('\n'),
  );
  const { PATH } = process.env;
  const said = await outputOf(
    codex,
    ['exec', '--skip-git-repo-check', '--sandbox', 'danger-full-access', 'Make made.txt.'],
    { cwd: work, env: { PATH, HOME: home, CODEX_HOME: home, ROUTER_TOKEN: TOKEN } },
  );
  assert.match(said, /I have made the file\./);
  assert.equal(readFileSync(join(work, 'made.txt'), 'utf8'), 'routed\n');
  assert.equal(calls.length, 2);
  assert.ok(calls.every(({ modelId }) => modelId === BIG));
});

async function installCodex(): Promise<string> {
  const folder = join(repositoryRoot, '.cache', CODEX.replace(/^@/, '').replace(/[/@]/g, '-'));
  const program = join(folder, 'node_modules', '.bin', 'codex');
  const done = join(folder, 'installed');
  if (existsSync(done)) return program;
  console.error(`· installing ${CODEX} into .cache (once; about a minute)`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{}');
  const npm = startProgram('npm', 'npm', [
    ...['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', CODEX],
  ]);
  assert.equal(await npm.ended(), 0, `npm said: ${npm.said()}`);
  writeFileSync(done, '');
  return program;
}
