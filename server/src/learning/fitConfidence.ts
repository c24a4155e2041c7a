/**
 * Fits `models/confidence.json` from recorded answers:
 *   node server/src/learning/fitConfidence.ts --answers answers.jsonl [--out models/confidence.json]
 * The recording is made by recordAnswers.ts. Figures are cross-validated: an answer is judged by a fit without it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  type FittedConfidenceFile,
  type FittedGate,
  measuresOf,
  type SignWeights,
  signLogits,
} from '../core/confidence.ts';
import { featuresOf } from '../core/features.ts';
import { parseFittedScore } from '../core/fittedScore.ts';
import { classifierOf } from '../core/taskMix.ts';
import { chanceOf, fitLogistic, type LogisticRow } from './logistic.ts';
import { areaUnderRoc, mean } from './metrics.ts';
import { rounded } from './quantise.ts';
import { type RecordedAnswer, readRecordedAnswers } from './recordAnswers.ts';
import { createSeededRandom } from './seededRandom.ts';

/** Short test answers hardly ever show these signs, so their weights are a judgement. */
const signs: SignWeights = {
  empty: -6,
  refused: -2.5,
  repeated: -4,
  truncated: -0.7,
  unbalanced: -1.5,
};

/** Nothing is known of other models: a probability of a token means about the same, so the gate only catches what is plain. */
const cautiousGate: FittedGate = {
  source: 'judgement',
  answers: 0,
  needed: 0.4,
  catchRate: 0.3,
  falseRejectRate: 0.1,
  withLogProbs: { bias: 1.8, meanLogProb: 1.5, lowLogProb: 0.3, length: 0 },
  withoutLogProbs: { bias: 1, length: 0 },
  tasks: {},
};

const FOLDS = 10;
const BIAS_PULL = 1e-6;
const WEIGHT_PULL = 0.5;
/** A task's own level needs several answers to move far from the common one. */
const TASK_PULL = 2;
const FEWEST_ANSWERS = 4;

interface Judged {
  readonly answer: RecordedAnswer;
  readonly task: string;
  readonly offset: number;
  readonly mean: number;
  readonly low: number;
  readonly length: number;
}

type Values = (row: Judged) => number[];

function judge(answers: readonly RecordedAnswer[]): Judged[] {
  const file = new URL('../../../models/score.json', import.meta.url);
  const fitted = parseFittedScore(JSON.parse(readFileSync(file, 'utf8')));
  const classify = classifierOf(fitted);
  return answers.map((answer) => {
    const { text, finish, question } = answer;
    const logProbs = answer.logProbs.map((logProb) => ({ text: '', logProb }));
    const { top } = classify(featuresOf({ text: question, context: [], history: [] }));
    const measures = measuresOf({ text, finish, logProbs });
    return {
      answer,
      task: fitted.tasks[top]?.name ?? '',
      offset: signLogits({ text, finish, logProbs }, signs),
      mean: measures.logProbs?.mean ?? 0,
      low: measures.logProbs?.low ?? 0,
      length: measures.length,
    };
  });
}

function logisticRows(rows: readonly Judged[], values: Values): LogisticRow[] {
  return rows.map((row) => ({
    values: values(row),
    offset: row.offset,
    positive: row.answer.good,
  }));
}

/** Each answer's confidence by a fit that had not seen it. */
function crossValidated(
  rows: readonly Judged[],
  values: Values,
  pulls: readonly number[],
): number[] {
  const logistic = logisticRows(rows, values);
  const order = createSeededRandom(5).shuffle(rows.map((_, at) => at));
  const confidences: number[] = rows.map(() => 0);
  for (let fold = 0; fold < FOLDS; fold += 1) {
    const isHeldOut = new Set(order.filter((_, at) => at % FOLDS === fold));
    const weights = fitLogistic(
      logistic.filter((_, at) => !isHeldOut.has(at)),
      pulls,
    );
    logistic.forEach((row, at) => {
      if (isHeldOut.has(at)) confidences[at] = chanceOf(row, weights);
    });
  }
  return confidences;
}

function aurocOf(rows: readonly Judged[], confidences: readonly number[]): number {
  const ranked = rows.map(({ answer }, at) => ({
    score: confidences[at] ?? 0,
    positive: answer.good,
  }));
  return areaUnderRoc(ranked) ?? Number.NaN;
}

interface Operating {
  readonly needed: number;
  readonly catchRate: number;
  readonly falseRejectRate: number;
}

/** The confidence below which deferring catches the most bad answers for the good ones it gives up. */
function bestThreshold(rows: readonly Judged[], confidences: readonly number[]): Operating {
  const below = (needed: number, good: boolean) => {
    const kind = confidences.filter((_, at) => rows[at]?.answer.good === good);
    return kind.filter((confidence) => confidence < needed).length / Math.max(1, kind.length);
  };
  const candidates = Array.from({ length: 19 }, (_, at) => rounded(0.05 * (at + 1), 2));
  const operatings = candidates.map((needed) => ({
    needed,
    catchRate: rounded(below(needed, false), 3),
    falseRejectRate: rounded(below(needed, true), 3),
  }));
  return operatings.reduce((best, next) =>
    next.catchRate - next.falseRejectRate > best.catchRate - best.falseRejectRate ? next : best,
  );
}

