/**
 * How likely a finished answer is good enough, judged by the answer itself: its token log-probabilities where the model
 * tells them, and signs of a failed answer. A small logistic with weights fitted to the model that answered; pure.
 */
import { z } from 'zod';
import type { Confidence, Part } from './answer.ts';
import { type SignedAnswer, type SignStep, signSteps, signWeightsSchema } from './answerSigns.ts';
import { curveSchema, onCurve } from './calibrationCurve.ts';
import type { Gate } from './estimate.ts';
import type { TokenLogProb } from './ports.ts';
import type { Model } from './types.ts';

/** What is looked at in an answer. */
export interface JudgedAnswer extends SignedAnswer {
  readonly logProbs?: readonly TokenLogProb[] | undefined;
  /** Of further samples with it, in [0,1]; absent where none were asked for. */
  readonly agreement?: number | undefined;
}

const rate = z.number().min(0).max(1);

export const gateSchema = z.strictObject({
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
    /** Per nat of the mean entropy of a token, chosen against all others. */
    entropy: z.number().default(0),
    /** Per unit of ln(1 + tokens). */
    length: z.number(),
    /** Of further samples: logits per unit of agreement, and the agreement that the fit saw on average. */
    agreement: z.strictObject({ weight: z.number(), usual: rate }).optional(),
  }),
  withoutLogProbs: z.strictObject({ bias: z.number(), length: z.number() }),
  /** Logits by task: how much better or worse this model's answers to it are. */
  tasks: z.record(z.string(), z.number()),
  /** Turns the logistic's chance into the one that was observed; left out where too few answers could tell. */
  curve: curveSchema.optional(),
  /** Once so many tokens are there, a growing answer below this confidence is as good as sure to end below `needed`. */
  early: z.strictObject({ fromTokens: z.int().positive(), below: rate }).optional(),
});

const fileSchema = z.strictObject({
  schema: z.literal(1),
  fitted: z.string(),
  signs: signWeightsSchema,
  /** For models that nothing was measured on. */
  default: gateSchema,
  /** By the model's identity. */
  models: z.record(z.string(), gateSchema),
});

export type FittedConfidenceFile = z.infer<typeof fileSchema>;
export type FittedGate = z.infer<typeof gateSchema>;

export interface FittedConfidence {
  readonly signs: FittedConfidenceFile['signs'];
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

/**
 * What a plan may expect of the gate. Of a model that is not run here only signs of a failed answer are seen; how many
 * failures they catch was never measured, so nothing is expected of them.
 */
export function planningGate(
  fitted: FittedConfidence,
  model: Model,
  identity: string,
  task: string,
): Gate {
  const gate = gateOf(fitted, identity, task);
  if (model.provider === 'local') return gate;
  return { needed: gate.needed, catchRate: 0, falseRejectRate: 0 };
}

/** @param task as the score names it */
export function confidenceOf(
  answer: JudgedAnswer,
  task: string,
  fitted: FittedConfidence,
  identity: string,
): Confidence {
  const gate = gateOf(fitted, identity, task);
  const steps = [...levelSteps(answer, task, gate), ...signSteps(answer, fitted.signs)];
  let logit = 0;
  let before = 0;
  const parts: Part[] = [];
  for (const step of steps) {
    logit += step.logits;
    const after = 1 / (1 + Math.exp(-logit));
    parts.push({ name: step.name, added: after - before, detail: step.detail });
    before = after;
  }
  if (gate.curve !== undefined) {
    const observed = onCurve(gate.curve, logit);
    parts.push({
      name: 'calibration',
      added: observed - before,
      detail: 'as often as such answers were good',
    });
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

function levelSteps(answer: JudgedAnswer, task: string, gate: FittedGate): SignStep[] {
  const measures = measuresOf(answer);
  const ofTask = gate.tasks[task] ?? 0;
  const taskStep = {
    name: 'task',
    logits: ofTask,
    detail: gate.tasks[task] === undefined ? `${task}: not measured` : `${task}: as measured`,
  };
  const length = (weight: number): SignStep => ({
    name: 'length',
    logits: weight * measures.length,
    detail: `≈ ${Math.round(Math.exp(measures.length) - 1)} tokens`,
  });
  const base = (bias: number): SignStep => ({
    name: 'base',
    logits: bias,
    detail: gate.source === 'outcomes' ? `fitted to ${gate.answers} answers` : 'a judgement',
  });
  if (measures.logProbs === undefined) {
    const weights = gate.withoutLogProbs;
    return [base(weights.bias), taskStep, length(weights.length)];
  }
  const weights = gate.withLogProbs;
  const { mean, low, entropy } = measures.logProbs;
  const { agreement } = answer;
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
    ...(weights.entropy === 0
      ? []
      : [
          {
            name: 'entropy',
            logits: weights.entropy * entropy,
            detail: `${entropy.toFixed(2)} per token`,
          },
        ]),
    length(weights.length),
    ...(weights.agreement === undefined || agreement === undefined
      ? []
      : [
          {
            name: 'agreement',
            logits: weights.agreement.weight * (agreement - weights.agreement.usual),
            detail: `further samples agree by ${agreement.toFixed(2)}`,
          },
        ]),
  ];
}

export interface Measures {
  /** ln(1 + tokens). */
  readonly length: number;
  readonly logProbs:
    | { readonly mean: number; readonly low: number; readonly entropy: number }
    | undefined;
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
      entropy: values.reduce((sum, value) => sum + choiceEntropy(value), 0) / values.length,
    },
  };
}

/**
 * Entropy in nats of "the chosen token or any other": never more than the whole distribution's, and free, as it needs
 * no other token's probability.
 */
function choiceEntropy(logProb: number): number {
  const chosen = Math.exp(logProb);
  const others = 1 - chosen;
  return others <= 0 ? 0 : -chosen * logProb - others * Math.log(others);
}
