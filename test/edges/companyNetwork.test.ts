/** Each process that talks to the network, behind a proxy that opens TLS with an authority of its own: what it needs, and that nothing goes around. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { environmentOf } from '../../client/src/networkEnvironment.ts';
import { proxyEnvironment } from '../../server/src/models/network.ts';
import type { DoneResult } from '../../server/src/protocol.ts';
import { type InterceptingProxy, startInterceptingProxy } from '../support/interceptingProxy.ts';
import { repositoryRoot } from '../support/localModel.ts';

const PROVIDER = 'provider.company-test.invalid';
const HUB = 'hub.company-test.invalid';
const KEY = 'sk-company-0123456789';
const folder = mkdtempSync(join(tmpdir(), 'router-company-'));
let proxy: InterceptingProxy;

/** A provider that answers one line and a list of models, and a hub with one file. */
function answer(request: IncomingMessage, reply: ServerResponse): void {
  request.resume();
  if (request.headers.host === HUB) {
    reply.writeHead(200, { 'content-length': 9 }).end('the model');
    return;
  }
  if (request.method === 'GET') {
    reply.setHeader('content-type', 'application/json');
    reply.end('{"object":"list","data":[]}');
    return;
  }
  reply.setHeader('content-type', 'text/event-stream');
  const usage = { input_tokens: 20, output_tokens: 3, total_tokens: 23 };
  for (const event of [
    { type: 'response.output_text.delta', delta: 'From behind the proxy.' },
    {
      type: 'response.completed',
      response: { status: 'completed', service_tier: 'default', usage },
    },
  ]) {
    reply.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }
  reply.end();
}

before(async () => {
  proxy = await startInterceptingProxy([PROVIDER, HUB], answer);
});

