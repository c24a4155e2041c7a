/** Tools, their results and forms of the answer over both wire formats, against a protocol server that is not ours. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LLMock } from '@copilotkit/aimock';
import type { GenerationRequest, ModelEvent } from '../../server/src/core/ports.ts';
import type { CloudModel } from '../../server/src/core/types.ts';
import { createCloudModels } from '../../server/src/models/openai.ts';

const READ_FILE = {
  name: 'read_file',
  description: 'Reads a file.',
  parameters: {
    type: 'object',
    properties: { path: { type: 'string' } },
    required: ['path'],
  },
};

describe('tools', () => {
  const mock = new LLMock({ port: 0, chunkSize: 4 });
  before(() => mock.start());
  after(() => mock.stop());

  for (const provider of ['openai', 'openai-compatible'] as const) {
    const model: CloudModel = {
      id: 'm',
      label: 'M',
      tier: 'escalation',
      enabled: true,
      contextWindow: 100_000,
      maxOutputTokens: 1000,
      ability: { kind: 'size', billions: 70 },
      provider,
      apiModel: 'gpt-6-sol',
      key: 'openai',
      tools: true,
    };

    const ask = async (request: Omit<GenerationRequest, 'system' | 'maxOutputTokens'>) => {
      const bodies: Record<string, unknown>[] = [];
      const models = createCloudModels({
        key: () => 'sk-test',
        fetch: (input, init) => {
          bodies.push(JSON.parse(String(init?.body)));
          return fetch(input, init);
        },
      });
      const at = { ...model, baseUrl: `${mock.url}/v1` };
      const whole = { system: '', maxOutputTokens: 100, ...request };
      const events: ModelEvent[] = [];
      const { signal } = new AbortController();
      for await (const event of models.generate(at, whole, signal)) events.push(event);
      const text = events.flatMap((event) => (event.type === 'text-delta' ? [event.text] : []));
      const [body = assert.fail('nothing was sent')] = bodies;
      return { text: text.join(''), end: events.at(-1), body };
    };

    test(`${provider}: a call of a tool comes whole, with its name and arguments`, async () => {
      mock.reset();
      mock.onMessage(/Read it/, {
        toolCalls: [
          { id: 'call_1', name: 'read_file', arguments: '{"path":"a.ts"}' },
          { id: 'call_2', name: 'read_file', arguments: '{"path":"b.ts"}' },
        ],
        usage: { prompt_tokens: 40, completion_tokens: 20, total_tokens: 60 },
      });
      const { end, body } = await ask({
        turns: [{ role: 'user', text: 'Read it.' }],
        tools: { tools: [READ_FILE], choice: 'auto', parallel: true },
      });
      assert.partialDeepStrictEqual(end, {
        type: 'end',
        finish: 'tool-calls',
        toolCalls: [
          { name: 'read_file', argumentsJson: '{"path":"a.ts"}' },
          { name: 'read_file', argumentsJson: '{"path":"b.ts"}' },
        ],
      });
      const ids = end?.type === 'end' ? (end.toolCalls ?? []).map(({ id }) => id) : [];
      assert.equal(new Set(ids).size, 2);
      assert.ok(ids.every((id) => id !== ''));
      const [sent] = body['tools'] as Record<string, unknown>[];
      const described = provider === 'openai' ? sent : sent?.['function'];
      assert.partialDeepStrictEqual(described, READ_FILE);
      assert.equal(body['tool_choice'], 'auto');
      assert.equal(body['parallel_tool_calls'], true);
    });

    test(`${provider}: what a tool returned goes back under its call's id`, async () => {
      mock.reset();
      mock.on(
        { predicate: ({ messages }) => messages.some(({ role }) => role === 'tool') },
        { content: 'It has one line.' },
      );
      const { text, end, body } = await ask({
        turns: [
          { role: 'user', text: 'Read it.' },
          {
            role: 'assistant',
            text: '',
            toolCalls: [{ id: 'call_1', name: 'read_file', argumentsJson: '{"path":"a.ts"}' }],
          },
          { role: 'tool', toolCallId: 'call_1', text: 'const a = 1;' },
        ],
        tools: { tools: [READ_FILE], choice: { name: 'read_file' } },
      });
      assert.equal(text, 'It has one line.');
      assert.partialDeepStrictEqual(end, { type: 'end', finish: 'stop' });
      const sent = JSON.stringify(body);
      assert.equal(sent.split('call_1').length - 1, 2, 'the call and its result name the id');
      assert.ok(sent.includes('const a = 1;'));
      assert.deepEqual(
        body['tool_choice'],
        provider === 'openai'
          ? { type: 'function', name: 'read_file' }
          : { type: 'function', function: { name: 'read_file' } },
      );
    });

    test(`${provider}: a form of the answer and how to sample are passed on`, async () => {
      mock.reset();
      mock.onMessage(/Name one/, { content: '{"name":"Ada"}' });
      const schema = { type: 'object', properties: { name: { type: 'string' } } };
      const { text, body } = await ask({
        turns: [{ role: 'user', text: 'Name one.' }],
        answerFormat: { kind: 'json-schema', name: 'person', schema, strict: false },
        sampling: { temperature: 0.3, topP: 0.9, seed: 7 },
        stop: ['END'],
      });
      assert.equal(text, '{"name":"Ada"}');
      assert.partialDeepStrictEqual(body, { temperature: 0.3, top_p: 0.9 });
      // The Responses API knows neither and would refuse them.
      assert.equal(body['seed'], provider === 'openai' ? undefined : 7);
      assert.deepEqual(body['stop'], provider === 'openai' ? undefined : ['END']);
      assert.partialDeepStrictEqual(
        body,
        provider === 'openai'
          ? { text: { format: { type: 'json_schema', name: 'person', schema } } }
          : { response_format: { type: 'json_schema', json_schema: { name: 'person', schema } } },
      );
    });

    test(`${provider}: without wishes the body has none of their fields`, async () => {
      mock.reset();
      mock.onMessage(/Hi/, { content: 'Hello.' });
      const { body } = await ask({ turns: [{ role: 'user', text: 'Hi' }] });
      const names = ['tools', 'tool_choice', 'parallel_tool_calls', 'text', 'response_format'];
      for (const name of [...names, 'temperature', 'top_p']) assert.ok(!(name in body), name);
    });
  }
});
