/** Replies and streams of the calls that decide and answer: what is told, what is unknown, and how a failure looks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FailureCode, failure } from '../../server/src/core/errors.ts';
import { problemStatus } from '../../server/src/http/problems.ts';
import { BIG, fails, LOCAL, MINI, registry, type Script, says } from '../support/scriptedPorts.ts';
import { allEvents, endless, problemOf, type StreamEvent, scriptedApi } from './httpApi.ts';

const hard = { scores: { [LOCAL]: 0.8 } };
const noKey = { [MINI]: { kind: 'no_api_key' }, [BIG]: { kind: 'no_api_key' } } as const;

// biome-ignore lint/suspicious/noExplicitAny: replies of many shapes are compared with literals
type Json = any;

async function answered(script: Script, body: object): Promise<Json> {
  const reply = await scriptedApi(script).post('/generate', body);
  assert.equal(reply.status, 200, await reply.clone().text());
  return await reply.json();
}

const names = (events: readonly StreamEvent[]) =>
  events.map(({ event }) => event).filter((name, at, all) => name !== all[at - 1]);

test('a local answer: free, with tokens, time, savings, reason and trace', async () => {
  const reply = await answered({}, { prompt: 'Why is the sky blue?', request_id: 'mine' });
  assert.equal(reply.request_id, 'mine');
  assert.equal(reply.text, `answer of ${LOCAL}`);
  assert.deepEqual([reply.chosen_model, reply.served, reply.finish], [LOCAL, 'local', 'stop']);
  assert.deepEqual([reply.tokens_in, reply.tokens_out], [100, 50]);
  assert.deepEqual([reply.cost_usd, reply.cost_is_bound, reply.cache_hit], [0, false, false]);
  assert.ok(reply.latency_ms >= 0 && reply.saved_cost_usd > 0 && reply.quality_proxy > 0.5);
  assert.equal(reply.savings_unknown_because, undefined);
  assert.match(reply.route_reason, /^prompt_complexity_low\(score=0\.20, /);
  assert.match(reply.reason, /^Looks easy \(0\.20 of 0\.50; question\)\.$/);
  assert.ok(reply.trace.candidates.length > 1 && reply.trace.confidence.value > 0);
  assert.deepEqual(reply.trace.attempts[0].outcome, 'answered');
});

test('a cloud answer is billed in dollars, from the usage that the provider told', async () => {
  const reply = await answered(hard, { prompt: 'Plan the migration.' });
  assert.deepEqual([reply.chosen_model, reply.served], [BIG, 'cloud']);
  // 100 input tokens at 10 USD and 50 output tokens at 40 USD per million.
  assert.equal(reply.cost_usd, 0.003);
  assert.ok(reply.estimated_cost_usd > 0 && reply.cost_bound_usd >= reply.estimated_cost_usd);
  assert.match(reply.route_reason, /^prompt_complexity_high\(/);
  assert.equal(reply.trace.attempts[0].price_row, `${BIG}@2026-01-01`);
});

test('unknown is null, with the reason, and never zero', async () => {
  const untold = { inputTokens: undefined, outputTokens: undefined };
  const script = { ...hard, answers: { [BIG]: [says('yes', { usage: untold })] } };
  const reply = await answered(script, { prompt: 'Plan it.' });
  assert.deepEqual([reply.tokens_in, reply.tokens_out, reply.saved_cost_usd], [null, null, null]);
  assert.equal(reply.savings_unknown_because, 'tokens_unknown');
  assert.equal(reply.cost_is_bound, true);
  assert.ok(reply.cost_usd > 0.003 && reply.cost_usd <= reply.cost_bound_usd, 'booked at a bound');
});

test('each constraint reaches the router', async () => {
  const rows: readonly (readonly [script: Script, body: object, model: string, code: string])[] = [
    [hard, { force_model: 'cheap' }, LOCAL, 'forced'],
    [{}, { force_model: 'openai' }, BIG, 'forced'],
    [{}, { force_model: MINI }, MINI, 'forced'],
    [hard, { max_cost_usd: 0 }, LOCAL, 'cost_limit'],
    [hard, { privacy: 'local-only' }, LOCAL, 'privacy_floor'],
    [{}, { min_quality: 0.999 }, LOCAL, 'quality_unreachable'],
  ];
  for (const [script, body, model, code] of rows) {
    const reply = await answered(script, { prompt: 'Why?', ...body });
    const reached = [reply.chosen_model, reply.route_reason.split('(')[0]];
    if (code === 'quality_unreachable') assert.equal(reached[1], code);
    else assert.deepEqual(reached, [model, code], JSON.stringify(body));
  }
  const { post, calls } = scriptedApi();
  await post('/generate', {
    prompt: 'Why?',
    max_output_tokens: 7,
    context: [{ kind: 'file', text: 'const a = 1;', path: 'a.ts', language: 'typescript' }],
    history: [{ role: 'user', text: 'before' }],
  });
  const [call] = calls;
  assert.equal(call?.request.maxOutputTokens, 7);
  assert.deepEqual(
    call?.request.turns.map(({ text }) => text.includes('const a = 1;') || text),
    ['before', true],
  );
});

test('a disabled model can not be forced', async () => {
  const models = registry.models.map((model) => ({ ...model, enabled: model.id !== MINI }));
  const { post, calls } = scriptedApi({ registry: { ...registry, models } });
  const reply = await post('/generate', { prompt: 'Why?', force_model: MINI });
  const { code, path } = await problemOf(reply);
  assert.deepEqual([reply.status, code, path], [400, 'unknown_model', 'force_model']);
  assert.equal(calls.length, 0);
});

test('a second time the answer comes from the cache, unless it is not wanted', async () => {
  const { post, calls } = scriptedApi(hard);
  const ask = async (body: object): Promise<Json> =>
    await (await post('/generate', { prompt: 'Plan it.', ...body })).json();
  await ask({});
  const hit = await ask({});
  assert.deepEqual([hit.cache_hit, hit.served, hit.cost_usd], [true, 'cache', 0]);
  assert.match(hit.route_reason, /^cache_hit\(/);
  assert.ok(hit.saved_cost_usd > 0);
  assert.equal(calls.length, 1);
  assert.equal((await ask({ use_cache: false })).cache_hit, false);
});

test('a dry run decides and estimates, and neither generates, spends nor records', async () => {
  const { post, calls, records, reservations } = scriptedApi(hard);
  const reply: Json = await (await post('/generate', { prompt: 'Plan it.', dry_run: true })).json();
  const { text, served, finish, cost_usd, cache_hit, saved_cost_usd } = reply;
  assert.deepEqual(
    { text, served, finish, cost_usd, cache_hit, saved_cost_usd },
    { text: null, served: null, finish: null, cost_usd: 0, cache_hit: null, saved_cost_usd: null },
  );
  assert.equal(reply.savings_unknown_because, 'dry_run');
  assert.deepEqual([reply.tokens_in, reply.tokens_out, reply.latency_ms], [null, null, null]);
  assert.equal(reply.chosen_model, BIG);
  assert.ok(reply.estimated_cost_usd > 0);
  const stream = await post('/generate', { prompt: 'Plan it.', dry_run: true, stream: true });
  const events = await allEvents(stream);
  assert.deepEqual(names(events), ['route', 'end']);
  assert.deepEqual([calls.length, records.length, reservations.size], [0, 0, 0]);
});

test('a stream: route, pieces of text, and at its end what the JSON reply would have been', async () => {
  for (const [body, headers] of [
    [{ prompt: 'Why?', stream: true }, {}],
    [{ prompt: 'Why?' }, { accept: 'text/event-stream' }],
    [{ prompt: 'Why?' }, { accept: 'application/json;q=0.5, text/event-stream;q=1' }],
  ] as const) {
    const { post } = scriptedApi();
    const init = { headers: { 'content-type': 'application/json', ...headers } };
    const reply = await post('/generate', body, init);
    assert.match(reply.headers.get('content-type') ?? '', /^text\/event-stream/);
    const events = await allEvents(reply);
    assert.deepEqual(names(events), ['route', 'delta', 'end']);
    const text = events.filter(({ event }) => event === 'delta').map(({ data }) => data.text);
    const last = events.at(-1)?.data;
    assert.equal(text.join(''), last.text);
    assert.deepEqual([last.chosen_model, last.cost_usd], [LOCAL, 0]);
    assert.equal(events[0]?.data.request_id, last.request_id);
  }
});

test('text with line ends and odd characters comes through a stream as it was', async () => {
  const text = 'one\r\n\n\u2028data: two\nevent: end\n\n{"a":"ü😀"}\u0000';
  const { post } = scriptedApi({ answers: { [LOCAL]: [says(text, { sure: true })] } });
  const events = await allEvents(await post('/generate', { prompt: 'Why?', stream: true }));
  const pieces = events.filter(({ event }) => event === 'delta').map(({ data }) => data.text);
  assert.deepEqual([pieces.join(''), events.at(-1)?.data.text], [text, text]);
});

test('a deferred draft and a fallback are told in the stream', async () => {
  const unsure = { [LOCAL]: [says('um well', { sure: false })] };
  const deferred = scriptedApi({ answers: { ...unsure, [BIG]: [says('the answer')] } });
  const events = await allEvents(
    await deferred.post('/generate', { prompt: 'Why?', stream: true }),
  );
  assert.deepEqual(names(events), ['route', 'delta', 'deferred', 'delta', 'end']);
  const drafts = events.filter(({ event, data }) => event === 'delta' && data.draft);
  assert.deepEqual(new Set(drafts.map(({ data }) => data.model)), new Set([LOCAL]));
  const deferral = events.find(({ event }) => event === 'deferred')?.data;
  assert.equal(deferral.to_model, BIG);
  assert.ok(deferral.confidence.value < deferral.confidence.needed);

  const down = fails(failure('provider_unavailable', 'down'));
  const fallback = scriptedApi({ ...hard, answers: { [BIG]: [down], [MINI]: [down] } });
  const told = await allEvents(await fallback.post('/generate', { prompt: 'Why?', stream: true }));
  const started = told.find(({ event }) => event === 'fallback')?.data;
  assert.match(started.route_reason, /^provider_unavailable\(wanted=cloud-big, /);
  assert.equal(told.at(-1)?.event, 'end');
});

test('a reader that cancels the stream cancels the work', { timeout: 60_000 }, async () => {
  const { answer, started, stopped } = endless();
  const { post, defects, router } = scriptedApi({ answers: { [LOCAL]: [answer] } });
  const reply = await post('/generate', { prompt: 'Why?', stream: true });
  const reader = reply.body?.getReader();
  await Promise.all([started, reader?.read(), reader?.read()]);
  await reader?.cancel();
  await stopped;
  await router.idle();
  assert.deepEqual(defects, []);
});

test('a refusal of the router has its status and its reason, streamed or not', async () => {
  const rows: readonly (readonly [Script, object, number, string, RegExp])[] = [
    [{ availability: noKey }, { force_model: 'openai' }, 503, 'no_api_key', /would_?[cC]ost/],
    [{}, { force_model: 'openai', max_cost_usd: 0 }, 422, 'cost_limit', /wanted=cloud-big/],
    [{}, { force_model: 'openai', privacy: 'local-only' }, 422, 'privacy_floor', /rule=local-only/],
    [
      { spentNanoUsd: 20e9 },
      { force_model: 'openai' },
      402,
      'budget_exhausted',
      /wanted=cloud-big/,
    ],
    [
      { availability: { [LOCAL]: { kind: 'model_missing' } } },
      { force_model: 'cheap' },
      503,
      'model_missing',
      /wanted=small-local/,
    ],
  ];
  for (const [script, body, status, code, reason] of rows) {
    for (const how of [{}, { stream: true }, { dry_run: true }]) {
      const { post, calls } = scriptedApi(script);
      const reply = await post('/generate', { prompt: 'Why?', ...body, ...how });
      const problem = await problemOf(reply);
      assert.deepEqual([reply.status, problem.code], [status, code]);
      assert.match(problem.route_reason ?? '', reason);
      assert.match(problem.reason ?? '', /\.$/);
      assert.deepEqual([problem.cost_usd, calls.length], [0, 0]);
    }
  }
});

test('every failure of a model has the status of the table, and keeps its retry time', async () => {
  const codes = [
    'bad_request',
    'bad_key',
    'quota_exceeded',
    'rate_limited',
    'provider_unavailable',
    'timeout',
    'stream_cut',
    'refusal',
    'model_crashed',
    'ledger_unavailable',
    'duplicate_request',
  ] as const satisfies readonly FailureCode[];
  for (const code of codes) {
    const failed = failure(code, `told by the test: ${code}`, { retryAfterMs: 61_001 });
    const { post } = scriptedApi({ answers: { [BIG]: [fails(failed)] } });
    const reply = await post('/generate', { prompt: 'Why?', force_model: 'openai' });
    const problem = await problemOf(reply);
    assert.deepEqual([reply.status, problem.code], [problemStatus[code], code]);
    assert.equal(problem.message, `told by the test: ${code}`);
    assert.equal(reply.headers.get('retry-after'), '62');
  }
  const { post } = scriptedApi({
    answers: { [BIG]: [fails(failure('rate_limited', 'slow down'))] },
  });
  const limited = await post('/generate', { prompt: 'Why?', force_model: 'openai' });
  assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '30']);
});

test('a failure in the middle of a stream is its last event, with what it cost', async () => {
  const cut = failure('stream_cut', 'the answer stopped', { billing: 'unknown' });
  const { post } = scriptedApi({
    answers: {
      [BIG]: [
        async function* () {
          yield { type: 'text-delta', text: 'half ' };
          yield { type: 'failed', failure: cut };
        },
      ],
    },
  });
  const body = { prompt: 'Why?', force_model: 'openai', stream: true };
  const events = await allEvents(await post('/generate', body));
  assert.deepEqual(names(events), ['route', 'delta', 'error']);
  const { error } = events.at(-1)?.data ?? {};
  assert.equal(error.code, 'stream_cut');
  assert.ok(error.cost_usd > 0, 'an unknown bill is booked at its bound');
});

test('a defect is told as one, without its words, and reported to the owner', async () => {
  const secret = 'sk-secret in the prompt';
  const broken: Script = {
    answers: {
      [LOCAL]: [
        async function* () {
          yield { type: 'text-delta', text: 'a' };
          throw new Error(secret);
        },
      ],
    },
  };
  for (const stream of [false, true]) {
    const { post, defects } = scriptedApi(broken);
    const reply = await post('/generate', { prompt: 'Why?', stream });
    const text = await reply.text();
    assert.equal(reply.status, stream ? 200 : 500);
    assert.ok(text.includes('"code":"internal"') && !text.includes(secret));
    assert.deepEqual(defects.map(String), [`Error: ${secret}`]);
  }
  const { post } = scriptedApi({ answers: { [BIG]: [fails(failure('internal', secret))] } });
  const reply = await post('/generate', { prompt: 'Why?', force_model: 'openai' });
  assert.deepEqual([reply.status, (await reply.text()).includes(secret)], [500, false]);
});

test('POST /route answers in dollars and seconds, and generates nothing', async () => {
  const speed = {
    promptTokensPerSecond: 100,
    outputTokensPerSecond: 100,
    timeToFirstTokenMs: 100,
    samples: 3,
  };
  const measured = { speeds: { [LOCAL]: speed, [MINI]: speed, [BIG]: speed } };
  const rows: readonly (readonly [Script, object, object])[] = [
    [{}, {}, { model: LOCAL, latency_ms: null, within_budget: true, within_latency: true }],
    [{}, { max_latency: 1 }, { model: LOCAL, latency_ms: null, within_latency: null }],
    [hard, {}, { model: BIG, within_budget: true }],
    [hard, { max_cost: 0 }, { model: LOCAL, cost: 0, within_budget: true }],
    // ≈ 2.7 s: 256 tokens at 100 a second, and the first.
    [measured, { max_latency: 5 }, { within_latency: true }],
    [measured, { max_latency: 1 }, { within_latency: false }],
    [measured, { max_latency: 0.001 }, { within_latency: false }],
  ];
  for (const [script, body, expected] of rows) {
    const { post, calls, records } = scriptedApi(script);
    const reply: Json = await (await post('/route', { prompt: 'Why?', ...body })).json();
    assert.deepEqual(Object.keys(reply), [
      'model',
      'cost',
      'latency_ms',
      'within_budget',
      'within_latency',
    ]);
    assert.deepEqual({ ...reply, ...expected }, reply, JSON.stringify([body, reply]));
    assert.deepEqual([calls.length, records.length], [0, 0]);
  }
  const refused = scriptedApi({ availability: { ...noKey, [LOCAL]: { kind: 'model_missing' } } });
  const reply = await refused.post('/route', { prompt: 'Why?' });
  assert.equal(reply.status, 503);
});