/** A way of judging, to be compared with others: which values of an answer it looks at. */
interface Variant {
  readonly name: string;
  readonly values: Values;
  readonly pulls: readonly number[];
}

function variantsFor(tasks: readonly string[]): Variant[] {
  const oneHot = (row: Judged) => tasks.map((task) => (row.task === task ? 1 : 0));
  const levels = tasks.map(() => TASK_PULL);
  const one = [BIAS_PULL, WEIGHT_PULL];
  const two = [BIAS_PULL, WEIGHT_PULL, WEIGHT_PULL];
  return [
    { name: 'length', values: (row) => [1, row.length], pulls: one },
    { name: 'mean', values: (row) => [1, row.mean], pulls: one },
    { name: 'mean, low', values: (row) => [1, row.mean, row.low], pulls: two },
    { name: 'task', values: (row) => [1, ...oneHot(row)], pulls: [BIAS_PULL, ...levels] },
    {
      name: 'task, mean, low, length',
      values: (row) => [1, row.mean, row.low, row.length, ...oneHot(row)],
      pulls: [...two, WEIGHT_PULL, ...levels],
    },
    {
      name: 'task, mean, low',
      values: (row) => [1, row.mean, row.low, ...oneHot(row)],
      pulls: [...two, ...levels],
    },
  ];
}

/** The last variant is the one that is used: length adds nothing to it, and would mislead on longer answers than these. */
function fitGate(rows: readonly Judged[]): FittedGate {
  const counts = Map.groupBy(rows, ({ task }) => task);
  const tasks = [...counts].filter(([, of]) => of.length >= FEWEST_ANSWERS).map(([task]) => task);
  const compared = variantsFor(tasks).map((variant) => ({
    ...variant,
    confidences: crossValidated(rows, variant.values, variant.pulls),
  }));
  for (const { name, confidences } of compared) {
    const loss = mean(
      rows.map(({ answer }, at) => {
        const confidence = confidences[at] ?? 0;
        return -Math.log(answer.good ? confidence : 1 - confidence);
      }),
    );
    console.log(
      `  ${name.padEnd(24)} AUROC ${aurocOf(rows, confidences).toFixed(3)}  log loss ${loss.toFixed(3)}`,
    );
  }
  const used = compared.at(-1);
  if (used === undefined) throw new Error('expected a variant to use');
  const [bias = 0, meanLogProb = 0, lowLogProb = 0, ...levels] = fitLogistic(
    logisticRows(rows, used.values),
    used.pulls,
  );
  const levelOf = new Map(tasks.map((task, at) => [task, levels[at] ?? 0]));
  const withLevels = rows.map((row) => ({
    ...row,
    offset: row.offset + (levelOf.get(row.task) ?? 0),
  }));
  const [plainBias = 0] = fitLogistic(
    logisticRows(withLevels, () => [1]),
    [BIAS_PULL],
  );
  return {
    source: 'outcomes',
    answers: rows.length,
    auroc: rounded(aurocOf(rows, used.confidences), 3),
    ...bestThreshold(rows, used.confidences),
    withLogProbs: {
      bias: rounded(bias, 3),
      meanLogProb: rounded(meanLogProb, 3),
      lowLogProb: rounded(lowLogProb, 3),
      length: 0,
    },
    withoutLogProbs: { bias: rounded(plainBias, 3), length: 0 },
    tasks: Object.fromEntries(tasks.map((task) => [task, rounded(levelOf.get(task) ?? 0, 3)])),
  };
}

function main(): void {
  const { values } = parseArgs({
    options: { answers: { type: 'string', multiple: true }, out: { type: 'string' } },
  });
  if (values.answers === undefined) throw new Error('expected --answers FILE, once per model');
  const rows = judge(values.answers.flatMap(readRecordedAnswers));
  const models: Record<string, FittedGate> = {};
  for (const [identity, ofModel] of Map.groupBy(rows, ({ answer }) => answer.identity)) {
    const good = ofModel.filter(({ answer }) => answer.good).length;
    console.log(`${identity}: ${good} of ${ofModel.length} answers are good`);
    const kinds = Map.groupBy(ofModel, ({ answer }) => answer.kind);
    for (const [kind, ofKind] of kinds) {
      const auroc = aurocOf(
        ofKind,
        ofKind.map(({ mean }) => mean),
      );
      const right = ofKind.filter(({ answer }) => answer.good).length;
      console.log(
        `  ${kind.padEnd(12)} ${right} of ${ofKind.length} good, AUROC of the mean inside ${auroc.toFixed(2)}`,
      );
    }
    models[identity] = fitGate(ofModel);
  }
  const file: FittedConfidenceFile = {
    schema: 1,
    fitted:
      'by learning/fitConfidence.ts from answers to learning/checkableQuestions.jsonl; signs and the default gate are a judgement',
    signs,
    default: cautiousGate,
    models,
  };
  const text = `${JSON.stringify(file, undefined, 2)}\n`;
  for (const gate of Object.values(models)) console.log(gate);
  if (values.out !== undefined) writeFileSync(values.out, text);
}

if (import.meta.main) main();
