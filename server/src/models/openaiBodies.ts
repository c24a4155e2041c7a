/**
 * One generation as the body of a request, in the two wire formats. What stands in a body is all that a provider can bill,
 * so every option that moves the bill is pinned here.
 */
import type {
  ChatCompletionCreateParamsStreaming,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import type {
  ResponseCreateParamsStreaming,
  ResponseInputItem,
} from 'openai/resources/responses/responses';
import type { Tool } from '../core/callerWishes.ts';
import type { GenerationRequest } from '../core/ports.ts';
import type { CloudModel, Turn } from '../core/types.ts';

export function responsesBody(
  model: CloudModel,
  request: GenerationRequest,
): ResponseCreateParamsStreaming {
  const { system, turns, maxOutputTokens, tools, answerFormat, sampling } = request;
  return {
    model: model.apiModel,
    input: turns.flatMap(inputItems),
    max_output_tokens: maxOutputTokens,
    service_tier: 'default',
    store: false,
    stream: true,
    ...(system !== '' && { instructions: system }),
    ...(model.reasoningEffort !== undefined && { reasoning: { effort: model.reasoningEffort } }),
    ...(tools !== undefined &&
      tools.tools.length > 0 && {
        tools: tools.tools.map((tool) => ({
          type: 'function' as const,
          ...described(tool),
          parameters: { ...(tool.parameters ?? NO_PARAMETERS) },
          // The Responses API takes a schema for strict unless told otherwise; Chat Completions, which callers speak, does not.
          strict: tool.strict ?? false,
        })),
        ...(tools.choice !== undefined && {
          tool_choice:
            typeof tools.choice === 'string'
              ? tools.choice
              : { type: 'function' as const, name: tools.choice.name },
        }),
        ...(tools.parallel !== undefined && { parallel_tool_calls: tools.parallel }),
      }),
    ...(answerFormat !== undefined && {
      text: {
        format:
          answerFormat.kind === 'json'
            ? { type: 'json_object' as const }
            : {
                type: 'json_schema' as const,
                name: answerFormat.name,
                schema: { ...answerFormat.schema },
                ...(answerFormat.description !== undefined && {
                  description: answerFormat.description,
                }),
                ...(answerFormat.strict !== undefined && { strict: answerFormat.strict }),
              },
      },
    }),
    ...(sampling?.temperature !== undefined && { temperature: sampling.temperature }),
    ...(sampling?.topP !== undefined && { top_p: sampling.topP }),
  };
}

/** Compatible servers know `max_tokens` only, have no service tiers, and some refuse fields they do not know. */
export function chatBody(
  model: CloudModel,
  request: GenerationRequest,
): ChatCompletionCreateParamsStreaming {
  const { system, turns, maxOutputTokens, tools, answerFormat, sampling, stop } = request;
  const messages = turns.map(chatMessage);
  return {
    model: model.apiModel,
    messages: system === '' ? messages : [{ role: 'system', content: system }, ...messages],
    max_tokens: maxOutputTokens,
    n: 1,
    stream: true,
    stream_options: { include_usage: true },
    ...(model.reasoningEffort !== undefined && { reasoning_effort: model.reasoningEffort }),
    ...(tools !== undefined &&
      tools.tools.length > 0 && {
        tools: tools.tools.map((tool) => ({
          type: 'function' as const,
          function: {
            ...described(tool),
            ...(tool.parameters !== undefined && { parameters: { ...tool.parameters } }),
            ...(tool.strict !== undefined && { strict: tool.strict }),
          },
        })),
        ...(tools.choice !== undefined && {
          tool_choice:
            typeof tools.choice === 'string'
              ? tools.choice
              : { type: 'function' as const, function: { name: tools.choice.name } },
        }),
        ...(tools.parallel !== undefined && { parallel_tool_calls: tools.parallel }),
      }),
    ...(answerFormat !== undefined && {
      response_format:
        answerFormat.kind === 'json'
          ? { type: 'json_object' as const }
          : {
              type: 'json_schema' as const,
              json_schema: {
                name: answerFormat.name,
                schema: { ...answerFormat.schema },
                ...(answerFormat.description !== undefined && {
                  description: answerFormat.description,
                }),
                ...(answerFormat.strict !== undefined && { strict: answerFormat.strict }),
              },
            },
    }),
    ...(sampling?.temperature !== undefined && { temperature: sampling.temperature }),
    ...(sampling?.topP !== undefined && { top_p: sampling.topP }),
    ...(sampling?.seed !== undefined && { seed: sampling.seed }),
    ...(stop !== undefined && { stop: [...stop] }),
  };
}

const NO_PARAMETERS = { type: 'object', properties: {} };

function described({ name, description }: Tool): { name: string; description?: string } {
  return { name, ...(description !== undefined && { description }) };
}

function inputItems(turn: Turn): readonly ResponseInputItem[] {
  if (turn.role === 'tool') {
    return [{ type: 'function_call_output', call_id: turn.toolCallId, output: turn.text }];
  }
  const calls = turn.role === 'assistant' ? (turn.toolCalls ?? []) : [];
  const said =
    turn.text === '' && calls.length > 0 ? [] : [{ role: turn.role, content: turn.text }];
  return [
    ...said,
    ...calls.map(({ id, name, argumentsJson }) => ({
      type: 'function_call' as const,
      call_id: id,
      name,
      arguments: argumentsJson,
    })),
  ];
}

function chatMessage(turn: Turn): ChatCompletionMessageParam {
  if (turn.role === 'tool') {
    return { role: 'tool', tool_call_id: turn.toolCallId, content: turn.text };
  }
  const { role, text } = turn;
  if (turn.role === 'user' || turn.toolCalls === undefined || turn.toolCalls.length === 0) {
    return { role, content: text };
  }
  return {
    role: 'assistant',
    content: text === '' ? null : text,
    tool_calls: turn.toolCalls.map(({ id, name, argumentsJson }) => ({
      id,
      type: 'function' as const,
      function: { name, arguments: argumentsJson },
    })),
  };
}
