/** Puts a fitted score together: tasks, tables of abilities, classifier, size line and length effect, as the file holds them. */
import type { Features } from '../core/features.ts';
import type { FittedScoreFile } from '../core/fittedScore.ts';
import { bucketOf } from '../core/taskWeights.ts';
import { mean } from './metrics.ts';
import type { TaskOutcome } from './outcomes.ts';
import { base64Of, packWeights, rounded } from './quantise.ts';
import { drawPatterns } from './seedPatterns.ts';
import { type SeedPrompt, seedFeatures, seedVariants } from './seedPrompts.ts';
import { fitSizeLine, REFERENCE_BILLIONS, type SizeLine } from './sizePrior.ts';
import { type Example, trainSoftmax } from './softmax.ts';
import { benchmarkTasks, editorTasks, judgedLogit } from './tasks.ts';

/** Everything that is chosen rather than fitted. Chosen by `fitScore.ts --search`, which says how. */
export interface Constants {
  readonly buckets: number;
  readonly bits: 4 | 8;
  /** Share of the weights that is not cut when they are packed. */
  readonly cutAt: number;
  readonly epochs: number;
  readonly rate: number;
  readonly decay: number;
  readonly temperature: number;
  /** How many rows of outcomes one hand-written prompt weighs as much as in training the classifier. */
  readonly seedWeight: number;
  /** Prompts drawn from patterns for every editor task. */
  readonly drawnPerTask: number;
  readonly priorStrength: number;
  /** `worth.lengthSlope` of the file. */
  readonly worthOfLength: number;
  /** `worth.unfamiliarLengthSlope` of the file. */
  readonly worthOfUnfamiliarLength: number;
  /** `worth.unfamiliarLength` of the file. */
  readonly unfamiliarLength: number;
  /** `worth.relationSlope` of the file. */
  readonly worthOfRelations: number;
  /** `worth.demandSlope` of the file. */
  readonly worthOfDemands: number;
}

/** An outcome with its features and the place of its task in `benchmarkTasks`. */
export interface Row {
  readonly outcome: TaskOutcome;
  readonly task: string;
  readonly features: Features;
}

/** Everything of the file but the reference sample, which needs a fitted classifier to be described by. */
export type FittedTables = Omit<FittedScoreFile, 'reference'> & { readonly sizeLine: SizeLine };

/** Sizes in billions of parameters, by the models' names. */
export const knownSizes: Readonly<Record<string, number>> = {
  'mistral-7b-instruct-v0.3': 7,
  'gemma-2-9b-it': 9,
  'llama-3.1-8b-instruct': 8,
  'llama-3.1-nemotron-51b-instruct': 51,
  'llama-3.3-nemotron-super-49b-v1': 49,
  'llama3-chatqa-1.5-70b': 70,
  'llama3-chatqa-1.5-8b': 8,
  'codegemma-7b': 7,
  'qwen2.5-7b-instruct': 7.6,
  // Eight experts count as the geometric mean of all 47 billion parameters and the 13 that are active.
  mixtral: 25,
  // Unknown, and assumed as for any cloud model.
  gpt4_1106: 400,
};

const codeLanguages: Readonly<Record<string, number>> = {
  ...levelled(
    0,
    'python javascript typescript javascriptreact typescriptreact js ts jsx tsx py html css json markdown md yaml yml text txt plaintext unknown sql bash sh shell shellscript log diff',
  ),
  ...levelled(0.1, 'java csharp cs go php ruby cpp c kotlin swift'),
  ...levelled(0.25, 'rust rs scala perl r lua dart julia powershell'),
  ...levelled(
    0.4,
    'haskell ocaml fsharp clojure elixir erlang prolog racket scheme lisp fortran cobol assembly asm verilog vhdl coq lean zig nim',
  ),
};

function levelled(logits: number, languages: string): Record<string, number> {
  return Object.fromEntries(languages.split(' ').map((language) => [language, logits]));
}

/** Nothing is known of models far outside the sizes that were seen, so the line is not drawn on for ever. */
const SMALLEST_BILLIONS = 0.1;
const LARGEST_BILLIONS = 2_000;

