/** `POST /generate`: one prompt through the router, as one JSON reply or as a stream, cancelled when its client leaves. */
import type { Decision } from '../core/answer.ts';
import { ZERO_USD } from '../core/price.ts';
import { dryRunOf } from '../core/reply.ts';
import type { Router } from '../core/router.ts';
import type { Prompt, Registry } from '../core/types.ts';
import { type AnswerStep, answerStep, routeOf } from './answerEvents.ts';

import { eventStreamResponse, eventText } from './eventStream.ts';
import {
  internalProblem,
  type Problem,
  problemBody,
  problemOfFailure,
  problemResponse,
} from './problems.ts';
import { jsonReply } from './wholeReply.ts';

export interface GenerateDeps {
  readonly router: Router;
  readonly registry: Registry;
  readonly stalledMs: number;
  readonly onDefect: (error: unknown) => void;
}

export interface GenerateCall {
  readonly prompt: Prompt;
  readonly dryRun: boolean;
  readonly stream: boolean;
  /** Aborts when the client's connection is gone. */
  readonly signal: AbortSignal;
  /** Told when a stream is over, which is after its response was returned. Never told of a JSON reply. */
  readonly onStreamEnd: () => void;
}

export async function generate(call: GenerateCall, deps: GenerateDeps): Promise<Response> {
  return call.stream ? await streamed(call, deps) : await whole(call, deps);
}

async function whole(call: GenerateCall, deps: GenerateDeps): Promise<Response> {
  for await (const step of stepsOf(call, deps, call.signal)) {
    if (step.event === 'end') return jsonReply(step.data);
    if (step.event === 'error') return problemResponse(step.problem, deps.registry);
  }
  throw new Error('expected an answer or a failure as the last event, got neither');
}

/** The first step is awaited before the stream begins, so that a refusal keeps its own status. */
async function streamed(call: GenerateCall, deps: GenerateDeps): Promise<Response> {
  const { registry } = deps;
  const stop = new AbortController();
  const steps = stepsOf(call, deps, AbortSignal.any([call.signal, stop.signal]));
  const first = await steps.next();
  if (first.done === true) throw new Error('expected events of an answer, got none');
  if (first.value.event === 'error') return problemResponse(first.value.problem, registry);
  return eventStreamResponse({
    events: onWire(first.value, steps, registry),
    signal: call.signal,
    stalledMs: deps.stalledMs,
    onEnd() {
      stop.abort();
      call.onStreamEnd();
    },
    onDefect(error) {
      deps.onDefect(error);
      return eventText('error', problemBody(internalProblem, registry));
    },
  });
}

async function* stepsOf(
  { prompt, dryRun }: GenerateCall,
  { router, registry }: GenerateDeps,
  signal: AbortSignal,
): AsyncGenerator<AnswerStep, void> {
  if (!dryRun) {
    for await (const event of router.answer(prompt, signal)) yield answerStep(event, registry);
    return;
  }
  const decision = await router.decide(prompt);
  if (decision.kind === 'refused') {
    yield { event: 'error', problem: refusalOf(decision) };
    return;
  }
  yield { event: 'route', data: routeOf(decision.route, registry) };
  yield { event: 'end', data: dryRunOf(decision.route, registry) };
}

async function* onWire(
  first: AnswerStep,
  rest: AsyncGenerator<AnswerStep, void>,
  registry: Registry,
): AsyncGenerator<string, void> {
  yield wireText(first, registry);
  for await (const step of rest) yield wireText(step, registry);
}

function wireText(step: AnswerStep, registry: Registry): string {
  return step.event === 'error'
    ? eventText('error', problemBody(step.problem, registry))
    : eventText(step.event, step.data);
}

/** A refused decision as the problem that an answer would have ended with. */
export function refusalOf(decision: Extract<Decision, { kind: 'refused' }>): Problem {
  return problemOfFailure(decision.failure, decision.reason, ZERO_USD);
}
