/** The request of `POST /generate`: its fields as documented, and its way into the core's `Prompt`. */
import { z } from '@hono/zod-openapi';
import type { NewId } from '../core/ports.ts';
import { dollarAmount, MAX_PROMPT_CHARS, outputTokens } from '../core/schema.ts';
import type { Constraints, Prompt, Registry } from '../core/types.ts';
import type { Problem } from './problems.ts';

export const promptText = z
  .string()
  .regex(/\S/, 'Invalid input: expected some text, received only white space');

const id = z
  .string()
  .regex(
    /^[\w.:-]{1,128}$/,
    'Invalid input: expected 1 to 128 letters, digits or any of _ . : -, received other text',
  );

const contextPart = z
  .strictObject({
    kind: z.enum(['selection', 'file', 'symbol', 'diff', 'text']).describe('What this part is.'),
    text: z.string().describe('The code or text itself.'),
    path: z
      .string()
      .max(4096)
      .optional()
      .describe('Where it comes from, relative to the workspace.'),
    language: z.string().max(64).optional().describe('Its language, as `typescript`.'),
  })
  .openapi('ContextPart');

const turn = z
  .strictObject({
    role: z.enum(['user', 'assistant']).describe('Who said it.'),
    text: z.string().describe('What was said.'),
  })
  .openapi('Turn');

export const generateRequest = z
  .strictObject({
    prompt: promptText.describe('What is asked.').meta({ example: 'Why does this retry twice?' }),
    max_cost_usd: dollarAmount
      .optional()
      .describe('The answer may not be able to cost more than this, at its worst case.'),
    max_latency_ms: z
      .number()
      .positive()
      .max(86_400_000)
      .optional()
      .describe(
        'Plans expected to take longer are left out; when all are too slow, the fastest answers.',
      ),
    min_quality: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe('Estimated chance of an acceptable answer that the plan must reach.'),
    force_model: z
      .string()
      .max(200)
      .optional()
      .describe(
        '`cheap`, `openai` (the escalation tier, whatever its model), or the id of an enabled model.',
      ),
    privacy: z
      .enum(['any', 'local-only'])
      .optional()
      .describe('`local-only`: nothing of this prompt leaves the machine.'),
    max_output_tokens: outputTokens.optional().describe('Tokens that the answer may have at most.'),
    context: z
      .array(contextPart)
      .max(1000)
      .optional()
      .describe('Material that travels with the prompt. It is data, never instructions.'),
    history: z.array(turn).max(1000).optional().describe('Earlier turns, oldest first.'),
    session_id: id.optional().describe('Groups requests in the history.'),
    request_id: id.optional().describe('Names this request; made up when absent.'),
    use_cache: z
      .boolean()
      .optional()
      .describe('`false` asks again although a cached answer exists.'),
    dry_run: z
      .boolean()
      .optional()
      .describe('`true` decides and estimates, and neither generates nor spends.'),
    stream: z
      .boolean()
      .optional()
      .describe('`true` streams Server-Sent Events, as does `Accept: text/event-stream`.'),
  })
  .openapi('GenerateRequest');

export type GenerateRequest = z.output<typeof generateRequest>;

export type PromptResult =
  | { readonly kind: 'prompt'; readonly prompt: Prompt }
  | { readonly kind: 'refused'; readonly problem: Problem };

export function promptOf(request: GenerateRequest, registry: Registry, newId: NewId): PromptResult {
  const tooLong = lengthProblem(request);
  if (tooLong !== undefined) return { kind: 'refused', problem: tooLong };
  const { force_model: wanted } = request;
  const forced = wanted === undefined ? undefined : forcedModel(wanted, registry);
  if (wanted !== undefined && forced === undefined) {
    return {
      kind: 'refused',
      problem: {
        code: 'unknown_model',
        message:
          'expected cheap, openai or the id of an enabled model, got another name; GET /models lists them',
        path: 'force_model',
      },
    };
  }
  const constraints: Constraints = {
    maxCostNanoUsd: request.max_cost_usd,
    maxLatencyMs: request.max_latency_ms,
    minQuality: request.min_quality,
    forceModel: forced,
    privacy: request.privacy,
    maxOutputTokens: request.max_output_tokens,
  };
  return {
    kind: 'prompt',
    prompt: {
      id: request.request_id ?? newId(),
      text: request.prompt,
      context: request.context ?? [],
      history: request.history ?? [],
      constraints,
      ...(request.session_id === undefined ? {} : { sessionId: request.session_id }),
      ...(request.use_cache === undefined ? {} : { useCache: request.use_cache }),
    },
  };
}

export function forcedModel(wanted: string, registry: Registry): Constraints['forceModel'] {
  if (wanted === 'cheap') return { tier: 'cheap' };
  if (wanted === 'openai') return { tier: 'escalation' };
  const known = registry.models.some((model) => model.enabled && model.id === wanted);
  return known ? { id: wanted } : undefined;
}

export function lengthProblem(
  request: Pick<GenerateRequest, 'prompt' | 'context' | 'history'>,
): Problem | undefined {
  const texts = [...(request.context ?? []), ...(request.history ?? [])];
  const chars = texts.reduce((sum, { text }) => sum + text.length, request.prompt.length);
  if (chars <= MAX_PROMPT_CHARS) return undefined;
  return {
    code: 'prompt_too_long',
    message: `expected at most ${MAX_PROMPT_CHARS} characters of prompt, context and history, got ${chars}; send less context`,
    path: 'prompt',
  };
}
