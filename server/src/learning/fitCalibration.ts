/** From a model's recorded answers to its calibration: outcomes by task, the gate, the plan for a target, and the figures before and after. */
import type { Calibration, CalibrationTarget, OutcomeCounts } from '../core/calibration.ts';
import {
  confidenceOf,
  type FittedConfidence,
  type FittedGate,
  gateOf,
} from '../core/confidence.ts';
import { featuresOf } from '../core/features.ts';
import type { FittedScore } from '../core/fittedScore.ts';
import { measuredAbility } from '../core/measuredAbility.ts';
import { createScorer } from '../core/score.ts';
import type { LocalModel, Model } from '../core/types.ts';
import { fitEarly, fitGate, operatingAt, type TaskedAnswer } from './fitGate.ts';
import { choosePlanFor, figuresOf, type PlanRow } from './fitPlan.ts';
import { chanceOf, fitLogistic } from './logistic.ts';
import { areaUnderRoc, calibrationError, quantile } from './metrics.ts';
import { rounded } from './quantise.ts';
import type { RecordedAnswer } from './recordedAnswers.ts';

export interface FitInput {
  readonly fitted: FittedScore;
  readonly shipped: FittedConfidence;
  readonly model: LocalModel;
  readonly identity: string;
  readonly escalation: Model | undefined;
  readonly target: CalibrationTarget;
  readonly escalateShare: number;
  readonly atMs: number;
  readonly questions: string;
}

const FOLDS = 5;
const SHARES = Array.from({ length: 20 }, (_, at) => rounded(0.05 * at, 2));
/** Fewer answers of either kind leave nothing to fit a gate to. */
export const FEWEST_ANSWERS = 30;

export function fitCalibration(answers: readonly RecordedAnswer[], input: FitInput): Calibration {
  const { fitted, shipped, identity, model, target } = input;
  if (answers.length < FEWEST_ANSWERS) {
    throw new RangeError(
      `expected at least ${FEWEST_ANSWERS} answers to calibrate on, got ${answers.length}; ask more questions`,
    );
  }
  const scorer = createScorer(fitted);
  const features = answers.map(({ question }) =>
    featuresOf({ text: question, context: [], history: [] }),
  );
  const tasked = answers.map((answer, at): TaskedAnswer => {
    const of = features[at];
    return { answer, task: of === undefined ? '' : scorer.score(of, model).task };
  });
  const escalation = input.escalation ?? model;

  /** Gains by abilities that had not seen the answer that they judge. */
  const gains = (abilityFor: (fold: number) => Pick<Model, 'ability'>): number[] => {
    const models = Array.from({ length: FOLDS }, (_, fold) => abilityFor(fold));
    return features.map((of, at) => {
      const cheap = models[at % FOLDS] ?? model;
      return scorer.gain(of, cheap, escalation).value;
    });
  };
  const scoresBefore = gains(() => model);
  const scoresAfter = gains((fold) => ({
    ability: measuredAbility(
      fitted,
      model.ability,
      outcomesOf(tasked.filter((_, at) => at % FOLDS !== fold)),
    ),
  }));
  const cloud = answers.map((answer, at) => {
    if (answer.cloudGood !== undefined) return answer.cloudGood ? 1 : 0;
    const of = features[at];
    return of === undefined ? 0 : 1 - scorer.score(of, escalation).value;
  });

  const shippedGate = gateOf(shipped, identity, '');
  const confidencesBefore = tasked.map(({ answer, task }) => {
    const logProbs = answer.logProbs.map((logProb) => ({ text: '', logProb }));
    const { text, finish, code } = answer;
    return confidenceOf({ text, finish, code, logProbs }, task, shipped, identity);
  });
  const fit = fitGate(tasked, shipped.signs);
  const outcomes = outcomesOf(tasked);
  const measured = { ability: measuredAbility(fitted, model.ability, outcomes) };

  const rowsOf = (gain: readonly number[], confidence: readonly number[]): PlanRow[] =>
    answers.map((answer, at) => ({
      gain: gain[at] ?? 0,
      confidence: confidence[at] ?? 0,
      local: answer.good ? 1 : 0,
      cloud: cloud[at] ?? 0,
    }));
  const thresholds = new Map(
    SHARES.map((share) => [share, scorer.gainThreshold(measured, escalation, share)]),
  );
  const rows = rowsOf(scoresAfter, fit.confidences);
  const plan = choosePlanFor(target, rows, thresholds);
  const withRates: FittedGate = { ...fit.gate, ...operatingAt(plan.needed, fit, tasked) };
  const early = fitEarly(withRates, tasked, shipped.signs);
  const gate: FittedGate = early === undefined ? withRates : { ...withRates, early };

  const before = figuresOf(
    // The shipped gates differ by task, so each answer is compared with its own.
    rowsOf(
      scoresBefore,
      confidencesBefore.map(({ value, needed }) => (value < needed ? 0 : 1)),
    ),
    scorer.gainThreshold(model, escalation, input.escalateShare),
    Math.max(0.5, shippedGate.needed),
  );
  const valuesBefore = confidencesBefore.map(({ value }) => value);
  const figures = (
    { escalated, quality, kept }: typeof before,
    confidences: readonly number[],
    gain: readonly number[],
  ) => ({
    escalated: rounded(escalated, 4),
    quality: rounded(quality, 4),
    kept: rounded(kept, 4),
    gateAuroc: aurocOf(answers, confidences),
    gateCalibrationError: rounded(
      calibrationError(
        confidences.map((estimate, at) => ({ estimate, happened: answers[at]?.good ? 1 : 0 })),
      ),
      4,
    ),
    scoreAuroc: aurocOf(
      answers,
      gain.map((value) => -value),
    ),
    bothAuroc: aurocOf(answers, bothOf(answers, confidences, gain)),
  });

  const seconds = answers.map(({ latencyMs = 0 }) => latencyMs / 1000);
  const tokens = answers.reduce((sum, { logProbs }) => sum + logProbs.length, 0);
  const total = seconds.reduce((sum, value) => sum + value, 0);
  return {
    schema: 1,
    identity,
    modelId: model.id,
    atMs: input.atMs,
    questions: input.questions,
    escalationId: input.escalation?.id ?? null,
    cloud: answers.every(({ cloudGood }) => cloudGood !== undefined) ? 'measured' : 'estimated',
    target,
    gate,
    escalateShare: plan.escalateShare,
    outcomes,
    kinds: kindsOf(answers),
    tokensPerSecond: total === 0 ? null : rounded(tokens / total, 1),
    before: figures(before, valuesBefore, scoresBefore),
    after: figures(plan, fit.confidences, scoresAfter),
  };
}

