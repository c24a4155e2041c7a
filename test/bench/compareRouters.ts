/**
 * Our score beside LiteLLM's complexity router and llm-routing, each by its own code from PyPI, on files of prompts with
 * known outcomes: `npm run compare:routers -- --data FILE_OR_DIR`. Prints one Markdown table; asserts nothing.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import shippedConfidence from '../../models/confidence.json' with { type: 'json' };
import { parseFittedConfidence } from '../../server/src/core/confidence.ts';
import { createEvaluation } from '../../server/src/learning/evaluateRouter.ts';
import {
  bootstrap,
  type RoutingQuality,
  routingQuality,
} from '../../server/src/learning/metrics.ts';
import { type DataSet, readDataSets } from '../../server/src/learning/routingData.ts';
import { endAllPrograms } from '../support/programs.ts';
import { installPythonPackage } from '../support/pythonPackage.ts';
import { litellmPackage, llmRoutingPackage, type Peer, PYTHON_3, scoredBy } from './peer.ts';

const packages = [litellmPackage, llmRoutingPackage];
const ROUNDS = 200;

const { values } = parseArgs({ options: { data: { type: 'string' } } });
if (values.data === undefined) throw new Error('expected --data FILE_OR_DIR with prompts');
const read = readDataSets(resolve(process.env['INIT_CWD'] ?? '.', values.data), {});
if (read.kind === 'bad') throw new Error(read.message);

try {
  const bins: string[] = [];
  for (const wanted of packages) bins.push(await installPythonPackage(wanted, PYTHON_3));
  console.log('| data | router | APGR | CPT(50) | CPT(80) | µs a prompt |');
  console.log('| --- | --- | --- | --- | --- | --- |');
  for (const set of read.value) {
    for (const row of ours(set)) console.log(row);
    for (const [at, bin] of bins.entries()) {
      const prompts = set.prompts.map(({ prompt }) => prompt);
      const name = packages[at]?.package ?? '';
      console.log(peerRow(set, await scoredBy(join(bin, 'python'), [name], prompts)));
    }
  }
} finally {
  await endAllPrograms();
}

function ours(set: DataSet): string[] {
  const evaluation = createEvaluation({
    confidence: parseFittedConfidence(shippedConfidence),
    abilityOf: () => undefined,
  });
  const plan = evaluation.steps(set, { weak: undefined, strong: undefined, refit: false });
  if (typeof plan === 'string') throw new Error(plan);
  return plan.steps
    .flatMap((step) => step.run())
    .map(({ router, quality, interval, microseconds = 0 }) =>
      tableRow(set, router === 'score' ? '**our score**' : router, quality, interval, microseconds),
    );
}

function peerRow(set: DataSet, { peer, scores, microseconds }: Peer): string {
  const routed = set.prompts.map(({ weak, strong }, at) => ({
    score: scores[at] ?? 0,
    weak,
    strong,
  }));
  return tableRow(set, peer, routingQuality(routed), bootstrap(routed, ROUNDS, 17), microseconds);
}

function tableRow(
  set: DataSet,
  router: string,
  quality: RoutingQuality,
  interval: ReturnType<typeof bootstrap>,
  microseconds: number,
): string {
  const cell = (key: keyof RoutingQuality, digits: number) =>
    `${quality[key].toFixed(digits)} (${interval[key].low.toFixed(digits)} to ${interval[key].high.toFixed(digits)})`;
  return `| ${set.name} (${set.prompts.length}) | ${router} | ${cell('apgr', 3)} | ${cell('cpt50', 0)} | ${cell('cpt80', 0)} | ${microseconds.toFixed(0)} |`;
}
