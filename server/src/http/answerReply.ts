/** An answer on the wire. A dry run has the same shape with no text. */
import { z } from '@hono/zod-openapi';

import { traceReply } from './traceReply.ts';

export const routeReason = z
  .string()
  .describe('The reason with its facts.')
  .meta({ example: 'prompt_complexity_low(score=0.22, threshold=0.55, task=explain)' });
export const reasonSentence = z.string().describe('The reason as a sentence.');
export const estimatedCost = z
  .number()
  .nullable()
  .describe('≈ cost that was expected before the answer; null when it can not be known.');
export const costBound = z
  .number()
  .nullable()
  .describe('The most that the chosen plan can cost; null when it can not be known.');

export const answerReply = z
  .strictObject({
    request_id: z.string().describe('The id of the request, given or made up.'),
    text: z.string().nullable().describe('The answer; null for a dry run.'),
    chosen_model: z
      .string()
      .describe('The model that answered; for a dry run, the one that would answer first.'),
    served: z
      .enum(['local', 'cloud', 'cache'])
      .nullable()
      .describe('Where the answer came from; null for a dry run.'),
    tokens_in: z.number().int().nullable().describe('Input tokens; null when nobody told.'),
    tokens_out: z.number().int().nullable().describe('Output tokens; null when nobody told.'),
    latency_ms: z
      .number()
      .nullable()
      .describe('From the request to the end; for a dry run ≈, and null until it was measured.'),
    estimated_cost_usd: estimatedCost,
    cost_bound_usd: costBound,
    cost_usd: z.number().describe('All that was paid, failed attempts included; 0 for a dry run.'),
    cost_is_bound: z
      .boolean()
      .describe('A bill is unknown, so `cost_usd` holds its upper bound: at most this was paid.'),
    quality_proxy: z.number().describe('Estimated chance that the answer is acceptable, in [0,1].'),
    route_reason: routeReason,
    reason: reasonSentence,
    cache_hit: z
      .boolean()
      .nullable()
      .describe('The answer was kept from before; null for a dry run, which does not look.'),
    saved_cost_usd: z
      .number()
      .nullable()
      .describe('Cost of the baseline model less all that was paid; null when unknown.'),
    savings_unknown_because: z
      .enum([
        'baseline_unpriced',
        'baseline_missing',
        'answer_incomplete',
        'below_wanted_quality',
        'tokens_unknown',
        'measurement',
        'dry_run',
      ])
      .optional()
      .describe('Why `saved_cost_usd` is null; absent where it is known.'),
    finish: z
      .enum(['stop', 'length', 'refusal', 'tool-calls'])
      .nullable()
      .describe(
        'Why the model stopped: done, cut by the output cap, declined, or waiting for tools (never here, where none can be offered); null for a dry run.',
      ),
    trace: traceReply,
  })
  .openapi('Answer');