function outcomesOf(answers: readonly TaskedAnswer[]): OutcomeCounts {
  const counts: Record<string, { good: number; bad: number }> = {};
  for (const { answer, task } of answers) {
    counts[task] ??= { good: 0, bad: 0 };
    counts[task][answer.good ? 'good' : 'bad'] += 1;
  }
  return counts;
}

function kindsOf(answers: readonly RecordedAnswer[]): Calibration['kinds'] {
  const kinds = Map.groupBy(answers, ({ kind }) => kind);
  return Object.fromEntries(
    [...kinds].map(([kind, of]) => {
      const times = of.flatMap(({ latencyMs }) => (latencyMs === undefined ? [] : [latencyMs]));
      return [
        kind,
        {
          answers: of.length,
          right: of.filter(({ good }) => good).length,
          medianMs: times.length === 0 ? null : Math.round(quantile(times, 0.5)),
        },
      ];
    }),
  );
}

function aurocOf(answers: readonly RecordedAnswer[], scores: readonly number[]): number | null {
  const area = areaUnderRoc(
    answers.map(({ good }, at) => ({ score: scores[at] ?? 0, positive: good })),
  );
  return area === undefined ? null : rounded(area, 4);
}

/** Score and confidence in one logistic, each answer judged by one that had not seen it. */
export function bothOf(
  answers: readonly { readonly good: boolean }[],
  confidences: readonly number[],
  gains: readonly number[],
): number[] {
  const rows = answers.map(({ good }, at) => {
    const confidence = Math.min(0.99, Math.max(0.01, confidences[at] ?? 0.5));
    return {
      values: [1, Math.log(confidence / (1 - confidence)), gains[at] ?? 0],
      offset: 0,
      positive: good,
    };
  });
  const fits = Array.from({ length: FOLDS }, (_, fold) =>
    fitLogistic(
      rows.filter((_row, at) => at % FOLDS !== fold),
      [1e-6, 0.1, 0.1],
    ),
  );
  return rows.map((row, at) => chanceOf(row, fits[at % FOLDS] ?? [0, 1, 0]));
}
