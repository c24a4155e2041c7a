/**
 * What the cascade is worth on prompts with an answer key: every prompt is asked of the local model and judged by the
 * score and the gate as in use; the cloud's answers come from the file, or are paid for up to a cap.
 */
import type { Decision, Route } from '../core/answer.ts';
import { confidenceOf, type FittedConfidence } from '../core/confidence.ts';
import type { Failure } from '../core/errors.ts';
import { endsMeasuring, type PaidAnswer } from '../core/paidAnswer.ts';
import type { LocalModel, NanoUsd } from '../core/types.ts';
import { type AskLocalDeps, askLocal } from './askLocal.ts';
import type { CascadeEnd, CascadeRow } from './cascadeFigures.ts';
import { type CheckableQuestion, isRight } from './checkableQuestions.ts';
import type { KeyedPrompt } from './keyedPrompts.ts';
import { createSandbox } from './sandbox.ts';

export interface CascadeDeps extends AskLocalDeps {
  readonly confidence: () => FittedConfidence;
  /** Judges the prompt alone, as if every model were ready. */
  readonly decide: (text: string) => Promise<Decision>;
  /** The confidence below which an answer on this route is deferred, from the one that the gate says. */
  readonly neededFor: (route: Route, needed: number) => number;
}

export interface CascadeOptions {
  readonly model: LocalModel;
  readonly prompts: readonly KeyedPrompt[];
  /** Asks the cloud model what the file does not tell. */
  readonly askCloud?: (text: string, signal: AbortSignal) => Promise<PaidAnswer>;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface CascadeRun {
  readonly rows: readonly CascadeRow[];
  /** Prompts whose answer nothing here can check, and those that no model may answer. */
  readonly leftOut: number;
  /** Set where the run ended before the last prompt. */
  readonly cancelled: boolean;
  readonly failure?: Failure;
  /** Why the cloud was asked no further. */
  readonly cloudStopped?: string;
}

type Open = CascadeRow & { readonly question: CheckableQuestion };

export async function evaluateCascade(
  deps: CascadeDeps,
  options: CascadeOptions,
): Promise<CascadeRun> {
  const { model, prompts, signal } = options;
  const identity = deps.local.identity(model);
  const runTests = createSandbox(signal);
  const asksCloud = options.askCloud !== undefined;
  const total = prompts.length * (asksCloud ? 2 : 1);
  const rows: Open[] = [];
  let leftOut = 0;
  let done = 0;
  let cloudStopped: string | undefined;
  const step = () => {
    done += 1;
    options.onProgress?.({ done, total });
  };
  const result = (rest: Pick<CascadeRun, 'failure'> = {}): CascadeRun => ({
    rows: rows.map(({ question: _, ...row }) => row),
    leftOut,
    cancelled: signal.aborted,
    ...rest,
    ...(cloudStopped === undefined ? {} : { cloudStopped }),
  });

  for (const { question, cloud, text } of prompts) {
    if (question === undefined) throw new Error('expected every prompt to have an answer key');
    const decision = await deps.decide(text);
    const asked = await askLocal(deps, model, identity, question, runTests, signal);
    if (signal.aborted) return result();
    if (asked.kind === 'failed') return result({ failure: asked.failure });
    if (asked.kind === 'unchecked' || decision.kind === 'refused') leftOut += 1;
    else {
      const { answer } = asked;
      const { route } = decision;
      const logProbs = answer.logProbs.map((logProb) => ({ text: '', logProb }));
      const { text: written, finish, code, agreement } = answer;
      const judged = { text: written, finish, code, agreement, logProbs };
      const gate = confidenceOf(judged, route.trace.task, deps.confidence(), identity);
      const needed = deps.neededFor(route, gate.needed);
      const found = cloud && (await qualityOf(cloud.quality, cloud.text, question));
      rows.push({
        question,
        kind: question.kind,
        local: answer.good,
        confidence: gate.value,
        end: endOf(route, model, gate.value, needed),
        ...(found === undefined ? {} : { cloud: { quality: found, ...costOf(cloud) } }),
      });
    }
    step();
  }
  // What the cascade itself sends comes first: where the cap ends the run, its quality is known before the strong model's.
  for (const first of [true, false]) {
    for (const [at, row] of rows.entries()) {
      if ((row.end !== 'local') !== first || options.askCloud === undefined) continue;
      if (row.cloud === undefined && cloudStopped === undefined) {
        const paid = await options.askCloud(row.question.question, signal);
        if (paid.kind === 'answered') {
          const quality = await qualityOf(undefined, paid.text, row.question);
          if (quality !== undefined) rows[at] = { ...row, cloud: { quality, ...costOf(paid) } };
        } else if (endsMeasuring(paid.failure)) cloudStopped = paid.failure.message;
        if (signal.aborted) return result();
      }
      step();
    }
  }
  return result();

  async function qualityOf(
    known: number | undefined,
    answer: string | undefined,
    question: CheckableQuestion,
  ): Promise<number | undefined> {
    if (known !== undefined || answer === undefined) return known;
    const right = await isRight(answer, question, runTests);
    return right === undefined ? undefined : Number(right);
  }
}

/** Where the plan ends: with a model of the cloud at once, there after the gate, or with the local answer. */
function endOf(route: Route, model: LocalModel, confidence: number, needed: number): CascadeEnd {
  if (route.modelId !== model.id) return 'at once';
  return route.ifUnsure !== undefined && confidence < needed ? 'deferred' : 'local';
}

function costOf(of: { readonly costNanoUsd?: NanoUsd } | undefined) {
  return of?.costNanoUsd === undefined ? {} : { costNanoUsd: of.costNanoUsd };
}
