/**
 * Fits the gate of one model to its answers: a small logistic over task, mean and low log-probability and entropy, a curve
 * from its logits to observed chances, and how early a bad answer shows. Figures are cross-validated: every answer is judged
 * by a fit that had not seen it.
 */
import type { SignWeights } from '../core/answerSigns.ts';
import { signLogits } from '../core/answerSigns.ts';
import { confidenceOf, type FittedGate, measuresOf } from '../core/confidence.ts';
import { calibratedChances, fitCurve } from './fitCurve.ts';
import { chanceOf, fitLogistic, type LogisticRow } from './logistic.ts';
import { areaUnderRoc, calibrationError, mean } from './metrics.ts';
import { rounded } from './quantise.ts';
import type { RecordedAnswer } from './recordedAnswers.ts';
import { createSeededRandom } from './seededRandom.ts';

const FOLDS = 10;
const BIAS_PULL = 1e-6;
const WEIGHT_PULL = 0.5;
/** A task's own level needs several answers to move far from the common one. */
const TASK_PULL = 2;
const FEWEST_ANSWERS = 4;
/** A growing answer is stopped only below what at least this share of such answers stayed below to their end. */
const SURE_SHARE = 0.95;
const EARLY_TOKENS = [8, 12, 16, 24, 32];
/** Fewer stopped answers than this can't show how sure that is. */
const FEWEST_STOPPED = 8;

/** An answer with the task that the score took its question for. */
export interface TaskedAnswer {
  readonly answer: RecordedAnswer;
  readonly task: string;
}

export interface GateFit {
  /** Without a threshold and its rates: `operatingAt` gives those. */
  readonly gate: Omit<FittedGate, 'needed' | 'catchRate' | 'falseRejectRate'>;
  /** Confidence of each answer by a fit that had not seen it, in the order of the answers. */
  readonly confidences: readonly number[];
  readonly auroc: number;
  readonly calibrationError: number;
  /** What simpler ways of judging reach: name, AUROC, log loss. */
  readonly compared: readonly {
    readonly name: string;
    readonly auroc: number;
    readonly logLoss: number;
  }[];
}

interface Judged {
  readonly task: string;
  readonly good: boolean;
  readonly offset: number;
  readonly mean: number;
  readonly low: number;
  readonly entropy: number;
  readonly length: number;
  readonly agreement: number | undefined;
}

type Values = (row: Judged) => number[];

interface Variant {
  readonly name: string;
  readonly values: Values;
  readonly pulls: readonly number[];
}

export function fitGate(answers: readonly TaskedAnswer[], signs: SignWeights): GateFit {
  const rows = answers.map((one) => judge(one, signs));
  const counts = Map.groupBy(rows, ({ task }) => task);
  const tasks = [...counts].filter(([, of]) => of.length >= FEWEST_ANSWERS).map(([task]) => task);
  const usual = usualAgreement(rows);
  const compared = variantsFor(tasks, usual).map((variant) => {
    const logits = heldOutLogits(rows, variant);
    const chances = logits.map(sigmoid);
    return { ...variant, logits, auroc: aurocOf(rows, chances), logLoss: logLossOf(rows, chances) };
  });
  const used = compared.at(-1);
  if (used === undefined) throw new Error('expected a way of judging answers');
  const curveRows = used.logits.map((logit, at) => ({ logit, good: rows[at]?.good ?? false }));
  const confidences = calibratedChances(curveRows);
  const fitted = fitLogistic(logisticRows(rows, used.values), used.pulls);
  const [bias = 0, meanLogProb = 0, lowLogProb = 0, entropy = 0, ...levels] = fitted;
  const levelOf = new Map(tasks.map((task, at) => [task, levels[at] ?? 0]));
  const [plainBias = 0] = fitLogistic(
    rows.map((row) => ({
      values: [1],
      offset: row.offset + (levelOf.get(row.task) ?? 0),
      positive: row.good,
    })),
    [BIAS_PULL],
  );
  const curve = fitCurve(curveRows);
  const auroc = aurocOf(rows, confidences);
  return {
    gate: {
      source: 'outcomes',
      answers: rows.length,
      ...(Number.isNaN(auroc) ? {} : { auroc: rounded(auroc, 3) }),
      withLogProbs: {
        bias: rounded(bias, 3),
        meanLogProb: rounded(meanLogProb, 3),
        lowLogProb: rounded(lowLogProb, 3),
        entropy: rounded(entropy, 3),
        length: 0,
        ...(usual === undefined
          ? {}
          : { agreement: { weight: rounded(levels[tasks.length] ?? 0, 3), usual } }),
      },
      withoutLogProbs: { bias: rounded(plainBias, 3), length: 0 },
      tasks: Object.fromEntries(tasks.map((task) => [task, rounded(levelOf.get(task) ?? 0, 3)])),
      ...(curve === undefined ? {} : { curve }),
    },
    confidences,
    auroc,
    calibrationError: calibrationError(
      confidences.map((estimate, at) => ({ estimate, happened: rows[at]?.good ? 1 : 0 })),
    ),
    compared: compared.map(({ name, auroc: area, logLoss }) => ({ name, auroc: area, logLoss })),
  };
}

