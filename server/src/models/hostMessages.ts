/**
 * Reads what the model host says. It runs native code on files from anywhere, so its words are checked like any others:
 * what is not of the contract ends it.
 */
import { z } from 'zod';
import type { FromHost } from './hostProtocol.ts';
import { threadMeasurementSchema } from './threads.ts';

const requestId = z.int().nonnegative();
const count = z.int().nonnegative();
const untold = count.or(z.undefined());
/** Of a token that can't be, minus infinity. */
const logProb = z.custom<number>((value) => typeof value === 'number');
const logProbs = z.array(z.strictObject({ text: z.string(), logProb }));
const ms = z.number().nonnegative();

const message = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('progress'),
    requestId,
    stage: z.enum(['queued', 'loading', 'reading']),
    share: z.number().min(0).max(1),
  }),
  z.strictObject({ type: z.literal('loaded'), requestId }),
  z.strictObject({
    type: z.literal('threads-tried'),
    requestId,
    measured: z.array(threadMeasurementSchema),
  }),
  z.strictObject({ type: z.literal('delta'), requestId, text: z.string(), logProbs }),
  z.strictObject({
    type: z.literal('end'),
    requestId,
    finish: z.enum(['stop', 'length', 'refusal']),
    usage: z
      .strictObject({
        inputTokens: untold,
        cachedInputTokens: untold,
        cacheWriteTokens: untold,
        outputTokens: untold,
        reasoningTokens: untold,
      })
      .transform(
        ({ inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens }) => ({
          inputTokens,
          cachedInputTokens,
          cacheWriteTokens,
          outputTokens,
          reasoningTokens,
        }),
      ),
    logProbs,
    stats: z.strictObject({
      promptTokens: count,
      reusedTokens: count,
      outputTokens: count,
      readingMs: ms,
      writingMs: ms,
    }),
    memoryBytes: z.number().nonnegative().optional(),
  }),
  z.strictObject({
    type: z.literal('failed'),
    requestId,
    failure: z.strictObject({
      // The codes that the host's own sources use; another one would steer an edge wrongly.
      code: z.enum(['cancelled', 'context_limit', 'internal', 'model_missing', 'model_too_big']),
      message: z.string(),
      retryable: z.boolean(),
      billing: z.literal('nothing'),
    }),
  }),
  z.strictObject({ type: z.literal('unloaded'), modelId: z.string(), remaining: count }),
]);

/** `undefined` for what the contract does not know. */
export function readFromHost(value: unknown): FromHost | undefined {
  return message.safeParse(value).data;
}
