/**
 * Judges routers on one data set: the baselines, the task table, the shipped score, the gate where there are answers,
 * and, where a score can be fitted to the file itself, that score on prompts and on tasks that its fit had not seen.
 */
import { confidenceOf, type FittedConfidence } from '../core/confidence.ts';
import { type Features, featuresOf } from '../core/features.ts';
import type { FittedScore } from '../core/fittedScore.ts';
import { createScorer, type Scorer, type Strategy } from '../core/score.ts';
import type { AbilitySource } from '../core/types.ts';
import {
  areaUnderRoc,
  bootstrap,
  type CurvePoint,
  calibrationError,
  type Interval,
  mean,
  quantile,
  type Routed,
  type RoutingQuality,
  recoveryCurve,
  routingQuality,
} from './metrics.ts';
import type { DataSet, JudgedPrompt } from './routingData.ts';

export interface JudgedRouter {
  readonly router: string;
  readonly prompts: number;
  readonly quality: RoutingQuality;
  readonly interval: Record<keyof RoutingQuality, Interval>;
  /** Of the estimated quality of both models; `undefined` where a router estimates none or outcomes aren't in [0,1]. */
  readonly calibrationError: number | undefined;
  /** Chance that a prompt which the strong model answers better ranks above one which it does not. */
  readonly auroc: number | undefined;
  /** Mean APGR inside each task whose gap is wide enough to be divided by. */
  readonly withinTasks: { readonly apgr: number; readonly tasks: number } | undefined;
  /** Median of one ranking, features included. */
  readonly microseconds: number | undefined;
  readonly curve: readonly CurvePoint[];
}

interface Scored {
  readonly ability: AbilitySource;
}

export interface Models {
  readonly weak: Scored;
  readonly strong: Scored;
}

/** Estimates of one router for one prompt. */
interface Judgement {
  readonly score: number;
  /** Chance of a good answer of the weak and of the strong model. */
  readonly qualities: readonly number[];
}

type Judge = (prompt: JudgedPrompt, features: Features, at: number) => Judgement;

const BOOTSTRAP_ROUNDS = 200;
const TIMED_PROMPTS = 1_000;
const CURVE_POINTS = 100;
/** A gap narrower than this makes PGR explode. */
const NARROWEST_GAP = 0.1;

export const baselines: readonly Strategy[] = ['random', 'length', 'keywords'];

export function featuresOfText(text: string): Features {
  return featuresOf({ text, context: [], history: [] });
}

/** The baselines, the table and the shipped score, in that order, then the gate where every prompt has an answer. */
export function judgeShipped(
  set: DataSet,
  features: readonly Features[],
  fitted: FittedScore,
  confidence: FittedConfidence,
  models: Models,
): JudgedRouter[] {
  const judged = [...baselines, 'table' as const].map((strategy) => {
    const scorer = createScorer(fitted, strategy);
    return judgeBy(set, features, strategy, byScorer(scorer, models, strategy === 'table'));
  });
  const scorer = createScorer(fitted);
  judged.push(judgeBy(set, features, 'score', byScorer(scorer, models, true)));
  if (set.prompts.every(({ answer }) => answer !== undefined)) {
    for (const both of [false, true]) {
      const judge = byAnswer(scorer, confidence, set.weak, models, both);
      judged.push(judgeBy(set, features, both ? 'score and gate' : 'gate', judge));
    }
  }
  return judged;
}

/** @param scorers the scorer of each prompt, fitted without it */
export function judgeHeldOut(
  set: DataSet,
  features: readonly Features[],
  router: string,
  scorers: readonly Scorer[],
  models: Models,
): JudgedRouter {
  const judges = scorers.map((scorer) => byScorer(scorer, models, true));
  const judge: Judge = (prompt, its, at) => {
    const of = judges[at];
    if (of === undefined) throw new Error(`expected a scorer for prompt ${at}, got none`);
    return of(prompt, its, at);
  };
  return judgeBy(set, features, router, judge, false);
}

