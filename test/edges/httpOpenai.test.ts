/** The OpenAI-compatible calls, asked by OpenAI's own SDK over a scripted router: what a client gets, and what it is told when it gets nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError, NotFoundError, OpenAI } from 'openai';
import { failure } from '../../server/src/core/errors.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { BIG, fails, LOCAL, MINI, type Script, says } from '../support/scriptedPorts.ts';
import { endless, ORIGIN, scriptedApi } from './httpApi.ts';

function client(script: Script = {}, deps: Parameters<typeof scriptedApi>[1] = {}) {
  const scripted = scriptedApi(script, deps);
  let requests = 0;
  const openai = new OpenAI({
    apiKey: deps.token ?? 'none',
    baseURL: `${ORIGIN}/v1`,
    fetch: (input, init) => {
      requests += 1;
      return scripted.api.fetch(new Request(input, init));
    },
  });
  return { ...scripted, openai, requests: () => requests };
}

const easy = [{ role: 'user', content: 'Why is the sky blue?' }] as const;
const hardScript = (text: string, answer: Script['answers']): Script => ({
  scores: { [LOCAL]: 0.9, [MINI]: 0.4, [BIG]: 0.1 },
  answers: { [BIG]: [says(text)], ...answer },
});

const READ_FILE = {
  type: 'function',
  function: {
    name: 'read_file',
    description: 'Reads a file.',
    parameters: { type: 'object', properties: { path: { type: 'string' } } },
  },
} as const;

/** A cloud model that asks for a file, and answers once it has it. */
const withTool: Script['answers'] = {
  [BIG]: [
    says('', {
      finish: 'tool-calls',
      toolCalls: [{ id: 'call_1', name: 'read_file', argumentsJson: '{"path":"a.ts"}' }],
    }),
    says('It has one line.'),
  ],
};

test('a completion has the text, the model that answered, and the route in its headers', async () => {
  const { openai } = client({
    answers: { [LOCAL]: [says('Because of Rayleigh.', { sure: true })] },
  });
  const { data, response } = await openai.chat.completions
    .create({ model: 'auto', messages: [...easy] })
    .withResponse();
  assert.equal(data.choices[0]?.message.content, 'Because of Rayleigh.');
  assert.equal(data.choices[0]?.finish_reason, 'stop');
  assert.equal(data.model, LOCAL);
  assert.equal(response.headers.get('x-router-model'), LOCAL);
  assert.equal(response.headers.get('x-router-served'), 'local');
  assert.match(response.headers.get('x-router-reason') ?? '', /^prompt_complexity_low\(score=/);
  assert.equal(response.headers.get('x-router-cost-usd'), '0');
  assert.match(response.headers.get('x-router-saved-usd') ?? '', /^(0\.\d+|unknown \(\w+\))$/);
  assert.ok((data.usage?.total_tokens ?? 0) > 0);
});

test('what the cloud costs stands in the header and in the body', async () => {
  const { openai } = client(hardScript('Planned.', {}));
  const { data, response } = await openai.chat.completions
    .create({ model: 'auto', messages: [...easy] })
    .withResponse();
  const cost = Number(response.headers.get('x-router-cost-usd'));
  assert.ok(cost > 0);
  assert.partialDeepStrictEqual(data, { model: BIG, router: { served: 'cloud', cost_usd: cost } });
});

test('a stream has the text in chunks, the usage when it is wanted, and the route at its end', async () => {
  const { openai } = client(hardScript('Planned in three steps.', {}));
  const { data: stream, response } = await openai.chat.completions
    .create({
      model: 'auto',
      messages: [...easy],
      stream: true,
      stream_options: { include_usage: true },
    })
    .withResponse();
  assert.equal(response.headers.get('x-router-model'), BIG);
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
  assert.equal(text, 'Planned in three steps.');
  assert.ok(chunks.filter(({ choices }) => choices[0]?.delta.content).length > 1);
  assert.equal(chunks[0]?.choices[0]?.delta.role, 'assistant');
  assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'stop');
  assert.deepEqual(chunks.at(-1)?.choices, []);
  assert.ok((chunks.at(-1)?.usage?.completion_tokens ?? 0) > 0);
  assert.partialDeepStrictEqual(chunks.at(-2), { router: { model: BIG, served: 'cloud' } });
});

