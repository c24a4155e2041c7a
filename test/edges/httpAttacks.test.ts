/** Attacks on the REST edge over a real loopback socket; each ends with a good client that is answered. */
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { tokenProblem } from '../../server/src/http/access.ts';
import { type ServeOptions, type Serving, serveHttp } from '../../server/src/http/serveHttp.ts';
import { createCloudModels } from '../../server/src/models/openai.ts';
import { scriptedRouter } from '../support/scriptedPorts.ts';
import { problemOf, scriptedApi } from './httpApi.ts';

type Scripted = ReturnType<typeof scriptedApi>;

async function serving(
  t: TestContext,
  { api }: Scripted,
  limits: ServeOptions['limits'] = {},
): Promise<Serving> {
  const served = await serveHttp({ api, port: 0, limits: { closeMs: 0, ...limits } });
  t.after(() => served.close());
  return served;
}

async function dial(t: TestContext, { port }: Serving): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** However it ends: a reset is as good as an orderly close. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function answered({ url }: Serving): Promise<void> {
  assert.equal((await fetch(`${url}/health`)).status, 200);
}

/** Sends a piece every few milliseconds, for as long as the server lets it; resolves with what the server said. */
async function drip(socket: Socket, head: string, piece: string): Promise<string> {
  let said = '';
  socket.on('data', (data) => {
    said += data;
  });
  socket.write(head);
  const dripping = setInterval(() => socket.write(piece), 10);
  socket.once('close', () => clearInterval(dripping));
  await closing(socket);
  return said;
}

const POST = 'POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';

test('slowloris: headers and bodies that come a byte at a time lose their connection', {
  timeout: 60_000,
}, async (t) => {
  const scripted = scriptedApi({}, { limits: { concurrent: 4 } });
  const server = await serving(t, scripted, { headersMs: 300, requestMs: 400, checkMs: 50 });
  const slow = Array.from({ length: 20 }, async (_, nth) => {
    const socket = await dial(t, server);
    return nth % 2 === 0
      ? await drip(socket, POST, 'x')
      : await drip(socket, `${POST}Content-Length: 100000\r\n\r\n{"prompt":"`, 'x');
  });
  await answered(server);
  for (const said of await Promise.all(slow)) assert.match(said, /^HTTP\/1\.1 (408|503) |^$/);
  const body = JSON.stringify({ prompt: 'Why?' });
  const headers = { 'content-type': 'application/json' };
  const next = await fetch(`${server.url}/generate`, { method: 'POST', headers, body });
  assert.equal(next.status, 200, 'no slot is left taken');
  assert.deepEqual(scripted.defects, []);
});

test('a connection that never says anything is closed', { timeout: 60_000 }, async (t) => {
  const server = await serving(t, scriptedApi(), { headersMs: 100, requestMs: 150, checkMs: 20 });
  const silent = await Promise.all(Array.from({ length: 5 }, () => dial(t, server)));
  await Promise.all(silent.map((socket) => closing(socket.resume())));
  await answered(server);
});

test('a client that asks without ever reading is dropped', { timeout: 60_000 }, async (t) => {
  const piece = new Uint8Array(64 * 1024);
  // Far more than the buffers of both ends hold.
  const pieces = 500;
  const api = {
    secured: true,
    fetch: async () => {
      let left = pieces;
      const body = new ReadableStream({
        pull: (controller) => (left-- > 0 ? controller.enqueue(piece) : controller.close()),
      });
      return new Response(body);
    },
  };
  const server = await serveHttp({ api, port: 0, limits: { unreadMs: 1000, checkMs: 50 } });
  t.after(() => server.close());
  const socket = await dial(t, server);
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  socket.pause();
  // A paused socket notices its end only when it is written to.
  const poke = setInterval(() => socket.write('\r\n'), 20);
  socket.once('close', () => clearInterval(poke));
  await closing(socket);
  const patient = await fetch(server.url);
  assert.equal((await patient.arrayBuffer()).byteLength, pieces * piece.length);
});

test('no more connections than the limit, and the next one gets in when one leaves', {
  timeout: 60_000,
}, async (t) => {
  const server = await serving(t, scriptedApi(), { connections: 3 });
  const held = await Promise.all(Array.from({ length: 3 }, () => dial(t, server)));
  const over = await dial(t, server);
  await closing(over.resume());
  await assert.rejects(fetch(`${server.url}/health`));
  held[0]?.destroy();
  for (;;) {
    const reply = await fetch(`${server.url}/health`).catch(() => undefined);
    if (reply?.status === 200) return;
  }
});

