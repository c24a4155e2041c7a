/** An answer as a client of OpenAI can read it: text that stands, then its end or the problem that it ended with. */
import type { Router } from '../../core/router.ts';
import { type StandingStep, standingAnswer } from '../../core/standingAnswer.ts';
import type { Prompt } from '../../core/types.ts';
import { type Problem, problemOfFailure } from '../problems.ts';

export type VisibleStep =
  | Extract<StandingStep, { kind: 'text' | 'end' }>
  | { readonly kind: 'failed'; readonly problem: Problem };

/** Ends with one `end` or `failed`. */
export async function* visibleAnswer(
  router: Router,
  prompt: Prompt,
  signal: AbortSignal,
): AsyncGenerator<VisibleStep, void> {
  for await (const step of standingAnswer(router, prompt, signal)) {
    switch (step.kind) {
      case 'news':
        break;
      case 'failed':
        yield { kind: 'failed', problem: problemOf(step) };
        break;
      default:
        yield step;
    }
  }
}

function problemOf({ failure, routed }: Extract<StandingStep, { kind: 'failed' }>): Problem {
  if (routed === undefined) return { code: failure.code, message: failure.message };
  return problemOfFailure(failure, routed.reason, routed.costNanoUsd);
}
