/** Servers on loopback are found, told apart, and their models answer once they are written into the user's files. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import { addServer, createApp, discoverServers } from '../../server/src/compose.ts';
import { runsHere } from '../../server/src/core/runsHere.ts';
import { freePort } from '../support/programs.ts';

const signal = new AbortController().signal;

/** Answers the list of models alone, and what else is given by its path. */
async function lists(
  t: TestContext,
  status: number,
  body: unknown,
  alive?: string,
  others: Readonly<Record<string, unknown>> = {},
): Promise<number> {
  const all = { '/v1/models': body, '/health/liveliness': alive, ...others };
  const server = createServer(({ url = '' }, reply) => {
    const said = new Map(Object.entries(all)).get(url);
    const code = said === undefined ? 404 : url === '/v1/models' ? status : 200;
    reply.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(said ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('what a server tells of itself is taken; what nobody tells is assumed, and said', async (t) => {
  const vllm = await lists(t, 200, {
    data: [{ id: 'Qwen/Qwen3-8B', owned_by: 'vllm', max_model_len: 32_768 }],
  });
  const llamaCpp = await lists(t, 200, {
    data: [
      {
        id: '/home/me/models/x.gguf',
        owned_by: 'llamacpp',
        // What it was started with counts, not what the model could.
        meta: { n_ctx: 1024, n_ctx_train: 8192, n_params: 135e6 },
      },
    ],
  });
  const ollama = await lists(t, 200, {
    data: [
      { id: 'mystery:latest', owned_by: 'library' },
      { id: 'gpt-oss:120b-cloud', owned_by: 'library' },
    ],
  });
  const locked = await lists(t, 401, {});
  const withoutDatabase = await lists(t, 500, {}, "I'm alive!");
  const broken = await lists(t, 500, {});
  const other = await lists(t, 200, { hello: 'world' });
  const found = await discoverServers(
    [
      { name: 'a server', port: vllm },
      { name: 'a server', port: llamaCpp },
      { name: 'a server', port: ollama },
      { name: 'LiteLLM', port: locked },
      { name: 'a server', port: withoutDatabase },
      { name: 'vLLM', port: broken },
      { name: 'a server', port: other },
      { name: 'a server', port: await freePort() },
    ],
    signal,
  );
  assert.deepEqual(
    found.map((one) => [one.kind, one.name]),
    [
      ['found', 'vLLM'],
      ['found', 'llama.cpp server'],
      ['found', 'Ollama'],
      ['wants key', 'LiteLLM'],
      ['wants key', 'LiteLLM'],
    ],
  );
  assert.deepEqual(
    found.flatMap((one) => (one.kind === 'found' ? one.leftOut : [])),
    ['gpt-oss:120b-cloud'],
  );
  assert.deepEqual(
    found.flatMap((one) => (one.kind === 'found' ? one.models : [])),
    [
      {
        id: 'vllm-qwen/qwen3-8b',
        name: 'Qwen/Qwen3-8B',
        apiModel: 'Qwen/Qwen3-8B',
        contextWindow: 32_768,
        sizeBillions: 8,
        assumed: [],
      },
      {
        id: 'llama-x.gguf',
        name: 'x.gguf',
        apiModel: '/home/me/models/x.gguf',
        contextWindow: 1024,
        sizeBillions: 0.135,
        assumed: [],
      },
      {
        id: 'ollama-mystery:latest',
        name: 'mystery:latest',
        apiModel: 'mystery:latest',
        contextWindow: 4096,
        sizeBillions: 1,
        assumed: ['context', 'size'],
      },
    ],
  );
});

test('Ollama tells by its own API how large a model is, what a loaded one takes, and what it only hands on', async (t) => {
  const ids = ['smollm2:latest', 'loaded:latest', 'renamed:latest', 'own-cloud', 'odd:7b'];
  const body = { data: ids.map((id) => ({ id, owned_by: 'library' })) };
  const port = await lists(t, 200, body, undefined, {
    '/api/tags': {
      models: [
        { model: 'smollm2:latest', details: { parameter_size: '134.52M' } },
        { model: 'loaded:latest', details: { parameter_size: '7.6B' } },
        { model: 'renamed:latest', remote_host: 'https://ollama.com:443', details: null },
        { model: 'own-cloud', details: { parameter_size: '1.2B' } },
        { model: 'odd:7b', details: { parameter_size: 'many' } },
      ],
    },
    '/api/ps': { models: [{ model: 'loaded:latest', context_length: 16_384 }] },
  });
  const [found] = await discoverServers([{ name: 'a server', port }], signal);
  assert.ok(found?.kind === 'found');
  assert.deepEqual(found.leftOut, ['renamed:latest']);
  assert.deepEqual(
    found.models.map((one) => [one.name, one.sizeBillions, one.contextWindow, one.assumed]),
    [
      ['smollm2:latest', 0.13452, 4096, ['context']],
      ['loaded:latest', 7.6, 16_384, []],
      ['own-cloud', 1.2, 4096, ['context']],
      ['odd:7b', 7, 4096, ['context']],
    ],
  );
});

test('a proxy gets no price, and prompts for its models count as leaving this machine, on whatever port it is', async (t) => {
  const body = { data: [{ id: 'team-model', owned_by: 'openai' }] };
  const proxy = await lists(t, 200, body, "I'm alive!");
  const unknown = await lists(t, 200, body);
  const found = await discoverServers(
    [
      { name: 'vLLM', port: proxy },
      { name: 'a server', port: unknown },
    ],
    signal,
  );
  assert.deepEqual(
    found.map((one) => one.kind === 'found' && [one.name, one.isRunner]),
    [
      ['LiteLLM', false],
      ['a server', false],
    ],
  );
  const dataDir = mkdtempSync(join(tmpdir(), 'discover-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  for (const one of found) if (one.kind === 'found') await addServer(dataDir, one, '2026-11-26');
  assert.ok(!existsSync(join(dataDir, 'pricing.yaml')));
  const app = await createApp({ dataDir });
  t.after(() => app.close());
  for (const id of ['litellm-team-model', 'a-team-model']) {
    const model = app.catalogue.registry().models.find((one) => one.id === id);
    assert.ok(model !== undefined && !runsHere(model), id);
  }
});

test('a model that was found on a protocol server answers for nothing once it is taken in', async (t) => {
  const provider = new LLMock({ port: 0 });
  await provider.start();
  t.after(() => provider.stop());
  provider.onMessage(/.*/s, {
    content: 'From the server next door.',
    usage: { prompt_tokens: 5, completion_tokens: 5 },
  });
  const dataDir = mkdtempSync(join(tmpdir(), 'discover-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const ports = [{ name: 'Ollama', port: Number(new URL(provider.url).port) }];
  const [server] = await discoverServers(ports, signal);
  assert.ok(server?.kind === 'found', JSON.stringify(server));
  const id = server.models[0]?.id ?? '';
  await addServer(dataDir, server, '2026-11-26');
  // Twice is once.
  await addServer(dataDir, server, '2026-11-26');
  assert.equal(readFileSync(join(dataDir, 'registry.yaml'), 'utf8').split(`id: ${id}\n`).length, 2);
  const app = await createApp({ dataDir });
  t.after(() => app.close());
  const events = [];
  const constraints = { forceModel: { id } };
  const prompt = { id: 'p1', text: 'Hello?', context: [], history: [], constraints };
  for await (const event of app.router.answer(prompt, signal)) events.push(event);
  const last = events.at(-1);
  assert.ok(last?.type === 'answer-end', JSON.stringify(last));
  assert.equal(last.result.text, 'From the server next door.');
  assert.equal(last.result.costNanoUsd, 0);
});