test('huge and deep JSON is refused with a sentence, and the server goes on', {
  timeout: 60_000,
}, async (t) => {
  const scripted = scriptedApi();
  const server = await serving(t, scripted);
  const depth = 2_000_000;
  const rows: readonly (readonly [name: string, body: string, status: number, code: string])[] = [
    ['deep arrays', `${'['.repeat(depth)}${']'.repeat(depth)}`, 400, 'invalid_json'],
    ['deep arrays that never close', '['.repeat(depth), 400, 'invalid_json'],
    ['deep objects', `${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}`, 400, 'invalid_json'],
    [
      'deep inside a field',
      `{"prompt":"a","context":${'['.repeat(depth)}${']'.repeat(depth)}}`,
      400,
      'invalid_json',
    ],
    [
      'many keys',
      `{${Array.from({ length: 50_000 }, (_, nth) => `"k${nth}":0`).join()},"prompt":"a"}`,
      400,
      'invalid_request',
    ],
    [
      'the same key again and again',
      `{${'"prompt":"a",'.repeat(100_000)}"prompt":7}`,
      400,
      'invalid_request',
    ],
    [
      'a long number',
      `{"prompt":"a","max_cost_usd":${'9'.repeat(4_000_000)}}`,
      400,
      'invalid_request',
    ],
    [
      'many turns',
      JSON.stringify({ prompt: 'a', history: Array(100_000).fill({}) }),
      400,
      'invalid_request',
    ],
    ['prototype', '{"prompt":"a","__proto__":{"dry_run":true}}', 400, 'invalid_request'],
    ['constructor', '{"prompt":"a","constructor":{"prototype":{}}}', 400, 'invalid_request'],
    ['more than the limit', `{"prompt":"${'x'.repeat(5_000_000)}"}`, 413, 'body_too_large'],
  ];
  for (const [name, body, status, code] of rows) {
    await t.test(name, async () => {
      const headers = { 'content-type': 'application/json' };
      const reply = await fetch(`${server.url}/generate`, { method: 'POST', headers, body });
      const problem = await problemOf(reply);
      assert.deepEqual([reply.status, problem.code], [status, code]);
      assert.ok(problem.message.length < 500, 'what was sent is not sent back');
      await answered(server);
    });
  }
  assert.deepEqual([scripted.calls.length, scripted.defects], [0, []]);
});

test('upgrades, tunnels and smuggled requests get nowhere', { timeout: 60_000 }, async (t) => {
  const scripted = scriptedApi({}, { token: 'T'.repeat(43) });
  const server = await serving(t, scripted, { headersMs: 500, requestMs: 500, checkMs: 50 });
  const host = 'Host: localhost\r\n';
  const rows: readonly (readonly [string, RegExp])[] = [
    [`CONNECT localhost:22 HTTP/1.1\r\n${host}\r\n`, /^$|^HTTP\/1\.1 4/],
    [
      `GET /spend HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n`,
      /^HTTP\/1\.1 401 /,
    ],
    [
      `GET /spend HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n`,
      /^HTTP\/1\.1 401 /,
    ],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^$|^HTTP\/1\.1 400 /],
    // A body with two lengths could be one thing to a proxy and another to us.
    [`${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`${POST}Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345`, /^HTTP\/1\.1 400 /],
    [`${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, /^HTTP\/1\.1 4/],
    [`GET /health HTTP/1.1\n${host}X : y\r\n\r\n`, /^HTTP\/1\.1 400 /],
    [`GET /health HTTP/1.1\r\n${host}X: a\rb\r\n\r\n`, /^HTTP\/1\.1 400 /],
  ];
  for (const [text, expected] of rows) {
    const socket = await dial(t, server);
    let said = '';
    socket.on('data', (data) => {
      said += data;
    });
    const closed = closing(socket);
    socket.end(text);
    await closed;
    assert.match(said, expected, text.slice(0, 80));
  }
  await answered(server);
});

