/** One answer of one cloud model for a measurement, by the usual way: held, settled and recorded like any other. */
import type { FailureCode } from './errors.ts';
import { type Failure, failure } from './errors.ts';
import { ZERO_USD } from './price.ts';
import type { Router } from './router.ts';
import type { NanoUsd } from './types.ts';

export interface PaidQuestion {
  readonly id: string;
  readonly text: string;
  readonly modelId: string;
  /** What this answer may cost at the most. */
  readonly maxCostNanoUsd: NanoUsd;
  /** Whose money it is, for the budgets and the record. */
  readonly sessionId: string;
  readonly useCache: boolean;
}

export type PaidAnswer = { readonly costNanoUsd: NanoUsd } & (
  | { readonly kind: 'answered'; readonly text: string; readonly latencyMs: number }
  | { readonly kind: 'failed'; readonly failure: Failure }
);

const MAX_OUTPUT_TOKENS = 256;

export async function paidAnswer(
  router: Pick<Router, 'answer'>,
  question: PaidQuestion,
  signal: AbortSignal,
): Promise<PaidAnswer> {
  const { modelId, maxCostNanoUsd, ...rest } = question;
  const prompt = {
    ...rest,
    isMeasurement: true,
    context: [],
    history: [],
    constraints: {
      forceModel: { id: modelId },
      maxCostNanoUsd,
      maxOutputTokens: MAX_OUTPUT_TOKENS,
    },
  };
  for await (const event of router.answer(prompt, signal)) {
    if (event.type === 'answer-end') {
      const { text, costNanoUsd, timing } = event.result;
      return { kind: 'answered', text, costNanoUsd, latencyMs: timing.latencyMs };
    }
    if (event.type === 'answer-failed') {
      return { kind: 'failed', failure: event.failure, costNanoUsd: event.costNanoUsd };
    }
  }
  const broken = failure('internal', 'the answer had no end');
  return { kind: 'failed', failure: broken, costNanoUsd: ZERO_USD };
}

const ofOnePrompt: ReadonlySet<FailureCode> = new Set([
  'privacy_floor',
  'context_limit',
  'refusal',
  'bad_request',
]);

/** Whether the next question would fail in the same way, so that a measurement ends here. */
export function endsMeasuring({ code }: Failure): boolean {
  return !ofOnePrompt.has(code);
}
