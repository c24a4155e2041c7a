/** Our problems in OpenAI's shape. Its clients repeat what has a status of 5xx or 429 unless told not to. */
import { z } from '@hono/zod-openapi';
import type { Registry } from '../../core/types.ts';
import {
  type Problem,
  type ProblemCode,
  problemBody,
  problemResponse,
  problemStatus,
} from '../problems.ts';

export const openaiProblem = z
  .strictObject({
    error: z
      .looseObject({
        message: z.string().describe('What was expected, what came, and what to do.'),
        type: z.string().describe('The kind of error, as OpenAI names it.'),
        param: z.string().nullable().describe('The field at fault, or null.'),
        code: z.string().describe('What went wrong, for programs; docs/REST.md lists the codes.'),
      })
      .describe('The one thing that went wrong, with the fields of Problem beside.'),
  })
  .openapi('OpenAIProblem');

export function openaiProblemBody(problem: Problem, registry: Registry | undefined) {
  const { error } = problemBody(problem, registry);
  const code = error.code === 'unknown_model' ? 'model_not_found' : error.code;
  return { error: { ...error, code, type: typeOf(problem), param: error.path } };
}

const passing = new Set<Problem['code']>([
  'rate_limited',
  'timeout',
  'stream_cut',
  'provider_unavailable',
  'model_crashed',
  'too_busy',
]);

export function openaiProblemResponse(problem: Problem, registry: Registry | undefined): Response {
  const { headers } = problemResponse(problem, registry);
  headers.delete('content-length');
  if (!passing.has(problem.code)) headers.set('x-should-retry', 'false');
  const status = openaiStatus(problem.code);
  return Response.json(openaiProblemBody(problem, registry), { status, headers });
}

export function openaiStatus(code: ProblemCode): number {
  return code === 'unknown_model' ? 404 : problemStatus[code];
}

function typeOf({ code }: Problem): string {
  const status = problemStatus[code];
  if (code === 'budget_exhausted' || code === 'quota_exceeded') return 'insufficient_quota';
  if (status === 429) return 'rate_limit_error';
  if (status === 401) return 'authentication_error';
  return status >= 500 ? 'api_error' : 'invalid_request_error';
}
