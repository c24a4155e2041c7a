/** Sends a run's prompt to one model of its route, by the call that fits the model. */
import type { Route, RouterEvent } from './answer.ts';
import { callCloud } from './cloudCall.ts';
import { modelById } from './decide.ts';
import { failure } from './errors.ts';
import { type CallEvent, type CallOutcome, callLocal, type Watch } from './modelCall.ts';
import type { GenerationRequest } from './ports.ts';
import { totalCost } from './record.ts';
import { generationRequest, scopeOf } from './request.ts';
import type { Run } from './run.ts';
import { runsHere } from './runsHere.ts';
import type { Settings } from './schema.ts';
import { stepsAbove } from './stepsAbove.ts';
import { createStopCut, cutAtStop } from './stopSequences.ts';
import type { Model, NanoUsd, Prompt } from './types.ts';

/** @param watch looks at a growing local answer and may stop it */
export async function* callModel(
  run: Run,
  route: Route,
  modelId: string,
  watch?: Watch,
): AsyncGenerator<RouterEvent, CallOutcome> {
  // The last model of a route has nobody to take over.
  const last = stepsAbove(route).at(-1);
  const draft = last !== undefined && modelId !== last;
  const model = modelById(run.decided.registry, modelId);
  const kept = await keptHere(run, model);
  if (kept !== undefined) return kept;
  const events = open(run, model, route, watch);
  const stops = run.prompt.stop ?? [];
  const cut = createStopCut(stops);
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) {
        run.attempts.push(...next.value.attempts);
        const rest = cut.rest();
        if (rest !== '') yield { type: 'text-delta', text: rest, modelId, draft };
        return next.value.kind === 'answered' && cut.stopped()
          ? { ...next.value, text: cutAtStop(next.value.text, stops), finish: 'stop' }
          : next.value;
      }
      if (next.value.type !== 'text-delta') {
        yield next.value;
        continue;
      }
      // Behind a stop the call is read on to its end, which tells its bill.
      const text = cut.take(next.value.text);
      if (text !== '') yield { ...next.value, text, modelId, draft };
    }
  } finally {
    // A reader that leaves must free the model's sequence and set the draining of a paid stream going.
    await events.return(abandoned);
  }
}

/** The last gate before anything leaves, whatever was decided: what must stay here is sent to no other machine. */
async function keptHere({ prompt, decided }: Run, model: Model): Promise<CallOutcome | undefined> {
  if (runsHere(model)) return undefined;
  const { privacy = 'any' } = prompt.constraints;
  const rule = privacy === 'any' ? (await decided.findings())[0]?.rule : privacy;
  if (rule === undefined) return undefined;
  return {
    kind: 'failed',
    failure: failure('privacy_floor', 'this prompt may not leave this machine; ask a local model'),
    reason: { code: 'privacy_floor', facts: { rule, wanted: model.id } },
    attempts: [],
  };
}

const abandoned: CallOutcome = {
  kind: 'failed',
  failure: { code: 'cancelled', message: 'the reader left', retryable: false, billing: 'unknown' },
  reason: undefined,
  attempts: [],
};

function open(
  run: Run,
  model: Model,
  route: Route,
  watch: Watch | undefined,
): AsyncGenerator<CallEvent, CallOutcome> {
  const { prompt, decided, deps, signal } = run;
  const request = requestTo(model, prompt, decided.settings, route);
  if (model.provider === 'local') return callLocal(model, request, deps.ports, signal, watch);
  const price = deps.ports.catalogue.price(model.id, deps.ports.clock.now());
  if (price === undefined) {
    throw new Error(`expected a price for ${model.id}, which the policy chose, got none`);
  }
  const { maxCostNanoUsd } = prompt.constraints;
  const left =
    maxCostNanoUsd === undefined
      ? undefined
      : (Math.max(0, maxCostNanoUsd - totalCost(run.attempts)) as NanoUsd);
  return callCloud(
    {
      promptId: prompt.id,
      model,
      request,
      price,
      limitsNow: decided.limitsNow,
      scope: scopeOf(prompt),
      maxCostNanoUsd: left,
    },
    deps.ports,
    decided.settings,
    deps.background,
    signal,
  );
}

/** What a model of a route is asked; money that is short when it is sent can only lower its output cap. */
export function requestTo(
  model: Model,
  prompt: Prompt,
  settings: Settings,
  route: Route,
): GenerationRequest {
  return generationRequest(prompt, model, outputCap(settings, route, model));
}

function outputCap(settings: Settings, route: Route, model: Model): number {
  const plan = route.trace.candidates.find(
    ({ first, ifUnsure }) => first === route.modelId && ifUnsure === route.ifUnsure,
  );
  const fallback = Math.min(settings.maxOutputTokens, model.maxOutputTokens);
  return plan?.outputCaps[model.id] ?? fallback;
}
