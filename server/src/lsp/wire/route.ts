/** A route and its trace as they travel to a client: every figure with its unit and its words, ready to draw. */
import type { Attempt, Confidence, Part, Route } from '../../core/answer.ts';
import type { Candidate } from '../../core/plans.ts';
import { reasonSentence, reasonText } from '../../core/reason.ts';
import { formatSeconds, formatUsd, takeoverText } from '../../core/report.ts';
import type { StoredAudit, StoredRoute } from '../../core/routeReports.ts';
import type { Translate } from '../../core/translate.ts';
import { leftOutSentence } from '../../core/trimToFit.ts';
import type { CandidateWire, PartWire, RouteWire, TraceWire } from '../../protocol.ts';
import { retold } from './retold.ts';
import { boundText, estimateText, latencyText } from './texts.ts';

type Names = (modelId: string) => string;

/** What came of a route; empty before the answer. */
export interface RouteOutcome {
  readonly confidence?: Confidence | undefined;
  readonly attempts: readonly Attempt[];
}

const NOTHING_YET: RouteOutcome = { attempts: [] };

export function routeWire(route: Route, names: Names, t: Translate): RouteWire {
  return {
    model: names(route.modelId),
    modelId: route.modelId,
    tier: route.tier === 'cheap' ? 'local' : 'cloud',
    ifUnsure: route.ifUnsure === undefined ? null : takeoverText(route, names),
    reasonCode: reasonText(route.reason),
    reason: reasonSentence(route.reason, names, formatUsd, t),
    score: route.score,
    threshold: route.threshold,
    estimate: estimateText(route.expectedCostNanoUsd, t),
    bound: boundText(route.boundNanoUsd, t),
    latency: latencyText(route.expectedLatencyMs, t),
    trace: traceWire(route, NOTHING_YET, names, t),
  };
}

export function traceWire(
  route: Route,
  outcome: RouteOutcome,
  names: Names,
  t: Translate,
): TraceWire {
  const { trace } = route;
  const chosen = trace.candidates.find(
    (plan) => plan.first === route.modelId && plan.ifUnsure === route.ifUnsure,
  );
  return {
    task: t(trace.task),
    score: route.score,
    threshold: route.threshold,
    parts: trace.parts.map((part) => partWire(part, t)),
    candidates: trace.candidates.map((plan) => candidateWire(plan, chosen, names, t)),
    wouldFlip: trace.flips.map((flip) => retold(flip, t, names)),
    findings: trace.findings.map(({ rule, where }) => t('{rule} in {where}', { rule, where })),
    leftOut: (trace.leftOut ?? []).map((one) => leftOutSentence(one, t)),
    confidence: confidenceWire(outcome.confidence, t),
    attempts: outcome.attempts.map((attempt) => attemptWire(attempt, names, t)),
    estimateAgainstBill: estimateAgainstBill(route, outcome.attempts, t),
    audit: '',
  };
}

/** A trace from the ledger. A refused prompt was never routed, so little is known of it. */
export function storedTraceWire(stored: StoredRoute, names: Names, t: Translate): TraceWire {
  const { record, trace } = stored;
  if (trace.route !== undefined) {
    const { confidence, attempts = [] } = trace;
    const wire = traceWire(trace.route, { confidence, attempts }, names, t);
    return { ...wire, audit: auditText(stored.audit, names, t) };
  }
  return {
    task: t('unknown'),
    score: record.score,
    threshold: 0,
    parts: [],
    candidates: (trace.candidates ?? []).map((plan) => candidateWire(plan, undefined, names, t)),
    wouldFlip: [],
    findings: [],
    leftOut: [],
    confidence: confidenceWire(trace.confidence, t),
    attempts: [],
    estimateAgainstBill: '',
    audit: auditText(stored.audit, names, t),
  };
}

function auditText(audit: StoredAudit | undefined, names: Names, t: Translate): string {
  if (audit === undefined) return '';
  const facts = {
    model: names(audit.baselineId),
    how: audit.method === 'checked' ? t('compared as text') : t('judged by that model'),
    amount: formatUsd(audit.costNanoUsd),
  };
  switch (audit.verdict) {
    case 'as_good':
      return t(
        'At least as good as the answer of {model} ({how}). The audit cost {amount}.',
        facts,
      );
    case 'worse':
      return t('Worse than the answer of {model} ({how}). The audit cost {amount}.', facts);
    case 'unjudged':
      return t('Held against {model} without a verdict. The audit cost {amount}.', facts);
  }
}

function partWire({ name, added, detail }: Part, t: Translate): PartWire {
  return { name: retold(name, t), added, detail: retold(detail, t) };
}

function confidenceWire(confidence: Confidence | undefined, t: Translate): TraceWire['confidence'] {
  if (confidence === undefined) return null;
  const { value, needed, parts, notes = [] } = confidence;
  return {
    value,
    needed,
    parts: parts.map((part) => partWire(part, t)),
    notes: notes.map((note) => retold(note, t)),
  };
}

function candidateWire(
  plan: Candidate,
  chosen: Candidate | undefined,
  names: Names,
  t: Translate,
): CandidateWire {
  return {
    label:
      plan.ifUnsure === undefined
        ? names(plan.first)
        : t('{model}, {other} if unsure', {
            model: names(plan.first),
            other: takeoverText(plan, names),
          }),
    quality: plan.quality,
    cost: estimateText(plan.expectedCostNanoUsd, t),
    latency: latencyText(plan.expectedLatencyMs, t),
    whyNot: plan === chosen ? '' : whyNot(plan, chosen, names, t),
    chosen: plan === chosen,
  };
}

function whyNot(
  plan: Candidate,
  chosen: Candidate | undefined,
  names: Names,
  t: Translate,
): string {
  const sentences = Object.values(plan.exclusions).map((reason) =>
    reasonSentence(reason, names, formatUsd, t),
  );
  if (sentences.length > 0) return sentences.join(' ');
  if (chosen === undefined) return '';
  return (plan.expectedCostNanoUsd ?? 0) > (chosen.expectedCostNanoUsd ?? 0)
    ? t('Costs more, and the cheaper plan is good enough.')
    : t('Not expected to be good enough.');
}

function attemptWire(attempt: Attempt, names: Names, t: Translate): TraceWire['attempts'][number] {
  const { failure, outcome } = attempt;
  return {
    model: names(attempt.modelId),
    outcome: failure === undefined ? outcome : `${outcome}: ${failure.code}`,
    cost: billText(attempt, t),
    priceRow: attempt.priceRowId ?? '',
    latency: formatSeconds(attempt.timing.latencyMs),
  };
}

function billText(attempt: Attempt, t: Translate): string {
  // Only a call that had a price could be billed.
  if (attempt.priceRowId === undefined) return t('free');
  const amount = formatUsd(attempt.costNanoUsd);
  return attempt.costIsBound ? t('at most {amount}', { amount }) : amount;
}

function estimateAgainstBill(route: Route, attempts: readonly Attempt[], t: Translate): string {
  const paid = attempts.filter(({ priceRowId }) => priceRowId !== undefined);
  if (paid.length === 0) return attempts.length === 0 ? '' : t('free');
  const estimate =
    route.boundNanoUsd === undefined ? t('unknown') : `≤ ${formatUsd(route.boundNanoUsd)}`;
  const billed = paid.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
  const facts = { estimate, billed: formatUsd(billed) };
  return paid.some(({ costIsBound }) => costIsBound)
    ? t('estimate {estimate}, billed at most {billed}', facts)
    : t('estimate {estimate}, billed {billed}', facts);
}
