/** Judges a way of fitting inside the training outcomes only: on unseen prompts of known tasks, and on whole tasks left out. */
import type { FittedScoreFile } from '../core/fittedScore.ts';
import { parseFittedScore } from '../core/fittedScore.ts';
import { createScorer, type Scorer } from '../core/score.ts';
import { classifierOf } from '../core/taskMix.ts';
import { type Constants, emptyReference, fitTables, type Row } from './fittedTables.ts';
import { areaUnderRoc, calibrationError, mean, type Routed, routingQuality } from './metrics.ts';
import { createSeededRandom } from './seededRandom.ts';
import { type SeedPrompt, seedFeatures } from './seedPrompts.ts';

/** The widest honest pair of the training outcomes. */
export const PAIR = {
  weak: 'mistral-7b-instruct-v0.3',
  strong: 'llama-3.1-nemotron-51b-instruct',
} as const;

/** Models that can hold a conversation; the others fail by format and would hide what is measured. */
const judgedModels = [
  'qwen2.5-7b-instruct',
  'llama-3.1-nemotron-51b-instruct',
  'mistral-7b-instruct-v0.3',
  'gemma-2-9b-it',
  'llama-3.1-8b-instruct',
  'llama-3.3-nemotron-super-49b-v1',
];

/** A prompt that its fit had not seen. */
export interface HeldOut {
  readonly row: Row;
  /** Ranking by `Scorer.gain` for `PAIR`, and by the weak model's `Scorer.score` alone. */
  readonly gain: number;
  readonly score: number;
  /** By `Scorer.gain`, for every pair of judged models that differ enough. */
  readonly pairs: readonly Routed[];
  /** Estimated quality of every judged model, beside what its answer was worth. */
  readonly estimates: readonly { readonly estimate: number; readonly happened: number }[];
}

export type Folds = (at: number) => number;

export function randomFolds(count: number, rows: number): Folds {
  const order = createSeededRandom(7).shuffle(Array.from({ length: rows }, (_, at) => at));
  const foldOf = new Map(order.map((row, at) => [row, at % count]));
  return (at) => foldOf.get(at) ?? 0;
}

export function taskFolds(rows: readonly Row[]): Folds {
  const names = [...new Set(rows.map((row) => row.task))];
  return (at) => names.indexOf(rows[at]?.task ?? '');
}

/** For each row, a scorer that was fitted without the rows of its fold. */
export function foldScorers(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
  folds: Folds,
): Scorer[] {
  const numbers = rows.map((_, at) => folds(at));
  const byFold = new Map<number, Scorer>();
  return numbers.map((fold) => {
    const known = byFold.get(fold);
    if (known !== undefined) return known;
    const kept = rows.filter((_, at) => numbers[at] !== fold);
    const scorer = createScorer(parseFittedScore(withoutReference(kept, seeds, constants)));
    byFold.set(fold, scorer);
    return scorer;
  });
}

export function holdOut(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
  folds: Folds,
): HeldOut[] {
  const scorers = foldScorers(rows, seeds, constants, folds);
  const ability = (key: string) => ({ ability: { kind: 'fitted', key } as const });
  const [weak, strong] = [ability(PAIR.weak), ability(PAIR.strong)];
  const judged = judgedModels.map(ability);
  const pairs = unlikePairs(rows).map((pair) => ({
    ...pair,
    models: [ability(pair.weak), ability(pair.strong)] as const,
  }));
  return rows.flatMap((row, at) => {
    const scorer = scorers[at];
    if (scorer === undefined) return [];
    return {
      row,
      gain: scorer.gain(row.features, weak, strong).value,
      score: scorer.score(row.features, weak).value,
      pairs: pairs.map((pair) => ({
        score: scorer.gain(row.features, ...pair.models).value,
        weak: row.outcome.scores[pair.weak] ?? 0,
        strong: row.outcome.scores[pair.strong] ?? 0,
      })),
      estimates: judged.map((model, which) => ({
        estimate: 1 - scorer.score(row.features, model).value,
        happened: row.outcome.scores[judgedModels[which] ?? ''] ?? 0,
      })),
    };
  });
}

/** Pairs of judged models whose means differ by at least this much. */
const NARROWEST_PAIR = 0.05;

