/** The request of `POST /v1/chat/completions`. Fields that would change the answer and can't be honoured are refused; the rest is let by. */
import { z } from '@hono/zod-openapi';
import type { CallerConversation } from '../../core/callerConversation.ts';
import type { AnswerFormat, ToolChoice, ToolUse } from '../../core/callerWishes.ts';
import { outputTokens } from '../../core/schema.ts';
import type { Turn } from '../../core/types.ts';
import { conversationOf, type Read, refused, textOf } from './conversation.ts';
import {
  type Asked,
  jsonObject,
  modelName,
  routerField,
  sampling,
  samplingOf,
  schemaFormat,
} from './routerFields.ts';

const part = z
  .looseObject({
    type: z.string().max(40).describe('`text`; anything else is refused.'),
    text: z.string().optional().describe('The text.'),
    refusal: z.string().optional().describe("An assistant's words of refusal."),
  })
  .describe('A part of a message.');

const content = z.union([z.string(), z.array(part).max(1000)]).nullish();

const toolCall = z
  .looseObject({
    id: z.string().min(1).max(200).describe('The id that its result names.'),
    type: z.literal('function').optional().describe('Always `function`.'),
    function: z
      .looseObject({
        name: z.string().max(200).describe('The tool.'),
        arguments: z.string().describe('Its arguments as JSON.'),
      })
      .describe('What was called.'),
  })
  .describe('A call of a tool.');

const message = z
  .looseObject({
    role: z
      .enum(['system', 'developer', 'user', 'assistant', 'tool'])
      .describe('Who says it; `system` and `developer` are the instructions.'),
    content: content.describe('A text, or parts of text.'),
    tool_calls: z.array(toolCall).max(1000).nullish().describe('Calls of an assistant.'),
    tool_call_id: z.string().max(200).optional().describe('The call that a tool answers.'),
  })
  .openapi('ChatMessage');

const tool = z.looseObject({
  type: z.literal('function').describe('Always `function`.'),
  function: z
    .looseObject({
      name: z.string().min(1).max(200).describe('Its name.'),
      description: z.string().optional().describe('What it does.'),
      parameters: jsonObject.optional().describe('A JSON schema.'),
      strict: z.boolean().nullish().describe('Whether arguments must keep to the schema.'),
    })
    .describe('The function.'),
});

const toolChoice = z.union([
  z.enum(['auto', 'none', 'required']),
  z.looseObject({
    type: z.literal('function').describe('Always `function`.'),
    function: z
      .looseObject({ name: z.string().max(200).describe('Its name.') })
      .describe('The tool that must be called.'),
  }),
]);

const responseFormat = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text').describe('Plain text.') }),
  z.looseObject({ type: z.literal('json_object').describe('Any JSON object.') }),
  z.looseObject({
    type: z.literal('json_schema').describe('JSON of one shape.'),
    json_schema: z
      .looseObject({
        name: z.string().max(200).describe('Its name.'),
        description: z.string().optional().describe('What it is for.'),
        schema: jsonObject.optional().describe('A JSON schema.'),
        strict: z.boolean().nullish().describe('Whether the answer must keep to it.'),
      })
      .describe('The shape.'),
  }),
]);

const stopSequence = z.string().min(1).max(500);

const tokens = outputTokens.nullish();

export const chatRequest = z
  .looseObject({
    model: modelName,
    messages: z.array(message).min(1).max(5000).describe('The conversation, oldest first.'),
    stream: z.boolean().nullish().describe('`true` streams chunks as Server-Sent Events.'),
    stream_options: z
      .looseObject({
        include_usage: z.boolean().optional().describe('A last chunk tells the tokens.'),
      })
      .nullish()
      .describe('What a stream holds.'),
    max_completion_tokens: tokens.describe('Tokens that the answer may have at most.'),
    max_tokens: tokens.describe('The older name of `max_completion_tokens`.'),
    ...sampling,
    seed: z
      .number()
      .int()
      .nullish()
      .describe(
        'For cloud models of provider `openai-compatible`; a local model is repeatable anyway.',
      ),
    tools: z.array(tool).max(500).nullish().describe('Functions that the caller can run.'),
    tool_choice: toolChoice.nullish().describe('Whether and which tool is to be called.'),
    parallel_tool_calls: z.boolean().nullish().describe('Whether several may be called at once.'),
    response_format: responseFormat.nullish().describe('The form of the answer.'),
    stop: z
      .union([stopSequence, z.array(stopSequence).max(4)])
      .nullish()
      .describe('Up to four texts; the answer ends before the first that would come.'),
    n: z.number().int().nullish().describe('One answer is all there is: 1.'),
    logprobs: z.boolean().nullish().describe('Not handed out: false.'),
    router: routerField,
  })
  .openapi('ChatRequest');

