/** The events and the end of an answer as they travel to a client, and what a person can do about a failure. */
import type { AnswerResult, RouterEvent } from '../../core/answer.ts';
import type { Failure, FailureCode } from '../../core/errors.ts';
import { type Reason, reasonSentence, reasonText } from '../../core/reason.ts';
import { answerLine, formatSeconds, formatUsd, labelOf } from '../../core/report.ts';
import type { Translate } from '../../core/translate.ts';
import type { Registry } from '../../core/types.ts';
import type { AnswerEvent, AnswerResultWire, AnswerWire, NextStep } from '../../protocol.ts';
import { failureText } from './retold.ts';
import { routeWire, traceWire } from './route.ts';
import { costMoney, savingsWire } from './texts.ts';

type RunningEvent = Exclude<RouterEvent, { type: 'answer-end' | 'answer-failed' }>;

export function eventWire(event: RunningEvent, registry: Registry, t: Translate): AnswerEvent {
  const names = labelOf(registry);
  switch (event.type) {
    case 'route-decided':
      return { kind: 'route', route: routeWire(event.route, names, t) };
    case 'progress':
      return { kind: 'progress', stage: event.stage, share: event.share };
    case 'text-delta':
      return {
        kind: 'delta',
        text: event.text,
        model: names(event.modelId),
        draft: event.draft,
      };
    case 'answer-deferred': {
      const { value, needed } = event.confidence;
      const { fromModelId } = event;
      const facts = {
        confidence: value.toFixed(2),
        needed: needed.toFixed(2),
        model: names(event.toModelId),
      };
      return {
        kind: 'deferred',
        line:
          fromModelId === undefined
            ? t('Local draft (confidence {confidence} of {needed}), replaced by {model}', facts)
            : t('Answer of {draft} (confidence {confidence} of {needed}), replaced by {model}', {
                ...facts,
                draft: names(fromModelId),
              }),
        toModel: names(event.toModelId),
      };
    }
    case 'fallback-started':
      return {
        kind: 'fallback',
        reason: reasonSentence(event.reason, names, formatUsd, t),
        toModel: names(event.toModelId),
      };
  }
}

export function answerWire(
  requestId: string,
  result: AnswerResult,
  registry: Registry,
  t: Translate,
): AnswerWire {
  const names = labelOf(registry);
  return {
    requestId,
    text: result.text,
    model: names(result.modelId),
    modelId: result.modelId,
    served: result.served,
    complete: result.finish === 'stop',
    cost: costMoney(result, t),
    savings: savingsWire(result.savings, t),
    latency: formatSeconds(result.timing.latencyMs),
    reasonCode: reasonText(result.reason),
    reason: reasonSentence(result.reason, names, formatUsd, t),
    line: answerLine(result, registry, t),
    trace: traceWire(result.route, result, names, t),
  };
}

interface Refused {
  readonly failure: Failure;
  readonly reason: Reason | undefined;
}

/** @param asks whether the person wants to be asked when a budget does not cover the model (`budget.atLimit`) */
export function failedWire(
  { failure, reason }: Refused,
  { asks, trusted }: { readonly asks: boolean; readonly trusted: boolean },
  registry: Registry,
  t: Translate,
): Exclude<AnswerResultWire, { kind: 'answered' }> {
  const { code, message } = failure;
  const names = labelOf(registry);
  if (code === 'budget_exhausted' && reason?.code === 'budget_exhausted') {
    const why = reasonSentence(reason, names, formatUsd, t);
    return asks
      ? { kind: 'at_limit', message: why }
      : { kind: 'failed', code, message: `${why} ${waysOut(t)}`, nextStep: 'raise_budget' };
  }
  const nextStep = nextStepFor(code, trusted);
  return { kind: 'failed', code, message: failureText(message, t, names), nextStep };
}

/** What there is to do when a budget keeps a question from its model. */
export function waysOut(t: Translate): string {
  return t('Nothing was sent: raise the budget, or ask again for local only.');
}

/** `null` where trying again, or asking something else, is all there is to do. */
function nextStepFor(code: FailureCode, trusted: boolean): NextStep | null {
  switch (code) {
    case 'no_api_key':
    case 'bad_key':
      return 'set_key';
    case 'model_missing':
      return 'download_model';
    case 'model_too_big':
    case 'unknown_model':
    case 'capability_missing':
      return 'choose_model';
    case 'budget_exhausted':
    case 'cost_limit':
      return 'raise_budget';
    case 'unknown_price':
      return 'refresh_prices';
    case 'privacy_floor':
      return trusted ? null : 'trust_workspace';
    case 'model_crashed':
    case 'ledger_unavailable':
    case 'internal':
      return 'show_log';
    default:
      return null;
  }
}
