/**
 * A line of somebody's log of prompts as a prompt of ours: `{"prompt"}`, the body of a Chat Completions or Responses call,
 * or a line that holds such a body and its reply (`request`/`response`, or `body` as in OpenAI's batch files).
 */
import { z } from 'zod';
import type { Turn, Usage } from './types.ts';

export interface PastCall {
  readonly text: string;
  readonly history: readonly Turn[];
  readonly instructions: string | undefined;
  /** The provider's name of the model that answered; `undefined` when the line does not say. */
  readonly model: string | undefined;
  /** `undefined` when the line does not tell both counts. */
  readonly usage: Usage | undefined;
  readonly answer: string | undefined;
}

export type ParsedCall =
  | { readonly kind: 'call'; readonly call: PastCall }
  | { readonly kind: 'bad'; readonly why: string };

const part = z.looseObject({ text: z.string().optional() });
const content = z.union([z.string(), z.array(part)]).nullish();
const message = z.looseObject({ role: z.string(), content });

const asked = z.looseObject({
  prompt: z.string().optional(),
  messages: z.array(message).optional(),
  input: z
    .union([z.string(), z.array(z.looseObject({ role: z.string().optional(), content }))])
    .optional(),
  instructions: z.string().nullish(),
  model: z.string().optional(),
});

const count = z.int().nonnegative();
const details = z.looseObject({ cached_tokens: count.nullish() }).nullish();
const usage = z.looseObject({
  prompt_tokens: count.optional(),
  completion_tokens: count.optional(),
  input_tokens: count.optional(),
  output_tokens: count.optional(),
  prompt_tokens_details: details,
  input_tokens_details: details,
});

const replied = z.looseObject({
  model: z.string().optional(),
  usage: usage.nullish(),
  choices: z.array(z.looseObject({ message: z.looseObject({ content }).optional() })).optional(),
});

const FORMS =
  'expected a field prompt, messages or input (or request and response, or body and response), got none';

export function pastCallOf(line: Record<string, unknown>): ParsedCall {
  const request = asked.safeParse(objectIn(line, ['request', 'body']) ?? line);
  if (!request.success) {
    const [issue] = request.error.issues;
    return {
      kind: 'bad',
      why: `expected ${issue?.path.join('.') ?? 'a request'} in the form of the API, got another`,
    };
  }
  const turns = turnsOf(request.data);
  const last = turns.findLastIndex(({ role }) => role === 'user');
  const question = turns[last];
  if (question === undefined || question.text.trim() === '') return { kind: 'bad', why: FORMS };
  const response = replied.safeParse(responseIn(line) ?? line);
  const reply = response.success ? response.data : undefined;
  const said = instructionsOf(request.data);
  return {
    kind: 'call',
    call: {
      text: question.text,
      history: turns.slice(0, last),
      instructions: said === '' ? undefined : said,
      model: reply?.model ?? request.data.model,
      usage: usageOf(reply?.usage),
      answer: reply?.choices?.[0]?.message && textOf(reply.choices[0].message.content),
    },
  };
}

type Asked = z.infer<typeof asked>;

function turnsOf({ prompt, messages, input }: Asked): Turn[] {
  if (prompt !== undefined) return [{ role: 'user', text: prompt }];
  if (typeof input === 'string') return [{ role: 'user', text: input }];
  return (messages ?? input ?? []).flatMap((one): Turn[] => {
    const text = textOf(one.content);
    return one.role === 'user' || one.role === 'assistant' ? [{ role: one.role, text }] : [];
  });
}

function instructionsOf({ instructions, messages }: Asked): string {
  const systems = (messages ?? []).filter(({ role }) => role === 'system' || role === 'developer');
  return [instructions ?? '', ...systems.map((one) => textOf(one.content))]
    .filter((text) => text !== '')
    .join('\n\n');
}

function textOf(said: z.infer<typeof content>): string {
  if (said === null || said === undefined) return '';
  if (typeof said === 'string') return said;
  return said.flatMap(({ text }) => (text === undefined ? [] : [text])).join('\n');
}

function usageOf(told: z.infer<typeof usage> | null | undefined): Usage | undefined {
  const inputTokens = told?.input_tokens ?? told?.prompt_tokens;
  const outputTokens = told?.output_tokens ?? told?.completion_tokens;
  if (inputTokens === undefined || outputTokens === undefined) return undefined;
  const cached = told?.input_tokens_details ?? told?.prompt_tokens_details;
  return {
    inputTokens,
    outputTokens,
    cachedInputTokens: cached?.cached_tokens ?? undefined,
    cacheWriteTokens: undefined,
    reasoningTokens: undefined,
  };
}

/** OpenAI's batch files have the reply's body one level deeper. */
function responseIn(line: Record<string, unknown>): Record<string, unknown> | undefined {
  const response = objectIn(line, ['response']);
  return response && (objectIn(response, ['body']) ?? response);
}

function objectIn(
  line: Record<string, unknown>,
  names: readonly string[],
): Record<string, unknown> | undefined {
  for (const name of names) {
    const value = line[name];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  }
  return undefined;
}
