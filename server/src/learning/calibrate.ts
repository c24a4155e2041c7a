/**
 * Calibrates one local model on this machine: asks it the checkable questions, fits its gate, its table of outcomes and the
 * share that escalates, and says what that changes. Answers are kept as they come, so that a cancelled run goes on later.
 */
import { createHash } from 'node:crypto';
import type { Calibration, CalibrationTarget } from '../core/calibration.ts';
import type { FittedConfidence } from '../core/confidence.ts';
import type { Failure } from '../core/errors.ts';
import type { FittedScore } from '../core/fittedScore.ts';
import type { LocalModel, Model, NanoUsd } from '../core/types.ts';
import { type AskLocalDeps, askLocal } from './askLocal.ts';
import { type CheckableQuestion, isRight, readCheckableQuestions } from './checkableQuestions.ts';
import { fitCalibration } from './fitCalibration.ts';
import { type RecordedAnswer, recordedAnswer } from './recordedAnswers.ts';
import { createSandbox } from './sandbox.ts';

/** Where answers are kept while a calibration runs. */
export interface AnswerJournal {
  lines(): readonly string[];
  add(line: string): void;
  clear(): void;
}

/** One paid answer of the cloud model; `stopped` when nothing more may or can be asked. */
export type CloudAnswer =
  | { readonly kind: 'answered'; readonly text: string; readonly costNanoUsd: NanoUsd }
  | { readonly kind: 'stopped'; readonly why: string };

export interface CalibrationDeps extends AskLocalDeps {
  readonly fitted: FittedScore;
  readonly confidence: FittedConfidence;
  /** The share that escalates without a calibration. */
  readonly escalateShare: number;
  readonly questionsPath: string;
}

export interface CalibrationOptions {
  readonly model: LocalModel;
  readonly escalation: Model | undefined;
  readonly target: CalibrationTarget;
  /** Asks so many questions at most, spread over the kinds. */
  readonly limit?: number;
  /** Asks everything again instead of going on. */
  readonly fresh?: boolean;
  /** Asks the cloud model too, until it says stop. */
  readonly askCloud?: (question: string, signal: AbortSignal) => Promise<CloudAnswer>;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export type CalibrationResult =
  | {
      readonly kind: 'calibrated';
      readonly calibration: Calibration;
      /** Why the cloud model was asked no further, where it was not asked everything. */
      readonly cloudStopped?: string;
    }
  | { readonly kind: 'cancelled'; readonly answered: number; readonly total: number }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** @param journal opened for the model's identity, which is known once its file is verified */
export async function calibrate(
  deps: CalibrationDeps,
  options: CalibrationOptions,
  journalOf: (identity: string) => AnswerJournal,
): Promise<CalibrationResult> {
  const { model, signal } = options;
  const identity = deps.local.identity(model);
  const questions = chosen(readCheckableQuestions(deps.questionsPath), options.limit);
  const journal = journalOf(identity);
  if (options.fresh === true) journal.clear();
  const known = keptAnswers(journal, identity);
  const runTests = createSandbox(signal);
  let cloudStopped: string | undefined;
  const answers: RecordedAnswer[] = [];
  for (const question of questions) {
    options.onProgress?.({ done: answers.length, total: questions.length });
    let answer = known.get(question.question);
    // What was kept before samples were asked for says nothing of their agreement.
    const samples = (model.file.agreementSamples ?? 1) > 1;
    if (answer === undefined || (samples && answer.agreement === undefined)) {
      const asked = await askLocal(deps, model, identity, question, runTests, signal);
      if (asked.kind === 'failed' && asked.failure.code !== 'cancelled') return asked;
      if (signal.aborted || asked.kind === 'failed') {
        return { kind: 'cancelled', answered: answers.length, total: questions.length };
      }
      // A question that can't be checked here, because nothing may run code, is left out.
      if (asked.kind === 'unchecked') continue;
      answer = asked.answer;
      journal.add(JSON.stringify(answer));
    }
    if (options.askCloud && answer.cloudGood === undefined && cloudStopped === undefined) {
      const cloud = await options.askCloud(question.question, signal);
      if (signal.aborted) {
        return { kind: 'cancelled', answered: answers.length, total: questions.length };
      }
      if (cloud.kind === 'stopped') cloudStopped = cloud.why;
      else {
        const cloudGood = await isRight(cloud.text, question, runTests);
        answer = { ...answer, ...(cloudGood === undefined ? {} : { cloudGood }) };
        journal.add(JSON.stringify(answer));
      }
    }
    answers.push(answer);
  }
  options.onProgress?.({ done: questions.length, total: questions.length });
  const calibration = fitCalibration(answers, {
    fitted: deps.fitted,
    shipped: deps.confidence,
    model,
    identity,
    escalation: options.escalation,
    target: options.target,
    escalateShare: deps.escalateShare,
    atMs: deps.clock.now(),
    questions: createHash('sha256').update(JSON.stringify(questions)).digest('hex'),
  });
  return {
    kind: 'calibrated',
    calibration,
    ...(cloudStopped === undefined ? {} : { cloudStopped }),
  };
}

/** The newest answer to each question; a line that was cut by a crash is asked again. */
function keptAnswers(journal: AnswerJournal, identity: string): Map<string, RecordedAnswer> {
  const kept = new Map<string, RecordedAnswer>();
  for (const line of journal.lines()) {
    const read = recordedAnswer.safeParse(jsonOf(line));
    if (read.success && read.data.identity === identity) kept.set(read.data.question, read.data);
  }
  return kept;
}

/** Every n-th question, so that each kind keeps its share. */
function chosen(
  questions: readonly CheckableQuestion[],
  limit = questions.length,
): readonly CheckableQuestion[] {
  if (limit >= questions.length) return questions;
  return Array.from(
    { length: limit },
    (_, at) => questions[Math.floor((at * questions.length) / limit)],
  ).filter((question) => question !== undefined);
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