/** The shares of bad and of good answers below a confidence. */
export function operatingAt(
  needed: number,
  fit: Pick<GateFit, 'confidences'>,
  answers: readonly TaskedAnswer[],
): Pick<FittedGate, 'needed' | 'catchRate' | 'falseRejectRate'> {
  const below = (good: boolean) => {
    const kind = fit.confidences.filter((_, at) => answers[at]?.answer.good === good);
    return kind.filter((confidence) => confidence < needed).length / Math.max(1, kind.length);
  };
  return { needed, catchRate: rounded(below(false), 3), falseRejectRate: rounded(below(true), 3) };
}

/**
 * From how many tokens on, and below which confidence, a growing answer is as good as sure to end below `needed`:
 * the pair that saves most tokens. `undefined` where none is sure enough.
 */
export function fitEarly(
  gate: FittedGate,
  answers: readonly TaskedAnswer[],
  signs: SignWeights,
): FittedGate['early'] {
  const fitted = { signs, gate, models: new Map<string, FittedGate>() };
  const confidence = ({ answer, task }: TaskedAnswer, tokens: number) => {
    const growing = answer.logProbs.length > tokens;
    const { text, finish, code } = answer;
    const logProbs = answer.logProbs.slice(0, tokens).map((logProb) => ({ text: '', logProb }));
    return confidenceOf(
      {
        ...{ text: growing ? '' : text, finish, code, logProbs, growing },
        agreement: growing ? undefined : answer.agreement,
      },
      task,
      fitted,
      '',
    ).value;
  };
  let best: { readonly saved: number; readonly early: FittedGate['early'] } | undefined;
  for (const fromTokens of EARLY_TOKENS) {
    const long = answers.filter(({ answer }) => answer.logProbs.length > fromTokens);
    const rows = long
      .map((one) => ({
        early: confidence(one, fromTokens),
        end: confidence(one, Number.POSITIVE_INFINITY),
        saved: one.answer.logProbs.length - fromTokens,
      }))
      .toSorted((a, b) => a.early - b.early);
    for (let count = FEWEST_STOPPED; count <= rows.length; count += 1) {
      const stopped = rows.slice(0, count);
      const sure = stopped.filter(({ end }) => end < gate.needed).length / count;
      const saved = stopped.reduce((sum, row) => sum + row.saved, 0);
      if (sure < SURE_SHARE || (best !== undefined && saved <= best.saved)) continue;
      const below = Math.min(gate.needed, stopped.at(-1)?.early ?? 0);
      best = { saved, early: { fromTokens, below: rounded(below, 3) } };
    }
  }
  return best?.early;
}

