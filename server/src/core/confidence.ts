/**
 * How likely a finished answer is good enough, judged by the answer itself: its token log-probabilities where the model
 * tells them, and signs of a failed answer. A small logistic with weights fitted to the model that answered; pure.
 */
import { z } from 'zod';
import type { Confidence, Part } from './answer.ts';
import { codeIsBalanced } from './codeBalance.ts';
import type { TokenLogProb } from './ports.ts';
import type { FinishReason } from './types.ts';

/** What is looked at in an answer. */
export interface JudgedAnswer {
  readonly text: string;
  readonly finish: FinishReason;
  readonly logProbs?: readonly TokenLogProb[] | undefined;
}

const rate = z.number().min(0).max(1);

const gateSchema = z.strictObject({
  /** `judgement`: nothing was measured on this model, so the gate is set cautiously. */
  source: z.enum(['outcomes', 'judgement']),
  /** Answers that it was fitted to. */
  answers: z.int().nonnegative(),
  /** Cross-validated chance that a good answer ranks above a bad one. */
  auroc: rate.optional(),
  /** Confidence below which an answer is deferred. */
  needed: rate,
  /** Share of the bad answers, and of the good ones, that fall below it. */
  catchRate: rate,
  falseRejectRate: rate,
  /** Logits; the one without log-probabilities is a fit of its own. */
  withLogProbs: z.strictObject({
    bias: z.number(),
    /** Per nat of the mean, and of the value below which a tenth of the tokens lie. */
    meanLogProb: z.number(),
    lowLogProb: z.number(),
    /** Per unit of ln(1 + tokens). */
    length: z.number(),
  }),
  withoutLogProbs: z.strictObject({ bias: z.number(), length: z.number() }),
  /** Logits by task: how much better or worse this model's answers to it are. */
  tasks: z.record(z.string(), z.number()),
});

const fileSchema = z.strictObject({
  schema: z.literal(1),
  fitted: z.string(),
  /** Logits for signs that short test answers hardly ever show; a judgement. */
  signs: z.strictObject({
    empty: z.number(),
    refused: z.number(),
    /** For an answer that is nothing but repetition; in proportion below that. */
    repeated: z.number(),
    truncated: z.number(),
    unbalanced: z.number(),
  }),
  /** For models that nothing was measured on. */
  default: gateSchema,
  /** By the model's identity. */
  models: z.record(z.string(), gateSchema),
});

export type FittedConfidenceFile = z.infer<typeof fileSchema>;
export type FittedGate = z.infer<typeof gateSchema>;
export type SignWeights = FittedConfidenceFile['signs'];

export interface FittedConfidence {
  readonly signs: SignWeights;
  /** The gate for models without one of their own. */
  readonly gate: FittedGate;
  readonly models: ReadonlyMap<string, FittedGate>;
}

/** Throws when the file isn't what `learning/fitConfidence.ts` writes. */
export function parseFittedConfidence(json: unknown): FittedConfidence {
  const parsed = fileSchema.safeParse(json);
  if (parsed.success) {
    const { signs, default: gate, models } = parsed.data;
    return { signs, gate, models: new Map(Object.entries(models)) };
  }
  const issue = parsed.error.issues[0];
  throw new Error(
    `the fitted confidence does not fit this version: ${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'not as expected'}; restore models/confidence.json or write it again with learning/fitConfidence.ts`,
  );
}

/**
 * The gate for a model's answer to a task. A fit says nothing of tasks that it has not seen: token probabilities of a
 * short fact and of a page of prose lie on different levels. Those get the judged gate, as models without a fit do.
 */
export function gateOf(fitted: FittedConfidence, identity: string, task: string): FittedGate {
  const ownGate = fitted.models.get(identity);
  return ownGate !== undefined && ownGate.tasks[task] !== undefined ? ownGate : fitted.gate;
}

/** @param task as the score names it */
export function confidenceOf(
  answer: JudgedAnswer,
  task: string,
  fitted: FittedConfidence,
  identity: string,
): Confidence {
  const gate = gateOf(fitted, identity, task);
  const steps = [...levelSteps(answer, task, gate), ...signSteps(signsOf(answer), fitted.signs)];
  let logit = 0;
  let before = 0;
  const parts: Part[] = [];
  for (const step of steps) {
    logit += step.logits;
    const after = 1 / (1 + Math.exp(-logit));
    parts.push({ name: step.name, added: after - before, detail: step.detail });
    before = after;
  }
  const value = Math.min(
    1,
    Math.max(
      0,
      parts.reduce((sum, part) => sum + part.added, 0),
    ),
  );
  return { value, needed: gate.needed, parts };
}

interface Step {
  readonly name: string;
  readonly logits: number;
  readonly detail: string;
}

