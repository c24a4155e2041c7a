/** The second half of a prompt's way: from a decided route to an answer, through the cache, the call, the gate and fallbacks. */
import type { AnswerResult, Route, RouterEvent } from './answer.ts';
import { answerFromCache, keepInCache } from './answerCache.ts';
import { callModel } from './callModel.ts';
import type { Decided } from './decide.ts';
import type { Failure } from './errors.ts';
import { checkAnswer, unavailable, watchFor } from './gate.ts';
import type { Reason } from './reason.ts';
import { recordAnswer, recordFailure, totalCost } from './record.ts';
import type { AnswerDeps, Run } from './run.ts';

export async function* answerRouted(
  decided: Decided,
  decidedRoute: Route,
  deps: AnswerDeps,
  startedMs: number,
  signal: AbortSignal,
): AsyncGenerator<RouterEvent, void> {
  const { prompt, settings } = decided;
  const run: Run = { prompt, decided, deps, startedMs, signal, attempts: [] };
  const cached = answerFromCache(run, decidedRoute);
  if (cached !== undefined) {
    yield { type: 'text-delta', text: cached.text, modelId: cached.modelId, draft: false };
    // No call was made and nothing is owed, so nobody has to wait for its record.
    deps.behind(prompt.id, () => recordAnswer(prompt, cached, deps.ports));
    yield { type: 'answer-end', result: cached };
    return;
  }

  const failed = new Map<string, string>();
  let route = decidedRoute;
  for (;;) {
    const outcome = yield* callModel(run, route, route.modelId, watchFor(run, route));
    if (outcome.kind === 'answered') {
      const result = yield* checkAnswer(run, route, outcome, failed.size > 0);
      if (mayBeKept(result)) keepInCache(run, result);
      await recordAnswer(prompt, result, deps.ports);
      deps.audit(run, result);
      yield { type: 'answer-end', result };
      return;
    }
    failed.set(route.modelId, outcome.failure.code);
    const { code } = outcome.failure;
    // Somebody who wants to be asked at the limit is not to get another model's answer in its place.
    const ends =
      code === 'cancelled' || (code === 'budget_exhausted' && settings.atLimit !== 'local');
    const next = ends ? undefined : await decided.without(failed);
    if (next?.kind !== 'routed' || failed.has(next.route.modelId)) {
      yield* fail(run, decidedRoute, outcome.failure, outcome.reason);
      return;
    }
    const reason = outcome.reason ?? unavailable(route.modelId, outcome.failure);
    route = { ...next.route, reason, wanted: decidedRoute.wanted };
    yield { type: 'fallback-started', reason, toModelId: route.modelId };
  }
}

/** Only complete answers that the gate did not doubt: a cached answer is given without asking again. */
function mayBeKept({ finish, confidence, served, reason }: AnswerResult): boolean {
  // After a deferral the confidence is that of the answer that was replaced.
  const isOwn = served === 'local' || reason.code !== 'low_confidence';
  const doubted = isOwn && confidence !== undefined && confidence.value < confidence.needed;
  return finish === 'stop' && !doubted;
}

async function* fail(
  run: Run,
  route: Route,
  failure: Failure,
  reason: Reason | undefined,
): AsyncGenerator<RouterEvent, void> {
  const { ports } = run.deps;
  const latencyMs = ports.clock.monotonicMs() - run.startedMs;
  await recordFailure(run.prompt, route, failure, run.attempts, latencyMs, ports);
  const costNanoUsd = totalCost(run.attempts);
  yield { type: 'answer-failed', failure, reason, costNanoUsd, attempts: run.attempts };
}