test('an answer ends before a stop sequence, whole and streamed, and is kept apart from the uncut one', async () => {
  const said = 'First line. END Second line.';
  const { openai, calls } = client(
    hardScript(said, { [BIG]: [says(said), says(said), says(said)] }),
  );
  const asked = { model: 'auto', messages: [...easy] };
  const whole = await openai.chat.completions.create({ ...asked, stop: ' END' });
  assert.equal(whole.choices[0]?.message.content, 'First line.');
  assert.equal(whole.choices[0]?.finish_reason, 'stop');
  // The provider billed what it wrote.
  assert.equal(whole.usage?.completion_tokens, 50);
  const stream = await openai.chat.completions.create({
    ...asked,
    stream: true,
    stop: ['END', '?'],
  });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  assert.equal(text, 'First line. ');
  const uncut = await openai.chat.completions.create(asked);
  assert.equal(uncut.choices[0]?.message.content, said);
  const again = await openai.chat.completions.create({ ...asked, stop: [' END'] });
  assert.equal(again.choices[0]?.message.content, 'First line.');
  assert.equal(calls.length, 3, 'the last one came from the cache');
});

test('a local answer that is cut stands, or is deferred, by what is left of it', async () => {
  const { openai } = client({
    answers: { [LOCAL]: [says('Because of Rayleigh. END', { sure: true })] },
  });
  const { choices, model } = await openai.chat.completions.create({
    model: 'auto',
    messages: [...easy],
    stop: 'END',
  });
  assert.equal(model, LOCAL);
  assert.equal(choices[0]?.message.content, 'Because of Rayleigh. ');
});

test('a draft that is deferred is never seen', async () => {
  const { openai } = client({
    answers: { [LOCAL]: [says('Perhaps so.', { sure: false })], [BIG]: [says('Surely so.')] },
  });
  const stream = await openai.chat.completions.create({
    model: 'auto',
    messages: [...easy],
    stream: true,
  });
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  assert.equal(text, 'Surely so.');
});

test('an answer that breaks off after its first words ends as an error, not with another answer', async () => {
  const { openai } = client({
    ...hardScript('', {}),
    answers: {
      [BIG]: [fails(failure('stream_cut', 'cut', { billing: 'unknown' }), 'Half a')],
      [LOCAL]: [says('Another answer.', { sure: true })],
      [MINI]: [says('A third answer.')],
    },
  });
  const stream = await openai.chat.completions.create({
    model: 'auto',
    messages: [...easy],
    stream: true,
  });
  let text = '';
  await assert.rejects(async () => {
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  }, APIError);
  assert.equal(text, 'Half a');
});

test('a caller runs the tools, and the answer goes on with what they returned', async () => {
  const { openai } = client({ answers: withTool });
  const messages: OpenAI.ChatCompletionMessageParam[] = [...easy];
  const first = await openai.chat.completions.create({
    model: 'auto',
    messages,
    tools: [READ_FILE],
  });
  const [choice] = first.choices;
  assert.equal(choice?.finish_reason, 'tool_calls');
  assert.equal(choice?.message.content, null);
  const [call] = choice?.message.tool_calls ?? [];
  assert.deepEqual(call, {
    id: 'call_1',
    type: 'function',
    function: { name: 'read_file', arguments: '{"path":"a.ts"}' },
  });
  messages.push(choice?.message ?? assert.fail(), {
    role: 'tool',
    tool_call_id: 'call_1',
    content: 'const a = 1;',
  });
  const second = await openai.chat.completions.create({
    model: 'auto',
    messages,
    tools: [READ_FILE],
  });
  assert.equal(second.choices[0]?.message.content, 'It has one line.');
});

test('streamed calls of tools come whole', async () => {
  const { openai } = client({ answers: withTool });
  const runner = openai.chat.completions.stream({
    model: 'auto',
    messages: [...easy],
    tools: [READ_FILE],
  });
  const completion = await runner.finalChatCompletion();
  assert.partialDeepStrictEqual(completion.choices[0]?.message.tool_calls, [
    { id: 'call_1', function: { name: 'read_file', arguments: '{"path":"a.ts"}' } },
  ]);
});

test('instructions reach the model in place of our own', async () => {
  const { openai, calls } = client({ answers: { [LOCAL]: [says('Yes.', { sure: true })] } });
  await openai.chat.completions.create({
    model: 'auto',
    messages: [{ role: 'system', content: 'Speak like a pirate.' }, ...easy],
  });
  assert.equal(calls[0]?.request.system, 'Speak like a pirate.');
});

