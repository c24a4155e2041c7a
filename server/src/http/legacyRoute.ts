/** `POST /route`, the older call: decides with dollars and seconds, and neither generates nor spends. */
import { z } from '@hono/zod-openapi';
import type { Route } from '../core/answer.ts';
import { remaining } from '../core/budget.ts';
import { roundedMs, usdOf } from '../core/reply.ts';
import { dollarAmount } from '../core/schema.ts';
import type { Prompt } from '../core/types.ts';
import { promptText } from './generateRequest.ts';

export const legacyRequest = z
  .strictObject({
    prompt: promptText.describe('What is asked.').meta({ example: 'Why does this retry twice?' }),
    max_cost: dollarAmount.optional().describe('USD that the answer may cost at most.'),
    max_latency: z
      .number()
      .positive()
      .max(86_400)
      .optional()
      .describe('Seconds that the answer may take.'),
  })
  .openapi('RouteRequest');

export const legacyReply = z
  .strictObject({
    model: z.string().describe('The model that would answer first.'),
    cost: z.number().nullable().describe('≈ USD; null when it can not be known.'),
    latency_ms: z
      .number()
      .nullable()
      .describe('≈ time, from measured speeds; null until measured.'),
    within_budget: z
      .boolean()
      .nullable()
      .describe('The most it can cost is within `max_cost` and the month; null when unknown.'),
    within_latency: z
      .boolean()
      .nullable()
      .describe(
        'The estimate is within `max_latency`, or there is no such limit; null when unknown.',
      ),
  })
  .openapi('RouteReply');

export function legacyPrompt(request: z.output<typeof legacyRequest>, id: string): Prompt {
  const { max_cost, max_latency } = request;
  return {
    id,
    text: request.prompt,
    context: [],
    history: [],
    constraints: {
      maxCostNanoUsd: max_cost,
      maxLatencyMs: max_latency === undefined ? undefined : max_latency * 1000,
    },
  };
}

export function legacyReplyOf(route: Route, prompt: Prompt): z.infer<typeof legacyReply> {
  const { maxCostNanoUsd, maxLatencyMs } = prompt.constraints;
  const { boundNanoUsd, expectedLatencyMs } = route;
  const limits = [maxCostNanoUsd, remaining(route.trace.budget)].filter(
    (limit) => limit !== undefined,
  );
  return {
    model: route.modelId,
    cost: usdOf(route.expectedCostNanoUsd),
    latency_ms: roundedMs(expectedLatencyMs),
    within_budget:
      boundNanoUsd === undefined ? null : limits.every((limit) => boundNanoUsd <= limit),
    within_latency:
      maxLatencyMs === undefined ? true : withinLatency(expectedLatencyMs, maxLatencyMs),
  };
}

function withinLatency(expectedMs: number | undefined, limitMs: number): boolean | null {
  return expectedMs === undefined ? null : expectedMs <= limitMs;
}
