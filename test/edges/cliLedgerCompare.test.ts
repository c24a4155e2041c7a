/** `ledger compare` over a real ledger and exports in OpenAI's documented forms; test/fixtures/openaiUsage/README.md has the sources. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Settlement } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import type { Registry } from '../../server/src/core/types.ts';
import { request, tempFolder, USAGE } from '../store/ledgerFixture.ts';
import { type Accounted, accountedApp } from '../support/accountedApp.ts';
import { BIG, MINI, registry } from '../support/scriptedPorts.ts';
import { type CliRun, cli, jsonOf } from './cliHarness.ts';

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'openaiUsage');
const FORMS = ['costs.json', 'costs.csv', 'usage.json', 'usage.csv'] as const;

function billed(nano: number, input: number, output: number, cached = 0): Settlement {
  const usage = {
    ...USAGE,
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: cached,
  };
  return { kind: 'settled', costNanoUsd: nanoUsd(nano), usage };
}

async function call(
  { ledger, clock }: Accounted,
  at: string,
  modelId: string,
  end: Settlement | undefined,
): Promise<void> {
  clock.set(at);
  const id = `${at} ${modelId}`;
  const held = request(id, 0.01, { modelId });
  assert.equal((await ledger.reserve(held, { monthlyNanoUsd: undefined })).kind, 'held');
  await ledger.dispatch(id);
  if (end !== undefined) await ledger.settle(id, end);
}

/** The calls that the fixtures tell of, and some that no export holds. */
async function ledgerOfFixtures(t: TestContext): Promise<Accounted> {
  const accounted = await accountedApp(t, '2026-11-21T12:00:00Z');
  await call(accounted, '2026-11-21T23:59:59Z', BIG, billed(9_999, 1, 1));
  await call(accounted, '2026-11-22T00:00:00Z', BIG, billed(3_000_001, 100, 50, 64));
  // The exact bills end in quarters of a nano-dollar; ours are rounded up.
  await call(accounted, '2026-11-22T23:00:00Z', BIG, billed(2_100_501, 10, 50));
  await call(accounted, '2026-11-22T23:01:00Z', BIG, { kind: 'voided', why: 'rate_limited' });
  await call(accounted, '2026-11-23T08:00:00Z', MINI, billed(300_000, 300, 0));
  await call(accounted, '2026-11-23T09:00:00Z', 'own-server', billed(77, 5, 5));
  await call(accounted, '2026-11-25T09:00:00Z', BIG, billed(5_000, 5, 5));
  return accounted;
}

/** With a model of another provider, whose bills OpenAI can't know. */
const withOwnServer: Registry = {
  ...registry,
  models: [
    ...registry.models,
    ...registry.models
      .filter(({ id }) => id === BIG)
      .map((model) =>
        model.provider === 'local'
          ? model
          : ({ ...model, id: 'own-server', provider: 'openai-compatible' } as const),
      ),
  ],
};

function compare(accounted: Accounted, file: string, ...flags: string[]): Promise<CliRun> {
  return cli(['ledger', 'compare', '--usage', file, ...flags], {
    app: accounted.app,
    cwd: fixtures,
    script: { registry: withOwnServer },
  });
}

for (const form of FORMS) {
  test(`${form}: the records agree`, async (t) => {
    const accounted = await ledgerOfFixtures(t);
    // The CSV of the costs has rows of another program too.
    const flags = form === 'costs.csv' ? ['--project', 'proj_router'] : [];
    const run = await compare(accounted, form, '--json', ...flags);
    assert.equal(run.code, 0, `${run.stderr}${run.stdout}`);
    const told = jsonOf(run);
    const costs = form.startsWith('costs');
    assert.equal(told['export_holds'], costs ? 'costs' : 'usage');
    const rows = told['rows'] as readonly Record<string, unknown>[];
    assert.deepEqual(
      rows.map(({ day, model, agreement }) => [day, model, agreement]),
      [
        ['2026-11-22', BIG, costs ? 'explained' : 'equal'],
        ['2026-11-23', MINI, 'equal'],
      ],
    );
    assert.partialDeepStrictEqual(told['total'], {
      ours: { calls: 3, input_tokens: 410, output_tokens: 100, cost_usd: '0.005400502' },
      theirs: costs
        ? { calls: null, input_tokens: null, cost_usd: '0.005400500' }
        : { calls: 3, input_tokens: 410, cached_input_tokens: 64, cost_usd: null },
    });
  });
}

