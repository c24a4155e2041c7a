/** Events of a provider that are of its types in name only: what is not text never becomes text of an answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCloudModels } from '../../server/src/models/openai.ts';
import { cloudModel } from '../support/cloudModel.ts';

const end = { status: 'completed', usage: { input_tokens: 5, output_tokens: 2, total_tokens: 7 } };
const odd = [5, null, { text: 'no' }, ['no'], true];

const wires = [
  {
    provider: 'openai',
    events: (text: unknown) => [
      { type: 'response.output_text.delta', delta: text },
      { type: 'response.completed', response: end },
    ],
  },
  {
    provider: 'openai-compatible',
    events: (text: unknown) => [
      { choices: [{ index: 0, delta: { role: 'assistant', content: text } }] },
      { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } },
    ],
  },
] as const;

for (const { provider, events } of wires) {
  test(`${provider}: a piece of an answer that is no text is left out`, async () => {
    const pieces = async (text: unknown) => {
      const body = events(text).map((event) => `data: ${JSON.stringify(event)}\n\n`);
      const models = createCloudModels({
        key: () => undefined,
        fetch: async () =>
          new Response(body.join(''), { headers: { 'content-type': 'text/event-stream' } }),
      });
      const asked = {
        system: '',
        turns: [{ role: 'user', text: 'a' }],
        maxOutputTokens: 10,
      } as const;
      const told: unknown[] = [];
      const signal = new AbortController().signal;
      for await (const event of models.generate(cloudModel(provider), asked, signal))
        if (event.type === 'text-delta') told.push(event.text);
      return told;
    };
    assert.deepEqual(await pieces('words'), ['words']);
    for (const text of odd) {
      const told = await pieces(text);
      assert.equal(told.filter((piece) => piece !== '').length, 0, JSON.stringify([text, told]));
    }
  });
}