after(async () => {
  await proxy.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly said: string;
}

/** What every program starts with; nothing of the environment of these tests. */
const plain = () => ({
  PATH: process.env['PATH'],
  HOME: folder,
  COST_AWARE_ROUTER_DATA_DIR: join(folder, 'data'),
});
const behind = () => ({ ...plain(), HTTPS_PROXY: proxy.url });
const trusting = () => ({ ...behind(), NODE_EXTRA_CA_CERTS: proxy.caPath });

async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  const child = spawn(process.execPath, args, {
    env,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said };
}

function ask(env: NodeJS.ProcessEnv, nth: number): Promise<Ended> {
  return run(
    [
      join(repositoryRoot, 'server/src/cli/main.ts'),
      'ask',
      `Plan migration ${nth}.`,
      '--force',
      'openai',
      '--no-cache',
    ],
    { ...env, OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `https://${PROVIDER}/v1` },
  );
}

test('the command line asks the cloud through the proxy, with its authority named or in the system', {
  timeout: 240_000,
}, async () => {
  const named = await ask(trusting(), 1);
  assert.match(named.said, /From behind the proxy/);
  assert.equal(named.code, 0);
  // On Linux this is where the system's store is; nothing else names the authority.
  if (process.platform === 'linux') {
    const system = await ask({ ...behind(), SSL_CERT_FILE: proxy.caPath }, 2);
    assert.match(system.said, /From behind the proxy/);
    const unwanted = await ask(
      { ...behind(), SSL_CERT_FILE: proxy.caPath, NODE_USE_SYSTEM_CA: '0' },
      3,
    );
    assert.notEqual(unwanted.code, 0);
  }
  assert.ok(
    proxy.inside.every((line) => line === `POST ${PROVIDER}/v1/responses`),
    proxy.inside.join(),
  );
});

test('an authority that nobody trusts gets nothing, and nothing goes around the proxy', {
  timeout: 240_000,
}, async () => {
  const before = [...proxy.inside];
  const refused = await ask(behind(), 4);
  assert.notEqual(refused.code, 0);
  assert.deepEqual(proxy.inside, before, 'neither prompt nor key was sent');
  assert.ok(!refused.said.includes(KEY));
  const tunnels = proxy.tunnels.length;
  const around = await ask({ ...trusting(), NO_PROXY: PROVIDER }, 5);
  assert.notEqual(around.code, 0, 'that name leads nowhere without the proxy');
  assert.equal(proxy.tunnels.length, tunnels);
});

test('the language server takes the settings of VS Code', { timeout: 240_000 }, async (t) => {
  const settings = {
    proxy: proxy.url,
    noProxy: [],
    proxySupport: 'override',
    systemCertificates: true,
  };
  const child = spawn(
    process.execPath,
    [join(repositoryRoot, 'server/src/lsp/main.ts'), '--stdio'],
    {
      env: { ...plain(), NODE_EXTRA_CA_CERTS: proxy.caPath, ...environmentOf(settings) },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  t.after(() => child.kill());
  const client = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  const baseUrl = `https://${PROVIDER}/v1`;
  client.onRequest('workspace/configuration', ({ items }: { items: unknown[] }) =>
    items.map((_item, index) => (index === 0 ? { openai: { baseUrl } } : null)),
  );
  client.onRequest('client/registerCapability', () => null);
  client.listen();
  await client.sendRequest('initialize', {
    processId: process.pid,
    rootUri: null,
    capabilities: { workspace: { configuration: true } },
    initializationOptions: { dataDir: join(folder, 'lsp') },
  });
  await client.sendNotification('initialized', {});
  await client.sendRequest('costAwareRouter/setKey', { key: KEY, baseUrl });
  const tested = await client.sendRequest<DoneResult>('costAwareRouter/testKey', null);
  assert.deepEqual([tested.kind, tested.message], ['done', `The key works at ${PROVIDER}.`]);
  assert.equal(proxy.inside.at(-1), `GET ${PROVIDER}/v1/models`);
  client.dispose();
});

test('a download comes through the proxy', { timeout: 240_000 }, async () => {
  const script = join(folder, 'download.mjs');
  const part = join(folder, 'file.part');
  const module = new URL('../../server/src/models/httpDownload.ts', import.meta.url).href;
  writeFileSync(
    script,
    `const { downloadHttp } = await import(${JSON.stringify(module)});
     const done = await downloadHttp('https://${HUB}/file.gguf', ${JSON.stringify(part)}, { expectedBytes: 9 });
     console.log(done.kind, done.why ?? '');`,
  );
  const fetched = await run([script], trusting());
  assert.match(fetched.said, /^complete/m);
  assert.equal(readFileSync(part, 'utf8'), 'the model');
  assert.equal(proxy.inside.at(-1), `GET ${HUB}/file.gguf`);
});

test('which proxy holds: lower case first, this machine never, and none for a star', () => {
  const rows: readonly (readonly [NodeJS.ProcessEnv, Record<string, string>])[] = [
    [{}, { no_proxy: 'localhost,127.0.0.1,[::1],::1' }],
    [
      { HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:2' },
      { https_proxy: 'http://b:2', no_proxy: 'localhost,127.0.0.1,[::1],::1' },
    ],
    [
      { HTTP_PROXY: 'proxy.example:8080', NO_PROXY: '.intern' },
      {
        http_proxy: 'http://proxy.example:8080',
        no_proxy: '.intern,localhost,127.0.0.1,[::1],::1',
      },
    ],
    [{ HTTPS_PROXY: 'http://[nonsense' }, { no_proxy: 'localhost,127.0.0.1,[::1],::1' }],
    [{ HTTPS_PROXY: 'http://a:1', NO_PROXY: '*' }, {}],
  ];
  for (const [environment, expected] of rows)
    assert.deepEqual(proxyEnvironment(environment), expected);
});

test('settings of VS Code as an environment', () => {
  const settings = { proxy: '', noProxy: [], proxySupport: 'override', systemCertificates: true };
  assert.deepEqual(environmentOf(settings), {}, 'what is not set is left to the environment');
  assert.deepEqual(
    environmentOf({
      ...settings,
      proxy: 'http://p:1',
      noProxy: ['a', 'b'],
      systemCertificates: false,
    }),
    {
      https_proxy: 'http://p:1',
      http_proxy: 'http://p:1',
      no_proxy: 'a,b',
      NODE_USE_SYSTEM_CA: '0',
    },
  );
  assert.deepEqual(environmentOf({ ...settings, proxy: 'http://p:1', proxySupport: 'off' }), {
    no_proxy: '*',
  });
});