export function fitTables(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
): FittedTables {
  const benchmarks = benchmarkTasks.filter(({ name }) => rows.some((row) => row.task === name));
  const names = [...benchmarks, ...editorTasks].map(({ name }) => name);
  const outcomes = outcomeCounts(
    rows,
    benchmarks.map(({ name }) => name),
  );
  const sizeLine = fitSizeLine(
    outcomes.map(({ billions, good, bad }) => ({
      billions,
      logits: good.map((count, at) => logit((count + 1) / (count + (bad[at] ?? 0) + 2))),
    })),
  );
  const usualLengths = names.map((name) => rounded(usualLength(name, rows, seeds), 4));
  const intercepts = withJudged(sizeLine.intercepts, names);
  const models = Object.fromEntries(
    outcomes.map(({ key, billions, good, bad }) => {
      const bySize = sizeLine.intercepts.map((intercept) =>
        sigmoid(intercept + sizeLine.slope * Math.log10(billions / REFERENCE_BILLIONS)),
      );
      const known = bySize.map((prior, at) => {
        const seen = (good[at] ?? 0) + (bad[at] ?? 0);
        const strength = constants.priorStrength;
        return logit((prior * strength + (good[at] ?? 0)) / (strength + seen));
      });
      const judged = withJudged(known, names).slice(benchmarks.length).map(sigmoid);
      const none = editorTasks.map(() => 0);
      return [
        key,
        {
          billions,
          prior: [...bySize, ...judged].map((value) => rounded(value, 4)),
          good: [...good, ...none].map((value) => rounded(value, 2)),
          bad: [...bad, ...none].map((value) => rounded(value, 2)),
        },
      ];
    }),
  );
  const classifier = trainSoftmax(examplesOf(rows, seeds, names, constants), {
    ...constants,
    labels: names.length,
    seed: 1,
  });
  return {
    schema: 1,
    fitted:
      'by learning/fitScore.ts; task outcomes from ulab-uiuc/LLMRouter (MIT), seed prompts and judgements our own',
    tasks: [
      ...benchmarks.map(({ name, label }, at) => ({
        name,
        label,
        source: 'outcomes' as const,
        sizeIntercept: rounded(intercepts[at] ?? 0, 4),
        usualLength: usualLengths[at] ?? 0,
      })),
      ...editorTasks.map((task, at) => ({
        ...task,
        source: 'judgement' as const,
        sizeIntercept: rounded(intercepts[benchmarks.length + at] ?? 0, 4),
        usualLength: usualLengths[benchmarks.length + at] ?? 0,
      })),
    ],
    classifier: {
      buckets: constants.buckets,
      ...packWeights(classifier, constants.bits, constants.cutAt),
      bias: [...classifier.bias].map((value) => rounded(value, 4)),
      temperature: constants.temperature,
    },
    priorStrength: constants.priorStrength,
    models,
    sizePrior: {
      referenceBillions: REFERENCE_BILLIONS,
      slope: rounded(sizeLine.slope, 4),
      smallestBillions: SMALLEST_BILLIONS,
      largestBillions: LARGEST_BILLIONS,
    },
    lengthSlope: rounded(fitLengthSlope(rows, names, usualLengths, outcomes), 4),
    worth: {
      lengthSlope: constants.worthOfLength,
      unfamiliarLengthSlope: constants.worthOfUnfamiliarLength,
      unfamiliarLength: constants.unfamiliarLength,
      usualLength: rounded(mean(usualLengths), 4),
      relationSlope: constants.worthOfRelations,
      usualRelations: rounded(mean(names.map((name) => usualRelations(name, rows, seeds))), 4),
      demandSlope: constants.worthOfDemands,
    },
    // Nothing was measured with attached code: a long context misleads small models a little, is the judgement.
    // Languages with little code in public are written worse by small models, which is common knowledge of benchmarks.
    context: {
      source: 'judgement',
      freeTokens: 250,
      slope: 0.1,
      languages: codeLanguages,
      otherLanguage: 0.15,
    },
    sizeLine,
  };
}

/** Ten flat prompts, the least that a file may have, for fits whose thresholds nobody asks for. */
export function emptyReference(tasks: number): FittedScoreFile['reference'] {
  const zeros = Array.from({ length: 10 }, () => 0);
  return {
    mixes: base64Of(new Uint8Array(10 * tasks).fill(1)),
    textTokens: zeros,
    relations: zeros,
    demands: zeros,
    keywordScores: zeros,
  };
}

interface OutcomeCounts {
  readonly key: string;
  readonly billions: number;
  readonly good: readonly number[];
  readonly bad: readonly number[];
}

