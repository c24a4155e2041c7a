/** What both calls have in common beside their messages: the model's name, our own limits, and how they become a prompt. */
import { z } from '@hono/zod-openapi';
import type { CallerConversation } from '../../core/callerConversation.ts';
import { type AnswerFormat, needsOf, type Sampling } from '../../core/callerWishes.ts';
import type { NewId } from '../../core/ports.ts';
import { dollarAmount, MAX_PROMPT_CHARS } from '../../core/schema.ts';
import type { CallerWishes, Constraints, Prompt, Registry } from '../../core/types.ts';
import { forcedModel } from '../generateRequest.ts';
import { type Read, refused } from './conversation.ts';

export const AUTO = 'auto';

export const modelName = z
  .string()
  .min(1)
  .max(200)
  .describe('`auto` routes; `cheap`, `openai` or the id of an enabled model asks for that one.')
  .meta({ example: AUTO });

export const jsonObject = z.record(z.string(), z.unknown());

export const sampling = {
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .describe('For cloud models. A local model always takes its likeliest token.'),
  top_p: z.number().min(0).max(1).nullish().describe('For cloud models.'),
};

interface SentSampling {
  readonly temperature?: number | null | undefined;
  readonly top_p?: number | null | undefined;
  readonly seed?: number | null | undefined;
}

export function samplingOf({
  temperature,
  top_p: topP,
  seed,
}: SentSampling): Pick<CallerWishes, 'sampling'> {
  const sent: Sampling = {
    ...(typeof temperature === 'number' && { temperature }),
    ...(typeof topP === 'number' && { topP }),
    ...(typeof seed === 'number' && { seed }),
  };
  return Object.keys(sent).length === 0 ? {} : { sampling: sent };
}

interface SentSchema {
  readonly name: string;
  readonly description?: string | undefined;
  readonly schema?: Readonly<Record<string, unknown>> | undefined;
  readonly strict?: boolean | null | undefined;
}

export function schemaFormat({ name, description, schema = {}, strict }: SentSchema): AnswerFormat {
  return {
    kind: 'json-schema',
    name,
    schema,
    ...(description !== undefined && { description }),
    ...(typeof strict === 'boolean' && { strict }),
  };
}

/** Limits of the router, in a field that clients of OpenAI send as an extra one. */
export const routerField = z
  .strictObject({
    max_cost_usd: dollarAmount.optional().describe('The most that the answer may cost.'),
    max_latency_ms: z
      .number()
      .positive()
      .max(86_400_000)
      .optional()
      .describe('Plans expected to take longer are left out.'),
    min_quality: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Estimated chance of an acceptable answer that the plan must reach.'),
    privacy: z
      .enum(['any', 'local-only'])
      .optional()
      .describe('`local-only`: nothing leaves the machine.'),
    session_id: z
      .string()
      .regex(
        /^[\w.:-]{1,128}$/,
        'Invalid input: expected 1 to 128 letters, digits or any of _ . : -',
      )
      .optional()
      .describe('Groups requests; a session may have a budget.'),
    use_cache: z.boolean().optional().describe('`false` asks again.'),
  })
  .optional()
  .describe("The router's own limits; an extra field that OpenAI does not have.");

export interface Asked {
  readonly model: string;
  readonly conversation: CallerConversation;
  readonly wishes: Pick<CallerWishes, 'tools' | 'answerFormat' | 'sampling' | 'stop'>;
  readonly maxOutputTokens: number | undefined;
  readonly router: z.output<typeof routerField>;
  /** Offered tools that no model here is told of. */
  readonly toolsLeftOut: readonly string[];
}

export function promptOfAsked(asked: Asked, registry: Registry, newId: NewId): Read<Prompt> {
  const { model, conversation, wishes, router = {} } = asked;
  const forced = model === AUTO ? undefined : forcedModel(model, registry);
  if (model !== AUTO && forced === undefined) {
    return refused(
      'expected auto, cheap, openai or the id of an enabled model, got another name; GET /v1/models lists them',
      'model',
      'unknown_model',
    );
  }
  const turns = [...conversation.history, ...(conversation.toolTurns ?? [])];
  const texts = [conversation.instructions ?? '', conversation.text];
  const chars = [...texts, ...turns.map(({ text }) => text)].reduce(
    (sum, { length }) => sum + length,
    0,
  );
  if (chars > MAX_PROMPT_CHARS) {
    return refused(
      `expected at most ${MAX_PROMPT_CHARS} characters of messages, got ${chars}; send less`,
      'messages',
      'prompt_too_long',
    );
  }
  const constraints: Constraints = {
    maxCostNanoUsd: router.max_cost_usd,
    maxLatencyMs: router.max_latency_ms,
    minQuality: router.min_quality,
    forceModel: forced,
    privacy: router.privacy,
    maxOutputTokens: asked.maxOutputTokens,
  };
  const { tools, answerFormat } = wishes;
  const prompt: Prompt = {
    id: newId(),
    ...conversation,
    context: [],
    constraints,
    ...wishes,
    ...(router.session_id === undefined ? {} : { sessionId: router.session_id }),
    ...(router.use_cache === undefined ? {} : { useCache: router.use_cache }),
  };
  // Without a tool to call, the fields of tools would only be refused further on.
  const idle = tools !== undefined && needsOf({ tools }).length === 0 && answerFormat === undefined;
  return { kind: 'read', value: idle ? withoutTools(prompt) : prompt };
}

function withoutTools({ tools: _, ...prompt }: Prompt): Prompt {
  return prompt;
}
