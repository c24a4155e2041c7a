/** An answer as a chat completion, whole or in chunks. */
import { z } from '@hono/zod-openapi';
import type { AnswerResult } from '../../core/answer.ts';
import type { ToolCall } from '../../core/callerWishes.ts';
import type { Registry, Usage } from '../../core/types.ts';
import { routeFacts, routeFactsOf } from './routeFacts.ts';

const usageReply = z.strictObject({
  prompt_tokens: z.number().int().describe('Input tokens.'),
  completion_tokens: z.number().int().describe('Output tokens.'),
  total_tokens: z.number().int().describe('Both.'),
  prompt_tokens_details: z
    .strictObject({ cached_tokens: z.number().int().describe('Read from a cache.') })
    .optional()
    .describe('Absent when nobody told.'),
  completion_tokens_details: z
    .strictObject({ reasoning_tokens: z.number().int().describe('Spent on reasoning.') })
    .optional()
    .describe('Absent when nobody told.'),
});

const toolCallReply = z.strictObject({
  id: z.string().describe('The id that its result names.'),
  type: z.literal('function').describe('Always `function`.'),
  function: z
    .strictObject({
      name: z.string().describe('The tool.'),
      arguments: z.string().describe('JSON, or what the model took for JSON.'),
    })
    .describe('What is to be called.'),
});

export const chatReply = z
  .strictObject({
    id: z.string().describe('Names this completion.'),
    object: z.literal('chat.completion').describe('Always this.'),
    created: z.number().int().describe('Seconds since the epoch.'),
    model: z.string().describe('The model that answered.'),
    choices: z
      .array(
        z.strictObject({
          index: z.literal(0).describe('Always 0.'),
          message: z
            .strictObject({
              role: z.literal('assistant').describe('Always this.'),
              content: z.string().nullable().describe('The text; null when there is none.'),
              refusal: z.string().nullable().describe('The words of a model that declined.'),
              tool_calls: z.array(toolCallReply).optional().describe('Calls of tools.'),
            })
            .describe('What the model said.'),
          logprobs: z.null().describe('Not handed out.'),
          finish_reason: z
            .enum(['stop', 'length', 'content_filter', 'tool_calls'])
            .describe('Why it ended.'),
        }),
      )
      .describe('The one answer.'),
    usage: usageReply.optional().describe('Absent when nobody told the tokens.'),
    router: routeFacts,
  })
  .openapi('ChatCompletion');

export interface ChatIdentity {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
}

export function chatIdentity(promptId: string, nowMs: number): ChatIdentity {
  return { id: `chatcmpl-${promptId}`, created: Math.floor(nowMs / 1000) };
}

export function chatReplyOf(
  identity: ChatIdentity,
  result: AnswerResult,
  registry: Registry,
): z.infer<typeof chatReply> {
  const { text, toolCalls, finish } = result;
  const refused = finish === 'refusal';
  return {
    ...identity,
    object: 'chat.completion',
    model: result.modelId,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: refused || (text === '' && toolCalls.length > 0) ? null : text,
          refusal: refused ? text : null,
          ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(callReply) }),
        },
        logprobs: null,
        finish_reason: finishReason(finish),
      },
    ],
    ...usageField(result.usage),
    router: routeFactsOf(result, registry),
  };
}

export function textChunk(
  identity: ChatIdentity,
  model: string,
  content: string,
  first: boolean,
): object {
  return chunk(identity, model, { ...(first && { role: 'assistant' }), content }, null);
}

/** What is left when the text is out: calls of tools, why it ended, and with usage wanted the tokens in a chunk without choices. */
export function* lastChunks(
  identity: ChatIdentity,
  result: AnswerResult,
  registry: Registry,
  withUsage: boolean,
  first: boolean,
): Generator<object> {
  const { modelId, toolCalls, finish } = result;
  if (toolCalls.length > 0) {
    const calls = toolCalls.map((call, index) => ({ index, ...callReply(call) }));
    const role = first ? { role: 'assistant', content: null } : {};
    yield chunk(identity, modelId, { ...role, tool_calls: calls }, null);
  } else if (first) yield textChunk(identity, modelId, '', true);
  const router = routeFactsOf(result, registry);
  yield { ...chunk(identity, modelId, {}, finishReason(finish)), router };
  if (withUsage) {
    yield {
      ...chunk(identity, modelId, undefined, null),
      usage: usageField(result.usage).usage ?? null,
    };
  }
}

function chunk(
  identity: ChatIdentity,
  model: string,
  delta: object | undefined,
  finish_reason: string | null,
): object {
  const choices = delta === undefined ? [] : [{ index: 0, delta, logprobs: null, finish_reason }];
  return { ...identity, object: 'chat.completion.chunk', model, choices };
}

function callReply({ id, name, argumentsJson }: ToolCall): z.infer<typeof toolCallReply> {
  return { id, type: 'function', function: { name, arguments: argumentsJson } };
}

function finishReason(finish: AnswerResult['finish']) {
  switch (finish) {
    case 'tool-calls':
      return 'tool_calls';
    case 'refusal':
      return 'content_filter';
    default:
      return finish;
  }
}

function usageField(usage: Usage): { usage?: z.infer<typeof usageReply> } {
  const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage;
  if (inputTokens === undefined || outputTokens === undefined) return {};
  return {
    usage: {
      prompt_tokens: inputTokens,
      completion_tokens: outputTokens,
      total_tokens: inputTokens + outputTokens,
      ...(cachedInputTokens !== undefined && {
        prompt_tokens_details: { cached_tokens: cachedInputTokens },
      }),
      ...(reasoningTokens !== undefined && {
        completion_tokens_details: { reasoning_tokens: reasoningTokens },
      }),
    },
  };
}
