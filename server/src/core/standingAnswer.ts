/**
 * A router's events for a reader that can't take anything back: a draft is held until the gate has let it pass, and an
 * answer that broke off after its first words ends as a failure, since another model's answer can't follow them.
 */
import type { AnswerResult, RouterEvent } from './answer.ts';
import { type Failure, failure } from './errors.ts';
import type { Reason } from './reason.ts';
import type { Router } from './router.ts';
import type { NanoUsd, Prompt } from './types.ts';

type NewsEvent = Extract<
  RouterEvent,
  { type: 'route-decided' | 'progress' | 'answer-deferred' | 'fallback-started' }
>;

export type StandingStep =
  /** Text that stands. */
  | { readonly kind: 'text'; readonly text: string; readonly modelId: string }
  /** How the answer is coming about; no text is taken back by it. */
  | { readonly kind: 'news'; readonly event: NewsEvent }
  | { readonly kind: 'end'; readonly result: AnswerResult; readonly unseen: string }
  | {
      readonly kind: 'failed';
      readonly failure: Failure;
      /** Absent where the answer broke off: what it costs is settled behind its end. */
      readonly routed?: { readonly reason: Reason | undefined; readonly costNanoUsd: NanoUsd };
    };

/** Ends with one `end` or `failed`. `unseen` of the end is the text that has not been shown yet: all of a draft that passed. */
export async function* standingAnswer(
  router: Router,
  prompt: Prompt,
  signal: AbortSignal,
): AsyncGenerator<StandingStep, void> {
  let shown = '';
  for await (const event of router.answer(prompt, signal)) {
    switch (event.type) {
      case 'text-delta':
        if (event.draft || event.text === '') break;
        shown += event.text;
        yield { kind: 'text', text: event.text, modelId: event.modelId };
        break;
      case 'fallback-started':
        if (shown !== '') {
          // Leaving the loop ends the router's work; what was spent is settled behind it.
          yield { kind: 'failed', failure: brokenOff };
          return;
        }
        yield { kind: 'news', event };
        break;
      case 'answer-end': {
        const { result } = event;
        yield { kind: 'end', result, unseen: result.text.slice(shown.length) };
        return;
      }
      case 'answer-failed': {
        const { reason, costNanoUsd } = event;
        yield { kind: 'failed', failure: event.failure, routed: { reason, costNanoUsd } };
        return;
      }
      default:
        yield { kind: 'news', event };
    }
  }
  throw new Error('expected an answer or a failure as the last event, got neither');
}

/** The same as events: what a draft held back comes as one piece before the end. */
export async function* standingEvents(
  router: Router,
  prompt: Prompt,
  signal: AbortSignal,
): AsyncGenerator<Exclude<RouterEvent, { type: 'answer-failed' }> | Refused, void> {
  for await (const step of standingAnswer(router, prompt, signal)) {
    switch (step.kind) {
      case 'text':
        yield { type: 'text-delta', text: step.text, modelId: step.modelId, draft: false };
        break;
      case 'news':
        yield step.event;
        break;
      case 'end': {
        const { result, unseen } = step;
        if (unseen !== '') {
          yield { type: 'text-delta', text: unseen, modelId: result.modelId, draft: false };
        }
        yield { type: 'answer-end', result };
        break;
      }
      case 'failed':
        yield { type: 'answer-failed', failure: step.failure, reason: step.routed?.reason };
    }
  }
}

type Refused = Pick<Extract<RouterEvent, { type: 'answer-failed' }>, 'type' | 'failure' | 'reason'>;

const brokenOff = failure('stream_cut', 'the answer broke off after its first words; ask again');
