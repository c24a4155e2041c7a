/**
 * Fits `models/score.json`:
 *   node server/src/learning/fitScore.ts --data train.jsonl [--out models/score.json] [--report] [--search]
 * `--report` adds cross-validated figures, `--search` compares constants by them. No test data is read here.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { baselineScore } from '../core/baselines.ts';
import { featuresOf } from '../core/features.ts';
import { type FittedScoreFile, parseFittedScore } from '../core/fittedScore.ts';
import { classifierOf } from '../core/taskMix.ts';
import {
  type CrossValidated,
  holdOut,
  holdOutSeeds,
  randomFolds,
  summarise,
  taskFolds,
} from './crossValidation.ts';
import { type Constants, emptyReference, fitTables, type Row } from './fittedTables.ts';
import { readTaskOutcomes, type TaskOutcome } from './outcomes.ts';
import { base64Of, rounded } from './quantise.ts';
import { createSeededRandom } from './seededRandom.ts';
import { readSeedPrompts, type SeedPrompt, seedFeatures } from './seedPrompts.ts';
import { benchmarkTasks } from './tasks.ts';

/** What `--search` came out at; docs/ROUTING.md has the figures. */
export const chosenConstants: Constants = {
  buckets: 2 ** 15,
  bits: 4,
  cutAt: 0.999,
  epochs: 8,
  rate: 0.3,
  decay: 1e-5,
  temperature: 1,
  seedWeight: 8,
  drawnPerTask: 800,
  priorStrength: 4,
  worthOfLength: 0.02,
  worthOfUnfamiliarLength: 0.06,
  unfamiliarLength: 2,
  worthOfRelations: 0.035,
  worthOfDemands: 0.1,
};

export const KNOWN_TASK_FOLDS = 5;
/** Half seeds, half outcomes: what an editor is asked, and what anybody asks. */
const REFERENCE_PROMPTS = 320;

export function rowsOf(path: string): Row[] {
  return rowsFrom(readTaskOutcomes(path));
}

export function rowsFrom(outcomes: readonly TaskOutcome[]): Row[] {
  return outcomes.map((outcome) => ({
    outcome,
    task: benchmarkTasks.find(({ also }) => also?.includes(outcome.task))?.name ?? outcome.task,
    features: featuresOf({ text: outcome.prompt, context: [], history: [] }),
  }));
}

export function fitScore(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
): FittedScoreFile {
  const { sizeLine: _, ...tables } = fitTables(rows, seeds, constants);
  return { ...tables, reference: referenceSample(rows, seeds, constants) };
}

/** Its mixes come from fits that had not seen the prompt, or every prompt would look clearer than new ones do. */
function referenceSample(
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
): FittedScoreFile['reference'] {
  const random = createSeededRandom(3);
  const half = REFERENCE_PROMPTS / 2;
  const [evenRows, oddRows] = halves(random.shuffle(rows));
  const [evenSeeds, oddSeeds] = halves(random.shuffle(seeds));
  const sample = [
    { fitRows: evenRows, fitSeeds: evenSeeds, rows: oddRows, seeds: oddSeeds },
    { fitRows: oddRows, fitSeeds: oddSeeds, rows: evenRows, seeds: evenSeeds },
  ].flatMap((part) => {
    const { sizeLine: _, ...tables } = fitTables(part.fitRows, part.fitSeeds, constants);
    const classify = classifierOf(
      parseFittedScore({ ...tables, reference: emptyReference(tables.tasks.length) }),
    );
    const prompts = [
      ...part.rows.slice(0, half / 2).map((row) => row.features),
      ...part.seeds.slice(0, half / 2).map(seedFeatures),
    ];
    return prompts.map((features) => ({ features, mix: classify(features).probabilities }));
  });
  return {
    mixes: base64Of(
      Uint8Array.from(
        sample.flatMap(({ mix }) => [...mix].map((share) => Math.round(share * 255))),
      ),
    ),
    textTokens: sample.map(({ features }) => features.textTokens),
    relations: sample.map(({ features }) => features.shape.relations),
    demands: sample.map(({ features }) => features.shape.demands),
    keywordScores: sample.map(({ features }) => rounded(baselineScore('keywords', features), 3)),
  };
}