function byScorer(scorer: Scorer, { weak, strong }: Models, estimates: boolean): Judge {
  return (_prompt, features) => ({
    score: scorer.gain(features, weak, strong).value,
    qualities: estimates
      ? [1 - scorer.score(features, weak).value, 1 - scorer.score(features, strong).value]
      : [],
  });
}

/** The gate alone distrusts the answer; both together weigh that against what the strong model would make of it. */
function byAnswer(
  scorer: Scorer,
  confidence: FittedConfidence,
  weakId: string,
  { weak, strong }: Models,
  both: boolean,
): Judge {
  return ({ answer }, features) => {
    if (answer === undefined) throw new Error('expected an answer for every prompt');
    const { task } = scorer.score(features, weak);
    const judged = {
      text: answer.text,
      finish: answer.finish,
      logProbs: answer.logProbs?.map((logProb) => ({ text: '', logProb })),
    };
    const { value } = confidenceOf(judged, task, confidence, answer.identity ?? weakId);
    const strongQuality = 1 - scorer.score(features, strong).value;
    return {
      score: both ? strongQuality - value : 1 - value,
      qualities: both ? [value, strongQuality] : [value],
    };
  };
}

function judgeBy(
  set: DataSet,
  features: readonly Features[],
  router: string,
  judge: Judge,
  timed = true,
): JudgedRouter {
  const routed: (Routed & { readonly task: string | undefined })[] = [];
  const estimates: { estimate: number; happened: number }[] = [];
  const inUnits = set.prompts.every(({ weak, strong }) => isShare(weak) && isShare(strong));
  set.prompts.forEach((prompt, at) => {
    const its = features[at] ?? featuresOfText(prompt.prompt);
    const { score, qualities } = judge(prompt, its, at);
    routed.push({ score, weak: prompt.weak, strong: prompt.strong, task: prompt.task });
    qualities.forEach((estimate, which) => {
      estimates.push({ estimate, happened: which === 0 ? prompt.weak : prompt.strong });
    });
  });
  return {
    router,
    prompts: routed.length,
    quality: routingQuality(routed),
    interval: bootstrap(routed, BOOTSTRAP_ROUNDS, 17),
    calibrationError: inUnits && estimates.length > 0 ? calibrationError(estimates) : undefined,
    auroc: areaUnderRoc(
      routed.map(({ score, weak, strong }) => ({ score, positive: strong > weak })),
    ),
    withinTasks: withinTasks(routed),
    microseconds: timed ? timeOf(set.prompts, judge) : undefined,
    curve: recoveryCurve(routed, CURVE_POINTS),
  };
}

function withinTasks(
  rows: readonly (Routed & { readonly task: string | undefined })[],
): JudgedRouter['withinTasks'] {
  const tasks = [...Map.groupBy(rows, ({ task }) => task)].filter(
    ([task, of]) =>
      task !== undefined && mean(of.map((row) => row.strong - row.weak)) >= NARROWEST_GAP,
  );
  if (tasks.length === 0) return undefined;
  return { apgr: mean(tasks.map(([, of]) => routingQuality(of).apgr)), tasks: tasks.length };
}

/** The first half of the prompts warms the compiler up. */
function timeOf(prompts: readonly JudgedPrompt[], judge: Judge): number {
  const times: number[] = [];
  for (let round = 0; round < 2 * TIMED_PROMPTS; round += 1) {
    const at = round % prompts.length;
    const prompt = prompts[at];
    if (prompt === undefined) break;
    const startMs = performance.now();
    judge(prompt, featuresOfText(prompt.prompt), at);
    if (round >= TIMED_PROMPTS) times.push((performance.now() - startMs) * 1000);
  }
  return quantile(times, 0.5);
}

function isShare(value: number): boolean {
  return value >= 0 && value <= 1;
}
