/** OpenAI's SDK for Node, which asks for everything once and tells what it got. */
import { APIError, OpenAI } from 'openai';
import { type Got, markOf } from './calls.ts';

export interface Asked {
  /** With `/v1`. */
  readonly baseUrl: string;
  readonly key: string;
  readonly model: string;
  /** The same proxy with a budget of less than a call or two. */
  readonly poor: { readonly baseUrl: string; readonly key: string };
}

const CLIENT = 'Node';

const WEATHER = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};

/** A dot of one pixel. */
const PICTURE =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export async function nodeGot(asked: Asked): Promise<Record<string, Got>> {
  const { baseUrl, key, model, poor } = asked;
  // Its own repetitions would hide what came first.
  const openai = new OpenAI({ baseURL: baseUrl, apiKey: key, maxRetries: 0 });
  const { completions } = openai.chat;
  const says = (call: string, text = 'Say hello.') => ({
    model,
    messages: [{ role: 'user' as const, content: `${markOf(CLIENT, call)} ${text}` }],
  });
  const input = (call: string) => ({ model, input: `${markOf(CLIENT, call)} Say hello.` });
  const tools: OpenAI.ChatCompletionFunctionTool[] = [
    {
      type: 'function',
      function: { name: 'weather', description: 'The weather of a city.', parameters: WEATHER },
    },
  ];
  const schema = {
    type: 'json_schema' as const,
    json_schema: { name: 'place', strict: true, schema: WEATHER },
  };

  const made: Readonly<Record<string, () => Promise<string>>> = {
    plain: async () => whole(await completions.create(says('plain'))),
    instructions: async () => {
      const { messages, ...rest } = says('instructions');
      const system = { role: 'system' as const, content: 'Be brief.' };
      return textOf(await completions.create({ ...rest, messages: [system, ...messages] }));
    },
    sampling: async () =>
      textOf(
        await completions.create({
          ...says('sampling'),
          temperature: 0.5,
          top_p: 0.9,
          max_tokens: 77,
        }),
      ),
    seed: async () => textOf(await completions.create({ ...says('seed'), seed: 7 })),
    stop: async () => textOf(await completions.create({ ...says('stop'), stop: ['END'] })),
    several: async () => {
      const { choices } = await completions.create({ ...says('several'), n: 2 });
      return `${choices.length} of them`;
    },
    logprobs: async () => {
      const reply = await completions.create({ ...says('logprobs'), logprobs: true });
      return `${textOf(reply)}, ${reply.choices[0]?.logprobs ? 'with' : 'without'} logprobs`;
    },
    image: async () => {
      const { messages } = says('image', 'What is this?');
      const content: OpenAI.ChatCompletionContentPart[] = [
        { type: 'text', text: messages[0]?.content ?? '' },
        { type: 'image_url', image_url: { url: PICTURE } },
      ];
      return textOf(await completions.create({ model, messages: [{ role: 'user', content }] }));
    },
    json: async () =>
      textOf(
        await completions.create({ ...says('json'), response_format: { type: 'json_object' } }),
      ),
    schema: async () =>
      textOf(await completions.create({ ...says('schema'), response_format: schema })),
    tools: async () => callOf(await completions.create({ ...says('tools'), tools })),
    async toolsStream() {
      const chunks = completions.stream({ ...says('toolsStream'), tools });
      return callOf(await chunks.finalChatCompletion());
    },
    async toolResult() {
      const { messages, ...rest } = says('toolResult');
      const first = await completions.create({ ...rest, messages, tools });
      const said = first.choices[0]?.message;
      const [called] = said?.tool_calls ?? [];
      if (said === undefined || called === undefined) throw new Error('no call of a tool');
      const result = { role: 'tool' as const, tool_call_id: called.id, content: 'Rain.' };
      const after = await completions.create({
        ...rest,
        messages: [...messages, said, result],
        tools,
      });
      return textOf(after);
    },
    async stream() {
      const chunks = await all(await completions.create({ ...says('stream'), stream: true }));
      const texts = chunks.flatMap(({ choices }) => choices[0]?.delta.content || []);
      const ends = chunks.flatMap(({ choices }) => choices[0]?.finish_reason ?? []);
      const pieces = texts.length > 1 ? 'in pieces' : 'in one piece';
      return `“${texts.join('')}” ${pieces}, ${ends.join()}`;
    },
    async streamUsage() {
      const chunks = await all(
        await completions.create({
          ...says('streamUsage'),
          stream: true,
          stream_options: { include_usage: true },
        }),
      );
      const told = chunks.flatMap(({ usage }) => usage ?? []).at(-1);
      return told === undefined ? 'none' : usageText(told);
    },
    async streamCost() {
      const { data, response } = await completions
        .create({ ...says('streamCost'), stream: true })
        .withResponse();
      const header = costHeader(response.headers);
      const chunks = await all(data);
      const facts = chunks.flatMap((chunk) => costField(chunk) ?? []).at(-1);
      return header ?? (facts === undefined ? 'not told' : `last chunk: router.cost_usd ${facts}`);
    },
    async headers() {
      const { response } = await completions.create(says('headers')).withResponse();
      const names = [...response.headers.keys()].filter((name) =>
        /^x-(router|litellm)-/.test(name),
      );
      return names.sort().join(', ');
    },
    async cost() {
      const { response } = await completions.create(says('cost')).withResponse();
      return costHeader(response.headers) ?? 'not told';
    },
    models: async () => (await all(await openai.models.list())).map(({ id }) => id).join(', '),
    model: async () => (await openai.models.retrieve(model)).id,
    auto: async () => textOf(await completions.create({ ...says('auto'), model: 'auto' })),
    unknownModel: async () =>
      textOf(await completions.create({ ...says('unknownModel'), model: 'gpt-0' })),
    wrongKey: async () =>
      textOf(
        await openai.withOptions({ apiKey: 'sk-wrong' }).chat.completions.create(says('wrongKey')),
      ),
    noMessages: async () => textOf(await completions.create({ model, messages: [] })),
    limited: async () => textOf(await completions.create(says('limited'))),
    broken: async () => textOf(await completions.create(says('broken'))),
    async overBudget() {
      const spending = openai.withOptions({ baseURL: poor.baseUrl, apiKey: poor.key });
      for (let nth = 0; nth < 10; nth++) {
        const call = says('overBudget', `Say ${nth}.`);
        await spending.chat.completions.create({ ...call, max_tokens: 20 });
        // LiteLLM books a call after its reply has left.
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
      return 'ten answers, none refused';
    },
    async responses() {
      const { output_text, usage, status } = await openai.responses.create(input('responses'));
      const tokens = `${usage?.input_tokens}+${usage?.output_tokens} tokens`;
      return `“${output_text}” ${status}, ${tokens}`;
    },
    async responsesStream() {
      const events = await all(
        await openai.responses.create({ ...input('responsesStream'), stream: true }),
      );
      const text = events.flatMap((event) =>
        event.type === 'response.output_text.delta' ? event.delta : [],
      );
      return `“${text.join('')}”, ends with ${events.at(-1)?.type}`;
    },
    async responsesTool() {
      const tool = {
        type: 'function' as const,
        name: 'weather',
        parameters: WEATHER,
        strict: true,
      };
      const { output } = await openai.responses.create({
        ...input('responsesTool'),
        tools: [tool],
      });
      const called = output.find((item) => item.type === 'function_call');
      return called === undefined ? 'no call' : `${called.name}(${called.arguments})`;
    },
    async responsesMemory() {
      const { id } = await openai.responses.create(input('responsesMemory'));
      const after = { ...input('responsesMemory'), previous_response_id: id };
      return (await openai.responses.create(after)).output_text;
    },
    async embeddings() {
      const text = `${markOf(CLIENT, 'embeddings')} Hello.`;
      const { data } = await openai.embeddings.create({
        model,
        input: text,
        encoding_format: 'float',
      });
      return `${data.length} of them`;
    },
  };

  const got: Record<string, Got> = {};
  for (const [call, make] of Object.entries(made)) {
    try {
      got[call] = { kind: 'answer', text: await make() };
    } catch (error) {
      if (!(error instanceof APIError)) throw error;
      const { status, message } = error;
      // The SDK puts the status before the words.
      const words = message.replace(/^\d{3} /, '');
      const type = error.constructor.name;
      got[call] = { kind: 'error', type, status: status ?? null, message: words };
    }
  }
  return got;
}

function textOf({ choices }: OpenAI.ChatCompletion): string {
  return `“${choices[0]?.message.content ?? ''}”`;
}

function whole(reply: OpenAI.ChatCompletion): string {
  return `${textOf(reply)} ${reply.choices[0]?.finish_reason}, ${usageText(reply.usage)}`;
}

function callOf({ choices }: OpenAI.ChatCompletion): string {
  const [called] = choices[0]?.message.tool_calls ?? [];
  if (called?.type !== 'function') return 'no call';
  return `${called.function.name}(${called.function.arguments}), ${choices[0]?.finish_reason}`;
}

function usageText(usage: OpenAI.CompletionUsage | undefined): string {
  return usage === undefined
    ? 'no usage'
    : `${usage.prompt_tokens}+${usage.completion_tokens} tokens`;
}

function costHeader(headers: Headers): string | undefined {
  const [found] = [...headers].filter(([name]) =>
    /^x-(router-cost-usd|litellm-response-cost)$/.test(name),
  );
  return found === undefined ? undefined : `${found[0]}: ${found[1]}`;
}

function costField(chunk: object): number | undefined {
  const { router } = chunk as { readonly router?: { readonly cost_usd?: number } };
  return router?.cost_usd;
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}