function outcomeCounts(rows: readonly Row[], names: readonly string[]): OutcomeCounts[] {
  return Object.entries(knownSizes).flatMap(([key, billions]) => {
    const good = names.map(() => 0);
    const bad = names.map(() => 0);
    for (const row of rows) {
      const worth = row.outcome.scores[key];
      if (worth === undefined) continue;
      const at = names.indexOf(row.task);
      good[at] = (good[at] ?? 0) + worth;
      bad[at] = (bad[at] ?? 0) + 1 - worth;
    }
    return good.some((count, at) => count + (bad[at] ?? 0) > 0)
      ? [{ key, billions, good, bad }]
      : [];
  });
}

/** Adds the judged logits of the editor tasks to those of the benchmark tasks. */
function withJudged(known: readonly number[], names: readonly string[]): number[] {
  const judged = editorTasks.map((task) =>
    judgedLogit(task, (name) => {
      const at = names.indexOf(name);
      return at < 0 ? undefined : known[at];
    }),
  );
  return [...known, ...judged];
}

function usualLength(name: string, rows: readonly Row[], seeds: readonly SeedPrompt[]): number {
  return mean(featuresOfTask(name, rows, seeds).map(({ textTokens }) => Math.log(1 + textTokens)));
}

function usualRelations(name: string, rows: readonly Row[], seeds: readonly SeedPrompt[]): number {
  return mean(featuresOfTask(name, rows, seeds).map(({ shape }) => Math.log(1 + shape.relations)));
}

function featuresOfTask(
  name: string,
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
): Features[] {
  return [
    ...rows.filter((row) => row.task === name).map((row) => row.features),
    ...seeds.filter((seed) => seed.task === name).map(seedFeatures),
  ];
}

function examplesOf(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  names: readonly string[],
  { buckets, seedWeight, drawnPerTask }: Constants,
): Example[] {
  const fold = ({ grams }: Features) => grams.map((gram) => bucketOf(gram, buckets));
  const labelOf = (task: string) => {
    const label = names.indexOf(task);
    if (label < 0) throw new Error(`expected a task that is described in tasks.ts, got ${task}`);
    return label;
  };
  return [
    ...rows.map(({ task, features }) => ({
      buckets: fold(features),
      label: labelOf(task),
      weight: 1,
    })),
    ...seeds.flatMap((seed, at) =>
      seedVariants(seed, at).map(({ features, share }) => ({
        buckets: fold(features),
        label: labelOf(seed.task),
        weight: share * seedWeight,
      })),
    ),
    ...drawPatterns(drawnPerTask, 11, passagesOf(rows)).map((drawn) => ({
      buckets: fold(seedFeatures(drawn)),
      label: labelOf(drawn.task),
      weight: 1,
    })),
  ];
}

/** Beginnings of long benchmark prompts: given to work on, such a text is no longer that task. */
function passagesOf(rows: readonly Row[]): string[] {
  return rows
    .map(({ outcome }) => outcome.prompt)
    .filter((prompt) => prompt.length >= SHORTEST_PASSAGE)
    .map((prompt) => prompt.slice(0, Math.round(prompt.length * PASSAGE_SHARE)));
}

const SHORTEST_PASSAGE = 400;
/** A question or a list of choices ends most of them. */
const PASSAGE_SHARE = 0.7;

/** Newton's method on one number: what a longer prompt adds to the logit of failure within its task, over all models. */
function fitLengthSlope(
  rows: readonly Row[],
  names: readonly string[],
  usualLengths: readonly number[],
  outcomes: readonly OutcomeCounts[],
): number {
  let slope = 0;
  for (let round = 0; round < 10; round += 1) {
    let gradient = 0;
    let curvature = 1e-9;
    for (const row of rows) {
      const at = names.indexOf(row.task);
      const beyond = Math.log(1 + row.features.textTokens) - (usualLengths[at] ?? 0);
      for (const { key, good, bad } of outcomes) {
        const worth = row.outcome.scores[key];
        if (worth === undefined) continue;
        const failed = ((bad[at] ?? 0) + 1) / ((good[at] ?? 0) + (bad[at] ?? 0) + 2);
        const estimate = sigmoid(logit(failed) + slope * beyond);
        gradient += (1 - worth - estimate) * beyond;
        curvature += estimate * (1 - estimate) * beyond * beyond;
      }
    }
    slope += gradient / curvature;
  }
  return slope;
}

function logit(value: number): number {
  return Math.log(value / (1 - value));
}

function sigmoid(value: number): number {
  return 1 / (1 + Math.exp(-value));
}
