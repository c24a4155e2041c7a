/** What a probe asks a local model to measure its speed, and how the host's counts become one. Pure but for the number in the prompt. */
import { randomInt } from 'node:crypto';
import type { GenerationRequest } from '../core/ports.ts';
import type { MeasuredSpeed } from '../core/types.ts';
import type { GenerationStats } from './hostProtocol.ts';

export const PROBE_OUTPUT_TOKENS = 32;

/** A prompt of somewhat over a hundred tokens that no sequence has read before, so that all of it is evaluated. */
export function probeRequest(maxOutputTokens: number): GenerationRequest {
  const number = randomInt(1_000_000);
  const filler = Array.from({ length: 8 }, (_, index) => `Line ${number + index} of the list.`);
  return {
    system: `Case ${number}. You continue lists without comment.`,
    turns: [{ role: 'user', text: `${filler.join('\n')}\nWrite twenty more lines.` }],
    maxOutputTokens,
  };
}

export function speedFrom(stats: GenerationStats, timeToFirstTokenMs: number): MeasuredSpeed {
  return {
    promptTokensPerSecond: perSecond(stats.promptTokens - stats.reusedTokens, stats.readingMs),
    outputTokensPerSecond: perSecond(Math.max(0, stats.outputTokens - 1), stats.writingMs),
    timeToFirstTokenMs,
    samples: 1,
  };
}

function perSecond(tokens: number, milliseconds: number): number {
  return tokens / (Math.max(milliseconds, 1) / 1000);
}