export type ChatRequest = z.output<typeof chatRequest>;

export function askedOfChat(request: ChatRequest): Read<Asked> {
  const unmet = unmetWish(request);
  if (unmet !== undefined) return unmet;
  const conversation = conversationOfChat(request.messages);
  if (conversation.kind === 'refused') return conversation;
  return {
    kind: 'read',
    value: {
      model: request.model,
      conversation: conversation.value,
      maxOutputTokens: request.max_completion_tokens ?? request.max_tokens ?? undefined,
      router: request.router,
      toolsLeftOut: [],
      wishes: {
        ...toolsOf(request),
        ...formatOf(request.response_format),
        ...samplingOf(request),
        ...stopOf(request.stop),
      },
    },
  };
}

/** What OpenAI would do and no plan here can; to leave it out in silence would change the answer. */
function unmetWish(request: ChatRequest): Read<never> | undefined {
  if ((request.n ?? 1) !== 1) return refused('expected n to be 1, got another count', 'n');
  if (request.logprobs === true) {
    return refused('expected logprobs to be false, got true; they are not handed out', 'logprobs');
  }
  const beyond = ['functions', 'function_call', 'audio', 'prediction', 'web_search_options'];
  const found = beyond.find((name) => request[name] !== undefined && request[name] !== null);
  return found === undefined
    ? undefined
    : refused(`expected no ${found}, got it; no model here can honour it`, found);
}

function conversationOfChat(messages: ChatRequest['messages']): Read<CallerConversation> {
  const instructions: string[] = [];
  const turns: Turn[] = [];
  for (const [index, { role, content, tool_calls, tool_call_id }] of messages.entries()) {
    const path = `messages[${index}]`;
    const text = textOf(content, `${path}.content`);
    if (text.kind === 'refused') return text;
    switch (role) {
      case 'system':
      case 'developer':
        instructions.push(text.value);
        break;
      case 'user':
        turns.push({ role, text: text.value });
        break;
      case 'assistant': {
        const toolCalls = (tool_calls ?? []).map((call) => ({
          id: call.id,
          name: call.function.name,
          argumentsJson: call.function.arguments,
        }));
        turns.push({ role, text: text.value, ...(toolCalls.length > 0 && { toolCalls }) });
        break;
      }
      case 'tool':
        if (tool_call_id === undefined) {
          return refused(
            'expected the id of the call that this answers, got none',
            `${path}.tool_call_id`,
          );
        }
        turns.push({ role, text: text.value, toolCallId: tool_call_id });
    }
  }
  return conversationOf(instructions, turns, 'messages');
}

function toolsOf(request: ChatRequest): { tools?: ToolUse } {
  const { tools, tool_choice, parallel_tool_calls } = request;
  if (tools === null || tools === undefined || tools.length === 0) return {};
  const choice: ToolChoice | undefined =
    typeof tool_choice === 'object' && tool_choice !== null
      ? { name: tool_choice.function.name }
      : (tool_choice ?? undefined);
  return {
    tools: {
      tools: tools.map(({ function: { name, description, parameters, strict } }) => ({
        name,
        ...(description !== undefined && { description }),
        ...(parameters !== undefined && { parameters }),
        ...(typeof strict === 'boolean' && { strict }),
      })),
      ...(choice !== undefined && { choice }),
      ...(typeof parallel_tool_calls === 'boolean' && { parallel: parallel_tool_calls }),
    },
  };
}

function stopOf(stop: ChatRequest['stop']): { stop?: readonly string[] } {
  const all = [stop ?? []].flat();
  return all.length === 0 ? {} : { stop: all };
}

function formatOf(format: ChatRequest['response_format']): { answerFormat?: AnswerFormat } {
  if (format === null || format === undefined || format.type === 'text') return {};
  if (format.type === 'json_object') return { answerFormat: { kind: 'json' } };
  return { answerFormat: schemaFormat(format.json_schema) };
}
