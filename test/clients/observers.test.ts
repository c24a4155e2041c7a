/**
 * A watched `serve` under programs that watch in earnest: Prometheus scrapes it, and a collector of OpenTelemetry takes its
 * spans. By `npm run test:clients`; test/observe/observe.test.ts is the short form.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { ANSWER, type Answered, SECRET, serving } from '../observe/watchedServe.ts';
import { unpackDebianPackage } from '../support/debianPackage.ts';
import {
  endAllPrograms,
  freePort,
  type Program,
  startProgram,
  temporaryFolder,
  untilReady,
  untilSaid,
} from '../support/programs.ts';
import { installPythonPackage } from '../support/pythonPackage.ts';

const { COST_AWARE_ROUTER_CLIENTS: ASKED_FOR } = process.env;
const skip = ASKED_FOR === 'full' ? false : 'fetches the watchers: npm run test:clients';

/** A collector in Rust; its wheels are for these versions of Python. */
const ROTEL = { name: 'the collector Rotel', package: 'rotel', version: '0.0.1a15' };
const ROTEL_PYTHON = { oldest: 10, newest: 13 };

test.after(() => endAllPrograms());

async function startPrometheus(bin: string, target: string, tokenPath: string) {
  const folder = temporaryFolder();
  const config = join(folder, 'prometheus.yml');
  // As docs/REST.md shows it, but more often.
  const job = {
    job_name: 'cost-aware-router',
    scrape_interval: '1s',
    static_configs: [{ targets: [new URL(target).host] }],
    authorization: { credentials_file: tokenPath },
  };
  writeFileSync(config, stringify({ scrape_configs: [job] }));
  const port = await freePort();
  const program = startProgram('prometheus', join(bin, 'prometheus'), [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  await untilReady(program, `http://127.0.0.1:${port}/-/ready`);
  const get = async (path: string): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).text();
  return { program, get };
}

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** Asks until a scrape has brought what is asked for. */
async function valuesOf(
  { program, get }: { readonly program: Program; get(path: string): Promise<string> },
  query: string,
): Promise<readonly Series[]> {
  for (;;) {
    assert.ok(program.running(), program.said());
    const { data } = JSON.parse(await get(`query?query=${encodeURIComponent(query)}`));
    if (data.result.length > 0) return data.result;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

test('Prometheus scrapes with the token, keeps what was spent, and finds nothing amiss', {
  skip,
}, async (t) => {
  const bin = await unpackDebianPackage('prometheus');
  const { ask, get, url, tokenPath } = await serving(t, ['--metrics']);
  const answered = (await (await ask(`Explain ${SECRET}.`)).json()) as Answered;
  assert.ok(answered.cost_usd > 0);
  // Its own checker of names, types and help texts fails on what it would warn of.
  const input = await (await get('/metrics')).text();
  execFileSync(join(bin, 'promtool'), ['check', 'metrics'], { input });
  const prometheus = await startPrometheus(bin, url, tokenPath);
  const model = answered.chosen_model;
  const [cost] = await valuesOf(prometheus, `cost_aware_router_cost_usd_total{model="${model}"}`);
  assert.equal(Number(cost?.value[1]), answered.cost_usd);
  const [prompts] = await valuesOf(
    prometheus,
    'cost_aware_router_prompts_total{status="complete"}',
  );
  assert.equal(prompts?.value[1], '1');
  assert.partialDeepStrictEqual(prompts.metric, { model, reason: 'forced', served: 'cloud' });
  const left =
    'cost_aware_router_budget_usd{kind="limit"} - ignoring(kind) cost_aware_router_budget_usd{kind="spent"}';
  const [remaining] = await valuesOf(prometheus, left);
  assert.ok(Math.abs(Number(remaining?.value[1]) - (2 - answered.cost_usd)) < 1e-9);
  const [latency] = await valuesOf(
    prometheus,
    'histogram_quantile(0.9, cost_aware_router_answer_seconds_bucket{served="cloud"})',
  );
  assert.ok(Number(latency?.value[1]) > 0);
  const { data } = JSON.parse(await prometheus.get('targets'));
  assert.partialDeepStrictEqual(data.activeTargets, [{ health: 'up', lastError: '' }]);
  const series = await prometheus.get(
    `series?match[]=${encodeURIComponent('{__name__=~"cost_aware_router_.*"}')}`,
  );
  for (const word of [SECRET, ANSWER]) assert.ok(!series.includes(word), word);
});

async function startCollector(): Promise<{ readonly program: Program; readonly endpoint: string }> {
  const bin = await installPythonPackage(ROTEL, ROTEL_PYTHON);
  const find =
    'import pathlib, rotel; print(pathlib.Path(rotel.__file__).with_name("rotel-agent"))';
  const agent = execFileSync(join(bin, 'python'), ['-c', find], { encoding: 'utf8' }).trim();
  const [http, grpc] = [await freePort(), await freePort()];
  const program = startProgram(
    'rotel',
    agent,
    [
      'start',
      ...['--otlp-http-endpoint', `127.0.0.1:${http}`],
      ...['--otlp-grpc-endpoint', `127.0.0.1:${grpc}`],
      ...['--exporter', 'blackhole'],
      // It writes every span that it has read, with all its attributes.
      ...['--debug-log', 'traces', '--debug-log-verbosity', 'detailed'],
    ],
    { keptCharacters: 100_000 },
  );
  await untilSaid(program, /Starting Rotel/);
  return { program, endpoint: `http://127.0.0.1:${http}` };
}

test('a collector of OpenTelemetry reads the spans with their GenAI attributes, and no word of the prompt', {
  skip,
}, async (t) => {
  const collector = await startCollector();
  const { ask } = await serving(t, ['--traces'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_BSP_SCHEDULE_DELAY: '100',
  });
  const answered = (await (await ask(`Explain ${SECRET}.`)).json()) as Answered;
  await untilSaid(collector.program, /Name +: route prompt[\s\S]*gen_ai\.response\.model/);
  const said = collector.program.said();
  for (const attribute of [
    'service.name: Str(cost-aware-router)',
    `Name           : chat ${answered.chosen_model}`,
    'Kind           : SPAN_KIND_CLIENT',
    'gen_ai.operation.name: Str(chat)',
    'gen_ai.provider.name: Str(openai)',
    `gen_ai.request.model: Str(${answered.chosen_model})`,
    'gen_ai.usage.input_tokens: Int(200)',
    'gen_ai.usage.output_tokens: Int(30)',
    'cost_aware_router.reason: Str(forced)',
    `cost_aware_router.cost_nano_usd: Int(${Math.round(answered.cost_usd * 1e9)})`,
  ]) {
    assert.ok(said.includes(attribute), `${attribute} in: ${said}`);
  }
  for (const word of [SECRET, ANSWER, 'sk-test']) assert.ok(!said.includes(word), word);
});