test('the table says what is beside what, and what the export does not hold', async (t) => {
  const run = await compare(await ledgerOfFixtures(t), 'costs.json');
  assert.equal(run.code, 0, run.stderr);
  assert.match(
    run.stdout,
    /2026-11-22 +cloud-big +2 \(ours\) +110 \(ours\) +64 \(ours\) +100 \(ours\) .* explained\n/,
  );
  assert.match(run.stdout, /\$0\.005100502 - \$0\.005100500 = \$0\.000000002/);
  assert.match(
    run.stdout,
    /The records agree: every difference is within rounding and unknown bills\./,
  );
  assert.match(run.stdout, /Not in this export: calls and tokens\./);
});

test('one nano-dollar beyond the roundings is a difference', async (t) => {
  const accounted = await ledgerOfFixtures(t);
  const dir = tempFolder(t);
  const text = readFileSync(join(fixtures, 'costs.json'), 'utf8');
  // Two calls are rounded up by less than a nano-dollar each, so theirs can't be lower than ours by more than two.
  const rows = [
    ['0.0003', '0.0003', 0],
    ['4.00050025e-3', '0.0040005', 0],
    ['4.00050025e-3', '0.00400049949', 5],
    ['4.00050025e-3', '0.004000502', 0],
    ['4.00050025e-3', '0.0040005025', 5],
    ['"value": 0.0003', '"value": "0.000300001"', 5],
    ['"value": 0.0003', '"value": "0.0003000004"', 0],
    // As a double this would be half a nano-dollar, which rounds up.
    ['"value": 0.0003', '"value": 0.0003000004999999999999999999', 0],
  ] as const;
  for (const [before, after, code] of rows) {
    assert.ok(text.includes(before), before);
    const file = join(dir, 'changed.json');
    writeFileSync(file, text.replace(before, after));
    const run = await compare(accounted, file);
    assert.equal(run.code, code, `${after}: ${run.stdout}`);
    assert.match(run.stdout, code === 0 ? /The records agree/ : /The records differ\./);
  }
});

test('a bill that nobody knows explains a difference up to its bound and no further', async (t) => {
  const dir = tempFolder(t);
  const file = join(dir, 'costs.json');
  const write = (value: string) =>
    writeFileSync(
      file,
      `{"object":"page","has_more":false,"data":[{"object":"bucket","start_time":1795305600,"end_time":1795392000,
        "results":[{"object":"organization.costs.result","amount":{"value":${value},"currency":"usd"},"line_item":null}]}]}`,
    );
  const accounted = await accountedApp(t, '2026-11-22T10:00:00Z');
  await call(accounted, '2026-11-22T10:00:00Z', BIG, billed(1_000, 10, 10));
  await call(accounted, '2026-11-22T11:00:00Z', BIG, { kind: 'settled_at_bound', why: 'timeout' });
  await call(accounted, '2026-11-22T12:00:00Z', BIG, undefined);
  const rows = [
    ['0.000001', 0],
    ['0.010001', 0],
    ['0.010001001', 5],
    ['0.000000998', 5],
  ] as const;
  for (const [value, code] of rows) {
    write(value);
    const run = await compare(accounted, file);
    assert.equal(run.code, code, `${value}: ${run.stdout}`);
    assert.match(run.stdout, /all models/);
    assert.match(run.stdout, /1 call is booked at the bound .* at most \$0\.010000000/);
    assert.match(run.stdout, /1 call is not settled yet/);
  }
});

test('tokens and calls have no margin', async (t) => {
  const accounted = await ledgerOfFixtures(t);
  const dir = tempFolder(t);
  const text = readFileSync(join(fixtures, 'usage.json'), 'utf8');
  for (const [before, after] of [
    ['"input_tokens": 110', '"input_tokens": 111'],
    ['"output_tokens": 100', '"output_tokens": 99'],
    ['"input_cached_tokens": 64', '"input_cached_tokens": 63'],
    ['"num_model_requests": 2', '"num_model_requests": 3'],
    ['"model": "cloud-big"', '"model": "cloud-huge"'],
  ] as const) {
    assert.ok(text.includes(before));
    const file = join(dir, 'changed.json');
    writeFileSync(file, text.replace(before, after));
    const run = await compare(accounted, file);
    assert.equal(run.code, 5, after);
    assert.match(run.stdout, /DIFFERS/);
  }
});