function levelSteps(answer: JudgedAnswer, task: string, gate: FittedGate): Step[] {
  const measures = measuresOf(answer);
  const ofTask = gate.tasks[task] ?? 0;
  const taskStep = {
    name: 'task',
    logits: ofTask,
    detail: gate.tasks[task] === undefined ? `${task}: not measured` : `${task}: as measured`,
  };
  const length = (weight: number): Step => ({
    name: 'length',
    logits: weight * measures.length,
    detail: `≈ ${Math.round(Math.exp(measures.length) - 1)} tokens`,
  });
  const base = (bias: number): Step => ({
    name: 'base',
    logits: bias,
    detail: gate.source === 'outcomes' ? `fitted to ${gate.answers} answers` : 'a judgement',
  });
  if (measures.logProbs === undefined) {
    const weights = gate.withoutLogProbs;
    return [base(weights.bias), taskStep, length(weights.length)];
  }
  const weights = gate.withLogProbs;
  const { mean, low } = measures.logProbs;
  return [
    base(weights.bias),
    taskStep,
    {
      name: 'mean-log-prob',
      logits: weights.meanLogProb * mean,
      detail: `${mean.toFixed(2)} per token`,
    },
    {
      name: 'low-log-prob',
      logits: weights.lowLogProb * low,
      detail: `a tenth of the tokens below ${low.toFixed(2)}`,
    },
    length(weights.length),
  ];
}

export interface Measures {
  /** ln(1 + tokens). */
  readonly length: number;
  readonly logProbs: { readonly mean: number; readonly low: number } | undefined;
}

/** A token that was as good as impossible would drown all others. */
const LEAST_LOG_PROB = -10;

export function measuresOf({ text, logProbs }: JudgedAnswer): Measures {
  if (logProbs === undefined || logProbs.length === 0) {
    return { length: Math.log(1 + text.length / 4), logProbs: undefined };
  }
  const values = logProbs.map(({ logProb }) => Math.max(LEAST_LOG_PROB, logProb));
  values.sort((a, b) => a - b);
  return {
    length: Math.log(1 + values.length),
    logProbs: {
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      low: values[Math.floor(values.length / 10)] ?? 0,
    },
  };
}

interface Signs {
  readonly empty: boolean;
  readonly refused: boolean;
  /** Share of the answer that repeats itself, in [0,1]. */
  readonly repeated: number;
  readonly truncated: boolean;
  readonly unbalanced: boolean;
}

/** What the signs of failure alone say, in logits; the fit takes them as given. */
export function signLogits(answer: JudgedAnswer, weights: SignWeights): number {
  return signSteps(signsOf(answer), weights).reduce((sum, step) => sum + step.logits, 0);
}

function signSteps(signs: Signs, weights: SignWeights): Step[] {
  const steps: Step[] = [];
  if (signs.empty) steps.push({ name: 'empty', logits: weights.empty, detail: 'no text' });
  if (signs.refused) {
    steps.push({ name: 'refused', logits: weights.refused, detail: 'declines to answer' });
  }
  if (signs.repeated > 0) {
    steps.push({
      name: 'repeated',
      logits: weights.repeated * signs.repeated,
      detail: `${Math.round(signs.repeated * 100)} % repeats itself`,
    });
  }
  if (signs.truncated) {
    steps.push({ name: 'truncated', logits: weights.truncated, detail: 'cut by the output cap' });
  }
  if (signs.unbalanced) {
    steps.push({ name: 'unbalanced', logits: weights.unbalanced, detail: 'brackets left open' });
  }
  return steps;
}

function signsOf({ text, finish }: JudgedAnswer): Signs {
  return {
    empty: text.trim() === '',
    refused: finish === 'refusal' || opensWithRefusal(text),
    repeated: repeatedShare(text),
    truncated: finish === 'length',
    unbalanced: !codeIsBalanced(text),
  };
}

const REFUSALS = [
  "i can't help",
  "i can't assist",
  "i can't provide",
  'i cannot help',
  'i cannot assist',
  'i cannot provide',
  "i'm sorry",
  'i am sorry',
  "i'm unable",
  'i am unable',
  "i'm not able",
  'i am not able',
  'as an ai',
  "i don't have access",
  'i do not have access',
  "i don't know",
  'i do not know',
];
/** Refusals come at once; later the same words are content. */
const REFUSAL_WITHIN = 120;

function opensWithRefusal(text: string): boolean {
  const opening = text.slice(0, REFUSAL_WITHIN).toLowerCase().replaceAll('’', "'");
  return REFUSALS.some((phrase) => opening.includes(phrase));
}

const RUN_OF_WORDS = 4;
/** Text and tables repeat a little without fault. */
const HARMLESS_REPETITION = 0.2;
const MOST_WORDS = 4_000;

/** Share of the runs of four words that came before. */
function repeatedShare(text: string): number {
  const words = text.split(/\s+/, MOST_WORDS).filter((word) => word !== '');
  const runs = words.length - RUN_OF_WORDS + 1;
  if (runs < 2 * RUN_OF_WORDS) return 0;
  const seen = new Set<string>();
  for (let at = 0; at < runs; at += 1) seen.add(words.slice(at, at + RUN_OF_WORDS).join(' '));
  const repeated = 1 - seen.size / runs;
  return repeated <= HARMLESS_REPETITION ? 0 : repeated;
}