function unlikePairs(rows: readonly Row[]): { weak: string; strong: string }[] {
  const meanOf = (model: string) => mean(rows.map((row) => row.outcome.scores[model] ?? 0));
  return judgedModels.flatMap((weak) =>
    judgedModels
      .filter((strong) => meanOf(strong) - meanOf(weak) >= NARROWEST_PAIR)
      .map((strong) => ({ weak, strong })),
  );
}

/** Its thresholds mean nothing; nobody asks for them here. */
function withoutReference(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
): FittedScoreFile {
  const { sizeLine: _, ...tables } = fitTables(rows, seeds, constants);
  return { ...tables, reference: emptyReference(tables.tasks.length) };
}

export interface CrossValidated {
  /** Mean of -ln(chance given to what happened), over the judged models. */
  readonly logLoss: number;
  readonly calibrationError: number;
  readonly auroc: number;
  readonly byGain: ReturnType<typeof routingQuality>;
  readonly byScore: ReturnType<typeof routingQuality>;
  /** Mean APGR by gain over the pairs of judged models, and how many those are. */
  readonly overPairs: number;
  readonly pairs: number;
  /** APGR inside each task whose gap is wide enough to be divided by. */
  readonly withinTasks: number;
}

/** A gap narrower than this makes PGR explode. */
const NARROWEST_GAP = 0.1;

export function summarise(heldOut: readonly HeldOut[]): CrossValidated {
  const estimates = heldOut.flatMap((prompt) => prompt.estimates);
  const tasks = Map.groupBy(heldOut, (prompt) => prompt.row.task);
  const wide = [...tasks.values()]
    .map((prompts) => prompts.map((prompt) => routed(prompt, prompt.gain)))
    .filter((rows) => mean(rows.map((row) => row.strong - row.weak)) >= NARROWEST_GAP);
  return {
    logLoss: mean(
      estimates.map(
        ({ estimate, happened }) =>
          -happened * Math.log(estimate) - (1 - happened) * Math.log(1 - estimate),
      ),
    ),
    calibrationError: calibrationError(estimates),
    auroc:
      areaUnderRoc(
        estimates.map(({ estimate, happened }) => ({ score: estimate, positive: happened > 0.5 })),
      ) ?? Number.NaN,
    byGain: routingQuality(heldOut.map((prompt) => routed(prompt, prompt.gain))),
    byScore: routingQuality(heldOut.map((prompt) => routed(prompt, prompt.score))),
    overPairs: mean(
      (heldOut[0]?.pairs ?? []).map(
        (_, pair) => routingQuality(heldOut.flatMap((prompt) => prompt.pairs[pair] ?? [])).apgr,
      ),
    ),
    pairs: heldOut[0]?.pairs.length ?? 0,
    withinTasks: mean(wide.map((rows) => routingQuality(rows).apgr)),
  };
}

function routed({ row }: HeldOut, score: number): Routed {
  const { scores } = row.outcome;
  return { score, weak: scores[PAIR.weak] ?? 0, strong: scores[PAIR.strong] ?? 0 };
}

export interface SeedFit {
  /** Share of held-out seed prompts whose task came out likeliest. */
  readonly accuracy: number;
  /** Mean of -ln(chance given to the true task). */
  readonly logLoss: number;
}

/** How well the classifier tells the editor tasks apart, on seed prompts that it was not taught. */
export function holdOutSeeds(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
  folds: number,
): SeedFit {
  const foldOf = randomFolds(folds, seeds.length);
  const losses: number[] = [];
  let right = 0;
  for (let fold = 0; fold < folds; fold += 1) {
    const numbers = seeds.map((_, at) => foldOf(at));
    const kept = seeds.filter((_, at) => numbers[at] !== fold);
    const fitted = parseFittedScore(withoutReference(rows, kept, constants));
    const classify = classifierOf(fitted);
    for (const seed of seeds.filter((_, at) => numbers[at] === fold)) {
      const mix = classify(seedFeatures(seed));
      const task = fitted.tasks.findIndex(({ name }) => name === seed.task);
      losses.push(-Math.log(Math.max(1e-6, mix.probabilities[task] ?? 0)));
      if (mix.top === task) right += 1;
    }
  }
  return { accuracy: right / seeds.length, logLoss: mean(losses) };
}
