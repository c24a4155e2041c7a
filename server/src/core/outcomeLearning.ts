/**
 * Learning in use: what people made of answers moves the abilities of the model that answered, task by task, and the share
 * of prompts that escalate. A pure fold over the ledger's outcomes in their order, so everything that was learned can be
 * replayed. Every step is bounded, and both tiers keep a share, so that neither can stop being tried.
 */
import type { OutcomeCounts } from './calibration.ts';
import type { AnswerRecord } from './ports.ts';
import type { StoredTrace, Verdict } from './routeReports.ts';

/** One verdict on one answer. */
export interface Outcome {
  /** Its place in the ledger. */
  readonly seq: number;
  readonly verdict: Verdict;
  /** Of the model that answered: a file's sha256 for a local one. */
  readonly identity: string;
  readonly served: AnswerRecord['served'];
  readonly task: string;
}

export interface LearnedModel {
  readonly counts: OutcomeCounts;
  /** Logits that the share of escalated prompts has moved; positive sends more to the cloud. */
  readonly shareShift: number;
  readonly outcomes: number;
}

/** By the identity of the model. */
export type Learned = ReadonlyMap<string, LearnedModel>;

/** How good the answer was taken to be, and how much the verdict says; a judgement. */
const verdictWeights: Readonly<
  Record<Verdict, { readonly good: boolean; readonly weight: number }>
> = {
  up: { good: true, weight: 1 },
  good_enough: { good: true, weight: 1 },
  kept: { good: true, weight: 0.5 },
  down: { good: false, weight: 1 },
  asked_bigger: { good: false, weight: 1 },
  dismissed: { good: false, weight: 0.25 },
  retried: { good: false, weight: 0.5 },
  tests_passed: { good: true, weight: 1 },
  tests_failed: { good: false, weight: 1 },
};

/** Share of local answers that may be bad; the share that escalates moves until that is so (Gibbs and Candès 2021). */
const ACCEPTED_BAD = 0.2;
/** Logits per outcome of full weight. */
const SHARE_STEP = 0.2;
/** From one half, so far is 0.08 or 0.92: at either end the other tier is still tried and heard. */
const MOST_SHIFT = 2.4;
/** Older outcomes fade beyond so many of a task, so that a model that changed is believed again. */
const MOST_OUTCOMES = 60;

const UNKNOWN: LearnedModel = { counts: {}, shareShift: 0, outcomes: 0 };

export function replay(outcomes: Iterable<Outcome>): Learned {
  const learned = new Map<string, LearnedModel>();
  for (const outcome of outcomes) {
    learned.set(outcome.identity, learnedFrom(learned.get(outcome.identity) ?? UNKNOWN, outcome));
  }
  return learned;
}

/** What is known of a model after one more outcome. */
export function learnedFrom(before: LearnedModel, outcome: Outcome): LearnedModel {
  const { good, weight } = verdictWeights[outcome.verdict];
  const { good: goods = 0, bad: bads = 0 } = before.counts[outcome.task] ?? {};
  const fade = Math.min(1, (MOST_OUTCOMES - weight) / Math.max(1e-9, goods + bads));
  const count = {
    good: goods * fade + (good ? weight : 0),
    bad: bads * fade + (good ? 0 : weight),
  };
  // Only local answers tell whether too few prompts escalate.
  const step =
    outcome.served === 'local' ? SHARE_STEP * weight * ((good ? 0 : 1) - ACCEPTED_BAD) : 0;
  return {
    counts: { ...before.counts, [outcome.task]: count },
    shareShift: Math.min(MOST_SHIFT, Math.max(-MOST_SHIFT, before.shareShift + step)),
    outcomes: before.outcomes + 1,
  };
}

/** The share that escalates, moved by what was learned; never 0 or 1 unless it was set so. */
export function learnedShare(share: number, { shareShift }: LearnedModel): number {
  if (share <= 0 || share >= 1) return share;
  const logit = Math.log(share / (1 - share)) + shareShift;
  return 1 / (1 + Math.exp(-Math.min(3, Math.max(-3, logit))));
}

/** An outcome as the ledger keeps it, or `undefined` where the answer does not tell which model gave it. */
export function outcomeOf(
  seq: number,
  verdict: Verdict,
  record: Pick<AnswerRecord, 'served' | 'trace'>,
): Outcome | undefined {
  const { route, identity } = traceOf(record.trace);
  if (route === undefined || identity === undefined) return undefined;
  return { seq, verdict, identity, served: record.served, task: route.trace.task };
}

/** Written by `record.ts`; one that can't be read teaches nothing. */
function traceOf(json: string): StoredTrace {
  try {
    return JSON.parse(json) as StoredTrace;
  } catch {
    return {};
  }
}