test('the Responses API: text, events, tools and a way on', async () => {
  const { openai } = client({ answers: { [LOCAL]: [says('Because.', { sure: true })] } });
  const whole = await openai.responses.create({ model: 'auto', input: 'Why is the sky blue?' });
  assert.equal(whole.output_text, 'Because.');
  assert.equal(whole.status, 'completed');

  const other = client(hardScript('Planned in steps.', {})).openai;
  const stream = other.responses.stream({ model: 'auto', input: 'Plan it.' });
  let text = '';
  stream.on('response.output_text.delta', ({ delta }) => {
    text += delta;
  });
  const final = await stream.finalResponse();
  assert.equal(text, 'Planned in steps.');
  assert.equal(final.output_text, 'Planned in steps.');
  assert.partialDeepStrictEqual(final, { model: BIG, router: { served: 'cloud' } });

  const tools = [
    { type: 'function', name: 'read_file', parameters: { type: 'object' }, strict: false } as const,
  ];
  const third = client({ answers: withTool }).openai;
  const input: OpenAI.Responses.ResponseInput = [{ role: 'user', content: 'Read a.ts.' }];
  const called = await third.responses.create({ model: 'auto', input, tools });
  const [call] = called.output;
  assert.partialDeepStrictEqual(call, {
    type: 'function_call',
    call_id: 'call_1',
    arguments: '{"path":"a.ts"}',
  });
  input.push(call as OpenAI.Responses.ResponseFunctionToolCall, {
    type: 'function_call_output',
    call_id: 'call_1',
    output: 'const a = 1;',
  });
  const answered = await third.responses.create({ model: 'auto', input, tools });
  assert.equal(answered.output_text, 'It has one line.');
});

test('tools that only OpenAI could run are left out by name, and the rest is offered', async () => {
  const { openai, calls } = client({ answers: withTool });
  const { response } = await openai.responses
    .create({
      model: 'auto',
      input: 'Read a.ts.',
      tools: [
        { type: 'function', name: 'read_file', parameters: { type: 'object' }, strict: false },
        { type: 'web_search' },
      ],
    })
    .withResponse();
  assert.equal(response.headers.get('x-router-tools-left-out'), 'web_search');
  assert.deepEqual(
    calls[0]?.request.tools?.tools.map(({ name }) => name),
    ['read_file'],
  );
});

test('streamed calls of tools in the Responses API come whole', async () => {
  const { openai } = client({ answers: withTool });
  const stream = openai.responses.stream({
    model: 'auto',
    input: 'Read a.ts.',
    tools: [{ type: 'function', name: 'read_file', parameters: { type: 'object' }, strict: false }],
  });
  const seen: string[] = [];
  for await (const event of stream) seen.push(event.type);
  const final = await stream.finalResponse();
  assert.partialDeepStrictEqual(final.output[0], { type: 'function_call', call_id: 'call_1' });
  assert.ok(seen.includes('response.function_call_arguments.done'));
});

test('the models are auto and those of the registry, and one can be asked for by its id', async () => {
  const { openai } = client({ answers: { [MINI]: [says('Mini.')] } });
  const ids = [];
  for await (const { id } of openai.models.list()) ids.push(id);
  assert.deepEqual(ids, ['auto', LOCAL, MINI, BIG]);
  assert.equal((await openai.models.retrieve(MINI)).id, MINI);
  await assert.rejects(openai.models.retrieve('gpt-0'), NotFoundError);
  const { model } = await openai.chat.completions.create({ model: MINI, messages: [...easy] });
  assert.equal(model, MINI);
});

test("the router's own limits come in an extra field", async () => {
  const { openai } = client(
    hardScript('Planned.', { [LOCAL]: [says('Locally.', { sure: true })] }),
  );
  const body = { model: 'auto', messages: [...easy], router: { privacy: 'local-only' } };
  const { data } = await openai.chat.completions
    .create(body as OpenAI.ChatCompletionCreateParamsNonStreaming)
    .withResponse();
  assert.equal(data.choices[0]?.message.content, 'Locally.');
  assert.partialDeepStrictEqual(data, { router: { served: 'local' } });
});

