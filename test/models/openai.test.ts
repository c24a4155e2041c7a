/**
 * The cloud tier with the real SDK over real HTTP: a mock provider that this project did not write for the usual
 * answers, and a bare socket server for the faults of the wire.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { LLMock } from '@copilotkit/aimock';
import type { Failure } from '../../server/src/core/errors.ts';
import type { GenerationRequest, ModelEvent } from '../../server/src/core/ports.ts';
import type { CloudModel } from '../../server/src/core/types.ts';
import { type CloudOptions, createCloudModels } from '../../server/src/models/openai.ts';

const KEY = 'sk-test-0123456789abcdef';
const SECRET_WORDS = 'the launch code is tangerine';

function cloudModel(provider: CloudModel['provider'], over: Partial<CloudModel> = {}): CloudModel {
  return {
    id: 'm',
    label: 'M',
    tier: 'escalation',
    enabled: true,
    contextWindow: 100_000,
    maxOutputTokens: 4096,
    ability: { kind: 'size', billions: 70 },
    provider,
    apiModel: 'gpt-6-sol',
    key: 'openai',
    tools: true,
    ...over,
  };
}

function request(text: string): GenerationRequest {
  return {
    system: 'Be brief.',
    turns: [
      { role: 'user', text: 'Hi.' },
      { role: 'assistant', text: 'Hello.' },
      { role: 'user', text },
    ],
    maxOutputTokens: 321,
  };
}

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

interface Answer {
  readonly text: string;
  readonly final: ModelEvent;
  readonly sent: readonly Sent[];
}

interface Ask extends Partial<CloudOptions> {
  readonly model: CloudModel;
  readonly text?: string;
  readonly signal?: AbortSignal;
  readonly onDelta?: (text: string) => void;
}

/** Asks once and reads the stream to its end, of which there must be exactly one, and it must be the last. */
async function ask({
  model,
  text = SECRET_WORDS,
  signal,
  onDelta,
  ...options
}: Ask): Promise<Answer> {
  const sent: Sent[] = [];
  const models = createCloudModels({
    key: () => KEY,
    timeoutMs: 60_000,
    fetch: (input, init) => {
      const body = JSON.parse(String(init?.body));
      sent.push({ url: String(input), headers: new Headers(init?.headers), body });
      return fetch(input, init);
    },
    ...options,
  });
  const events: ModelEvent[] = [];
  for await (const event of models.generate(
    model,
    request(text),
    signal ?? new AbortController().signal,
  )) {
    events.push(event);
    if (event.type === 'text-delta') onDelta?.(event.text);
  }
  const finals = events.filter(({ type }) => type === 'end' || type === 'failed');
  assert.equal(finals.length, 1);
  assert.equal(events.at(-1), finals[0]);
  const deltas = events.flatMap((event) => (event.type === 'text-delta' ? [event.text] : []));
  return { text: deltas.join(''), final: finals[0]!, sent };
}

function assertFailed(final: ModelEvent, expected: Partial<Failure>): void {
  assert.equal(final.type, 'failed');
  const failure = final.type === 'failed' ? final.failure : assert.fail();
  assert.partialDeepStrictEqual(failure, expected);
  assert.ok(!failure.message.includes(KEY), 'no key in a message');
  assert.ok(!failure.message.includes('tangerine'), 'no prompt in a message');
}

const USAGE_UNTOLD = {
  inputTokens: undefined,
  cachedInputTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: undefined,
  reasoningTokens: undefined,
};

