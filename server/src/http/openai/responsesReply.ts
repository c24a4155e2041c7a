/** An answer as a response of the Responses API, whole or as its events. */
import { z } from '@hono/zod-openapi';
import type { AnswerResult } from '../../core/answer.ts';
import type { ToolCall } from '../../core/callerWishes.ts';
import type { Registry, Usage } from '../../core/types.ts';
import type { ResponsesRequest } from './responsesRequest.ts';
import { routeFacts, routeFactsOf } from './routeFacts.ts';

export const responsesReply = z
  .looseObject({
    id: z.string().describe('Names this response; it is not kept, so it can not be asked for.'),
    object: z.literal('response').describe('Always this.'),
    created_at: z.number().int().describe('Seconds since the epoch.'),
    status: z.enum(['completed', 'incomplete']).describe('Whether the answer is whole.'),
    model: z.string().describe('The model that answered.'),
    output: z
      .array(z.looseObject({ type: z.string().describe('`message` or `function_call`.') }))
      .describe('A message, and calls of tools.'),
    usage: z.looseObject({}).nullable().describe('Tokens; null when nobody told.'),
    router: routeFacts,
  })
  .openapi('Response');

export interface ResponseFrame {
  readonly promptId: string;
  readonly request: ResponsesRequest;
  /** Seconds since the epoch. */
  readonly createdAt: number;
}

export function responseOf(frame: ResponseFrame, result: AnswerResult, registry: Registry) {
  const { finish } = result;
  const cut = finish === 'length' ? 'max_output_tokens' : 'content_filter';
  const whole = finish === 'stop' || finish === 'tool-calls' || finish === 'refusal';
  return {
    ...shell(frame, result.modelId),
    status: whole ? ('completed' as const) : ('incomplete' as const),
    incomplete_details: whole ? null : { reason: cut },
    output: [
      ...(result.text === '' ? [] : [messageOf(frame, result.text, finish)]),
      ...result.toolCalls.map((call) => callOf(call)),
    ],
    usage: usageOf(result.usage),
    router: routeFactsOf(result, registry),
  };
}

/** The fields of a response that are known before its answer. */
function shell({ promptId, request, createdAt }: ResponseFrame, model: string) {
  return {
    id: `resp_${promptId}`,
    object: 'response' as const,
    created_at: createdAt,
    error: null,
    incomplete_details: null as { reason: string } | null,
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: {},
    model,
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    previous_response_id: null,
    store: false,
    temperature: request.temperature ?? null,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_p: request.top_p ?? null,
    truncation: 'disabled',
  };
}

/** The events of one response, each with its number; `text` and `end` are called as the answer goes on. */
export function responseEvents(frame: ResponseFrame, registry: Registry) {
  const itemId = `msg_${frame.promptId}`;
  const place = { item_id: itemId, output_index: 0, content_index: 0 };
  let number = 0;
  let opened = false;
  let text = '';
  const event = (type: string, fields: object) => ({ type, sequence_number: number++, ...fields });
  const begun = (model: string) => ({
    response: { ...shell(frame, model), status: 'in_progress', output: [], usage: null },
  });

  function* open(model: string) {
    yield event('response.created', begun(model));
    yield event('response.in_progress', begun(model));
  }

  return {
    *text(delta: string, model: string) {
      if (!opened) {
        opened = true;
        yield* open(model);
        const item = { ...message(itemId, []), status: 'in_progress' };
        yield event('response.output_item.added', { output_index: 0, item });
        yield event('response.content_part.added', { ...place, part: outputText('') });
      }
      text += delta;
      yield event('response.output_text.delta', { ...place, delta, logprobs: [] });
    },
    *end(result: AnswerResult) {
      if (!opened) yield* open(result.modelId);
      if (opened) {
        yield event('response.output_text.done', { ...place, text, logprobs: [] });
        yield event('response.content_part.done', { ...place, part: outputText(text) });
        const item = messageOf(frame, text, 'stop');
        yield event('response.output_item.done', { output_index: 0, item });
      }
      for (const [index, call] of result.toolCalls.entries()) {
        const output_index = index + (opened ? 1 : 0);
        const item = callOf(call);
        const started = { ...item, arguments: '', status: 'in_progress' };
        yield event('response.output_item.added', { output_index, item: started });
        const at = { item_id: item.id, output_index };
        yield event('response.function_call_arguments.delta', { ...at, delta: item.arguments });
        const whole = { ...at, name: item.name, arguments: item.arguments };
        yield event('response.function_call_arguments.done', whole);
        yield event('response.output_item.done', { output_index, item });
      }
      const response = responseOf(frame, result, registry);
      yield event(`response.${response.status}`, { response });
    },
  };
}

function messageOf({ promptId }: ResponseFrame, text: string, finish: AnswerResult['finish']) {
  const part = finish === 'refusal' ? { type: 'refusal', refusal: text } : outputText(text);
  return message(`msg_${promptId}`, [part]);
}

function message(id: string, content: readonly object[]) {
  return { id, type: 'message', role: 'assistant', status: 'completed', content };
}

function outputText(text: string) {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function callOf({ id, name, argumentsJson }: ToolCall) {
  return {
    id: `fc_${id}`,
    type: 'function_call',
    call_id: id,
    name,
    arguments: argumentsJson,
    status: 'completed',
  };
}

function usageOf(usage: Usage) {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage;
  if (inputTokens === undefined || outputTokens === undefined) return null;
  return {
    input_tokens: inputTokens,
    ...(cachedInputTokens !== undefined && {
      input_tokens_details: { cached_tokens: cachedInputTokens },
    }),
    output_tokens: outputTokens,
    ...(reasoningTokens !== undefined && {
      output_tokens_details: { reasoning_tokens: reasoningTokens },
    }),
    total_tokens: inputTokens + outputTokens,
  };
}
