/** The request of `POST /v1/responses`, as far as a router without a memory can serve it. */
import { z } from '@hono/zod-openapi';
import type { CallerConversation } from '../../core/callerConversation.ts';
import type { AnswerFormat, Tool, ToolChoice, ToolUse } from '../../core/callerWishes.ts';
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

const part = z.looseObject({
  type: z.string().max(40).describe('`input_text` or `output_text`; others are refused.'),
  text: z.string().optional().describe('The text.'),
  refusal: z.string().optional().describe("An assistant's words of refusal."),
});

const item = z
  .looseObject({
    type: z
      .string()
      .max(60)
      .optional()
      .describe(
        '`message` (also when absent), `function_call`, `function_call_output` or `reasoning`.',
      ),
    role: z.enum(['system', 'developer', 'user', 'assistant']).optional().describe('Of a message.'),
    content: z
      .union([z.string(), z.array(part).max(1000)])
      .nullish()
      .describe('Of a message: a text, or parts of text.'),
    call_id: z.string().max(200).optional().describe('Of a call and of its output.'),
    name: z.string().max(200).optional().describe('Of a call: the tool.'),
    arguments: z.string().optional().describe('Of a call: its arguments as JSON.'),
    output: z
      .union([z.string(), z.array(part).max(1000)])
      .optional()
      .describe('What a tool returned.'),
  })
  .openapi('ResponsesItem');

const tool = z.looseObject({
  type: z
    .string()
    .max(60)
    .describe(
      '`function`; tools that OpenAI would run are left out, and the header `x-router-tools-left-out` names them.',
    ),
  name: z.string().max(200).optional().describe('Its name.'),
  description: z.string().nullish().describe('What it does.'),
  parameters: jsonObject.nullish().describe('A JSON schema.'),
  strict: z.boolean().nullish().describe('Whether arguments must keep to the schema.'),
});

const format = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text').describe('Plain text.') }),
  z.looseObject({ type: z.literal('json_object').describe('Any JSON object.') }),
  z.looseObject({
    type: z.literal('json_schema').describe('JSON of one shape.'),
    name: z.string().max(200).describe('Its name.'),
    description: z.string().optional().describe('What it is for.'),
    schema: jsonObject.describe('A JSON schema.'),
    strict: z.boolean().nullish().describe('Whether the answer must keep to it.'),
  }),
]);

export const responsesRequest = z
  .looseObject({
    model: modelName,
    input: z
      .union([z.string(), z.array(item).min(1).max(5000)])
      .describe('What is asked, or the whole conversation.'),
    instructions: z.string().nullish().describe('In place of our own instructions.'),
    stream: z.boolean().nullish().describe('`true` streams Server-Sent Events.'),
    max_output_tokens: outputTokens.nullish().describe('Tokens that the answer may have at most.'),
    ...sampling,
    tools: z.array(tool).max(500).nullish().describe('Functions that the caller can run.'),
    tool_choice: z
      .union([
        z.enum(['auto', 'none', 'required']),
        z.looseObject({
          type: z.string().describe('`function`.'),
          name: z.string().max(200).optional().describe('The tool that must be called.'),
        }),
      ])
      .nullish()
      .describe('Whether and which tool is to be called.'),
    parallel_tool_calls: z.boolean().nullish().describe('Whether several may be called at once.'),
    text: z
      .looseObject({ format: format.nullish().describe('The form of the answer.') })
      .nullish()
      .describe('How the answer is to look.'),
    router: routerField,
  })
  .openapi('ResponsesRequest');

export type ResponsesRequest = z.output<typeof responsesRequest>;

export function askedOfResponses(request: ResponsesRequest): Read<Asked> {
  // Nothing is kept on this side, so a request that leans on what was kept would be answered without it.
  const leans = ['previous_response_id', 'conversation', 'prompt', 'background'].find(
    (name) => request[name] !== undefined && request[name] !== null && request[name] !== false,
  );
  if (leans !== undefined) {
    return refused(
      `expected the whole conversation as input, got ${leans}; nothing is kept here`,
      leans,
    );
  }
  const tools = toolsOf(request);
  if (tools.kind === 'refused') return tools;
  const conversation = conversationOfItems(request);
  if (conversation.kind === 'refused') return conversation;
  return {
    kind: 'read',
    value: {
      model: request.model,
      conversation: conversation.value,
      maxOutputTokens: request.max_output_tokens ?? undefined,
      router: request.router,
      toolsLeftOut: tools.value.leftOut,
      wishes: {
        ...(tools.value.tools === undefined ? {} : { tools: tools.value.tools }),
        ...formatOf(request.text?.format),
        ...samplingOf(request),
      },
    },
  };
}

