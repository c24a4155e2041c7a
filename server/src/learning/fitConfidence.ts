/**
 * Fits `models/confidence.json` from recorded answers:
 *   node server/src/learning/fitConfidence.ts --answers answers.jsonl [--answers ...] [--out models/confidence.json]
 * A recording is what `cost-aware-router calibrate` keeps in the data folder, `calibration/<sha256>.answers.jsonl`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { SignWeights } from '../core/answerSigns.ts';
import type { FittedConfidenceFile, FittedGate } from '../core/confidence.ts';
import { featuresOf } from '../core/features.ts';
import { parseFittedScore } from '../core/fittedScore.ts';
import { classifierOf } from '../core/taskMix.ts';
import { fitEarly, fitGate, operatingAt, type TaskedAnswer } from './fitGate.ts';
import { areaUnderRoc, calibrationNoise } from './metrics.ts';
import { rounded } from './quantise.ts';
import { type RecordedAnswer, readRecordedAnswers } from './recordedAnswers.ts';

/** Short test answers hardly ever show these signs, so their weights are a judgement. */
const signs: SignWeights = {
  empty: -6,
  refused: -2.5,
  repeated: -4,
  truncated: -0.7,
  unbalanced: -1.5,
  broken: -1.5,
};

/** Nothing is known of other models: a probability of a token means about the same, so the gate only catches what is plain. */
const cautiousGate: FittedGate = {
  source: 'judgement',
  answers: 0,
  needed: 0.4,
  catchRate: 0.3,
  falseRejectRate: 0.1,
  withLogProbs: { bias: 1.8, meanLogProb: 1.5, lowLogProb: 0.3, entropy: 0, length: 0 },
  withoutLogProbs: { bias: 1, length: 0 },
  tasks: {},
};

function withTasks(answers: readonly RecordedAnswer[]): TaskedAnswer[] {
  const file = new URL('../../../models/score.json', import.meta.url);
  const fitted = parseFittedScore(JSON.parse(readFileSync(file, 'utf8')));
  const classify = classifierOf(fitted);
  return answers.map((answer) => {
    const { top } = classify(featuresOf({ text: answer.question, context: [], history: [] }));
    return { answer, task: fitted.tasks[top]?.name ?? '' };
  });
}

/** The confidence below which deferring catches the most bad answers for the good ones it gives up. */
function bestGate(answers: readonly TaskedAnswer[]): FittedGate {
  const fit = fitGate(answers, signs);
  for (const { name, auroc, logLoss } of fit.compared) {
    console.log(`  ${name.padEnd(32)} AUROC ${auroc.toFixed(3)}  log loss ${logLoss.toFixed(3)}`);
  }
  console.log(
    `  with its curve                   AUROC ${fit.auroc.toFixed(3)}  calibration error ${fit.calibrationError.toFixed(3)}`,
  );
  const { mean: noise, low, high } = calibrationNoise(fit.confidences, 500, 17);
  console.log(
    `  true chances would show          ${noise.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)}) on so many answers`,
  );
  const [first, ...others] = Array.from({ length: 19 }, (_, at) =>
    operatingAt(rounded(0.05 * (at + 1), 2), fit, answers),
  );
  if (first === undefined) throw new Error('expected thresholds to choose from');
  const operating = others.reduce(
    (best, next) =>
      next.catchRate - next.falseRejectRate > best.catchRate - best.falseRejectRate ? next : best,
    first,
  );
  const gate: FittedGate = { ...fit.gate, ...operating };
  const early = fitEarly(gate, answers, signs);
  return early === undefined ? gate : { ...gate, early };
}

function main(): void {
  const { values } = parseArgs({
    options: { answers: { type: 'string', multiple: true }, out: { type: 'string' } },
  });
  if (values.answers === undefined) throw new Error('expected --answers FILE, once per model');
  const rows = withTasks(values.answers.flatMap(readRecordedAnswers));
  const models: Record<string, FittedGate> = {};
  for (const [identity, ofModel] of Map.groupBy(rows, ({ answer }) => answer.identity)) {
    const good = ofModel.filter(({ answer }) => answer.good).length;
    console.log(`${identity}: ${good} of ${ofModel.length} answers are good`);
    for (const [kind, ofKind] of Map.groupBy(ofModel, ({ answer }) => answer.kind)) {
      const right = ofKind.filter(({ answer }) => answer.good).length;
      console.log(
        `  ${kind.padEnd(16)} ${right} of ${ofKind.length} good, AUROC of the mean inside ${inside(ofKind)}`,
      );
    }
    models[identity] = bestGate(ofModel);
  }
  const file: FittedConfidenceFile = {
    schema: 1,
    fitted:
      'by learning/fitConfidence.ts from answers to models/checkable.jsonl; signs and the default gate are a judgement',
    signs,
    default: cautiousGate,
    models,
  };
  const text = `${JSON.stringify(file, undefined, 2)}\n`;
  for (const gate of Object.values(models)) console.log(gate);
  if (values.out !== undefined) writeFileSync(values.out, text);
}

function inside(answers: readonly TaskedAnswer[]): string {
  const area = areaUnderRoc(
    answers.map(({ answer: { logProbs, good } }) => ({
      score: logProbs.reduce((sum, value) => sum + value, 0) / Math.max(1, logProbs.length),
      positive: good,
    })),
  );
  return area === undefined ? 'unknown' : area.toFixed(2);
}

if (import.meta.main) main();
