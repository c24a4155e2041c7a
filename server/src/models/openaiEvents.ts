/**
 * Reads the two wire formats of an answer: events of the Responses API, chunks of Chat Completions.
 * A reader returns the text of each event and, once the provider has said so, how the answer ended. A stream
 * that stops without saying so has been cut, although the SDK reports nothing.
 */
import type { ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';
import type { Response, ResponseStreamEvent } from 'openai/resources/responses/responses';
import type { ToolCall } from '../core/callerWishes.ts';
import type { Failure } from '../core/errors.ts';
import type { ModelEvent } from '../core/ports.ts';
import type { FinishReason, Usage } from '../core/types.ts';

export interface AnswerReader<Event> {
  /** The text that this event adds to the answer, often none. */
  read(event: Event): string;
  /** `undefined` until the provider has told the end. */
  ended(): Extract<ModelEvent, { type: 'end' | 'failed' }> | undefined;
  /** Whether more may still come that matters after the end, such as the usage. */
  complete(): boolean;
}

/** What a provider says of an error inside a stream. */
interface ToldError {
  readonly code: unknown;
  readonly type?: unknown;
}

export function createResponsesReader(
  failed: (told: ToldError) => Failure,
): AnswerReader<ResponseStreamEvent> {
  let refused = false;
  const toolCalls: ToolCall[] = [];
  let ended: ReturnType<AnswerReader<ResponseStreamEvent>['ended']>;
  return {
    read(event) {
      switch (event.type) {
        case 'response.output_text.delta':
          return textOf(event.delta);
        case 'response.refusal.delta':
          // The provider's words of refusal are all the answer there is, so the reader shall see them.
          refused = true;
          return textOf(event.delta);
        case 'response.output_item.done':
          if (event.item.type === 'function_call') {
            const { call_id: id, name, arguments: argumentsJson } = event.item;
            toolCalls.push({ id, name, argumentsJson });
          }
          return '';
        case 'response.completed':
        case 'response.incomplete':
          ended = {
            type: 'end',
            finish: refused ? 'refusal' : responseFinish(event.response, toolCalls),
            usage: responseUsage(event.response),
            ...withCalls(toolCalls),
          };
          return '';
        case 'response.failed':
          ended = {
            type: 'failed',
            failure: failed({ code: event.response.error?.code }),
          };
          return '';
        default:
          return '';
      }
    },
    ended: () => ended,
    complete: () => ended !== undefined,
  };
}

export function createChatReader(): AnswerReader<ChatCompletionChunk> {
  let refused = false;
  const calls = new Map<number, { id: string; name: string; argumentsJson: string }>();
  let finish: FinishReason | undefined;
  let usage: CompletionUsage | undefined;
  let tier: ChatCompletionChunk['service_tier'];
  return {
    read(chunk) {
      // The usage comes in a chunk of its own after the finish reason; some servers repeat it in every chunk.
      usage = chunk.usage ?? usage;
      tier = chunk.service_tier ?? tier;
      const choice = chunk.choices?.[0];
      if (choice === undefined) return '';
      finish = chatFinish(choice.finish_reason) ?? finish;
      const { content, refusal, tool_calls: parts = [] } = choice.delta ?? {};
      for (const part of parts ?? []) {
        // A call comes in pieces: its id and name first, then its arguments bit by bit.
        const call = calls.get(part.index) ?? { id: '', name: '', argumentsJson: '' };
        calls.set(part.index, {
          id: part.id ?? call.id,
          name: part.function?.name ?? call.name,
          argumentsJson: `${call.argumentsJson}${part.function?.arguments ?? ''}`,
        });
      }
      if (refusal) refused = true;
      return `${textOf(content)}${textOf(refusal)}`;
    },
    ended() {
      if (finish === undefined) return undefined;
      const toolCalls = [...calls.values()];
      // Some servers end with `stop` although they call tools.
      const told = finish === 'stop' && toolCalls.length > 0 ? 'tool-calls' : finish;
      return {
        type: 'end',
        finish: refused ? 'refusal' : told,
        usage: chatUsage(usage, tier),
        ...withCalls(toolCalls),
      };
    },
    // The stream closes with its `[DONE]`; until then the usage may still come.
    complete: () => false,
  };
}

function withCalls(toolCalls: readonly ToolCall[]): { toolCalls?: readonly ToolCall[] } {
  return toolCalls.length === 0 ? {} : { toolCalls };
}

function responseFinish(response: Response, toolCalls: readonly ToolCall[]): FinishReason {
  if (response.status !== 'incomplete') return toolCalls.length === 0 ? 'stop' : 'tool-calls';
  return response.incomplete_details?.reason === 'content_filter' ? 'refusal' : 'length';
}

function chatFinish(
  reason: ChatCompletionChunk.Choice['finish_reason'] | undefined,
): FinishReason | undefined {
  if (reason === null || reason === undefined) return undefined;
  if (reason === 'content_filter') return 'refusal';
  if (reason === 'tool_calls' || reason === 'function_call') return 'tool-calls';
  return reason === 'length' ? 'length' : 'stop';
}

function responseUsage({ usage, service_tier: tier, tool_usage: tools }: Response): Usage {
  return {
    inputTokens: count(usage?.input_tokens),
    cachedInputTokens: count(usage?.input_tokens_details?.cached_tokens),
    cacheWriteTokens: count(usage?.input_tokens_details?.cache_write_tokens),
    outputTokens: count(usage?.output_tokens),
    reasoningTokens: count(usage?.output_tokens_details?.reasoning_tokens),
    ...unpriced([
      ...unpricedTier(tier, (name) => name !== 'default'),
      ...unpricedParts(tools, []),
      ...unpricedParts(usage?.input_tokens_details, INPUT_PARTS),
      ...unpricedParts(usage?.output_tokens_details, OUTPUT_PARTS),
      ...unpricedRest(usage?.total_tokens, usage?.input_tokens, usage?.output_tokens),
    ]),
  };
}

function chatUsage(usage: CompletionUsage | undefined, tier: unknown): Usage {
  return {
    inputTokens: count(usage?.prompt_tokens),
    cachedInputTokens: count(usage?.prompt_tokens_details?.cached_tokens),
    cacheWriteTokens: count(usage?.prompt_tokens_details?.cache_write_tokens),
    outputTokens: count(usage?.completion_tokens),
    reasoningTokens: count(usage?.completion_tokens_details?.reasoning_tokens),
    ...unpriced([
      ...unpricedTier(tier, (name) => DEARER_TIERS.has(name)),
      ...unpricedParts(usage?.prompt_tokens_details, INPUT_PARTS),
      ...unpricedParts(usage?.completion_tokens_details, OUTPUT_PARTS),
      ...unpricedRest(usage?.total_tokens, usage?.prompt_tokens, usage?.completion_tokens),
    ]),
  };
}

/** Parts of the counts that a price row can hold, or that cost what their whole costs. */
const INPUT_PARTS = ['cached_tokens', 'cache_write_tokens', 'text_tokens', 'ttl_30m_tokens'];
const OUTPUT_PARTS = [
  'reasoning_tokens',
  'text_tokens',
  'accepted_prediction_tokens',
  'rejected_prediction_tokens',
];

/** OpenAI's names. Compatible servers call their usual tier as they like, so only these are taken for another price. */
const DEARER_TIERS = new Set(['priority', 'fast', 'ultrafast', 'flex', 'scale', 'batch']);

function unpriced([first]: readonly string[]): Pick<Usage, 'unpriced'> {
  return first === undefined ? {} : { unpriced: first };
}

function unpricedTier(tier: unknown, isOther: (name: string) => boolean): readonly string[] {
  return typeof tier === 'string' && isOther(tier) ? [`service_tier_${plainName(tier)}`] : [];
}

/** Names of the figures above zero that are not among `priced`; a provider may add new ones any day. */
function unpricedParts(parts: unknown, priced: readonly string[]): readonly string[] {
  if (typeof parts !== 'object' || parts === null) return [];
  return Object.entries(parts).flatMap(([name, value]) => {
    if (priced.includes(name)) return [];
    if (typeof value === 'number') return value > 0 ? [plainName(name)] : [];
    return unpricedParts(value, priced);
  });
}

/** Some servers leave reasoning out of the output; then only the total tells that there is more to pay. */
function unpricedRest(total: unknown, input: unknown, output: unknown): readonly string[] {
  const [all, read, written] = [count(total), count(input), count(output)];
  if (all === undefined || read === undefined || written === undefined) return [];
  return all > read + written ? ['further_tokens'] : [];
}

/** It is kept in the ledger, so it shall be a name and nothing else. */
function plainName(name: string): string {
  return /^\w{1,40}$/.test(name) ? name : 'unknown';
}

/** The types promise text, the wire does not. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The types promise numbers, the wire does not: anything but a count is as good as untold. */
function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
