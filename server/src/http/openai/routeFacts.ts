/** How an answer came about, beside the answer itself: in headers where it is known before the body, and in a field of the body. */
import { z } from '@hono/zod-openapi';
import type { AnswerResult } from '../../core/answer.ts';
import { dollars } from '../../core/price.ts';
import { decimalUsd, reasonText } from '../../core/reason.ts';
import { sentenceOf } from '../../core/reply.ts';
import type { Registry } from '../../core/types.ts';

export const routeFacts = z
  .strictObject({
    request_id: z.string().describe('Names the answer in the ledger.'),
    model: z.string().describe('The model that answered.'),
    served: z.enum(['local', 'cloud', 'cache']).describe('Where the answer came from.'),
    route_reason: z.string().describe('The reason with its facts.'),
    reason: z.string().describe('The reason as a sentence.'),
    cost_usd: z.number().describe('All that was paid for this answer, failed attempts included.'),
    cost_is_bound: z.boolean().describe('A bill is unknown, so `cost_usd` is the most it can be.'),
    saved_usd: z.number().nullable().describe('Against the baseline; null when unknown.'),
  })
  .describe("How the answer came about; a field that OpenAI's own replies do not have.");

export function routeFactsOf(result: AnswerResult, registry: Registry): z.infer<typeof routeFacts> {
  const { savings } = result;
  return {
    request_id: result.promptId,
    model: result.modelId,
    served: result.served,
    route_reason: reasonText(result.reason),
    reason: sentenceOf(result.reason, registry),
    cost_usd: dollars(result.costNanoUsd),
    cost_is_bound: result.costIsBound,
    saved_usd: savings.kind === 'known' ? dollars(savings.savedNanoUsd) : null,
  };
}

/** Of a finished answer. */
export function routeHeaders(result: AnswerResult): Record<string, string> {
  const { savings } = result;
  return {
    'x-request-id': result.promptId,
    'x-router-model': result.modelId,
    'x-router-served': result.served,
    'x-router-reason': headerText(reasonText(result.reason)),
    'x-router-cost-usd': decimalUsd(result.costNanoUsd),
    'x-router-saved-usd':
      savings.kind === 'known' ? decimalUsd(savings.savedNanoUsd) : `unknown (${savings.why})`,
  };
}

/** Of an answer that is still being written: what it cost is told in the last event of the stream. */
export function earlyHeaders(promptId: string, modelId: string): Record<string, string> {
  return { 'x-request-id': promptId, 'x-router-model': modelId };
}

/** Headers are Latin-1 without line ends; a fact may be anything. */
export function headerText(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}
