/**
 * `npm run simulate`: many seeds on all cores, then what was tried and found. A seed that breaks a promise is printed with
 * its steps and the command that replays it.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { simulate } from './simulation.ts';
import { addTally, EMPTY_TALLY, type Tally } from './tally.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    steps: { type: 'string', default: '150' },
    store: { type: 'string', default: 'memory' },
  },
});
const store = values.store;
if (store !== 'memory' && store !== 'sqlite') {
  throw new Error(`expected --store memory or sqlite, got ${store}`);
}
const steps = count('steps', values.steps);
const first = count('seed', values.seed ?? '1');
const usual = store === 'memory' ? '10000' : '200';
const seeds = count('seeds', values.seeds ?? (values.seed === undefined ? usual : '1'));
const SEEDS_AT_ONCE = 25;

const startedMs = performance.now();
const tally = seeds === 1 ? await one() : await many();
print();
if (tally.failed.length > 0) {
  await explain(tally.failed[0] ?? first);
  process.exitCode = 1;
}

async function one(): Promise<Tally> {
  return addTally(EMPTY_TALLY, await simulate({ seed: first, steps, store: storeOf() }));
}

/** Workers take the next seeds when they have done theirs. */
async function many(): Promise<Tally> {
  let next = first;
  let sum = EMPTY_TALLY;
  const workers = Array.from(
    { length: Math.min(availableParallelism(), Math.ceil(seeds / SEEDS_AT_ONCE)) },
    () => new Worker(new URL('simulateWorker.ts', import.meta.url)),
  );
  await Promise.all(workers.map(work));
  return sum;

  function work(worker: Worker): Promise<void> {
    return new Promise((resolve, reject) => {
      const give = () => {
        const from = next;
        next = Math.min(first + seeds, next + SEEDS_AT_ONCE);
        if (from < next) worker.postMessage({ from, to: next, steps, store });
        else void worker.terminate().then(() => resolve());
      };
      worker.on('error', reject);
      worker.on('message', (done: Tally) => {
        sum = addTally(sum, done);
        give();
      });
      give();
    });
  }
}

function print(): void {
  const wallS = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage();
  const cpuMs = (user + system) / 1000;
  const faults = Object.entries(tally.faults).sort(([, a], [, b]) => b - a);
  const sum = faults.reduce((total, [, times]) => total + times, 0);
  console.log(`store         ${store}`);
  console.log(`seeds         ${tally.seeds}, from ${first}`);
  console.log(`steps         ${tally.steps} with faults, ${steps} a seed`);
  console.log(
    `prompts       ${tally.prompts}, ${tally.climbs} of them held money for several models`,
  );
  console.log(`reservations  ${tally.reservations}`);
  console.log(`calls         ${tally.calls} that reached the provider`);
  console.log(`faults        ${sum}`);
  for (const [kind, times] of faults) console.log(`  ${String(times).padStart(9)}  ${kind}`);
  console.log(
    `time          ${wallS.toFixed(1)} s, ${(tally.seeds / wallS).toFixed(0)} seeds per second, ` +
      `${(cpuMs / tally.seeds).toFixed(1)} ms of CPU time a seed`,
  );
  console.log(`broken        ${tally.failed.length} seeds`);
}

async function explain(seed: number): Promise<void> {
  const { findings, trace } = await simulate({ seed, steps, store: storeOf(), traced: true });
  console.log(`\nSeed ${seed}, step by step:`);
  for (const line of trace) console.log(`  ${line}`);
  console.log(`\nSeed ${seed} broke a promise:`);
  for (const finding of findings) console.log(`  ${finding}`);
  console.log(`\nAll of them: ${tally.failed.join(', ')}`);
  console.log(`Replay: npm run simulate -- --seed ${seed} --steps ${steps} --store ${store}`);
}

function storeOf(): 'memory' | 'sqlite' {
  return store === 'sqlite' ? 'sqlite' : 'memory';
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`expected --${name} with a whole number, got ${text}`);
}