describe('against a mock provider', () => {
  const mock = new LLMock({ port: 0, chunkSize: 5 });
  before(() => mock.start());
  after(() => mock.stop());

  const both = ['openai', 'openai-compatible'] as const;
  const at = (provider: CloudModel['provider'], over: Partial<CloudModel> = {}) =>
    cloudModel(provider, { baseUrl: `${mock.url}/v1`, ...over });

  for (const provider of both) {
    test(`${provider}: text in deltas, then the end with its usage`, async () => {
      mock.reset();
      const answered = {
        content: 'An answer in pieces.',
        usage: { prompt_tokens: 40, completion_tokens: 7, input_tokens: 40, output_tokens: 7 },
      };
      // What comes at once is read at once.
      mock.onMessage(/tangerine/, answered, { latency: 20 });
      const pieces: string[] = [];
      const { text, final } = await ask({
        model: at(provider),
        onDelta: (piece) => pieces.push(piece),
      });
      assert.equal(text, 'An answer in pieces.');
      assert.ok(pieces.length > 1);
      assert.deepEqual(final, {
        type: 'end',
        finish: 'stop',
        usage: { ...USAGE_UNTOLD, inputTokens: 40, outputTokens: 7 },
      });
      assert.equal(mock.getRequests().length, 1);
    });

    const refusals: readonly (readonly [string, number, string, Partial<Failure>])[] = [
      [
        'a wrong key',
        401,
        'invalid_api_key',
        { code: 'bad_key', billing: 'nothing', retryable: false },
      ],
      ['a forbidden model', 403, 'model_not_allowed', { code: 'bad_key', billing: 'nothing' }],
      ['an unknown model', 404, 'model_not_found', { code: 'unknown_model', billing: 'nothing' }],
      ['a bad request', 400, 'unsupported_parameter', { code: 'bad_request', billing: 'nothing' }],
      [
        'a long prompt',
        400,
        'context_length_exceeded',
        { code: 'context_limit', billing: 'nothing' },
      ],
      [
        'a spent account',
        429,
        'insufficient_quota',
        { code: 'quota_exceeded', billing: 'nothing', retryable: false },
      ],
      [
        'too many requests',
        429,
        'rate_limit_exceeded',
        { code: 'rate_limited', billing: 'nothing', retryable: true, retryAfterMs: 7000 },
      ],
      [
        'a server fault',
        500,
        'server_error',
        { code: 'provider_unavailable', billing: 'unknown', retryable: true },
      ],
      [
        'an overload',
        503,
        'overloaded',
        { code: 'provider_unavailable', billing: 'unknown', retryable: true },
      ],
    ];
    for (const [name, status, code, expected] of refusals) {
      test(`${provider}: ${name} (${status}) is told once and not tried again`, async () => {
        mock.reset();
        // The provider's sentence echoes what must not be passed on.
        const message = `Incorrect API key ${KEY} for "${SECRET_WORDS}"`;
        mock.onMessage(/tangerine/, { error: { message, code, type: 'x' }, status, retryAfter: 7 });
        const { final } = await ask({ model: at(provider) });
        assertFailed(final, { ...expected, httpStatus: status });
        assert.ok(final.type === 'failed' && final.failure.message.includes(code));
        assert.equal(mock.getRequests().length, 1);
      });
    }

    test(`${provider}: a disconnect in mid-stream is a cut, and its bill unknown`, async () => {
      mock.reset();
      mock.onMessage(
        /tangerine/,
        { content: 'A long answer that stops.' },
        { truncateAfterChunks: 4, latency: 5 },
      );
      const { final } = await ask({ model: at(provider) });
      assertFailed(final, { code: 'stream_cut', billing: 'unknown', retryable: true });
      assert.equal(mock.getRequests().length, 1);
    });

    test(`${provider}: an answer cut by its cap ends with length`, async () => {
      mock.reset();
      mock.onMessage(/tangerine/, { content: 'Too long', finishReason: 'length' });
      const { final } = await ask({ model: at(provider) });
      assert.equal(final.type === 'end' && final.finish, 'length');
    });
  }

  test('every option that moves the bill is pinned (Responses)', async () => {
    mock.reset();
    mock.onMessage(/tangerine/, { content: 'ok' });
    const { sent } = await ask({ model: at('openai', { reasoningEffort: 'low' }) });
    assert.equal(sent.length, 1);
    assert.match(sent[0]!.url, /\/v1\/responses$/);
    assert.deepEqual(sent[0]!.body, {
      model: 'gpt-6-sol',
      instructions: 'Be brief.',
      input: [
        { role: 'user', content: 'Hi.' },
        { role: 'assistant', content: 'Hello.' },
        { role: 'user', content: SECRET_WORDS },
      ],
      max_output_tokens: 321,
      service_tier: 'default',
      store: false,
      stream: true,
      reasoning: { effort: 'low' },
    });
  });

  test('every option that moves the bill is pinned (Chat Completions)', async () => {
    mock.reset();
    mock.onMessage(/tangerine/, { content: 'ok' });
    const { sent } = await ask({ model: at('openai-compatible') });
    assert.match(sent[0]!.url, /\/v1\/chat\/completions$/);
    const { messages, ...rest } = sent[0]!.body;
    assert.deepEqual(rest, {
      model: 'gpt-6-sol',
      max_tokens: 321,
      n: 1,
      stream: true,
      stream_options: { include_usage: true },
    });
    assert.ok(Array.isArray(messages));
    assert.deepEqual(messages[0], { role: 'system', content: 'Be brief.' });
    assert.equal(messages.length, 4);
  });

  test('a server without a key gets none, and no headers of the environment', async (t) => {
    mock.reset();
    mock.onMessage(/tangerine/, { content: 'ok' });
    Object.assign(process.env, { OPENAI_CUSTOM_HEADERS: 'x-gateway-secret: hush' });
    t.after(() => Reflect.deleteProperty(process.env, 'OPENAI_CUSTOM_HEADERS'));
    const withoutKey = await ask({
      model: at('openai-compatible', { key: 'none' }),
      key: () => assert.fail('asked for the key'),
    });
    const withKey = await ask({ model: at('openai') });
    const ours = ['accept', 'content-type', 'user-agent'];
    assert.deepEqual([...withoutKey.sent[0]!.headers.keys()], ours);
    assert.deepEqual(
      [...withKey.sent[0]!.headers.keys()],
      ['accept', 'authorization', ...ours.slice(1)],
    );
    assert.equal(withKey.sent[0]!.headers.get('authorization'), `Bearer ${KEY}`);
  });

  test('the key is asked for by base URL, and only provider openai follows the override', async () => {
    mock.reset();
    mock.onMessage(/tangerine/, { content: 'ok' });
    const asked: string[] = [];
    const key = (baseUrl: string) => {
      asked.push(baseUrl);
      return KEY;
    };
    const openaiBaseUrl = `${mock.url}/v1`;
    await ask({ model: cloudModel('openai'), openaiBaseUrl, key });
    assert.deepEqual(asked, [openaiBaseUrl]);
    const elsewhere = createCloudModels({ key, openaiBaseUrl });
    const compatible = cloudModel('openai-compatible', { baseUrl: 'http://127.0.0.1:9/v1' });
    assert.equal(elsewhere.identity(compatible), 'openai-compatible:127.0.0.1:9:gpt-6-sol');
    assert.equal(
      elsewhere.identity(cloudModel('openai')),
      `openai:${new URL(mock.url).host}:gpt-6-sol`,
    );
  });
});