function judge({ answer, task }: TaskedAnswer, signs: SignWeights): Judged {
  const { text, finish, code, good } = answer;
  const logProbs = answer.logProbs.map((logProb) => ({ text: '', logProb }));
  const measures = measuresOf({ text, finish, logProbs });
  return {
    task,
    good,
    offset: signLogits({ text, finish, code }, signs),
    mean: measures.logProbs?.mean ?? 0,
    low: measures.logProbs?.low ?? 0,
    entropy: measures.logProbs?.entropy ?? 0,
    length: measures.length,
    agreement: answer.agreement,
  };
}

/** The last one is used, agreement where it was measured: length adds nothing to it, and would mislead on longer answers than these. */
function variantsFor(tasks: readonly string[], usual: number | undefined): Variant[] {
  const oneHot = (row: Judged) => tasks.map((task) => (row.task === task ? 1 : 0));
  const levels = tasks.map(() => TASK_PULL);
  const weights = (count: number) => [BIAS_PULL, ...Array(count).fill(WEIGHT_PULL)];
  return [
    { name: 'length', values: (row) => [1, row.length], pulls: weights(1) },
    { name: 'mean', values: (row) => [1, row.mean], pulls: weights(1) },
    { name: 'mean, low', values: (row) => [1, row.mean, row.low], pulls: weights(2) },
    { name: 'task', values: (row) => [1, ...oneHot(row)], pulls: [BIAS_PULL, ...levels] },
    {
      name: 'task, mean, low',
      values: (row) => [1, row.mean, row.low, ...oneHot(row)],
      pulls: [...weights(2), ...levels],
    },
    {
      name: 'task, mean, low, entropy, length',
      values: (row) => [1, row.mean, row.low, row.entropy, row.length, ...oneHot(row)],
      pulls: [...weights(4), ...levels],
    },
    {
      name: 'task, mean, low, entropy',
      values: (row) => [1, row.mean, row.low, row.entropy, ...oneHot(row)],
      pulls: [...weights(3), ...levels],
    },
    ...(usual === undefined
      ? []
      : [
          {
            name: 'task, mean, low, entropy, agreement',
            values: (row: Judged) => [
              ...[1, row.mean, row.low, row.entropy, ...oneHot(row)],
              (row.agreement ?? usual) - usual,
            ],
            pulls: [...weights(3), ...levels, WEIGHT_PULL],
          },
        ]),
  ];
}

/** `undefined` unless samples were drawn for every answer. */
function usualAgreement(rows: readonly Judged[]): number | undefined {
  const all = rows.flatMap(({ agreement }) => agreement ?? []);
  return all.length === rows.length && all.length > 0 ? rounded(mean(all), 3) : undefined;
}

function logisticRows(rows: readonly Judged[], values: Values): LogisticRow[] {
  return rows.map((row) => ({ values: values(row), offset: row.offset, positive: row.good }));
}

function heldOutLogits(rows: readonly Judged[], { values, pulls }: Variant): number[] {
  const logistic = logisticRows(rows, values);
  const order = createSeededRandom(5).shuffle(rows.map((_, at) => at));
  const logits: number[] = rows.map(() => 0);
  for (let fold = 0; fold < FOLDS; fold += 1) {
    const isHeldOut = new Set(order.filter((_, at) => at % FOLDS === fold));
    const weights = fitLogistic(
      logistic.filter((_, at) => !isHeldOut.has(at)),
      pulls,
    );
    logistic.forEach((row, at) => {
      if (!isHeldOut.has(at)) return;
      const chance = Math.min(1 - 1e-9, Math.max(1e-9, chanceOf(row, weights)));
      logits[at] = Math.log(chance / (1 - chance));
    });
  }
  return logits;
}

/** `NaN` where all answers are good, or all bad. */
function aurocOf(rows: readonly { readonly good: boolean }[], chances: readonly number[]): number {
  const ranked = rows.map(({ good }, at) => ({ score: chances[at] ?? 0, positive: good }));
  return areaUnderRoc(ranked) ?? Number.NaN;
}

function logLossOf(rows: readonly Judged[], chances: readonly number[]): number {
  return mean(
    rows.map(({ good }, at) => {
      const chance = Math.min(0.999, Math.max(0.001, chances[at] ?? 0));
      return -Math.log(good ? chance : 1 - chance);
    }),
  );
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}
