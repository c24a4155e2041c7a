/** Exact answers from before: the same request to the same model at the same price, so an edit of any part of it misses. */
import type { AnswerResult, Route } from './answer.ts';
import { modelById } from './decide.ts';
import { portOf } from './portOf.ts';
import { ZERO_USD } from './price.ts';
import { generationRequest } from './request.ts';
import { baselineOf, type Run } from './run.ts';
import { savingsOf } from './savings.ts';
import { stepsAbove } from './stepsAbove.ts';
import type { Model } from './types.ts';

/** The chosen model's answer first, then that of any model expected to be at least as good as the plan. */
export function answerFromCache(run: Run, route: Route): AnswerResult | undefined {
  if (run.prompt.useCache === false) return undefined;
  const { ports } = run.deps;
  for (const modelId of eligible(run, route)) {
    const model = modelById(run.decided.registry, modelId);
    const hit = ports.cache.get(cacheKey(run, model));
    if (hit === undefined) continue;
    const baseline = baselineOf(run.decided);
    return {
      promptId: run.prompt.id,
      text: hit.text,
      toolCalls: [],
      modelId,
      served: 'cache',
      finish: 'stop',
      usage: hit.usage,
      baselineUsage: hit.baselineUsage,
      costNanoUsd: ZERO_USD,
      costIsBound: false,
      savings: savingsOf({
        baselineId: baseline?.id,
        baselineRow: baseline && ports.catalogue.price(baseline.id, ports.clock.now()),
        usage: hit.baselineUsage,
        costNanoUsd: ZERO_USD,
        complete: true,
        belowWantedQuality: false,
      }),
      timing: { latencyMs: ports.clock.monotonicMs() - run.startedMs },
      quality: route.qualities[modelId] ?? route.quality,
      confidence: undefined,
      reason: {
        code: 'cache_hit',
        facts: { model: modelId, ageMs: Math.max(0, ports.clock.now() - hit.storedAtMs) },
      },
      route,
      attempts: [],
    };
  }
  return undefined;
}

export function keepInCache(run: Run, result: AnswerResult): void {
  const { ports } = run.deps;
  ports.cache.put(cacheKey(run, modelById(run.decided.registry, result.modelId)), {
    modelId: result.modelId,
    text: result.text,
    usage: result.usage,
    baselineUsage: result.baselineUsage,
    costNanoUsd: result.costNanoUsd,
    storedAtMs: ports.clock.now(),
  });
}

function eligible(run: Run, route: Route): string[] {
  if (run.prompt.constraints.forceModel !== undefined) return [route.modelId];
  const better = Object.entries(route.qualities)
    .filter(([, quality]) => quality >= route.quality)
    .map(([id]) => id);
  return [...new Set([route.modelId, ...stepsAbove(route), ...better])];
}

/** The output cap is left out: only complete answers are kept, and those did not depend on it. */
function cacheKey(run: Run, model: Model): string {
  const { ports } = run.deps;
  const { system, turns, tools, answerFormat, sampling, stop } = generationRequest(
    run.prompt,
    model,
    1,
  );
  const priceRowId = ports.catalogue.price(model.id, ports.clock.now())?.id ?? null;
  return ports.sha256(
    JSON.stringify([
      2,
      portOf(model, ports).identity(model),
      priceRowId,
      system,
      turns,
      tools ?? null,
      answerFormat ?? null,
      sampling ?? null,
      ...(stop === undefined ? [] : [stop]),
    ]),
  );
}