test('availability tells a missing key, and generating without it sends nothing', async () => {
  const models = createCloudModels({ key: () => undefined });
  assert.deepEqual(models.availability(cloudModel('openai')), { kind: 'no_api_key' });
  assert.deepEqual(models.availability(cloudModel('openai', { key: 'none' })), { kind: 'ready' });
  const { final, sent } = await ask({ model: cloudModel('openai'), key: () => undefined });
  assertFailed(final, { code: 'no_api_key', billing: 'nothing' });
  assert.equal(sent.length, 0);
});

// The wire --------------------------------------------------------------------------------------------------------

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Serves one handler on a port of its own for the length of a call. */
async function served<Result>(
  handler: Handler,
  use: (baseUrl: string) => Promise<Result>,
): Promise<Result> {
  const server = createServer((incoming, response) => {
    incoming.resume().on('end', () => handler(incoming, response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return await use(`http://127.0.0.1:${port}/v1`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function stream(...events: readonly unknown[]): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of events) response.write(sse(event));
    response.end();
  };
}

function sse(event: unknown): string {
  return `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`;
}

const delta = (text: string) => ({ type: 'response.output_text.delta', delta: text });
const completed = (response: object) => ({ type: 'response.completed', response });
const chunk = (content: string, finish: string | null = null) => ({
  choices: [{ index: 0, delta: { content }, finish_reason: finish }],
});

const RESPONSE_USAGE = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 64, cache_write_tokens: 16 },
  output_tokens: 30,
  output_tokens_details: { reasoning_tokens: 12 },
};
const CHAT_USAGE = {
  prompt_tokens: 100,
  prompt_tokens_details: { cached_tokens: 64, cache_write_tokens: 16 },
  completion_tokens: 30,
  completion_tokens_details: { reasoning_tokens: 12 },
};
const USAGE = {
  inputTokens: 100,
  cachedInputTokens: 64,
  cacheWriteTokens: 16,
  outputTokens: 30,
  reasoningTokens: 12,
};

describe('on the wire', () => {
  const ends: readonly (readonly [string, CloudModel['provider'], readonly unknown[], object])[] = [
    [
      'cached and reasoning tokens',
      'openai',
      [delta('a'), completed({ status: 'completed', usage: RESPONSE_USAGE })],
      { finish: 'stop', usage: USAGE },
    ],
    [
      'cached and reasoning tokens',
      'openai-compatible',
      [chunk('a'), chunk('', 'stop'), { choices: [], usage: CHAT_USAGE }, '[DONE]'],
      { finish: 'stop', usage: USAGE },
    ],
    [
      'usage that nobody tells',
      'openai',
      [delta('a'), completed({ status: 'completed' })],
      { finish: 'stop', usage: USAGE_UNTOLD },
    ],
    [
      'usage that nobody tells',
      'openai-compatible',
      [chunk('a', 'stop'), '[DONE]'],
      { finish: 'stop', usage: USAGE_UNTOLD },
    ],
    [
      'usage that is no count',
      'openai-compatible',
      [
        chunk('a', 'stop'),
        { choices: [], usage: { prompt_tokens: -1, completion_tokens: 'many' } },
        '[DONE]',
      ],
      { finish: 'stop', usage: USAGE_UNTOLD },
    ],
    [
      'a cap',
      'openai',
      [
        delta('a'),
        {
          type: 'response.incomplete',
          response: {
            status: 'incomplete',
            incomplete_details: { reason: 'max_output_tokens' },
            usage: RESPONSE_USAGE,
          },
        },
      ],
      { finish: 'length', usage: USAGE },
    ],
    [
      'a filter',
      'openai',
      [
        delta('a'),
        {
          type: 'response.incomplete',
          response: { status: 'incomplete', incomplete_details: { reason: 'content_filter' } },
        },
      ],
      { finish: 'refusal' },
    ],
    [
      'a refusal',
      'openai',
      [
        { type: 'response.refusal.delta', delta: 'a' },
        completed({ status: 'completed', usage: RESPONSE_USAGE }),
      ],
      { finish: 'refusal', usage: USAGE },
    ],
    [
      'a refusal',
      'openai-compatible',
      [
        { choices: [{ delta: { refusal: 'a' }, finish_reason: null }] },
        chunk('', 'stop'),
        '[DONE]',
      ],
      { finish: 'refusal' },
    ],
    [
      'a filter',
      'openai-compatible',
      [chunk('a'), chunk('', 'content_filter'), '[DONE]'],
      { finish: 'refusal' },
    ],
    [
      'an end without its DONE',
      'openai-compatible',
      [chunk('a', 'stop')],
      { finish: 'stop', usage: USAGE_UNTOLD },
    ],
  ];
  const tell = (response: object, usage: object = {}): readonly unknown[] => [
    delta('a'),
    completed({ status: 'completed', ...response, usage: { ...RESPONSE_USAGE, ...usage } }),
  ];
  const tellChat = (usage: object, more: object = {}): readonly unknown[] => [
    { ...chunk('a', 'stop'), ...more },
    { choices: [], usage: { ...CHAT_USAGE, ...usage } },
    '[DONE]',
  ];
  const input = (more: object) => ({
    input_tokens_details: { ...RESPONSE_USAGE.input_tokens_details, ...more },
  });
  /** What a provider may bill beyond the counts that a price row holds; `undefined` is nothing. */
  const features: readonly (readonly [
    CloudModel['provider'],
    readonly unknown[],
    unpriced: string | undefined,
  ])[] = [
    ['openai', tell({ service_tier: 'default' }, { total_tokens: 130 }), undefined],
    [
      'openai',
      tell({ service_tier: null, tool_usage: { web_search: { num_requests: 0 } } }),
      undefined,
    ],
    ['openai', tell({}, input({ cache_write_tokens_details: { ttl_30m_tokens: 16 } })), undefined],
    ['openai', tell({ service_tier: 'priority' }), 'service_tier_priority'],
    ['openai', tell({ service_tier: 'flex' }), 'service_tier_flex'],
    ['openai', tell({ service_tier: 'a tier\nwith words' }), 'service_tier_unknown'],
    ['openai', tell({ tool_usage: { web_search: { num_requests: 1 } } }), 'num_requests'],
    [
      'openai',
      tell({}, input({ cache_write_tokens_details: { ttl_12h_tokens: 16 } })),
      'ttl_12h_tokens',
    ],
    ['openai', tell({}, input({ audio_tokens: 3 })), 'audio_tokens'],
    ['openai', tell({}, { total_tokens: 131 }), 'further_tokens'],
    [
      'openai-compatible',
      tellChat({ total_tokens: 130 }, { service_tier: 'on_demand' }),
      undefined,
    ],
    [
      'openai-compatible',
      tellChat({ completion_tokens_details: { rejected_prediction_tokens: 4, text_tokens: 9 } }),
      undefined,
    ],
    ['openai-compatible', tellChat({}, { service_tier: 'priority' }), 'service_tier_priority'],
    [
      'openai-compatible',
      tellChat({ completion_tokens_details: { audio_tokens: 4 } }),
      'audio_tokens',
    ],
    ['openai-compatible', tellChat({ prompt_tokens_details: { image_tokens: 4 } }), 'image_tokens'],
    // Reasoning that is not among the completion's tokens.
    ['openai-compatible', tellChat({ total_tokens: 142 }), 'further_tokens'],
  ];
  for (const [provider, events, unpriced] of features) {
    const told = JSON.stringify(events.slice(1).concat(events[0]));
    test(`${provider}: unpriced is ${unpriced ?? 'nothing'} in ${told}`, async () => {
      const { final } = await served(stream(...events), (baseUrl) =>
        ask({ model: cloudModel(provider, { baseUrl }) }),
      );
      assert.ok(final.type === 'end');
      assert.equal(final.usage.unpriced, unpriced);
    });
  }

  for (const [name, provider, events, expected] of ends) {
    test(`${provider}: ${name}`, async () => {
      const { text, final } = await served(stream(...events), (baseUrl) =>
        ask({ model: cloudModel(provider, { baseUrl }) }),
      );
      assert.equal(text, 'a');
      assert.partialDeepStrictEqual(final, { type: 'end', ...expected });
    });
  }

  const faults: readonly (readonly [string, CloudModel['provider'], Handler, Partial<Failure>])[] =
    [
      ['an early end', 'openai', stream(delta('half')), { code: 'stream_cut', billing: 'unknown' }],
      [
        'an early end',
        'openai-compatible',
        stream(chunk('half')),
        { code: 'stream_cut', billing: 'unknown' },
      ],
      [
        'an early end after DONE',
        'openai-compatible',
        stream(chunk('half'), '[DONE]'),
        { code: 'stream_cut', billing: 'unknown' },
      ],
      ['an empty stream', 'openai', stream(), { code: 'stream_cut', billing: 'unknown' }],
      [
        'a malformed chunk',
        'openai',
        stream(delta('half'), '{"type": "resp'),
        { code: 'stream_cut', billing: 'unknown' },
      ],
      [
        'a malformed chunk',
        'openai-compatible',
        stream(chunk('half'), '{]'),
        { code: 'stream_cut', billing: 'unknown' },
      ],
      [
        'a chunk that is no object',
        'openai-compatible',
        stream(chunk('half'), 'null'),
        { code: 'stream_cut', billing: 'unknown' },
      ],
      [
        'a failed response',
        'openai',
        stream({
          type: 'response.failed',
          response: { status: 'failed', error: { code: 'server_error', message: SECRET_WORDS } },
        }),
        { code: 'provider_unavailable', retryable: true, billing: 'unknown' },
      ],
      [
        'a policy',
        'openai',
        stream({ type: 'response.failed', response: { error: { code: 'bio_policy' } } }),
        { code: 'refusal', retryable: false, billing: 'unknown' },
      ],
      [
        'an error event',
        'openai-compatible',
        stream(chunk('half'), { error: { code: 'rate_limit_exceeded', message: KEY } }),
        { code: 'rate_limited', retryable: true, billing: 'unknown' },
      ],
      [
        'a reset before an answer',
        'openai',
        (incoming) => incoming.socket.resetAndDestroy(),
        { code: 'provider_unavailable', retryable: true, billing: 'unknown' },
      ],
      [
        'a redirect',
        'openai',
        (_incoming, response) =>
          void response.writeHead(307, { location: 'http://127.0.0.1:9/' }).end(),
        { code: 'bad_request', httpStatus: 307, billing: 'unknown' },
      ],
      [
        'a status that is not known to be unbilled',
        'openai-compatible',
        (_incoming, response) => void response.writeHead(422).end(),
        { code: 'bad_request', billing: 'unknown' },
      ],
      [
        'words about the context',
        'openai-compatible',
        (_incoming, response) =>
          void response
            .writeHead(400)
            .end('{"error":{"message":"maximum context length is 4096"}}'),
        { code: 'context_limit' },
      ],
      [
        'retry-after-ms',
        'openai',
        (_incoming, response) =>
          void response.writeHead(429, { 'retry-after-ms': '1500.2', 'retry-after': '9' }).end(),
        { code: 'rate_limited', retryAfterMs: 1501 },
      ],
    ];
  for (const [name, provider, handler, expected] of faults) {
    test(`${provider}: ${name} is told as ${expected.code}`, async () => {
      let requests = 0;
      const counting: Handler = (...exchange) => {
        requests++;
        handler(...exchange);
      };
      const { final } = await served(counting, (baseUrl) =>
        ask({ model: cloudModel(provider, { baseUrl }) }),
      );
      assertFailed(final, expected);
      assert.equal(requests, 1);
    });
  }

  test('retry-after as a date is a wait from now', async () => {
    const date = new Date(Date.now() + 60_000).toUTCString();
    const handler: Handler = (_incoming, response) =>
      void response.writeHead(429, { 'retry-after': date }).end();
    const { final } = await served(handler, (baseUrl) =>
      ask({ model: cloudModel('openai', { baseUrl }) }),
    );
    const waitMs = final.type === 'failed' ? final.failure.retryAfterMs : undefined;
    assert.ok(waitMs !== undefined && waitMs > 30_000 && waitMs <= 60_000, `got ${waitMs}`);
  });

  for (const [when, handler] of [
    ['before the answer', () => undefined],
    ['within an error', (_incoming, response) => void response.writeHead(500).write('{"error"')],
    ['within it', (_incoming, response) => void response.writeHead(200).write(sse(delta('half')))],
  ] satisfies readonly (readonly [string, Handler])[]) {
    test(`silence ${when} is a timeout, and its bill unknown`, async () => {
      const { final } = await served(handler, (baseUrl) =>
        ask({ model: cloudModel('openai', { baseUrl }), timeoutMs: 80 }),
      );
      assertFailed(final, { code: 'timeout', billing: 'unknown', retryable: true });
    });
  }

  test('a slow reader is no silence of the provider', async () => {
    const handler: Handler = (_incoming, response) => {
      response.writeHead(200).write(sse(delta('a')));
      void setTimeout(50).then(() =>
        response.end(sse(delta('b')) + sse(completed({ status: 'completed' }))),
      );
    };
    await served(handler, async (baseUrl) => {
      const models = createCloudModels({ key: () => KEY, timeoutMs: 1000 });
      const model = cloudModel('openai', { baseUrl });
      const events: ModelEvent[] = [];
      for await (const event of models.generate(
        model,
        request('x'),
        new AbortController().signal,
      )) {
        events.push(event);
        // The rest has arrived long before this reader asks for it.
        if (events.length === 1) await setTimeout(1500);
      }
      assert.deepEqual(
        events.map(({ type }) => type),
        ['text-delta', 'text-delta', 'end'],
      );
    });
  });

  test('a refused connection bills nothing', async () => {
    const closedUrl = await served(stream(), async (baseUrl) => baseUrl);
    const { final } = await ask({ model: cloudModel('openai', { baseUrl: closedUrl }) });
    assertFailed(final, { code: 'provider_unavailable', retryable: true, billing: 'nothing' });
  });

  test('a port that fetch asks never bills nothing, and is not tried again', async () => {
    const { final } = await ask({
      model: cloudModel('openai', { baseUrl: 'http://127.0.0.1:10080/v1' }),
    });
    assertFailed(final, { code: 'provider_unavailable', retryable: false, billing: 'nothing' });
    const message = final.type === 'failed' ? final.failure.message : '';
    assert.match(message, /127\.0\.0\.1:10080.* listen on another port/);
  });

  test('an unknown host bills nothing', async () => {
    const { final } = await ask({
      model: cloudModel('openai', { baseUrl: 'http://no-such-host.invalid/v1' }),
    });
    assertFailed(final, { code: 'provider_unavailable', retryable: true, billing: 'nothing' });
  });

  test('a handshake that fails bills nothing', async () => {
    const { final } = await served(stream(), (baseUrl) =>
      ask({ model: cloudModel('openai', { baseUrl: baseUrl.replace('http:', 'https:') }) }),
    );
    assertFailed(final, { code: 'provider_unavailable', retryable: true, billing: 'nothing' });
  });
});

describe('cancelling', () => {
  test('before the request leaves: nothing is sent or billed', async () => {
    const { final, sent } = await ask({ model: cloudModel('openai'), signal: AbortSignal.abort() });
    assertFailed(final, { code: 'cancelled', billing: 'nothing' });
    assert.equal(sent.length, 0);
  });

  for (const provider of ['openai', 'openai-compatible'] as const) {
    test(`${provider}: a cancelled answer is read on in silence until its usage is known`, async () => {
      const abort = new AbortController();
      const first = provider === 'openai' ? delta('seen') : chunk('seen');
      const rest =
        provider === 'openai'
          ? [delta('unseen'), completed({ status: 'completed', usage: RESPONSE_USAGE })]
          : [chunk('unseen', 'stop'), { choices: [], usage: CHAT_USAGE }, '[DONE]'];
      const handler: Handler = (_incoming, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(sse(first));
        abort.signal.addEventListener('abort', () => {
          for (const event of rest) response.write(sse(event));
          response.end();
        });
      };
      const { text, final } = await served(handler, (baseUrl) =>
        ask({
          model: cloudModel(provider, { baseUrl }),
          signal: abort.signal,
          onDelta: () => abort.abort(),
        }),
      );
      assert.equal(text, 'seen');
      assert.deepEqual(final, { type: 'end', finish: 'stop', usage: USAGE });
    });
  }

  test('past the time for that, the connection is closed and the bill unknown', async () => {
    const abort = new AbortController();
    const closed = Promise.withResolvers<void>();
    const handler: Handler = (_incoming, response) => {
      response.on('close', () => closed.resolve());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(sse(delta('seen')));
    };
    await served(handler, async (baseUrl) => {
      const model = cloudModel('openai', { baseUrl });
      const { final } = await ask({
        model,
        signal: abort.signal,
        drainMs: 20,
        onDelta: () => abort.abort(),
      });
      assertFailed(final, { code: 'cancelled', billing: 'unknown' });
      await closed.promise;
    });
  });

  test('while the provider has not begun to answer, its refusal still proves that nothing is billed', async () => {
    const abort = new AbortController();
    const handler: Handler = (_incoming, response) => {
      abort.abort();
      response.writeHead(429).end();
    };
    const { final } = await served(handler, (baseUrl) =>
      ask({ model: cloudModel('openai', { baseUrl }), signal: abort.signal }),
    );
    assertFailed(final, { code: 'cancelled', billing: 'nothing' });
  });

  for (const provider of ['openai', 'openai-compatible'] as const) {
    test(`${provider}: the next call goes over the same connection`, async () => {
      const ports = new Set<number | undefined>();
      const whole =
        provider === 'openai'
          ? [delta('a'), completed({ status: 'completed' })]
          : [
              { choices: [{ index: 0, delta: { content: 'a' }, finish_reason: 'stop' }] },
              { choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } },
              '[DONE]',
            ];
      const handler: Handler = (incoming, response) => {
        ports.add(incoming.socket.remotePort);
        stream(...whole)(incoming, response);
      };
      await served(handler, async (baseUrl) => {
        const models = createCloudModels({ key: () => KEY });
        const model = cloudModel(provider, { baseUrl });
        const { signal } = new AbortController();
        for (let call = 0; call < 3; call++) {
          const events: ModelEvent[] = [];
          // As the router reads: no further than the end.
          const told = models.generate(model, request('x'), signal)[Symbol.asyncIterator]();
          for (let next = await told.next(); next.done !== true; next = await told.next()) {
            events.push(next.value);
            if (next.value.type === 'end') break;
          }
          assert.deepEqual(
            events.map(({ type }) => type),
            ['text-delta', 'end'],
          );
          await setTimeout(20);
        }
      });
      assert.equal(ports.size, 1);
    });
  }

  test('a reader who leaves closes the connection at once', async () => {
    const closed = Promise.withResolvers<void>();
    const handler: Handler = (_incoming, response) => {
      response.on('close', () => closed.resolve());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(sse(delta('seen')));
    };
    await served(handler, async (baseUrl) => {
      const models = createCloudModels({ key: () => KEY });
      const model = cloudModel('openai', { baseUrl });
      for await (const _event of models.generate(model, request('x'), new AbortController().signal))
        break;
      await closed.promise;
    });
  });
});
