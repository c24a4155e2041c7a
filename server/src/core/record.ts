/** What history keeps of a prompt: its hash, its route and its money, never its text. */
import type { AnswerResult, Attempt, Decision, Route } from './answer.ts';
import type { Failure } from './errors.ts';
import { UNKNOWN_USAGE } from './modelCall.ts';
import { endedPrompt } from './observer.ts';
import { portOf } from './portOf.ts';
import type { AnswerRecord, RouterPorts } from './ports.ts';
import { sumUsd, ZERO_USD } from './price.ts';
import { reasonText } from './reason.ts';
import { scopeOf } from './request.ts';
import type { StoredTrace } from './routeReports.ts';
import type { NanoUsd, Prompt } from './types.ts';

export function totalCost(attempts: readonly Attempt[]): NanoUsd {
  return sumUsd(attempts.map(({ costNanoUsd }) => costNanoUsd));
}

export async function recordAnswer(
  prompt: Prompt,
  result: AnswerResult,
  ports: RouterPorts,
): Promise<void> {
  const record: AnswerRecord = {
    ...identityOf(prompt, ports),
    modelId: result.modelId,
    served: result.served,
    status: 'complete',
    reason: reasonText(result.reason),
    usage: result.usage,
    costNanoUsd: result.costNanoUsd,
    savings: result.savings,
    timing: result.timing,
    score: result.route.score,
    confidence: result.confidence?.value,
    trace: traceJson(result.route, result.attempts, result, identityOfModel(result, ports)),
  };
  await keep(ports, record, result.attempts);
}

export async function recordFailure(
  prompt: Prompt,
  route: Route,
  failed: Failure,
  attempts: readonly Attempt[],
  latencyMs: number,
  ports: RouterPorts,
): Promise<void> {
  const record: AnswerRecord = {
    ...identityOf(prompt, ports),
    modelId: null,
    served: 'none',
    status: failed.code === 'cancelled' ? 'cancelled' : 'failed',
    reason: failed.code,
    usage: UNKNOWN_USAGE,
    costNanoUsd: totalCost(attempts),
    savings: { kind: 'unknown', why: 'answer_incomplete' },
    timing: { latencyMs },
    score: route.score,
    confidence: undefined,
    trace: traceJson(route, attempts, undefined),
  };
  await keep(ports, record, attempts);
}

export async function recordRefusal(
  prompt: Prompt,
  refused: Extract<Decision, { kind: 'refused' }>,
  ports: RouterPorts,
  startedMs: number,
): Promise<void> {
  const record: AnswerRecord = {
    ...identityOf(prompt, ports),
    modelId: null,
    served: 'none',
    status: 'failed',
    reason: refused.reason === undefined ? refused.failure.code : reasonText(refused.reason),
    usage: UNKNOWN_USAGE,
    costNanoUsd: ZERO_USD,
    savings: { kind: 'unknown', why: 'answer_incomplete' },
    timing: { latencyMs: ports.clock.monotonicMs() - startedMs },
    score: refused.score ?? 0,
    confidence: undefined,
    trace: JSON.stringify({ candidates: refused.candidates } satisfies StoredTrace),
  };
  await keep(ports, record, []);
}

function identityOf(prompt: Prompt, ports: RouterPorts) {
  return {
    promptId: prompt.id,
    atMs: ports.clock.now(),
    promptSha256: ports.sha256(prompt.text),
    ...scopeOf(prompt),
  };
}

/** What outcomes of this answer will be learned for: the very file, not the name that it has at the moment. */
function identityOfModel({ modelId }: AnswerResult, ports: RouterPorts): string | undefined {
  const model = ports.catalogue.registry().models.find(({ id }) => id === modelId);
  if (model === undefined) return undefined;
  return portOf(model, ports).identity(model);
}

function traceJson(
  route: Route,
  attempts: readonly Attempt[],
  result: AnswerResult | undefined,
  identity?: string,
): string {
  const trace: StoredTrace = {
    route,
    attempts,
    confidence: result?.confidence,
    quality: result?.quality,
    ...(identity === undefined ? {} : { identity }),
  };
  return JSON.stringify(trace);
}

/** A history that can't be written must not cost a person the answer; money is in the reservations, not here. */
async function keep(
  ports: RouterPorts,
  record: AnswerRecord,
  attempts: readonly Attempt[],
): Promise<void> {
  const model = ports.catalogue.registry().models.find(({ id }) => id === record.modelId);
  try {
    ports.observer?.(endedPrompt(record, attempts, model?.tier));
  } catch {
    // Whoever watches must not stand in the way.
  }
  try {
    await ports.ledger.record(record);
  } catch {
    // The ledger closes the cloud tier itself when it can't be written, and says so in `spend`.
  }
}
