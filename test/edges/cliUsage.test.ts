/** What the command line takes: flags and their twins, mistakes and their exit codes. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { everyCommand, nameOf } from '../../scripts/docs/commandPage.ts';
import { program } from '../../scripts/docs/reference.ts';
import { exitCodeOf, exitCodes } from '../../server/src/cli/exitCodes.ts';
import type { AppOptions } from '../../server/src/compose.ts';
import type { FailureCode } from '../../server/src/core/errors.ts';
import { repositoryRoot } from '../support/localModel.ts';
import { cli } from './cliHarness.ts';

test('help names every command and exit code, and is no mistake', async () => {
  const run = await cli(['--help']);
  assert.equal(run.code, 0);
  for (const word of [
    'demo',
    'ask',
    'route',
    'serve',
    'spend',
    'statement',
    'ledger',
    'models',
    'cache',
    '130',
  ]) {
    assert.match(run.stdout, new RegExp(`\\b${word}\\b`));
  }
  assert.equal((await cli(['--version'])).stdout, '1.2.3\n');
});

test('without a command the help goes to stderr', async () => {
  const run = await cli([]);
  assert.equal(run.code, 2);
  assert.equal(run.stdout, '');
  assert.match(run.stderr, /Usage:/);
});

const mistakes: readonly (readonly [argv: readonly string[], said: RegExp])[] = [
  [['fly'], /unknown command 'fly'/],
  [['ask', 'hi', '--max-cost-usd', 'much'], /--max-cost-usd.*'much'.*an amount in USD/s],
  [['ask', 'hi', '--max-cost-usd', '-1'], /an amount in USD/],
  [['ask', 'hi', '--max-cost-usd', '0x10'], /an amount in USD/],
  [['ask', 'hi', '--max-latency-ms', '1.5'], /whole milliseconds/],
  [['ask', 'hi', '--min-quality', '80'], /between 0 and 1/],
  [['ask', 'hi', '--force', 'gpt'], /cheap, openai/],
  [['ask', 'hi', '--fast'], /unknown option '--fast'/],
  [['ask', 'hi', 'there'], /too many arguments/],
  [['ask', '   '], /expected the prompt to hold text/],
  [['ask', 'hi', '--file', 'no-such-file'], /readable file, got no-such-file \(ENOENT\)/],
  [['ask', 'hi', '--file', '.'], /to name a file, got \./],
  [['route'], /required option '--jsonl/],
  [['route', '--jsonl', 'no-such-file'], /readable file, got no-such-file \(ENOENT\)/],
  [['route', '--jsonl', '-', '--strategy', 'luck'], /fitted, table, length, keywords, random/],
  [['route', '--jsonl', '-', '--cheap', 'nope'], /--cheap to name a model out of .*; got nope/],
  [['serve', '--port', '70000'], /a port between 0 and 65535/],
  [['serve', '--host', '0.0.0.0'], /--allow-remote/],
  [['serve', '--host', '0.0.0.0', '--allow-remote', '--no-auth'], /leave --no-auth out/],
  [['models', 'download', 'nope'], /a local model of the registry \(small-local\), got nope/],
  [['models', 'download', 'cloud-big'], /got cloud-big, which runs at its provider/],
  [['--monthly-budget-usd', 'lots', 'spend'], /an amount in USD such as 20, or none/],
  [['--threads', '0', 'spend'], /between 1 and 256/],
  [['statement', '--month', 'May'], /a month such as 2026-11/],
  [['statement', '--format', 'pdf'], /text, csv, json/],
  [['statement', '--watts', 'many', '--usd-per-kwh', '0.3'], /watts such as 65/],
  [['statement', '--watts', '65'], /expected both --watts and --usd-per-kwh/],
  [['ledger', 'compare'], /required option '--usage/],
  [['ledger', 'compare', '--usage', 'no-such-file'], /readable file, got no-such-file \(ENOENT\)/],
];

for (const [argv, said] of mistakes) {
  test(`${argv.join(' ')} is wrong usage`, async () => {
    const run = await cli(argv);
    assert.equal(run.code, 2);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, said);
  });
}

test('a prompt that nobody gave is asked for on a terminal', async () => {
  const run = await cli(['ask'], { terminal: { stdin: true } });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /expected a prompt/);
});

interface Flags {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly expected: Partial<AppOptions>;
}

const all = {
  dataDir: 'd',
  modelsDir: 'm',
  registryPath: 'r.yaml',
  pricingPath: 'p.yaml',
  monthlyBudgetNanoUsd: 5_500_000_000,
  threads: 3,
  ledgerUrl: 'postgres://l',
} as AppOptions;
const allFlags =
  '--data-dir d --models-dir m --registry r.yaml --pricing p.yaml --monthly-budget-usd 5.5 --threads 3 --ledger postgres://l'.split(
    ' ',
  );
const twin = (name: string) => `COST_AWARE_ROUTER_${name}`;

const flagRows: readonly Flags[] = [
  { expected: {} },
  { argv: [...allFlags, 'spend'], expected: all },
  { argv: ['spend', ...allFlags], expected: all },
  { argv: ['spend', '--json', ...allFlags], expected: all },
  {
    env: {
      [twin('DATA_DIR')]: 'd',
      [twin('MODELS_DIR')]: 'm',
      [twin('REGISTRY')]: 'r.yaml',
      [twin('PRICING')]: 'p.yaml',
      [twin('MONTHLY_BUDGET_USD')]: '5.5',
      [twin('THREADS')]: '3',
      [twin('LEDGER')]: 'postgres://l',
    },
    expected: all,
  },
  {
    argv: ['--data-dir', 'flag', 'spend'],
    env: { [twin('DATA_DIR')]: 'env' },
    expected: { dataDir: 'flag' },
  },
  { env: { [twin('DATA_DIR')]: '' }, expected: {} },
  { argv: ['spend', '--audit-share', '0.05'], expected: { settings: { auditShare: 0.05 } } },
  {
    env: { [twin('AUDIT_SHARE')]: '1', [twin('EXCLUDE')]: 'a' },
    expected: { settings: { auditShare: 1, excludedFiles: ['a'] } },
  },
  { argv: ['spend', '--monthly-budget-usd', 'none'], expected: { monthlyBudgetNanoUsd: null } },
  { env: { [twin('MONTHLY_BUDGET_USD')]: 'none' }, expected: { monthlyBudgetNanoUsd: null } },
  {
    env: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' },
    expected: { apiKey: 'sk-test', baseUrl: 'http://127.0.0.1:1/v1' },
  },
];

for (const { argv = ['spend'], env, expected } of flagRows) {
  test(`${argv.join(' ')} with ${JSON.stringify(env ?? {})} opens the app so`, async () => {
    const run = await cli(argv, env === undefined ? {} : { env });
    assert.equal(run.code, 0);
    const { onProblem: _, ...options } = run.opened[0] ?? {};
    assert.deepEqual(options, expected);
  });
}

test('a bad value in the environment is named by its variable', async () => {
  const run = await cli(['spend'], { env: { [twin('THREADS')]: 'many' } });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /COST_AWARE_ROUTER_THREADS='many' is invalid/);
});

test('a ledger that is no URL of PostgreSQL is refused without being repeated', async () => {
  for (const run of [
    await cli(['spend', '--ledger', 'mysql://me:secret@host/x']),
    await cli(['spend'], { env: { [twin('LEDGER')]: 'secret' } }),
  ]) {
    assert.equal(run.code, 2);
    assert.match(run.stderr, /expected --ledger to be a URL such as postgres:/);
    assert.ok(!run.stderr.includes('secret'), run.stderr);
    assert.deepEqual(run.opened, []);
  }
});

test('an address of the provider that is none is refused without being repeated', async () => {
  for (const url of ['ftp://me:secret@host/v1', 'secret.example:8080', 'secret']) {
    const run = await cli(['spend'], { env: { OPENAI_BASE_URL: url } });
    assert.equal(run.code, 2, url);
    assert.match(run.stderr, /^error: expected OPENAI_BASE_URL to be an address such as https:/);
    assert.ok(!run.stderr.includes('secret'), run.stderr);
    assert.deepEqual(run.opened, []);
  }
});

test('the help of each command says where the flags of every command are', async () => {
  const said = /Flags of every command .*: cost-aware-router --help\n/;
  for (const argv of [['ask'], ['serve'], ['ledger', 'verify']]) {
    assert.match((await cli([...argv, '--help'])).stdout, said);
  }
  assert.doesNotMatch((await cli(['--help'])).stdout, said);
});

test('no help shows the value of a variable', async () => {
  const env = { [twin('LEDGER')]: 'postgres://me:secret@host/x' };
  for (const argv of [['--help'], ['serve', '--help']]) {
    assert.ok(!(await cli(argv, { env })).stdout.includes('secret'));
  }
});

const openings: readonly (readonly [error: Error, code: number, said: RegExp])[] = [
  [
    Object.assign(new Error('registry.yaml:3: expected an id'), { name: 'CatalogueError' }),
    2,
    /^error: registry\.yaml:3: expected an id/,
  ],
  [
    Object.assign(new Error('expected a data folder'), { name: 'DataFolderError' }),
    2,
    /^error: expected a data folder/,
  ],
  [new Error('something broke'), 1, /^internal error: something broke/],
];

for (const [error, code, said] of openings) {
  test(`an app that does not open (${error.name}) ends with ${code}`, async () => {
    const run = await cli(['spend'], {
      app() {
        throw error;
      },
    });
    assert.equal(run.code, code);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, said);
  });
}

const codes: Readonly<Record<FailureCode, number>> = {
  bad_request: 2,
  unknown_model: 2,
  duplicate_request: 2,
  cost_limit: 3,
  budget_exhausted: 3,
  privacy_floor: 3,
  context_limit: 3,
  capability_missing: 3,
  bad_key: 4,
  no_api_key: 4,
  quota_exceeded: 4,
  rate_limited: 4,
  provider_unavailable: 4,
  timeout: 4,
  stream_cut: 4,
  refusal: 4,
  model_missing: 4,
  model_too_big: 4,
  model_crashed: 4,
  too_busy: 4,
  unknown_price: 4,
  ledger_unavailable: 4,
  cancelled: 130,
  internal: 1,
};

test('every failure has the exit code that the documentation gives its kind', () => {
  for (const [code, expected] of Object.entries(codes)) {
    assert.equal(exitCodeOf(code as FailureCode), expected, code);
  }
});

test('docs/CLI.md names every command, flag, variable and exit code', async () => {
  const documented = readFileSync(join(repositoryRoot, 'docs', 'CLI.md'), 'utf8');
  const { stdout: help } = await cli(['--help']);
  const [whole, ...commands] = everyCommand(program());
  assert.ok(commands.length > 30, `expected the commands, got ${commands.length}`);
  const words = new Set([
    ...(help.match(/COST_AWARE_ROUTER_[A-Z_]+/g) ?? []),
    ...Object.values(exitCodes).map((code) => `| ${code} |`),
    ...commands.map((command) => `\`${nameOf(command).replace(/^\S+ /, '')}`),
    ...[whole, ...commands].flatMap((command) =>
      (command?.options ?? []).flatMap(({ long }) => long ?? []),
    ),
  ]);
  words.delete('--version');
  assert.ok(words.size > 90, `expected the words of the help, got ${[...words].join(' ')}`);
  assert.deepEqual(
    [...words].filter((word) => !documented.includes(word)),
    [],
  );
});