function conversationOfItems({ input, instructions }: ResponsesRequest): Read<CallerConversation> {
  const said = instructions === null || instructions === undefined ? [] : [instructions];
  if (typeof input === 'string') {
    return conversationOf(said, [{ role: 'user', text: input }], 'input');
  }
  const turns: Turn[] = [];
  for (const [index, one] of input.entries()) {
    const path = `input[${index}]`;
    switch (one.type ?? 'message') {
      case 'message': {
        const text = textOf(one.content, `${path}.content`);
        if (text.kind === 'refused') return text;
        if (one.role === undefined)
          return refused('expected the role of a message, got none', `${path}.role`);
        if (one.role === 'user' || one.role === 'assistant') {
          turns.push({ role: one.role, text: text.value });
        } else said.push(text.value);
        break;
      }
      case 'function_call': {
        const { call_id: id, name, arguments: argumentsJson } = one;
        if (id === undefined || name === undefined || argumentsJson === undefined) {
          return refused('expected call_id, name and arguments of a call, got less', path);
        }
        pushCall(turns, { id, name, argumentsJson });
        break;
      }
      case 'function_call_output': {
        const text = textOf(one.output, `${path}.output`);
        if (text.kind === 'refused') return text;
        if (one.call_id === undefined) {
          return refused(
            'expected the id of the call that this answers, got none',
            `${path}.call_id`,
          );
        }
        turns.push({ role: 'tool', text: text.value, toolCallId: one.call_id });
        break;
      }
      // A model's own notes, unreadable for any other model.
      case 'reasoning':
        break;
      default:
        return refused(
          `expected message, function_call, function_call_output or reasoning, got ${JSON.stringify(one.type?.slice(0, 40))}`,
          `${path}.type`,
        );
    }
  }
  return conversationOf(said, turns, 'input');
}

/** Calls that come one after the other are one turn of the model. */
function pushCall(
  turns: Turn[],
  call: { readonly id: string; readonly name: string; readonly argumentsJson: string },
): void {
  const last = turns.at(-1);
  if (last?.role === 'assistant') {
    turns[turns.length - 1] = { ...last, toolCalls: [...(last.toolCalls ?? []), call] };
  } else turns.push({ role: 'assistant', text: '', toolCalls: [call] });
}

interface OfferedTools {
  readonly tools: ToolUse | undefined;
  /** Tools that only OpenAI's own servers could run. A tool is an offer, so the answer is right without it. */
  readonly leftOut: readonly string[];
}

function toolsOf(request: ResponsesRequest): Read<OfferedTools> {
  const { tools: offered, tool_choice, parallel_tool_calls } = request;
  const own: Tool[] = [];
  const leftOut: string[] = [];
  for (const { type, name, description, parameters, strict } of offered ?? []) {
    if (type !== 'function' || name === undefined || name === '') {
      leftOut.push(name === undefined ? type : `${type}:${name}`);
      continue;
    }
    own.push({
      name,
      ...(typeof description === 'string' && { description }),
      ...(parameters !== null && parameters !== undefined && { parameters }),
      ...(typeof strict === 'boolean' && { strict }),
    });
  }
  const named = typeof tool_choice === 'object' ? tool_choice?.name : undefined;
  const demanded = typeof tool_choice === 'object' && tool_choice !== null;
  if (demanded && !own.some(({ name }) => name === named)) {
    return refused(
      'expected tool_choice to name one of the tools of type function, got another; hosted tools are not offered here',
      'tool_choice',
    );
  }
  if (own.length === 0) return { kind: 'read', value: { tools: undefined, leftOut } };
  const choice: ToolChoice | undefined =
    typeof tool_choice === 'string'
      ? tool_choice
      : named === undefined
        ? undefined
        : { name: named };
  const tools: ToolUse = {
    tools: own,
    ...(choice !== undefined && { choice }),
    ...(typeof parallel_tool_calls === 'boolean' && { parallel: parallel_tool_calls }),
  };
  return { kind: 'read', value: { tools, leftOut } };
}

function formatOf(wanted: z.output<typeof format> | null | undefined): {
  answerFormat?: AnswerFormat;
} {
  if (wanted === null || wanted === undefined || wanted.type === 'text') return {};
  if (wanted.type === 'json_object') return { answerFormat: { kind: 'json' } };
  return { answerFormat: schemaFormat(wanted) };
}
