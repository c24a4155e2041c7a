/**
 * A canary for the key: after the command line, the REST server and the language server have had it, used it and been refused
 * with it, it is found nowhere but in the request that it was for.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import { ensureSmolLm2, repositoryRoot, testModelsDir } from '../support/localModel.ts';
import { askOf } from './lspHarness.ts';

/** Built here, so that no file of the project holds it. */
const CANARY = ['sk', 'canary', process.pid, 'Xq7Zt9Lm2Kp4Rv8Wb'].join('-');
const SHAPES = [
  CANARY,
  CANARY.slice(0, 22),
  CANARY.slice(-14),
  Buffer.from(CANARY).toString('hex'),
  Buffer.from(CANARY).toString('base64').replace(/=+$/, ''),
  encodeURIComponent(CANARY),
];
const HARD = 'Design a lock-free queue and prove it correct, step by step.';

const folder = mkdtempSync(join(tmpdir(), 'router-canary-'));
const workspace = join(folder, 'workspace');
/** What a provider is told; it answers rudely, with the key in its error. */
const told: IncomingMessage[] = [];
const rude = createServer((request, response) => {
  told.push(request);
  const key = request.headers.authorization ?? '';
  response.writeHead(401, { 'content-type': 'application/json', 'x-echo': key });
  const message = `Incorrect API key provided: ${key}. You sent ${key}`;
  response.end(JSON.stringify({ error: { message, type: key, code: 'invalid_api_key' } }));
});
let baseUrl = '';

before(async () => {
  await ensureSmolLm2();
  mkdirSync(join(workspace, '.vscode'), { recursive: true });
  writeFileSync(join(workspace, '.vscode', 'settings.json'), '{}');
  await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve));
  baseUrl = `http://127.0.0.1:${(rude.address() as AddressInfo).port}/v1`;
});
after(() => {
  rude.closeAllConnections();
  rude.close();
  rmSync(folder, { recursive: true, force: true });
});

function assertNowhere(text: string, where: string): void {
  for (const shape of SHAPES)
    assert.ok(!text.includes(shape), `the key, or a part of it, is in ${where}`);
}

/** Everything that was written: ledger, cache, mirror, speeds, logs, workspace and settings. */
function assertNotOnDisk(): void {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  assert.ok(files.length > 3, 'there are files to search');
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    assertNowhere(readFileSync(path, 'latin1'), path);
  }
}

