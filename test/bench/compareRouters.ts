/**
 * Our score beside LiteLLM's complexity router and llm-routing, each by its own code from PyPI, on files of prompts with
 * known outcomes: `npm run compare:routers -- --data FILE_OR_DIR`. Prints one Markdown table; asserts nothing.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { z } from 'zod';
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

const PYTHON_3 = { oldest: 10, newest: 14 };
const packages = [
  { name: 'LiteLLM', package: 'litellm', version: '1.100.0' },
  { name: 'llm-routing', package: 'llm-routing', version: '15.4.0' },
];
const ROUNDS = 200;

const peerSchema = z.object({
  peer: z.string(),
  scores: z.array(z.number()),
  microseconds: z.number(),
});

type Peer = z.infer<typeof peerSchema>;

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
      console.log(peerRow(set, await peerOn(bin, packages[at]?.package ?? '', set)));
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

async function peerOn(bin: string, name: string, set: DataSet): Promise<Peer> {
  const script = join(import.meta.dirname, 'besideRouters/peers.py');
  const child = spawn(join(bin, 'python'), [script, name], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  for (const { prompt } of set.prompts) child.stdin.write(`${JSON.stringify(prompt)}\n`);
  child.stdin.end();
  let peer: Peer | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    // A peer may print of its own; what is ours is JSON.
    if (line.startsWith('{"peer"')) peer = peerSchema.parse(JSON.parse(line));
  }
  await ended;
  if (peer === undefined) throw new Error(`expected the scores of ${name}, got none`);
  return peer;
}
