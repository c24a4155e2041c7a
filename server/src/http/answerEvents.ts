/** The events of an answer on the wire, while it runs: their documented shapes, and the core's events in them. */
import { z } from '@hono/zod-openapi';
import type { Route, RouterEvent } from '../core/answer.ts';
import { assertNever } from '../core/errors.ts';
import { reasonText } from '../core/reason.ts';
import { answerOf, confidenceOf, roundedMs, sentenceOf, usdOf } from '../core/reply.ts';
import type { Registry } from '../core/types.ts';
import {
  answerReply,
  costBound,
  estimatedCost,
  reasonSentence,
  routeReason,
} from './answerReply.ts';
import { type Problem, problemOfFailure, problemReply } from './problems.ts';
import { confidenceReply } from './traceReply.ts';

const toModel = z.string().describe('The model whose answer follows.');

/** Registered in the OpenAPI document one by one, because a stream of text can't refer to them. */
export const ownEvents = {
  /** First, once: the decision before generation. */
  route: z.strictObject({
    request_id: z.string().describe('The id of the request.'),
    chosen_model: z.string().describe('The model that answers first.'),
    tier: z.enum(['cheap', 'escalation']).describe('Its tier.'),
    if_unsure: z.string().nullable().describe('The model that takes over an unsure local answer.'),
    score: z.number().describe('What escalating is worth, in [0,1].'),
    threshold: z.number().describe('The score above which the escalation tier answers at once.'),
    quality_proxy: z.number().describe('Estimated chance of an acceptable answer.'),
    estimated_cost_usd: estimatedCost,
    cost_bound_usd: costBound,
    estimated_latency_ms: z
      .number()
      .nullable()
      .describe('From measured speeds; null until measured.'),
    route_reason: routeReason,
    reason: reasonSentence,
  }),
  progress: z.strictObject({
    stage: z
      .enum(['queued', 'loading', 'reading'])
      .describe('What goes on before the first token.'),
    share: z.number().describe('How much of it is done, in [0,1].'),
  }),
  delta: z.strictObject({
    text: z.string().describe('The next piece of the answer.'),
    model: z.string().describe('The model that wrote it.'),
    draft: z.boolean().describe("The text may yet be replaced by another model's answer."),
  }),
  /** The text so far was a draft; drop it. */
  deferred: z.strictObject({
    confidence: confidenceReply,
    to_model: toModel,
  }),
  fallback: z.strictObject({
    route_reason: routeReason,
    reason: reasonSentence,
    to_model: toModel,
  }),
};

/** `end` is what the JSON reply would have been, `error` what the body of the problem would. One of them is the last. */
export const eventSchemas = { ...ownEvents, end: answerReply, error: problemReply };

type EventName = keyof typeof eventSchemas;

export type WireEvent = {
  [Name in EventName]: {
    readonly event: Name;
    readonly data: z.infer<(typeof eventSchemas)[Name]>;
  };
}[EventName];

/** A step on the way to a reply: a problem is still whole, because a JSON reply takes its status from it. */
export type AnswerStep =
  | Exclude<WireEvent, { event: 'error' }>
  | { readonly event: 'error'; readonly problem: Problem };

export function answerStep(event: RouterEvent, registry: Registry): AnswerStep {
  switch (event.type) {
    case 'route-decided':
      return { event: 'route', data: routeOf(event.route, registry) };
    case 'progress':
      return { event: 'progress', data: { stage: event.stage, share: event.share } };
    case 'text-delta':
      return {
        event: 'delta',
        data: { text: event.text, model: event.modelId, draft: event.draft },
      };
    case 'answer-deferred':
      return {
        event: 'deferred',
        data: { confidence: confidenceOf(event.confidence), to_model: event.toModelId },
      };
    case 'fallback-started':
      return {
        event: 'fallback',
        data: {
          route_reason: reasonText(event.reason),
          reason: sentenceOf(event.reason, registry),
          to_model: event.toModelId,
        },
      };
    case 'answer-end':
      return { event: 'end', data: answerOf(event.result, registry) };
    case 'answer-failed':
      return {
        event: 'error',
        problem: problemOfFailure(event.failure, event.reason, event.costNanoUsd),
      };
    default:
      return assertNever(event);
  }
}

export function routeOf(route: Route, registry: Registry): z.infer<typeof eventSchemas.route> {
  return {
    request_id: route.promptId,
    chosen_model: route.modelId,
    tier: route.tier,
    if_unsure: route.ifUnsure ?? null,
    score: route.score,
    threshold: route.threshold,
    quality_proxy: route.quality,
    estimated_cost_usd: usdOf(route.expectedCostNanoUsd),
    cost_bound_usd: usdOf(route.boundNanoUsd),
    estimated_latency_ms: roundedMs(route.expectedLatencyMs),
    route_reason: reasonText(route.reason),
    reason: sentenceOf(route.reason, registry),
  };
}
