/**
 * `models discover` against servers as people run them: llama.cpp's own with a real model, and LiteLLM's proxy in front of
 * it. By `npm run test:clients`; test/models/discover.test.ts is the short form.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { litellmPackage, PYTHON_3 } from '../bench/peer.ts';
import { startLitellmProxy } from '../support/litellmProxy.ts';
import { ensureSmolLm2, repositoryRoot } from '../support/localModel.ts';
import {
  endAllPrograms,
  freePort,
  startProgram,
  temporaryFolder,
  untilSaid,
} from '../support/programs.ts';
import { installPythonPackage } from '../support/pythonPackage.ts';

const {
  COST_AWARE_ROUTER_CLIENTS: ASKED_FOR,
  /** Servers that somebody runs on this machine, as `vLLM:8000,Ollama:11434`: those that no package brings in a form that runs everywhere. */
  COST_AWARE_ROUTER_MODEL_SERVERS: RUNNING,
  PATH,
} = process.env;
const LLAMA_SERVER = {
  name: "llama.cpp's server",
  package: 'xllamacpp',
  version: '2026.10.11549',
};
const CONTEXT = 1024;

test.after(() => endAllPrograms());

/** Runs our command line from its sources, and returns what it wrote. */
async function routed(dataDir: string, ...args: readonly string[]): Promise<string> {
  const main = join(repositoryRoot, 'server', 'src', 'cli', 'main.ts');
  const all = [main, ...args, '--data-dir', dataDir];
  const options = { env: { PATH, HOME: dataDir }, cwd: dataDir };
  return (await promisify(execFile)(process.execPath, all, options)).stdout;
}

/** The code of the error that the command line ended with. */
async function refusalOf(asked: Promise<string>): Promise<unknown> {
  const failed = (await asked.then(
    (said) => assert.fail(`expected a refusal, got: ${said}`),
    (error: unknown) => error,
  )) as { readonly stdout?: string };
  return JSON.parse(failed.stdout ?? '').error.code;
}

async function startLlamaServer(): Promise<number> {
  const bin = await installPythonPackage(LLAMA_SERVER, PYTHON_3);
  const model = await ensureSmolLm2();
  const port = await freePort();
  const script = join(import.meta.dirname, 'llamaServer.py');
  const args = [script, model, String(port), String(CONTEXT)];
  await untilSaid(startProgram("llama.cpp's server", join(bin, 'python'), args), /Listening on /);
  return port;
}

async function startProxy(behind: number, masterKey: string | undefined): Promise<number> {
  const bin = await installPythonPackage(litellmPackage, PYTHON_3);
  const folder = temporaryFolder();
  const config = join(folder, 'config.yaml');
  const model = {
    model_name: 'team-model',
    litellm_params: {
      model: 'openai/smollm2',
      api_base: `http://127.0.0.1:${behind}/v1`,
      api_key: 'sk-none',
    },
  };
  const settings = masterKey === undefined ? {} : { master_key: masterKey };
  writeFileSync(config, stringify({ model_list: [model], general_settings: settings }));
  const { url } = await startLitellmProxy(bin, folder, config);
  return Number(new URL(url).port);
}

test("a model of llama.cpp's server is found with its context, taken in, and answers for nothing", {
  skip: ASKED_FOR === 'full' ? false : '34 MB from PyPI and a real model: npm run test:clients',
}, async () => {
  const port = await startLlamaServer();
  const dataDir = temporaryFolder();
  const found = await routed(dataDir, 'models', 'discover', '--port', String(port), '--add');
  assert.match(found, /^llama\.cpp server at http:/);
  const [, id = '', context] = /^ {2}(llama-\S+) {2}(\d+) tokens, 0\.13/m.exec(found) ?? [];
  assert.equal(id, 'llama-smollm2-135m-instruct.q4_1.gguf');
  assert.equal(Number(context), CONTEXT);
  assert.doesNotMatch(found, /assumed/);
  // Nothing of a prompt leaves this machine on the way to it.
  const asked = ['ask', 'What colour is the sky?', '--model', id, '--local-only', '--json'];
  const answer = JSON.parse(await routed(dataDir, ...asked)) as Readonly<Record<string, unknown>>;
  assert.equal(answer['chosen_model'], id);
  assert.equal(answer['cost_usd'], 0);
  assert.equal(answer['cost_is_bound'], false);
  assert.ok(String(answer['text']).trim().length > 0);
  assert.ok(Number(answer['tokens_out']) > 0);
});

test('models of servers that run here are found, taken in, and answer for nothing', {
  skip: RUNNING === undefined && 'none is named in COST_AWARE_ROUTER_MODEL_SERVERS',
}, async (t) => {
  for (const named of RUNNING?.split(',') ?? []) {
    const [name = '', port = ''] = named.split(':');
    await t.test(name, async () => {
      const dataDir = temporaryFolder();
      const found = await routed(dataDir, 'models', 'discover', '--port', port, '--add');
      assert.ok(found.startsWith(`${name} at http://127.0.0.1:${port}`), found);
      const [, id = ''] = /^ {2}(\S+) {2}\d+ tokens/m.exec(found) ?? [];
      const asked = ['ask', 'What colour is the sky?', '--model', id, '--local-only', '--json'];
      const answer = JSON.parse(await routed(dataDir, ...asked)) as Readonly<
        Record<string, unknown>
      >;
      assert.equal(answer['chosen_model'], id);
      assert.equal(answer['cost_usd'], 0);
      assert.equal(answer['cost_is_bound'], false);
      assert.ok(Number(answer['tokens_in']) > 0 && Number(answer['tokens_out']) > 0);
      t.diagnostic(found.trim());
    });
  }
});

test("LiteLLM's proxy is told from a runner of models on any port: no price, and what it is asked counts as leaving", {
  skip: ASKED_FOR === 'full' ? false : 'some hundred MB from PyPI: npm run test:clients',
}, async () => {
  const behind = await startLlamaServer();
  const [open, locked] = await Promise.all([
    startProxy(behind, undefined),
    startProxy(behind, 'sk-team'),
  ]);
  const dataDir = temporaryFolder();
  const found = await routed(dataDir, 'models', 'discover', '--port', String(open), '--add');
  assert.match(found, /^LiteLLM at http:/);
  assert.match(found, /give each a row in pricing\.yaml/);
  const wantsKey = await routed(dataDir, 'models', 'discover', '--port', String(locked));
  assert.match(wantsKey, /wants a key/);
  // It has no price yet, and no price is no answer.
  const ask = ['ask', 'What colour is the sky?', '--model', 'litellm-team-model', '--json'];
  assert.equal(await refusalOf(routed(dataDir, ...ask)), 'unknown_price');
  const price = {
    model: 'litellm-team-model',
    effective_from: '2020-01-01',
    source: 'our own hardware',
    checked_at: '2026-11-26',
    input: 0,
    output: 0,
  };
  writeFileSync(join(dataDir, 'pricing.yaml'), stringify({ version: 1, prices: [price] }));
  const answer = JSON.parse(await routed(dataDir, ...ask)) as Readonly<Record<string, unknown>>;
  assert.equal(answer['chosen_model'], 'litellm-team-model');
  assert.ok(String(answer['text']).trim().length > 0);
  // A proxy on this machine is a way off this machine.
  assert.equal(await refusalOf(routed(dataDir, ...ask, '--local-only')), 'privacy_floor');
});