test('rows of other programs are a difference until they are filtered out', async (t) => {
  const accounted = await ledgerOfFixtures(t);
  assert.equal((await compare(accounted, 'costs.csv')).code, 5);
  assert.equal((await compare(accounted, 'costs.csv', '--api-key-id', 'key_router')).code, 0);
  const ungrouped = await compare(accounted, 'usage.json', '--project', 'proj_router');
  assert.equal(ungrouped.code, 2);
  assert.match(ungrouped.stderr, /expected an export grouped by project for --project/);
});

test('pages belong together, and a page that goes on is not compared', async (t) => {
  const accounted = await ledgerOfFixtures(t);
  const dir = tempFolder(t);
  const file = join(dir, 'pages.json');
  const page = JSON.parse(readFileSync(join(fixtures, 'usage.json'), 'utf8'));
  const [first, second] = page.data;
  const pages = [
    { ...page, data: [first], has_more: true },
    { ...page, data: [second], has_more: false },
  ];
  writeFileSync(file, JSON.stringify(pages));
  assert.equal((await compare(accounted, file)).code, 0);
  writeFileSync(file, JSON.stringify(pages[0]));
  const cut = await compare(accounted, file);
  assert.equal(cut.code, 2);
  assert.match(cut.stderr, /got a page with has_more/);
});

const bucket = (result: unknown, span: object = { start_time: 1795305600, end_time: 1795392000 }) =>
  JSON.stringify({
    object: 'page',
    has_more: false,
    data: [{ object: 'bucket', ...span, results: [result] }],
  });
const cost = (amount: unknown) => ({ object: 'organization.costs.result', amount });
const usd = (value: unknown) => cost({ value, currency: 'usd' });

const unreadable: readonly (readonly [name: string, content: string, said: RegExp])[] = [
  ['nothing', '', /expected a reply of .* or a CSV file of the usage page/],
  ['another JSON', '{"total": 3}', /got JSON of another form/],
  ['half a JSON', '{"object": "page"', /expected JSON, got/],
  ['another CSV', 'date,cost\n2026-11-22,3\n', /neither JSON nor a CSV file with start_time/],
  [
    'another usage page',
    'start_time,end_time,start_time_iso,end_time_iso,num_sessions\n1795305600,1795392000,a,b,1\n',
    /with amount_value or num_model_requests, got the columns .*num_sessions/,
  ],
  [
    'a cell that is no count',
    'start_time,end_time,num_model_requests,input_tokens,output_tokens\n1795305600,1795392000,2.5,1,1\n',
    /line 2: num_model_requests: a count such as 10/,
  ],
  ['a quote left open', 'start_time,end_time,"amount_value\n', /neither JSON nor a CSV/],
  ['an amount that is none', bucket(usd('much')), /got JSON of another form/],
  ['no amount', bucket({ object: 'organization.costs.result' }), /got JSON of another form/],
  ['euros', bucket(cost({ value: 1, currency: 'eur' })), /expected amounts in usd, got eur/],
  [
    'a week in one bucket',
    bucket(usd(1), { start_time: 1795305600, end_time: 1795910400 }),
    /expected spans of a UTC day or less/,
  ],
  ['no days', '{"object":"page","has_more":false,"data":[]}', /expected at least one day/],
];
for (const [name, content, said] of unreadable) {
  test(`${name} is refused with a sentence`, async (t) => {
    const file = join(tempFolder(t), 'export');
    writeFileSync(file, content);
    const run = await cli(['ledger', 'compare', '--usage', file]);
    assert.equal(run.code, 2, run.stdout);
    assert.equal(run.stdout, '');
    assert.match(run.stderr, said);
  });
}

test('an export of days without use agrees with a ledger without calls', async (t) => {
  const accounted = await accountedApp(t, '2026-11-22T10:00:00Z');
  const file = join(tempFolder(t), 'empty.csv');
  const head = 'start_time,end_time,start_time_iso,end_time_iso';
  writeFileSync(file, `${head}\n1795305600,1795392000,2026-11-22T00:00:00,2026-11-23T00:00:00\n`);
  assert.equal((await compare(accounted, file)).code, 0);
  await call(accounted, '2026-11-22T11:00:00Z', BIG, billed(1, 1, 1));
  assert.equal((await compare(accounted, file)).code, 5);
});
