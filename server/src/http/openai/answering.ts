/** One prompt answered in the form of a client of OpenAI, whole or as a stream, with the router's headers. */
import type { AnswerResult } from '../../core/answer.ts';
import type { Router } from '../../core/router.ts';
import type { Prompt, Registry } from '../../core/types.ts';
import { eventStreamResponse, eventText } from '../eventStream.ts';
import { internalProblem } from '../problems.ts';
import { jsonReply } from '../wholeReply.ts';
import { openaiProblemBody, openaiProblemResponse } from './problems.ts';
import { earlyHeaders, routeHeaders } from './routeFacts.ts';
import { type VisibleStep, visibleAnswer } from './visibleAnswer.ts';

/** How one of the two wire formats writes an answer. */
export interface Form {
  whole(result: AnswerResult): object;
  /** Every event as it stands on the wire. */
  readonly stream: {
    text(text: string, modelId: string): Iterable<string>;
    end(result: AnswerResult): Iterable<string>;
    /** After the last event, also after an error. */
    readonly close: readonly string[];
  };
}

export interface Call {
  readonly prompt: Prompt;
  readonly form: Form;
  readonly stream: boolean;
  /** Aborts when the client's connection is gone. */
  readonly signal: AbortSignal;
  /** Told when a stream is over, which is after its response was returned. Never told of a JSON reply. */
  readonly onStreamEnd: () => void;
}

export interface AnsweringDeps {
  readonly router: Router;
  readonly registry: Registry;
  readonly stalledMs: number;
  readonly onDefect: (error: unknown) => void;
}

export async function answer(call: Call, deps: AnsweringDeps): Promise<Response> {
  return call.stream ? await streamed(call, deps) : await whole(call, deps);
}

async function whole({ prompt, form, signal }: Call, deps: AnsweringDeps): Promise<Response> {
  for await (const step of visibleAnswer(deps.router, prompt, signal)) {
    if (step.kind === 'failed') return openaiProblemResponse(step.problem, deps.registry);
    if (step.kind === 'end') {
      return jsonReply(form.whole(step.result), { headers: routeHeaders(step.result) });
    }
  }
  throw new Error('expected an answer or a failure as the last event, got neither');
}

/** The response begins with the first text that stands, so a refusal keeps its own status and the headers name the model. */
async function streamed(call: Call, deps: AnsweringDeps): Promise<Response> {
  const { prompt, form, signal } = call;
  const { registry } = deps;
  const stop = new AbortController();
  const steps = visibleAnswer(deps.router, prompt, AbortSignal.any([signal, stop.signal]));
  const first = await steps.next();
  if (first.done === true) throw new Error('expected events of an answer, got none');
  if (first.value.kind === 'failed') return openaiProblemResponse(first.value.problem, registry);
  const headers =
    first.value.kind === 'end'
      ? routeHeaders(first.value.result)
      : earlyHeaders(prompt.id, first.value.modelId);
  return eventStreamResponse({
    events: onWire(first.value, steps, form, registry),
    headers,
    signal,
    stalledMs: deps.stalledMs,
    onEnd() {
      stop.abort();
      call.onStreamEnd();
    },
    onDefect(error) {
      deps.onDefect(error);
      return eventText(undefined, openaiProblemBody(internalProblem, registry));
    },
  });
}

async function* onWire(
  first: VisibleStep,
  rest: AsyncGenerator<VisibleStep, void>,
  { stream }: Form,
  registry: Registry,
): AsyncGenerator<string, void> {
  yield* textsOf(first);
  for await (const step of rest) yield* textsOf(step);
  yield* stream.close;

  function* textsOf(step: VisibleStep): Generator<string> {
    switch (step.kind) {
      case 'text':
        yield* stream.text(step.text, step.modelId);
        return;
      case 'end':
        if (step.unseen !== '') yield* stream.text(step.unseen, step.result.modelId);
        yield* stream.end(step.result);
        return;
      case 'failed':
        yield eventText(undefined, openaiProblemBody(step.problem, registry));
    }
  }
}