const user = (content: unknown) => ({ role: 'user', content });
const refusals: readonly (readonly [
  name: string,
  path: string,
  body: object,
  status: number,
  param: string,
])[] = [
  ['a model that is not there', 'chat', { model: 'gpt-0' }, 404, 'model'],
  ['several answers', 'chat', { n: 2 }, 400, 'n'],
  ['log-probabilities', 'chat', { logprobs: true }, 400, 'logprobs'],
  ['an empty stop sequence', 'chat', { stop: [''] }, 400, 'stop[0]'],
  ['sound', 'chat', { audio: { voice: 'x' } }, 400, 'audio'],
  [
    'a picture',
    'chat',
    { messages: [user([{ type: 'image_url', image_url: { url: 'x' } }])] },
    400,
    'messages[0].content',
  ],
  [
    'no question',
    'chat',
    { messages: [{ role: 'system', content: 'Be brief.' }] },
    400,
    'messages',
  ],
  ['an empty question', 'chat', { messages: [user('  ')] }, 400, 'messages'],
  [
    'a result without its call',
    'chat',
    { messages: [user('Hi'), { role: 'tool', content: 'x', tool_call_id: 'c' }] },
    400,
    'messages',
  ],
  [
    'a result without an id',
    'chat',
    { messages: [user('Hi'), { role: 'tool', content: 'x' }] },
    400,
    'messages[1].tool_call_id',
  ],
  ['a wrong limit', 'chat', { router: { max_cost_usd: -1 } }, 400, 'router.max_cost_usd'],
  ['an unknown limit', 'chat', { router: { cheap: true } }, 400, 'router.cheap'],
  [
    'a response that was kept',
    'responses',
    { previous_response_id: 'resp_1' },
    400,
    'previous_response_id',
  ],
  [
    'a hosted tool that must be called',
    'responses',
    { tools: [{ type: 'web_search' }], tool_choice: { type: 'web_search' } },
    400,
    'tool_choice',
  ],
  [
    'a strange item',
    'responses',
    { input: [{ type: 'item_reference', id: 'x' }] },
    400,
    'input[0].type',
  ],
  [
    'a call without a name',
    'responses',
    { input: [user('Hi'), { type: 'function_call', call_id: 'c' }] },
    400,
    'input[1]',
  ],
];

for (const [name, path, body, status, param] of refusals) {
  test(`refused, and said why: ${name}`, async () => {
    const { post, calls } = scriptedApi();
    const whole =
      path === 'chat'
        ? { model: 'auto', messages: [...easy], ...body }
        : { model: 'auto', input: 'Hi', ...body };
    const reply = await post(path === 'chat' ? '/v1/chat/completions' : '/v1/responses', whole);
    assert.equal(reply.status, status);
    const { error } = (await reply.json()) as { error: Record<string, unknown> };
    assert.match(String(error['message']), /^expected /);
    assert.equal(error['param'], param);
    assert.equal(error['type'], 'invalid_request_error');
    assert.equal(reply.headers.get('x-should-retry'), 'false');
    assert.equal(calls.length, 0);
  });
}

test('a limit of money is no reason to try again', async () => {
  const { openai, requests } = client({
    spentNanoUsd: nanoUsd(1_000_000),
    settings: { monthlyBudgetNanoUsd: nanoUsd(1_000_000) },
  });
  const forced = openai.chat.completions.create({ model: BIG, messages: [...easy] });
  await assert.rejects(forced, (error: APIError) => {
    assert.equal(error.status, 402);
    assert.equal(error.code, 'budget_exhausted');
    assert.equal(error.type, 'insufficient_quota');
    return true;
  });
  assert.equal(requests(), 1);
});

test('the token is the API key, and a wrong one is told as such', async () => {
  const token = 't'.repeat(43);
  const right = client({ answers: { [LOCAL]: [says('Yes.', { sure: true })] } }, { token });
  await right.openai.chat.completions.create({ model: 'auto', messages: [...easy] });
  const { post } = scriptedApi({}, { token });
  const reply = await post('/v1/chat/completions', { model: 'auto', messages: [...easy] });
  assert.equal(reply.status, 401);
  const { error } = (await reply.json()) as { error: Record<string, unknown> };
  assert.equal(error['type'], 'authentication_error');
});

test('a client that leaves a stream stops the model', async () => {
  const model = endless();
  const { openai } = client({ ...hardScript('', { [BIG]: [model.answer] }) });
  const stream = await openai.chat.completions.create({
    model: 'auto',
    messages: [...easy],
    stream: true,
  });
  for await (const _ of stream) break;
  await model.stopped;
});
