/** The edge on a real loopback socket: cancelling, odd requests, slow senders and readers, and closing. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type ServeOptions, type Serving, serveHttp } from '../../server/src/http/serveHttp.ts';
import { LOCAL, says } from '../support/scriptedPorts.ts';
import { endless, eventsOf, problemOf, scriptedApi } from './httpApi.ts';

/** Taken before any server starts. */
const globals = [globalThis.Request, globalThis.Response];

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

const post = (body: object): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

async function dial(t: TestContext, { port }: Serving): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends a raw request and reads until the server closes the connection. */
async function raw(t: TestContext, server: Serving, text: string): Promise<string> {
  const socket = await dial(t, server);
  socket.write(text);
  let reply = '';
  for await (const chunk of socket) reply += chunk;
  return reply;
}

test('a client that leaves a stream cancels the work', { timeout: 60_000 }, async (t) => {
  const { answer, stopped } = endless();
  const scripted = scriptedApi(
    { answers: { [LOCAL]: [answer, says('next', { sure: true })] } },
    {
      limits: { concurrent: 1 },
    },
  );
  const { url } = await serving(t, scripted);
  const client = new AbortController();
  const reply = await fetch(`${url}/generate`, {
    ...post({ prompt: 'Why?', stream: true }),
    signal: client.signal,
  });
  assert.ok(reply.body);
  for await (const { event } of eventsOf(reply.body)) if (event === 'delta') break;
  client.abort();
  await stopped;
  const next = await fetch(`${url}/generate`, post({ prompt: 'And now?' }));
  assert.equal(next.status, 200, 'the slot is free again');
  assert.deepEqual(
    scripted.records.map(({ status }) => status),
    ['cancelled', 'complete'],
  );
  assert.deepEqual(scripted.defects, []);
});

test('a client that leaves before its JSON reply cancels the work', {
  timeout: 60_000,
}, async (t) => {
  const { answer, started, stopped } = endless();
  const scripted = scriptedApi({ answers: { [LOCAL]: [answer] } });
  const { url } = await serving(t, scripted);
  const client = new AbortController();
  const asked = fetch(`${url}/generate`, { ...post({ prompt: 'Why?' }), signal: client.signal });
  await started;
  client.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  await stopped;
  assert.deepEqual(scripted.defects, []);
});

