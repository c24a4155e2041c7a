/**
 * A router's events for a reader that can't take anything back: a draft is held until the gate has let it pass, and an
 * answer that broke off after its first words ends as a failure, since another model's answer can't follow them.
 */
import type { AnswerResult } from '../../core/answer.ts';
import { failure } from '../../core/errors.ts';
import type { Router } from '../../core/router.ts';
import type { Prompt } from '../../core/types.ts';
import { type Problem, problemOfFailure } from '../problems.ts';

export type VisibleStep =
  /** Text that stands. */
  | { readonly kind: 'text'; readonly text: string; readonly modelId: string }
  | { readonly kind: 'end'; readonly result: AnswerResult; readonly unseen: string }
  | { readonly kind: 'failed'; readonly problem: Problem };

/** Ends with one `end` or `failed`. `unseen` of the end is the text that has not been shown yet: all of a draft that passed. */
export async function* visibleAnswer(
  router: Router,
  prompt: Prompt,
  signal: AbortSignal,
): AsyncGenerator<VisibleStep, void> {
  let shown = '';
  for await (const event of router.answer(prompt, signal)) {
    switch (event.type) {
      case 'text-delta':
        if (event.draft || event.text === '') break;
        shown += event.text;
        yield { kind: 'text', text: event.text, modelId: event.modelId };
        break;
      case 'fallback-started':
        if (shown === '') break;
        // Leaving the loop ends the router's work; what was spent is settled behind it.
        yield { kind: 'failed', problem: brokenOff };
        return;
      case 'answer-end': {
        const { result } = event;
        yield { kind: 'end', result, unseen: result.text.slice(shown.length) };
        return;
      }
      case 'answer-failed':
        yield {
          kind: 'failed',
          problem: problemOfFailure(event.failure, event.reason, event.costNanoUsd),
        };
        return;
      default:
        break;
    }
  }
  throw new Error('expected an answer or a failure as the last event, got neither');
}

const cut = failure('stream_cut', 'the answer broke off after its first words; ask again');
const brokenOff: Problem = { code: cut.code, message: cut.message };
