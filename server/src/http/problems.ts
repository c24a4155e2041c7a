/**
 * Everything this edge can refuse or fail with: one table of codes and statuses, one shape on the wire.
 * docs/REST.md shows the same table, and a test compares the two.
 */
import { z } from '@hono/zod-openapi';
import type { Failure, FailureCode } from '../core/errors.ts';
import { issuePath, issueText } from '../core/issueText.ts';
import { dollars } from '../core/price.ts';
import { type Reason, reasonText } from '../core/reason.ts';
import { sentenceOf } from '../core/reply.ts';
import type { NanoUsd, Registry } from '../core/types.ts';

type RequestProblemCode =
  | 'invalid_json'
  | 'invalid_request'
  | 'unauthorized'
  | 'forbidden_host'
  | 'forbidden_origin'
  | 'not_found'
  | 'method_not_allowed'
  | 'body_too_large'
  | 'prompt_too_long'
  | 'unsupported_media_type'
  | 'too_many_requests';

export type ProblemCode = RequestProblemCode | FailureCode;

/** 499 is no standard status; it marks a request whose client has left, and so is seen only in logs. */
export const problemStatus: Readonly<Record<ProblemCode, number>> = {
  invalid_json: 400,
  invalid_request: 400,
  unknown_model: 400,
  unauthorized: 401,
  budget_exhausted: 402,
  forbidden_host: 403,
  forbidden_origin: 403,
  not_found: 404,
  method_not_allowed: 405,
  duplicate_request: 409,
  body_too_large: 413,
  prompt_too_long: 413,
  unsupported_media_type: 415,
  privacy_floor: 422,
  cost_limit: 422,
  context_limit: 422,
  capability_missing: 422,
  refusal: 422,
  rate_limited: 429,
  quota_exceeded: 429,
  too_many_requests: 429,
  cancelled: 499,
  internal: 500,
  bad_request: 502,
  bad_key: 502,
  stream_cut: 502,
  model_crashed: 502,
  no_api_key: 503,
  model_missing: 503,
  model_too_big: 503,
  provider_unavailable: 503,
  unknown_price: 503,
  ledger_unavailable: 503,
  too_busy: 503,
  timeout: 504,
};

export const problemReply = z
  .strictObject({
    error: z
      .strictObject({
        code: z
          .string()
          .describe('What went wrong, for programs. docs/REST.md lists the codes.')
          .meta({ example: 'invalid_request' }),
        message: z.string().describe('What was expected, what came, and what to do.'),
        path: z
          .string()
          .nullable()
          .describe('The field of the request that is at fault, as `context[0].kind`, or null.'),
        route_reason: z
          .string()
          .optional()
          .describe('Where the router refused or failed: its reason with the facts.'),
        reason: z.string().optional().describe('The same reason as a sentence.'),
        cost_usd: z
          .number()
          .optional()
          .describe(
            'Where the router refused or failed: what its attempts have cost all the same.',
          ),
      })
      .describe('The one thing that went wrong.'),
  })
  .openapi('Problem');

export type ProblemReply = z.infer<typeof problemReply>;

export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
  readonly path?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Told only where the router itself refused or failed. */
  readonly routed?: { readonly reason: Reason | undefined; readonly costNanoUsd: NanoUsd };
}

export function problemBody(problem: Problem, registry: Registry | undefined): ProblemReply {
  const { code, message, path, routed } = problem;
  const reason = routed?.reason;
  return {
    error: {
      code,
      message,
      path: path ?? null,
      ...(reason === undefined || registry === undefined
        ? {}
        : { route_reason: reasonText(reason), reason: sentenceOf(reason, registry) }),
      ...(routed === undefined ? {} : { cost_usd: dollars(routed.costNanoUsd) }),
    },
  };
}

export function problemResponse(problem: Problem, registry?: Registry): Response {
  const headers = new Headers(problem.headers);
  if (problem.retryAfterMs !== undefined) {
    headers.set('retry-after', String(Math.max(1, Math.ceil(problem.retryAfterMs / 1000))));
  }
  const status = problemStatus[problem.code];
  return Response.json(problemBody(problem, registry), { status, headers });
}

export function problemOfFailure(
  failed: Failure,
  reason: Reason | undefined,
  costNanoUsd: NanoUsd,
): Problem {
  const { code, message, retryAfterMs } = failed;
  const waits = code === 'rate_limited' || code === 'quota_exceeded';
  return {
    code,
    // A defect's own words could name anything, so they stay here.
    message: code === 'internal' ? internalProblem.message : message,
    retryAfterMs: retryAfterMs ?? (waits ? 30_000 : undefined),
    routed: { reason, costNanoUsd },
  };
}

export const internalProblem: Problem = {
  code: 'internal',
  message: 'the server failed in a way it did not expect; see its own output, and ask again',
};

/** Of several mistakes the first is told: mending it may mend the others. */
export function problemOfIssues(issues: readonly z.core.$ZodIssue[]): Problem {
  const [issue] = issues;
  if (issue === undefined) return { code: 'invalid_request', message: 'expected a valid request' };
  return {
    code: 'invalid_request',
    message: `${issueText(issue)}; GET /docs lists the fields`,
    path: issuePath(issue),
  };
}
