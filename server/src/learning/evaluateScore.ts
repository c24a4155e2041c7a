/**
 * Judges `models/score.json` on files that nothing was fitted or chosen on:
 *   node server/src/learning/evaluateScore.ts --data DIR [--score models/score.json]
 * DIR holds test_mtbench.jsonl, test_mmlu.jsonl and test_gsm8k.jsonl; prints a Markdown table for docs/ROUTING.md.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Features, featuresOf } from '../core/features.ts';
import { type FittedScore, parseFittedScore } from '../core/fittedScore.ts';
import { createScorer, type Strategy } from '../core/score.ts';
import { bootstrap, quantile, type Routed, routingQuality } from './metrics.ts';
import { type PairOutcome, readPairOutcomes } from './outcomes.ts';

/**
 * The pair that answered the tests, as the size line sees it. Mixtral's eight experts count as the geometric mean of its
 * 47 billion parameters and the 13 that are active; the other size is unknown and assumed, as for any cloud model.
 */
const weak = { ability: { kind: 'size', billions: 25 } } as const;
const strong = { ability: { kind: 'size', billions: 400 } } as const;

const tests = [
  { name: 'MT-Bench', file: 'test_mtbench.jsonl' },
  { name: 'MMLU', file: 'test_mmlu.jsonl' },
  { name: 'GSM8K', file: 'test_gsm8k.jsonl' },
];

const BOOTSTRAP_ROUNDS = 200;
const TIMED_PROMPTS = 2_000;

interface Ranking {
  readonly name: string;
  readonly rank: (features: Features) => number;
}

function rankings(fitted: FittedScore): Ranking[] {
  const scorer = createScorer(fitted);
  const baseline = (strategy: Strategy): Ranking => {
    const { score } = createScorer(fitted, strategy);
    return { name: strategy, rank: (features) => score(features, weak).value };
  };
  return [
    {
      name: 'score: gain of the pair',
      rank: (features) => scorer.gain(features, weak, strong).value,
    },
    { name: 'score: cheap model alone', rank: (features) => scorer.score(features, weak).value },
    baseline('random'),
    baseline('length'),
    baseline('keywords'),
  ];
}

function tableRow(
  test: string,
  outcomes: readonly PairOutcome[],
  features: readonly Features[],
  { name, rank }: Ranking,
): string {
  const rows: Routed[] = outcomes.map(({ weak: cheap, strong: dear }, at) => ({
    score: rank(features[at] ?? featuresOf({ text: '', context: [], history: [] })),
    weak: cheap,
    strong: dear,
  }));
  const found = routingQuality(rows);
  const range = bootstrap(rows, BOOTSTRAP_ROUNDS, 17);
  const cell = (key: keyof typeof found, digits: number) =>
    `${found[key].toFixed(digits)} (${range[key].low.toFixed(digits)} to ${range[key].high.toFixed(digits)})`;
  return `| ${test} (${rows.length}) | ${name} | ${cell('apgr', 3)} | ${cell('cpt50', 0)} | ${cell('cpt80', 0)} |`;
}

/** What one decision costs: features, two qualities and the gain. */
function timeDecisions(fitted: FittedScore, prompts: readonly string[]): string {
  const scorer = createScorer(fitted);
  const times: number[] = [];
  for (let at = 0; at < 2 * TIMED_PROMPTS; at += 1) {
    const text = prompts[at % prompts.length] ?? '';
    const startMs = performance.now();
    const features = featuresOf({ text, context: [], history: [] });
    scorer.score(features, weak);
    scorer.score(features, strong);
    scorer.gain(features, weak, strong);
    // The first half warms the compiler up.
    if (at >= TIMED_PROMPTS) times.push((performance.now() - startMs) * 1000);
  }
  return `median ${quantile(times, 0.5).toFixed(1)} µs, p99 ${quantile(times, 0.99).toFixed(1)} µs per decision`;
}

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      score: { type: 'string', default: 'models/score.json' },
    },
  });
  if (values.data === undefined) throw new Error('expected --data DIR with the test files');
  const fitted = parseFittedScore(JSON.parse(readFileSync(values.score, 'utf8')));
  const prompts: string[] = [];
  console.log('| data | ranking | APGR | CPT(50) | CPT(80) |\n| --- | --- | --- | --- | --- |');
  for (const { name, file } of tests) {
    const outcomes = readPairOutcomes(join(values.data, file));
    const features = outcomes.map(({ prompt }) =>
      featuresOf({ text: prompt, context: [], history: [] }),
    );
    prompts.push(...outcomes.slice(0, 500).map(({ prompt }) => prompt));
    for (const ranking of rankings(fitted)) {
      console.log(tableRow(name, outcomes, features, ranking));
    }
  }
  console.log(`\n${timeDecisions(fitted, prompts)}`);
}

if (import.meta.main) main();
