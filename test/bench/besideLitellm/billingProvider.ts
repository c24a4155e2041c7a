/** A provider on loopback that bills every call that reaches it, whether or not anybody is left to read the answer. */
import { setTimeout as delay } from 'node:timers/promises';
import { LLMock } from '@copilotkit/aimock';

/** One call costs 100 × $1 and 9,990 × $10 per million tokens: $0.10 to the nano-dollar. */
export const CALL = {
  inputTokens: 100,
  outputTokens: 9_990,
  inputNanoUsd: 1_000,
  outputNanoUsd: 10_000,
} as const;

/** So many words that no tokenizer makes fewer than `CALL.inputTokens` of them. */
export function promptText(nth: number): string {
  const words = Array.from({ length: CALL.inputTokens }, (_, word) => `${nth}-${word}`);
  return `Put these in order: ${words.join(' ')}`;
}

export interface BillingProvider {
  readonly baseUrl: string;
  calls(): number;
  billNanoUsd(): number;
  /** Resolves when so many calls have come. */
  reached(calls: number): Promise<void>;
  close(): Promise<void>;
}

/** Keeps to a call's output cap, as every real provider does, and takes `answerMs` for each answer. */
export async function openBillingProvider(answerMs: number): Promise<BillingProvider> {
  let calls = 0;
  let billNanoUsd = 0;
  const waiting: { readonly calls: number; readonly resolve: () => void }[] = [];
  const provider = new LLMock({ port: 0 });
  provider.onMessage(/.*/s, async (request) => {
    const cap = request['max_completion_tokens'] ?? request.max_tokens;
    const outputTokens = Math.min(CALL.outputTokens, Number(cap ?? CALL.outputTokens));
    calls += 1;
    billNanoUsd += CALL.inputTokens * CALL.inputNanoUsd + outputTokens * CALL.outputNanoUsd;
    for (const one of waiting) if (calls >= one.calls) one.resolve();
    await delay(answerMs);
    return {
      content: 'In order.',
      usage: { prompt_tokens: CALL.inputTokens, completion_tokens: outputTokens },
    };
  });
  await provider.start();
  return {
    baseUrl: `${provider.url}/v1`,
    calls: () => calls,
    billNanoUsd: () => billNanoUsd,
    reached: (wanted) =>
      new Promise((resolve) => {
        if (calls >= wanted) resolve();
        else waiting.push({ calls: wanted, resolve });
      }),
    close: () => provider.stop(),
  };
}