function halves<T>(items: readonly T[]): [T[], T[]] {
  const half = items.length >> 1;
  return [items.slice(0, half), items.slice(half)];
}

function figures(name: string, found: CrossValidated): string {
  const route = ({ apgr, cpt50, cpt80 }: CrossValidated['byGain']) =>
    `${apgr.toFixed(3)} / ${cpt50.toFixed(1)} / ${cpt80.toFixed(1)}`;
  return [
    name.padEnd(34),
    `log loss ${found.logLoss.toFixed(4)}`,
    `calibration ${found.calibrationError.toFixed(3)}`,
    `AUROC ${found.auroc.toFixed(3)}`,
    `by gain ${route(found.byGain)}`,
    `over ${found.pairs} pairs ${found.overPairs.toFixed(3)}`,
    `by score ${route(found.byScore)}`,
    `within tasks ${found.withinTasks.toFixed(3)}`,
  ].join('  ');
}

function report(
  name: string,
  rows: readonly Row[],
  seeds: readonly SeedPrompt[],
  constants: Constants,
): void {
  const known = holdOut(rows, seeds, constants, randomFolds(KNOWN_TASK_FOLDS, rows.length));
  console.log(figures(`${name}, unseen prompts`, summarise(known)));
  const unknown = holdOut(rows, seeds, constants, taskFolds(rows));
  console.log(figures(`${name}, unseen tasks`, summarise(unknown)));
  const taught = holdOutSeeds(rows, seeds, constants, KNOWN_TASK_FOLDS);
  console.log(
    `${`${name}, unseen seeds`.padEnd(34)}  accuracy ${taught.accuracy.toFixed(3)}  log loss ${taught.logLoss.toFixed(3)}`,
  );
}

function search(rows: readonly Row[], seeds: readonly SeedPrompt[]): void {
  const variants: Partial<Constants>[] = [
    {},
    { bits: 8, buckets: 2 ** 14 },
    { bits: 8 },
    { cutAt: 0.99 },
    { cutAt: 0.97 },
    { temperature: 0.7 },
    { temperature: 1.4 },
    { drawnPerTask: 200 },
    { seedWeight: 4 },
    { epochs: 16 },
    { decay: 1e-4 },
    { priorStrength: 16 },
    { worthOfLength: 0 },
    { worthOfLength: 0.03, worthOfRelations: 0 },
    { worthOfLength: 0.03 },
    { worthOfRelations: 0.06 },
    { unfamiliarLength: 0 },
    { unfamiliarLength: 3.7 },
    { worthOfDemands: 0 },
    { worthOfDemands: 0.05 },
    { worthOfDemands: 0.15 },
  ];
  for (const variant of variants) {
    report(JSON.stringify(variant), rows, seeds, { ...chosenConstants, ...variant });
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      out: { type: 'string' },
      report: { type: 'boolean', default: false },
      search: { type: 'boolean', default: false },
    },
  });
  if (values.data === undefined) throw new Error('expected --data FILE with task outcomes');
  const rows = rowsOf(values.data);
  const seeds = readSeedPrompts();
  console.log(`${rows.length} outcomes, ${seeds.length} seed prompts`);
  if (values.search) search(rows, seeds);
  if (values.report) report('chosen constants', rows, seeds, chosenConstants);
  const { slope, slopeOfRows, slopeError } = fitTables(rows, seeds, chosenConstants).sizeLine;
  console.log(
    `size: ${slope.toFixed(2)} logits per tenfold (the models alone say ${slopeOfRows.toFixed(2)} ± ${slopeError.toFixed(2)})`,
  );
  if (values.out !== undefined) {
    const text = `${JSON.stringify(fitScore(rows, seeds, chosenConstants))}\n`;
    writeFileSync(values.out, text);
    console.log(`${values.out}: ${text.length} bytes`);
  }
}

if (import.meta.main) main();
