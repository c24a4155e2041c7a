/** What the edge turns away before the router sees it, with the code and the field that a program can act on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemOf, scriptedApi } from './httpApi.ts';

async function check(
  response: Promise<Response>,
  status: number,
  code: string,
  path: string | null = null,
): Promise<string> {
  const reply = await response;
  const problem = await problemOf(reply);
  assert.deepEqual([reply.status, problem.code, problem.path], [status, code, path]);
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  return problem.message;
}

test('bad bodies of /generate', async (t) => {
  const { post, calls, records } = scriptedApi();
  const rows: readonly (readonly [body: unknown, code: string, path: string | null])[] = [
    ['', 'invalid_json', null],
    ['{"prompt": "a"', 'invalid_json', null],
    ["{'prompt': 'a'}", 'invalid_json', null],
    ['null', 'invalid_request', null],
    ['[]', 'invalid_request', null],
    ['"text"', 'invalid_request', null],
    [{}, 'invalid_request', 'prompt'],
    [{ prompt: 7 }, 'invalid_request', 'prompt'],
    [{ prompt: '' }, 'invalid_request', 'prompt'],
    [{ prompt: ' \n' }, 'invalid_request', 'prompt'],
    [{ prompt: 'a', model: 'x' }, 'invalid_request', 'model'],
    ['{"prompt": "a", "__proto__": {}}', 'invalid_request', '__proto__'],
    [{ prompt: 'a', max_cost_usd: '1' }, 'invalid_request', 'max_cost_usd'],
    [{ prompt: 'a', max_cost_usd: -0.01 }, 'invalid_request', 'max_cost_usd'],
    [{ prompt: 'a', max_cost_usd: null }, 'invalid_request', 'max_cost_usd'],
    ['{"prompt": "a", "max_cost_usd": 1e999}', 'invalid_request', 'max_cost_usd'],
    [{ prompt: 'a', max_latency_ms: 0 }, 'invalid_request', 'max_latency_ms'],
    [{ prompt: 'a', min_quality: 1.01 }, 'invalid_request', 'min_quality'],
    [{ prompt: 'a', privacy: 'none' }, 'invalid_request', 'privacy'],
    [{ prompt: 'a', max_output_tokens: 1.5 }, 'invalid_request', 'max_output_tokens'],
    [{ prompt: 'a', dry_run: 'yes' }, 'invalid_request', 'dry_run'],
    [{ prompt: 'a', request_id: 'has space' }, 'invalid_request', 'request_id'],
    [{ prompt: 'a', session_id: 'x'.repeat(129) }, 'invalid_request', 'session_id'],
    [{ prompt: 'a', context: {} }, 'invalid_request', 'context'],
    [{ prompt: 'a', context: [{ kind: 'file' }] }, 'invalid_request', 'context[0].text'],
    [
      { prompt: 'a', context: [{ kind: 'file', text: '', by: 1 }] },
      'invalid_request',
      'context[0].by',
    ],
    [
      {
        prompt: 'a',
        history: [
          { role: 'user', text: 'a' },
          { role: 'system', text: 'b' },
        ],
      },
      'invalid_request',
      'history[1].role',
    ],
    [{ prompt: 'a', force_model: 3 }, 'invalid_request', 'force_model'],
    [{ prompt: 'a', force_model: 'gpt-unheard-of' }, 'unknown_model', 'force_model'],
  ];
  for (const [body, code, path] of rows) {
    await t.test(JSON.stringify(body), async () => {
      const message = await check(post('/generate', body), 400, code, path);
      assert.match(message, /^expected .+; |^expected a body of valid JSON, got /);
    });
  }
  assert.deepEqual([calls.length, records.length], [0, 0]);
});

test('bad bodies of /route', async () => {
  const { post } = scriptedApi();
  await check(
    post('/route', { prompt: 'a', max_cost_usd: 1 }),
    400,
    'invalid_request',
    'max_cost_usd',
  );
  await check(
    post('/route', { prompt: 'a', max_latency: -1 }),
    400,
    'invalid_request',
    'max_latency',
  );
  await check(post('/route', { max_cost: 1 }), 400, 'invalid_request', 'prompt');
});

test('the sentence says what was expected, and never repeats the text that came', async () => {
  const { post } = scriptedApi();
  const rows = [
    [{ prompt: 7 }, 'expected string, got number; GET /docs lists the fields'],
    [{}, 'expected string, got nothing; GET /docs lists the fields'],
    [{ prompt: 'a', min_quality: 2 }, 'expected number of at most 1; GET /docs lists the fields'],
    [{ prompt: 'a', max_output_tokens: 0 }, 'expected number above 0; GET /docs lists the fields'],
  ] as const;
  for (const [body, message] of rows) {
    assert.equal((await problemOf(await post('/generate', body))).message, message);
  }
  const sent = await post('/generate', { prompt: 'a', privacy: 'my-secret-text' });
  assert.ok(!(await sent.text()).includes('my-secret-text'));
  const long = await post('/generate', { prompt: 'a', ['k'.repeat(10_000)]: 1 });
  assert.ok((await long.text()).length < 600);
});

test('a body must be JSON and say so', async () => {
  const { post } = scriptedApi();
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
  ]) {
    const headers = { 'content-type': type };
    await check(post('/generate', { prompt: 'a' }, { headers }), 415, 'unsupported_media_type');
  }
  const headers = { 'content-type': 'Application/JSON; charset=utf-8' };
  assert.equal((await post('/generate', { prompt: 'a' }, { headers })).status, 200);
});

test('unknown paths and methods', async () => {
  const { api, get } = scriptedApi();
  const ask = (method: string, path: string) =>
    api.fetch(new Request(`http://localhost${path}`, { method }));
  await check(get('/'), 404, 'not_found');
  await check(get('/generate/'), 404, 'not_found');
  await check(ask('PUT', '/generate'), 405, 'method_not_allowed');
  await check(ask('GET', '/generate'), 405, 'method_not_allowed');
  await check(ask('OPTIONS', '/generate'), 405, 'method_not_allowed');
  assert.equal((await ask('GET', '/route')).headers.get('allow'), 'POST');
  assert.equal((await ask('POST', '/spend')).headers.get('allow'), 'GET, HEAD');
  const head = await ask('HEAD', '/health');
  assert.deepEqual([head.status, await head.text()], [200, '']);
});

test('a body or a prompt that is too long is refused, whatever its length header says', async () => {
  const { post } = scriptedApi({}, { limits: { bodyBytes: 1000 } });
  const long = { prompt: 'x'.repeat(1000) };
  await check(post('/generate', long), 413, 'body_too_large');
  const bytes = new TextEncoder().encode(JSON.stringify(long));
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 100) controller.enqueue(bytes.slice(at, at + 100));
      controller.close();
    },
  });
  await check(post('/generate', '', { body, duplex: 'half' }), 413, 'body_too_large');
  const lying = { 'content-type': 'application/json', 'content-length': '1001' };
  await check(post('/generate', { prompt: 'a' }, { headers: lying }), 413, 'body_too_large');
  assert.equal((await post('/generate', { prompt: 'x'.repeat(900) })).status, 200);

  const { post: roomy } = scriptedApi();
  const context = Array.from({ length: 4 }, () => ({ kind: 'text', text: 'x'.repeat(1_000_000) }));
  const message = await check(
    roomy('/generate', { prompt: 'a', context }),
    413,
    'prompt_too_long',
    'prompt',
  );
  assert.match(message, /expected at most 4000000 characters .*, got 4000001;/);
});

test('one request more than the server works on is sent away, and the next is answered', async () => {
  const { post, get } = scriptedApi({}, { limits: { concurrent: 1 } });
  const first = await post('/generate', { prompt: 'a', stream: true });
  const busy = await post('/generate', { prompt: 'b' });
  assert.deepEqual([busy.status, busy.headers.get('retry-after')], [503, '1']);
  assert.equal((await problemOf(busy)).code, 'too_busy');
  assert.equal((await get('/health')).status, 200);
  await first.text();
  assert.equal((await post('/generate', { prompt: 'b' })).status, 200);
  assert.equal((await post('/generate', 'no json')).status, 400);
  const left = await post('/generate', { prompt: 'c', stream: true });
  await left.body?.cancel();
  assert.equal((await post('/generate', { prompt: 'd' })).status, 200);
});