test('a page that rebound its name to this machine reaches nothing', async (t) => {
  const scripted = scriptedApi();
  const server = await serving(t, scripted);
  const socket = await dial(t, server);
  const own = `attacker.example:${server.port}`;
  const body = JSON.stringify({ prompt: 'Why?' });
  socket.end(
    `POST /generate HTTP/1.1\r\nHost: ${own}\r\nOrigin: http://${own}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
  let said = '';
  for await (const data of socket) said += data;
  assert.match(said, /^HTTP\/1\.1 403 [\s\S]*"forbidden_host"/);
  assert.equal(scripted.calls.length, 0);
});

test('no page of another origin is ever given CORS, not even to ask whether it may', async (t) => {
  const { url } = await serving(t, scriptedApi());
  for (const method of ['OPTIONS', 'POST', 'GET']) {
    const reply = await fetch(`${url}/generate`, {
      method,
      headers: {
        origin: url,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    const cors = [...reply.headers.keys()].filter((name) => name.startsWith('access-control-'));
    assert.deepEqual([cors, reply.ok], [[], false], method);
  }
});

test('who asks too often is told how long to wait; a guesser is told sooner, and holds up nobody', async () => {
  let nowMs = 0;
  const clock = { now: () => Date.UTC(2026, 10, 1), monotonicMs: () => nowMs };
  const token = 'T'.repeat(43);
  const { ports } = scriptedRouter();
  const { get } = scriptedApi(
    {},
    {
      token,
      ports: { ...ports, clock },
      limits: { rate: { perSecond: 2, burst: 3 }, strangerRate: { perSecond: 0.1, burst: 2 } },
    },
  );
  const right = { authorization: `Bearer ${token}` };
  const wrong = { authorization: 'Bearer guess' };
  const statuses = async (headers: Record<string, string>, times: number) => {
    const told: number[] = [];
    for (let nth = 0; nth < times; nth++) told.push((await get('/spend', headers)).status);
    return told;
  };
  assert.deepEqual(await statuses(wrong, 4), [401, 401, 429, 429]);
  assert.deepEqual(await statuses(right, 4), [200, 200, 200, 429]);
  const over = await get('/spend', wrong);
  assert.deepEqual(
    [over.headers.get('retry-after'), (await problemOf(over)).code],
    ['10', 'too_many_requests'],
  );
  assert.equal((await get('/health')).status, 200, 'health is told in any rush');
  nowMs = 500;
  assert.deepEqual(await statuses(right, 2), [200, 429]);
  nowMs = 60_000;
  assert.deepEqual(await statuses(wrong, 3), [401, 401, 429], 'no more than the burst is saved up');
});

test('the token is compared in constant time, whatever was sent', (t) => {
  const compared = t.mock.method(crypto, 'timingSafeEqual');
  syncBuiltinESMExports();
  t.after(() => {
    compared.mock.restore();
    syncBuiltinESMExports();
  });
  const token = 'T'.repeat(43);
  const guesses = ['', 'x', `${'T'.repeat(42)}x`, `x${'T'.repeat(42)}`, 'T'.repeat(500), token];
  for (const guess of guesses) {
    const headers = { authorization: `Bearer ${guess || '-'}` };
    tokenProblem(new Request('http://localhost/spend', { headers }), '/spend', token);
  }
  const lengths = compared.mock.calls.map(({ arguments: [a, b] }) => [a.byteLength, b.byteLength]);
  assert.deepEqual(
    lengths,
    guesses.map(() => [32, 32]),
    'every guess is compared as a hash',
  );
});

test('no failure tells the key, however the provider or the network repeats it', async () => {
  const KEY = 'sk-canary-0123456789abcdef';
  const echoes: readonly (() => Promise<Response>)[] = [
    async () => Response.json({ error: { message: `Incorrect API key: ${KEY}` } }, { status: 401 }),
    async () => Response.json({ error: { message: KEY, code: KEY } }, { status: 400 }),
    async () => new Response(`<h1>${KEY}</h1>`, { status: 500 }),
    async () =>
      new Response(`data: {"error":{"message":"${KEY}","code":"${KEY}"}}\n\n`, {
        headers: { 'content-type': 'text/event-stream' },
      }),
    async () =>
      new Response(
        `data: {"type":"response.failed","response":{"error":{"code":"${KEY}","message":"${KEY}"}}}\n\n`,
        { headers: { 'content-type': 'text/event-stream' } },
      ),
    async () =>
      new Response(`data: not json ${KEY}\n\n`, {
        headers: { 'content-type': 'text/event-stream' },
      }),
    async () => {
      throw new TypeError(`connect failed with Bearer ${KEY}`, { cause: new Error(KEY) });
    },
  ];
  for (const echo of echoes) {
    for (const stream of [false, true]) {
      const cloud = createCloudModels({ key: () => KEY, fetch: echo });
      const scripted = scriptedApi({ settings: { maxRetries: 0 } });
      Object.assign(scripted.ports, { cloud });
      const reply = await scripted.post('/generate', {
        prompt: 'a',
        force_model: 'openai',
        stream,
      });
      const text = `${JSON.stringify([...reply.headers])}${await reply.text()}`;
      assert.match(text, /"error"|event: error/);
      assert.ok(!text.includes(KEY), text);
      assert.ok(!JSON.stringify(scripted.records).includes(KEY));
    }
  }
});
