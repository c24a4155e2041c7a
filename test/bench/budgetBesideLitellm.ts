/**
 * The same load on this project's budget and on LiteLLM's provider budgets, in front of a provider that keeps its own
 * bill. Prints a table of what the provider counted. Needs Python and PyPI, so it is no part of `npm test`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repositoryRoot } from '../support/localModel.ts';
import { endAllPrograms } from '../support/programs.ts';
import { type BillingProvider, openBillingProvider } from './besideLitellm/billingProvider.ts';
import { installLitellm, litellm, redisVersion } from './besideLitellm/litellmSite.ts';
import { costAwareRouter } from './besideLitellm/routerSite.ts';
import { type Instance, LIMIT_USD, type Product } from './besideLitellm/site.ts';

const REQUESTS = 50;
const ANSWER_MS = 1_000;
const ALL_WITHIN_MS = 290_000;

interface Scenario {
  readonly name: string;
  readonly atOnce: number;
  readonly processes: 1 | 2;
  /** LiteLLM asks for Redis only where processes share or outlive each other; one more run shows what it changes. */
  readonly redis: boolean;
  /** The process is killed when so many calls have reached the provider, and started again. */
  readonly killedAtCall?: number;
}

const scenarios: readonly [Scenario, ...Scenario[]] = [
  { name: '1 at a time', atOnce: 1, processes: 1, redis: false },
  { name: '8 at once', atOnce: 8, processes: 1, redis: false },
  { name: '20 at once', atOnce: 20, processes: 1, redis: true },
  {
    name: '4 at once, killed and restarted',
    atOnce: 4,
    processes: 1,
    redis: true,
    killedAtCall: 6,
  },
  { name: '8 at once, over two processes', atOnce: 8, processes: 2, redis: true },
];

interface Row {
  readonly scenario: string;
  readonly product: string;
  readonly calls: number;
  readonly billNanoUsd: number;
  readonly recordedUsd: readonly number[];
}

const deadline = setTimeout(() => {
  void stop(
    `expected the comparison to end within ${ALL_WITHIN_MS / 1_000} s, and it did not; run it again on a machine with less to do`,
  );
}, ALL_WITHIN_MS);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop(`ended by ${signal}`));
}

try {
  await compare();
} catch (error) {
  await stop(messageOf(error));
} finally {
  clearTimeout(deadline);
  await endAllPrograms();
}

async function compare(): Promise<void> {
  const bin = await installLitellm();
  const redis = await redisVersion();
  const always: readonly Product[] = [costAwareRouter(versionHere()), litellm(bin, undefined)];
  const withRedis = redis === undefined ? always : [...always, litellm(bin, redis)];
  const setUpAll = (scenario: Scenario) =>
    Promise.all((scenario.redis ? withRedis : always).map((one) => setUp(one, scenario)));
  console.log(
    `${new Date().toISOString().slice(0, 10)}: ${REQUESTS} requests of $0.10 at most against a limit of $${LIMIT_USD.toFixed(2)}; each answer takes ${ANSWER_MS / 1_000} s.`,
  );
  if (redis === undefined) {
    console.log(
      'LiteLLM with Redis is left out: there is no redis-server on the PATH (Debian: redis-server).',
    );
  }
  console.log('');
  printCells([
    'requests',
    'product',
    'calls accepted',
    "provider's bill",
    'over the limit by',
    'own record',
  ]);
  printCells(['---', '---', '--:', '--:', '--:', '--:']);
  let setUps = setUpAll(scenarios[0]);
  for (const [nth, scenario] of scenarios.entries()) {
    const ready = await setUps;
    // A start takes long and the answers mostly wait, so the next processes start under this load.
    const next = scenarios[nth + 1];
    if (next !== undefined) {
      setUps = setUpAll(next);
      // Told when it is awaited; until then a failure of this load goes first.
      setUps.catch(() => undefined);
    }
    const rows = await Promise.all(ready.map((one) => measure(one, scenario)));
    for (const row of rows) printRow(row);
  }
}

interface Ready {
  readonly product: string;
  readonly provider: BillingProvider;
  readonly instances: readonly Instance[];
  startAgain(): Promise<Instance>;
}

async function setUp(product: Product, { processes }: Scenario): Promise<Ready> {
  const provider = await openBillingProvider(ANSWER_MS);
  const site = await product.open(provider.baseUrl);
  const instances = await Promise.all(Array.from({ length: processes }, () => site.start()));
  return {
    product: product.name,
    provider,
    instances,
    startAgain: () => site.start(),
  };
}

async function measure(ready: Ready, scenario: Scenario): Promise<Row> {
  const { provider, startAgain } = ready;
  let { instances } = ready;
  const queue = Array.from({ length: REQUESTS }, (_, nth) => nth);
  const [first] = instances;
  if (scenario.killedAtCall === undefined || first === undefined) {
    await send(queue, scenario.atOnce, instances);
  } else {
    const sent = send(queue, scenario.atOnce, instances);
    await Promise.race([provider.reached(scenario.killedAtCall), sent]);
    if (queue.length === 0) throw new Error('expected the kill to come in the middle of the load');
    await first.kill();
    await sent;
    instances = [await startAgain()];
    await send(queue, scenario.atOnce, instances);
  }
  if (queue.length > 0)
    throw new Error(`expected every request to be sent, ${queue.length} were not`);
  const recordedUsd = await Promise.all(instances.map(settledRecord));
  await Promise.all(instances.map((instance) => instance.kill()));
  const row: Row = {
    scenario: scenario.name,
    product: ready.product,
    calls: provider.calls(),
    billNanoUsd: provider.billNanoUsd(),
    recordedUsd,
  };
  await provider.close();
  if (row.calls === 0) throw new Error(`expected ${row.product} to let a call through`);
  return row;
}

/** Empties the queue; what a killed process lost goes back into it, as a client would ask again. */
async function send(
  queue: number[],
  atOnce: number,
  instances: readonly Instance[],
): Promise<void> {
  const client = async () => {
    for (let nth = queue.shift(); nth !== undefined; nth = queue.shift()) {
      const instance = instances[nth % instances.length];
      const outcome = await instance?.send(nth);
      if (outcome === 'lost') {
        queue.push(nth);
        return;
      }
      if (outcome === 'busy') {
        queue.push(nth);
        await delay(200);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
}

/** Read until it stands still for longer than LiteLLM's one second between two syncs. */
async function settledRecord(instance: Instance): Promise<number> {
  let last = await instance.spentUsd();
  for (;;) {
    await delay(1_200);
    const next = await instance.spentUsd();
    if (next === last) return next;
    last = next;
  }
}

function printRow({ scenario, product, calls, billNanoUsd, recordedUsd }: Row): void {
  const overNanoUsd = Math.max(0, billNanoUsd - LIMIT_USD * 1e9);
  const records = [...new Set(recordedUsd.map(usd))].join(' and ');
  printCells([
    scenario,
    product,
    String(calls),
    usd(billNanoUsd / 1e9),
    overNanoUsd === 0 ? '–' : usd(overNanoUsd / 1e9),
    records,
  ]);
}

function printCells(cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function usd(amount: number): string {
  return `$${amount.toFixed(4)}`;
}

function versionHere(): string {
  const path = join(repositoryRoot, 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version;
}

/** `fetch` says what went wrong in its cause. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${messageOf(error.cause)})`;
}

async function stop(message: string): Promise<never> {
  await endAllPrograms();
  console.error(`error: ${message}`);
  process.exit(1);
}
