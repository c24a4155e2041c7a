/**
 * Programs that others wrote for OpenAI, pointed at the router on a real socket: OpenAI's SDK for Python, and with
 * `npm run test:clients` the coding agent Codex, which works through tools. What can't be had is left out, and said so.
 * The SDK for Node is in test/edges/httpOpenai.test.ts.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { serveHttp } from '../../server/src/http/serveHttp.ts';
import { scriptedApi } from '../edges/httpApi.ts';
import { codexSays, installCodex } from '../support/codex.ts';
import { endAllPrograms, outputOf, temporaryFolder } from '../support/programs.ts';
import { installPythonPackage, OPENAI_FOR_PYTHON as SDK } from '../support/pythonPackage.ts';
import { BIG, LOCAL, MINI, type ScriptedAnswer, says } from '../support/scriptedPorts.ts';

test.after(() => endAllPrograms());

const TOKEN = 'T'.repeat(43);

async function served(t: TestContext, answer: ScriptedAnswer) {
  const scripted = scriptedApi(
    { scores: { [LOCAL]: 0.9, [MINI]: 0.4, [BIG]: 0.1 }, answers: { [BIG]: [answer] } },
    { token: TOKEN },
  );
  const serving = await serveHttp({ api: scripted.api, port: 0, limits: { closeMs: 0 } });
  t.after(() => serving.close());
  return { ...scripted, url: `${serving.url}/v1` };
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
  const home = temporaryFolder();
  const said = await codexSays({ codex, home, baseUrl: url, key: TOKEN, model: 'auto' });
  assert.match(said, /I have made the file\./);
  assert.equal(readFileSync(join(home, 'work', 'made.txt'), 'utf8'), 'routed\n');
  assert.equal(calls.length, 2);
  assert.ok(calls.every(({ modelId }) => modelId === BIG));
});
