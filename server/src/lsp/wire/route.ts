/** A route and its trace as they travel to a client: every figure with its unit and its words, ready to draw. */
import type { Attempt, Confidence, Part, Route } from '../../core/answer.ts';
import type { Candidate } from '../../core/estimate.ts';
import { reasonSentence, reasonText } from '../../core/reason.ts';
import { formatSeconds, formatUsd } from '../../core/report.ts';
import type { StoredRoute } from '../../core/routeReports.ts';
import type { CandidateWire, PartWire, RouteWire, TraceWire } from '../../protocol.ts';
import { boundText, estimateText, latencyText } from './texts.ts';

type Names = (modelId: string) => string;

/** What came of a route; empty before the answer. */
export interface RouteOutcome {
  readonly confidence?: Confidence | undefined;
  readonly attempts: readonly Attempt[];
}

const NOTHING_YET: RouteOutcome = { attempts: [] };

export function routeWire(route: Route, names: Names): RouteWire {
  return {
    model: names(route.modelId),
    modelId: route.modelId,
    tier: route.tier === 'cheap' ? 'local' : 'cloud',
    ifUnsure: route.ifUnsure === undefined ? null : names(route.ifUnsure),
    reasonCode: reasonText(route.reason),
    reason: reasonSentence(route.reason, names, formatUsd),
    score: route.score,
    threshold: route.threshold,
    estimate: estimateText(route.expectedCostNanoUsd),
    bound: boundText(route.boundNanoUsd),
    latency: latencyText(route.expectedLatencyMs),
    trace: traceWire(route, NOTHING_YET, names),
  };
}

export function traceWire(route: Route, outcome: RouteOutcome, names: Names): TraceWire {
  const { trace } = route;
  const chosen = trace.candidates.find(
    (plan) => plan.first === route.modelId && plan.ifUnsure === route.ifUnsure,
  );
  return {
    task: trace.task,
    score: route.score,
    threshold: route.threshold,
    parts: trace.parts.map(partWire),
    candidates: trace.candidates.map((plan) => candidateWire(plan, chosen, names)),
    wouldFlip: trace.flips,
    findings: trace.findings.map(({ rule, where }) => `${rule} in ${where}`),
    confidence: confidenceWire(outcome.confidence),
    attempts: outcome.attempts.map((attempt) => attemptWire(attempt, names)),
    estimateAgainstBill: estimateAgainstBill(route, outcome.attempts),
  };
}

/** A trace from the ledger. A refused prompt was never routed, so little is known of it. */
export function storedTraceWire(stored: StoredRoute, names: Names): TraceWire {
  const { record, trace } = stored;
  if (trace.route !== undefined) {
    const { confidence, attempts = [] } = trace;
    return traceWire(trace.route, { confidence, attempts }, names);
  }
  return {
    task: 'unknown',
    score: record.score,
    threshold: 0,
    parts: [],
    candidates: (trace.candidates ?? []).map((plan) => candidateWire(plan, undefined, names)),
    wouldFlip: [],
    findings: [],
    confidence: confidenceWire(trace.confidence),
    attempts: [],
    estimateAgainstBill: '',
  };
}

function partWire({ name, added, detail }: Part): PartWire {
  return { name, added, detail };
}

function confidenceWire(confidence: Confidence | undefined): TraceWire['confidence'] {
  if (confidence === undefined) return null;
  const { value, needed, parts } = confidence;
  return { value, needed, parts: parts.map(partWire) };
}

function candidateWire(
  plan: Candidate,
  chosen: Candidate | undefined,
  names: Names,
): CandidateWire {
  return {
    label:
      plan.ifUnsure === undefined
        ? names(plan.first)
        : `${names(plan.first)}, ${names(plan.ifUnsure)} if unsure`,
    quality: plan.quality,
    cost: estimateText(plan.expectedCostNanoUsd),
    latency: latencyText(plan.expectedLatencyMs),
    whyNot: plan === chosen ? '' : whyNot(plan, chosen, names),
    chosen: plan === chosen,
  };
}

function whyNot(plan: Candidate, chosen: Candidate | undefined, names: Names): string {
  const sentences = Object.values(plan.exclusions).map((reason) =>
    reasonSentence(reason, names, formatUsd),
  );
  if (sentences.length > 0) return sentences.join(' ');
  if (chosen === undefined) return '';
  return (plan.expectedCostNanoUsd ?? 0) > (chosen.expectedCostNanoUsd ?? 0)
    ? 'Costs more, and the cheaper plan is good enough.'
    : 'Not expected to be good enough.';
}

function attemptWire(attempt: Attempt, names: Names): TraceWire['attempts'][number] {
  const { failure, outcome } = attempt;
  return {
    model: names(attempt.modelId),
    outcome: failure === undefined ? outcome : `${outcome}: ${failure.code}`,
    cost: billText(attempt),
    priceRow: attempt.priceRowId ?? '',
    latency: formatSeconds(attempt.timing.latencyMs),
  };
}

function billText(attempt: Attempt): string {
  // Only a call that had a price could be billed.
  if (attempt.priceRowId === undefined) return 'free';
  return `${attempt.costIsBound ? 'at most ' : ''}${formatUsd(attempt.costNanoUsd)}`;
}

function estimateAgainstBill(route: Route, attempts: readonly Attempt[]): string {
  const paid = attempts.filter(({ priceRowId }) => priceRowId !== undefined);
  if (paid.length === 0) return attempts.length === 0 ? '' : 'free';
  const estimate =
    route.boundNanoUsd === undefined ? 'unknown' : `≤ ${formatUsd(route.boundNanoUsd)}`;
  const billed = paid.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
  const atMost = paid.some(({ costIsBound }) => costIsBound) ? 'at most ' : '';
  return `estimate ${estimate}, billed ${atMost}${formatUsd(billed)}`;
}
