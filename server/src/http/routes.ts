/** The calls of this edge as OpenAPI describes them. api.ts gives each its handler. */
import { createRoute, z } from '@hono/zod-openapi';
import { eventSchemas } from './answerEvents.ts';
import { answerReply } from './answerReply.ts';
import { generateRequest } from './generateRequest.ts';
import { legacyReply, legacyRequest } from './legacyRoute.ts';
import { modelsReply, spendReply } from './moneyReplies.ts';
import { type ProblemCode, problemReply, problemStatus } from './problems.ts';

export const SECURED = [{ bearer: [] }];

const everywhere: readonly ProblemCode[] = [
  'forbidden_host',
  'forbidden_origin',
  'too_many_requests',
  'internal',
];
export const openProblems: readonly ProblemCode[] = ['unauthorized', ...everywhere];
const withBody: readonly ProblemCode[] = [
  'invalid_json',
  'invalid_request',
  'body_too_large',
  'prompt_too_long',
  'unsupported_media_type',
  'too_busy',
  ...openProblems,
];
/** What a decision alone can be refused for. */
const deciding: readonly ProblemCode[] = [
  'unknown_model',
  'budget_exhausted',
  'privacy_floor',
  'cost_limit',
  'context_limit',
  'capability_missing',
  'no_api_key',
  'model_missing',
  'unknown_price',
  'provider_unavailable',
  ...withBody,
];
export const answeringProblems: readonly ProblemCode[] = [
  'duplicate_request',
  'refusal',
  'rate_limited',
  'quota_exceeded',
  'cancelled',
  'bad_request',
  'bad_key',
  'stream_cut',
  'model_crashed',
  'model_too_big',
  'ledger_unavailable',
  'timeout',
  ...deciding,
];

const eventNames = Object.entries(eventSchemas)
  .map(([name]) => `\`${name}\``)
  .join(', ');

export const routes = {
  generate: createRoute({
    method: 'post',
    path: '/generate',
    summary: 'Answer a prompt, or with `dry_run` say how it would be answered.',
    description: `Streams events (${eventNames}) when asked to: see \`stream\`. Closing the connection cancels the work.`,
    security: SECURED,
    request: { body: jsonBody(generateRequest) },
    responses: {
      200: {
        description: 'The answer, or the events that lead to it.',
        content: {
          'application/json': { schema: answerReply },
          'text/event-stream': {
            schema: z
              .string()
              .describe(
                `Events ${eventNames}, each with one line of JSON as data: \`end\` an Answer, \`error\` a Problem, any other NAME the shape event_NAME.`,
              ),
          },
        },
      },
      ...problems(answeringProblems),
    },
  }),
  legacy: createRoute({
    method: 'post',
    path: '/route',
    summary: 'Choose a model (the older call, in dollars and seconds). Nothing is generated.',
    security: SECURED,
    request: { body: jsonBody(legacyRequest) },
    responses: { ...json('The decision.', legacyReply), ...problems(deciding) },
  }),
  spend: createRoute({
    method: 'get',
    path: '/spend',
    summary: 'The money of this month.',
    security: SECURED,
    responses: { ...json('The month.', spendReply), ...problems(openProblems) },
  }),
  models: createRoute({
    method: 'get',
    path: '/models',
    summary: 'The models with their prices, speeds and whether they could answer now.',
    security: SECURED,
    responses: { ...json('The models.', modelsReply), ...problems(openProblems) },
  }),
  health: createRoute({
    method: 'get',
    path: '/health',
    summary: 'Whether the server is up. Needs no token.',
    security: [],
    responses: {
      ...json(
        'It is.',
        z
          .strictObject({
            status: z.literal('ok').describe('Always this.'),
            version: z.string().describe('The version of the program.'),
          })
          .openapi('Health'),
      ),
      ...problems(everywhere),
    },
  }),
  openapi: createRoute({
    method: 'get',
    path: '/openapi.json',
    summary: 'This description.',
    security: [...SECURED, { page: [] }],
    responses: {
      ...json('An OpenAPI 3.1 document.', z.looseObject({}).describe('OpenAPI 3.1.')),
      ...problems(openProblems),
    },
  }),
  docs: createRoute({
    method: 'get',
    path: '/docs',
    summary: 'This description as a page.',
    security: [...SECURED, { page: [] }],
    responses: {
      200: { description: 'The page.', content: { 'text/html': { schema: z.string() } } },
      ...problems(openProblems),
    },
  }),
};

export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } };
}

/** Plain responses, so that handlers may return any `Response`; what they put in is typed where it is made. */
export type Responses = Record<
  number,
  { description: string; content?: Record<string, { schema: z.ZodType }> }
>;

export function json(description: string, schema: z.ZodType): Responses {
  return { 200: { description, content: { 'application/json': { schema } } } };
}

/** @param statusOf and @param schema differ for calls that speak in another program's shape */
export function problems(
  codes: readonly ProblemCode[],
  schema: z.ZodType = problemReply,
  statusOf: (code: ProblemCode) => number = (code) => problemStatus[code],
): Responses {
  const entries = [...Map.groupBy(codes, statusOf)].map(([status, some]) => [
    status,
    {
      description: `One of ${some.map((code) => `\`${code}\``).join(', ')}.`,
      content: { 'application/json': { schema } },
    },
  ]);
  return Object.fromEntries(entries);
}