test('a killed connection cancels the work too', { timeout: 60_000 }, async (t) => {
  const { answer, started, stopped } = endless();
  const server = await serving(t, scriptedApi({ answers: { [LOCAL]: [answer] } }));
  const socket = await dial(t, server);
  const body = JSON.stringify({ prompt: 'Why?' });
  socket.write(
    `POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await started;
  socket.resetAndDestroy();
  await stopped;
});

test('a reader that stops reading loses its stream', { timeout: 60_000 }, async (t) => {
  const stopped = Promise.withResolvers<void>();
  const scripted = scriptedApi(
    {
      answers: {
        [LOCAL]: [
          async function* (_request, signal) {
            signal.addEventListener('abort', () => stopped.resolve(), { once: true });
            while (!signal.aborted) yield { type: 'text-delta', text: 'x'.repeat(100_000) };
            yield {
              type: 'failed',
              failure: { code: 'cancelled', message: '', retryable: false, billing: 'nothing' },
            };
          },
        ],
      },
    },
    { limits: { stalledMs: 50 } },
  );
  const server = await serving(t, scripted);
  const socket = await dial(t, server);
  socket.pause();
  const body = JSON.stringify({ prompt: 'Why?', stream: true });
  socket.write(
    `POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await stopped.promise;
  assert.deepEqual(scripted.defects, []);
});

test('requests that only a raw socket can make', { timeout: 60_000 }, async (t) => {
  const scripted = scriptedApi();
  const server = await serving(t, scripted);
  const close = 'Connection: close\r\n\r\n';
  const rows: readonly (readonly [string, RegExp])[] = [
    [`GET /health HTTP/1.1\r\nHost: localhost\r\n${close}`, /^HTTP\/1\.1 200 /],
    [`GET /health HTTP/1.0\r\n${close}`, /^HTTP\/1\.1 403 [\s\S]*"forbidden_host"/],
    [`GET /health HTTP/1.1\r\n${close}`, /^HTTP\/1\.1 403 [\s\S]*"forbidden_host"/],
    [`GET /health HTTP/1.1\r\nHost:\r\n${close}`, /^HTTP\/1\.1 403 [\s\S]*"forbidden_host"/],
    [`GET /health HTTP/1.1\r\nHost: a b\r\n${close}`, /^HTTP\/1\.1 403 [\s\S]*"forbidden_host"/],
    [`GET /health HTTP/1.1\r\nHost: evil.example\r\n${close}`, /^HTTP\/1\.1 403 /],
    [`GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n${close}`, /^HTTP\/1\.1 403 /],
    [
      `GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n${close}`,
      /^HTTP\/1\.1 40[03] /,
    ],
    [`GET /a/../health HTTP/1.1\r\nHost: localhost\r\n${close}`, /^HTTP\/1\.1 200 /],
    [
      `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n${close}`,
      /^HTTP\/1\.1 431 /,
    ],
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    [
      `POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5000001\r\n${close}{`,
      /^HTTP\/1\.1 413 [\s\S]*"body_too_large"/,
    ],
  ];
  for (const [text, expected] of rows) {
    assert.match(await raw(t, server, text), expected, text.slice(0, 80));
  }
  assert.deepEqual(scripted.defects, []);
});

test('a body that never comes to its end is cut off', { timeout: 60_000 }, async (t) => {
  const scripted = scriptedApi({}, { limits: { concurrent: 1 } });
  const server = await serving(t, scripted, {
    // Long enough for the quick sender at the end on a busy machine.
    headersMs: 1000,
    requestMs: 1500,
    checkMs: 20,
  });
  const head = 'POST /generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const body = await raw(t, server, `${head}Content-Length: 100\r\n\r\n{"prompt"`);
  assert.match(body, /^HTTP\/1\.1 408 |^$/);
  assert.match(await raw(t, server, head), /^HTTP\/1\.1 408 /, 'headers that never end');
  const next = await fetch(`${server.url}/generate`, post({ prompt: 'Why?' }));
  assert.equal(next.status, 200, 'the slot of the slow sender is free again');
  assert.deepEqual(scripted.defects, []);
});

test('a big body over the limit is answered and dropped', { timeout: 60_000 }, async (t) => {
  const { url } = await serving(t, scriptedApi());
  const reply = await fetch(`${url}/generate`, post({ prompt: 'x'.repeat(5_000_000) }));
  assert.deepEqual([reply.status, (await problemOf(reply)).code], [413, 'body_too_large']);
});

test('closing lets a running answer end and cuts one that does not', {
  timeout: 60_000,
}, async (t) => {
  const go = Promise.withResolvers<void>();
  const slow = endless();
  const asked = Promise.withResolvers<void>();
  const scripted = scriptedApi({
    answers: {
      [LOCAL]: [
        async function* (request, signal) {
          asked.resolve();
          await go.promise;
          yield* says('in time', { sure: true })(request, signal);
        },
        slow.answer,
      ],
    },
  });
  const patient = await serveHttp({ api: scripted.api, port: 0 });
  const reply = fetch(`${patient.url}/generate`, post({ prompt: 'Why?' }));
  await asked.promise;
  const closed = patient.close();
  await assert.rejects(fetch(`${patient.url}/health`));
  go.resolve();
  assert.equal((await reply).status, 200);
  await closed;

  const hasty = await serving(t, scripted, { closeMs: 1 });
  const cut = fetch(`${hasty.url}/generate`, post({ prompt: 'And why?' }));
  await slow.started;
  await Promise.all([hasty.close(), assert.rejects(cut), slow.stopped]);
});

test('serving leaves the globals of the program alone', async (t) => {
  await serving(t, scriptedApi());
  assert.deepEqual([globalThis.Request, globalThis.Response], globals);
});

test('a taken port and an open door are refused with a sentence', async (t) => {
  const scripted = scriptedApi();
  const { port } = await serving(t, scripted);
  await assert.rejects(
    serveHttp({ api: scripted.api, port }),
    /^Error: expected to listen on 127\.0\.0\.1 port \d+, got EADDRINUSE; choose another port/,
  );
  await assert.rejects(
    serveHttp({ api: scripted.api, host: '0.0.0.0', port: 0 }),
    /expected a loopback address for a server without a token, got 0\.0\.0\.0/,
  );
  const secured = scriptedApi({}, { token: 'T'.repeat(43) });
  const open = await serveHttp({ api: secured.api, host: '0.0.0.0', port: 0 });
  t.after(() => open.close());
  const reply = await fetch(`http://127.0.0.1:${open.port}/spend`);
  assert.equal(reply.status, 401);
});