/** Arguments of a process and of all it started; environments of those it started, and its own where that is not its source. */
function assertNotInProcesses(
  root: ChildProcess,
  ownEnvironment: 'searched' | 'is the source',
): number {
  if (process.platform !== 'linux') return 0;
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const [, parent = ''] = /\) \w (\d+) /.exec(readProc(Number(name), 'stat')) ?? [];
    parents.set(Number(name), Number(parent));
  }
  const family = (pid: number): boolean =>
    pid === root.pid || (parents.has(pid) && family(parents.get(pid) ?? 0));
  const pids = [...parents.keys()].filter((pid) => pid > 1 && family(pid));
  for (const pid of pids) {
    assertNowhere(readProc(pid, 'cmdline'), `the arguments of ${pid}`);
    if (pid === root.pid && ownEnvironment === 'is the source') continue;
    assertNowhere(readProc(pid, 'environ'), `the environment of ${pid}`);
  }
  return pids.length;
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1');
  } catch {
    // It has just ended.
    return '';
  }
}

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Started {
  const child = spawn(process.execPath, [join(repositoryRoot, program), ...args], {
    cwd: workspace,
    env: { ...process.env, COST_AWARE_ROUTER_DEBUG: '1', COST_AWARE_ROUTER_THREADS: '1', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (text) => {
    output += String(text);
  });
  child.stderr.on('data', (text) => {
    output += String(text);
  });
  return { child, output: () => output };
}

const folders = (name: string) => ['--data-dir', join(folder, name), '--models-dir', testModelsDir];
const withKey = () => ({ OPENAI_API_KEY: CANARY, OPENAI_BASE_URL: baseUrl });

test('the command line: refused with the key, and answering locally beside it', async (context) => {
  const told1 = told.length;
  const refused = start(
    'server/src/cli/main.ts',
    [...folders('cli'), 'ask', HARD, '--force', 'openai', '--json'],
    withKey(),
  );
  await once(refused.child, 'close');
  assert.match(refused.output(), /bad_key/);
  assert.ok(told.length > told1, 'the key was used');
  assertNowhere(refused.output(), 'the output of a refusal');

  const local = start(
    'server/src/cli/main.ts',
    [...folders('cli'), 'ask', 'Count from one to a thousand, in words.', '--force', 'cheap'],
    withKey(),
  );
  const ended = once(local.child, 'close');
  let processes = 0;
  // Until the model host is there; looking at every process of a busy machine takes a while.
  while (processes < 2 && local.child.exitCode === null) {
    await delay(200);
    processes = Math.max(processes, assertNotInProcesses(local.child, 'is the source'));
    if (process.platform !== 'linux') break;
  }
  local.child.kill('SIGINT');
  await ended;
  context.diagnostic(`${processes} processes were searched`);
  if (process.platform === 'linux') assert.ok(processes >= 2, 'the model host was among them');
  assertNowhere(local.output(), 'the output of a local answer');
  assertNotOnDisk();
});

test('REST: in no reply, header, document or file', async () => {
  const { child, output } = start(
    'server/src/cli/main.ts',
    [...folders('rest'), 'serve', '--port', '0', '--no-auth'],
    withKey(),
  );
  try {
    let address: string | undefined;
    while (address === undefined) {
      await Promise.race([
        once(child.stdout ?? child, 'data'),
        once(child.stderr ?? child, 'data'),
      ]);
      address = /http:\/\/127\.0\.0\.1:\d+/.exec(output())?.[0];
    }
    const body = (rest: object) => ({
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: HARD, ...rest }),
    });
    const asked: readonly (readonly [string, RequestInit])[] = [
      ['/health', {}],
      ['/models', {}],
      ['/openapi.json', {}],
      ['/spend', {}],
      ['/generate', body({ force_model: 'openai' })],
      ['/generate', body({ force_model: 'openai', dry_run: true })],
      [
        '/generate',
        { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"prompt": ' },
      ],
      ['/nothing', {}],
    ];
    for (const [path, init] of asked) {
      const reply = await fetch(`${address}${path}`, init);
      assertNowhere(JSON.stringify([...reply.headers]), `the headers of ${path}`);
      assertNowhere(await reply.text(), `the reply of ${path}`);
    }
    assertNotInProcesses(child, 'is the source');
    assertNowhere(output(), 'the output of serve');
    assertNotOnDisk();
  } finally {
    child.kill('SIGTERM');
    await once(child, 'close');
  }
});

test('the language server: handed over the pipe, refused, in a crash of the model host and in errors', async () => {
  const { child, output } = start('server/src/lsp/main.ts', ['--stdio'], {});
  const connection = createMessageConnection(
    new StreamMessageReader(child.stdout ?? process.stdin),
    new StreamMessageWriter(child.stdin ?? process.stdout),
  );
  const heard: unknown[] = [];
  connection.onNotification((method: string, params: unknown) => {
    heard.push([method, params]);
  });
  connection.onRequest('workspace/configuration', ({ items }: { items: unknown[] }) =>
    items.map((_item, index) =>
      index === 0 ? { threads: 1, openai: { baseUrl }, history: { enabled: true } } : null,
    ),
  );
  connection.listen();
  const request = async (method: string, params: unknown) => {
    const reply: unknown = await connection.sendRequest(method, params).catch(String);
    heard.push(reply);
    return reply;
  };
  try {
    await connection.sendRequest('initialize', {
      processId: process.pid,
      rootUri: `file://${workspace}`,
      capabilities: { workspace: { configuration: true } },
      initializationOptions: { dataDir: join(folder, 'lsp'), modelsDir: testModelsDir },
    });
    await connection.sendNotification('initialized', {});
    const before = told.length;
    await request('costAwareRouter/setKey', { key: CANARY, baseUrl });
    await request('costAwareRouter/testKey', null);
    await request('costAwareRouter/answer', askOf(HARD, { destination: 'cloud' }));
    assert.ok(told.length >= before + 2, 'the key was used, for the test and for the answer');
    const local = connection.sendRequest(
      'costAwareRouter/answer',
      askOf('Count from one to a hundred, in words.', { destination: 'local' }),
    );
    while (!heard.some((one) => JSON.stringify(one).includes('"kind":"delta"')))
      await once(child.stdout ?? child, 'data');
    const processes = assertNotInProcesses(child, 'searched');
    if (process.platform === 'linux') {
      assert.ok(processes >= 2, 'the model host was among them');
      for (const pid of hostsOf(child)) process.kill(pid, 'SIGSEGV');
    }
    heard.push(await local);
    await request('costAwareRouter/wouldSend', askOf(HARD, { destination: 'cloud' }));
    await request('costAwareRouter/routes', { offset: 0, limit: 10 });
    await request('costAwareRouter/trace', { promptId: null });
    await request('costAwareRouter/status', null);
    await request('costAwareRouter/setKey', { key: CANARY, baseUrl: 7 });
    await request('costAwareRouter/export', { month: '2026-11', format: 'jsonl' });
    assert.equal(await keyAtOtherAddress(), 0);
    assertNowhere(JSON.stringify(heard), 'what the client was told');
    assertNowhere(
      output().replaceAll(/Content-Length[\s\S]*?\r\n\r\n/g, ''),
      'the output of the server',
    );
    assertNotOnDisk();
  } finally {
    connection.dispose();
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  /** How often a server at another address was called after the key was entered for this one. */
  async function keyAtOtherAddress(): Promise<number> {
    let calls = 0;
    const other = createServer((_request, response) => {
      calls++;
      response.end();
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const own = baseUrl;
    baseUrl = `http://127.0.0.1:${(other.address() as AddressInfo).port}/v1`;
    await connection.sendNotification('workspace/didChangeConfiguration', { settings: null });
    await request('costAwareRouter/setKey', { key: CANARY, baseUrl: own });
    const refused = await request('costAwareRouter/answer', askOf(HARD, { destination: 'cloud' }));
    assert.match(JSON.stringify(refused), /no_api_key/);
    baseUrl = own;
    other.close();
    return calls;
  }
});

function hostsOf(root: ChildProcess): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => new RegExp(`\\) \\w ${root.pid} `).test(readProc(pid, 'stat')));
}
