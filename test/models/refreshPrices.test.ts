/** Refreshing prices: rows are only added, hand-written ones are left alone, and the file stays a person's file. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ModelInfo } from '@pydantic/genai-prices';
import type { CloudModel, PriceRow } from '../../server/src/core/types.ts';
import { parsePricing } from '../../server/src/models/pricing.ts';
import {
  describeChange,
  type RefreshOptions,
  refreshPrices,
  writePrices,
} from '../../server/src/models/refreshPrices.ts';

const TODAY = '2026-11-23';

const FILE = `# Kept by hand and by a command.
version: 1
prices:
  # The big one.
  - model: big
    effective_from: 2026-01-01
    source: genai-prices
    checked_at: 2026-01-01
    input: 2 # per million
    output: 10
  - model: mine
    effective_from: 2026-01-01
    source: my contract
    checked_at: 2026-01-01
    input: 1
    output: 1
`;

function model(id: string, provider: CloudModel['provider'] = 'openai'): CloudModel {
  return {
    id,
    label: id,
    tier: 'escalation',
    enabled: true,
    contextWindow: 1000,
    maxOutputTokens: 100,
    ability: { kind: 'size', billions: 1 },
    provider,
    apiModel: `api-${id}`,
    key: 'openai',
    tools: true,
  };
}

type Prices = ModelInfo['prices'];

interface Refreshed {
  readonly lines: readonly string[];
  readonly rows: readonly PriceRow[];
  readonly text: string;
}

/** Refreshes the file above with what a source lists, writes it, and reads it back. */
function check(
  t: TestContext,
  listed: Readonly<Record<string, Prices>>,
  models: readonly CloudModel[],
  over: Partial<RefreshOptions> & { readonly file?: string } = {},
): Refreshed {
  const folder = mkdtempSync(join(tmpdir(), 'prices-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const pricingPath = join(folder, 'pricing.yaml');
  writeFileSync(pricingPath, over.file ?? FILE);
  const lookUp = (apiModel: string): ModelInfo | undefined => {
    const prices = listed[apiModel];
    return prices && { id: apiModel, match: { equals: apiModel }, prices };
  };
  const result = refreshPrices({ pricingPath, models, today: TODAY, lookUp, ...over });
  const { changes, text } = result.kind === 'refreshed' ? result : assert.fail('failed');
  writePrices(pricingPath, text);
  assert.deepEqual(readdirSync(folder), ['pricing.yaml'], 'no temporary file is left');
  assert.equal(readFileSync(pricingPath, 'utf8'), text);
  const parsed = parsePricing(pricingPath, text);
  const rows = parsed.kind === 'ok' ? parsed.value : assert.fail(parsed.problems[0]?.message);
  return { lines: changes.map(describeChange), rows, text };
}

const ids = (rows: readonly PriceRow[], id: string) =>
  rows.filter((row) => row.model === id).map((row) => row.effectiveFrom);

test('unchanged figures only move checked_at, and comments stay', (t) => {
  const { lines, text } = check(t, { 'api-big': { input_mtok: 2, output_mtok: 10 } }, [
    model('big'),
  ]);
  assert.deepEqual(lines, ['big: unchanged']);
  const expected = FILE.replace('checked_at: 2026-01-01', `checked_at: ${TODAY}`);
  assert.equal(text, expected);
});

test('changed figures are a new row from today; the old row stays as it was', (t) => {
  const listed = { 'api-big': { input_mtok: 1.5, cache_read_mtok: 0.15, output_mtok: 10 } };
  const { lines, rows, text } = check(t, listed, [model('big')]);
  assert.deepEqual(lines, [
    'big from 2026-11-23: input 2 -> 1.5, cached_input 0.15, output 10 (USD per million tokens)',
  ]);
  assert.deepEqual(ids(rows, 'big'), ['2026-01-01', TODAY]);
  assert.ok(text.startsWith(FILE), 'what was there is there');
  assert.partialDeepStrictEqual(rows.at(-1), {
    source: 'genai-prices',
    checkedAt: TODAY,
    base: { inputPicoUsd: 1_500_000, cachedInputPicoUsd: 150_000, outputPicoUsd: 10_000_000 },
  });
});

test('a second refresh of the same day does not touch the row of the first', (t) => {
  const first = check(t, { 'api-big': { input_mtok: 3, output_mtok: 10 } }, [model('big')]);
  const { rows } = check(t, { 'api-big': { input_mtok: 4, output_mtok: 10 } }, [model('big')], {
    file: first.text,
  });
  assert.deepEqual(ids(rows, 'big'), ['2026-01-01', TODAY, '2026-11-24']);
});

test('dated prices become a row for each date, the undated one from before the model existed', (t) => {
  const listed: Prices = [
    { prices: { input_mtok: 10, output_mtok: 40 } },
    {
      constraint: { type: 'start_date', start_date: '2026-06-10' },
      prices: { input_mtok: 2, output_mtok: 8 },
    },
    {
      constraint: { type: 'start_date', start_date: '2027-01-01' },
      prices: { input_mtok: 1, output_mtok: 8 },
    },
  ];
  const { rows } = check(t, { 'api-new': listed }, [model('new')]);
  assert.deepEqual(ids(rows, 'new'), ['2020-01-01', '2026-06-10', '2027-01-01']);
  // With a row already there, only the price in force and the coming one are news.
  const known = check(t, { 'api-big': listed }, [model('big')]);
  assert.deepEqual(ids(known.rows, 'big'), ['2026-01-01', '2026-06-10', '2027-01-01']);
  assert.deepEqual(check(t, { 'api-big': listed }, [model('big')], { file: known.text }).lines, [
    'big: unchanged',
  ]);
});

test('tiers by input length are taken over, also where rates have different ones', (t) => {
  const tiered = (base: number, ...tiers: { start: number; price: number }[]) => ({ base, tiers });
  const listed = {
    'api-new': {
      input_mtok: tiered(1, { start: 1000, price: 2 }, { start: 5000, price: 3 }),
      output_mtok: tiered(10, { start: 5000, price: 15 }),
    },
  };
  const { rows } = check(t, listed, [model('new')]);
  assert.deepEqual(rows.at(-1)?.tiers, [
    { aboveInputTokens: 1000, rates: { inputPicoUsd: 2_000_000, outputPicoUsd: 10_000_000 } },
    { aboveInputTokens: 5000, rates: { inputPicoUsd: 3_000_000, outputPicoUsd: 15_000_000 } },
  ]);
});

test('a row that says that a cache write costs what input costs is the price of a source without one', (t) => {
  const listed = { 'api-big': { input_mtok: 2, output_mtok: 10 } };
  const said = FILE.replace('    output: 10', '    cache_write: 2\n    output: 10');
  assert.deepEqual(check(t, listed, [model('big')], { file: said }).lines, ['big: unchanged']);
  const dearer = FILE.replace('    output: 10', '    cache_write: 2.5\n    output: 10');
  assert.match(check(t, listed, [model('big')], { file: dearer }).lines[0] ?? '', /^big from/);
});

test('hand-written rows, other providers and what the source cannot price are left alone', (t) => {
  const time = { type: 'time_of_date', start_time: '00:00', end_time: '08:00' } as const;
  const listed = {
    'api-mine': { input_mtok: 9, output_mtok: 9 },
    'api-elsewhere': { input_mtok: 9, output_mtok: 9 },
    'api-images': { input_mtok: 1 },
    'api-fine': { input_mtok: 0.00000001, output_mtok: 1 },
    'api-counted': { input_mtok: 1, output_mtok: 1, requests_kcount: 5 },
    'api-nightly': [{ constraint: time, prices: { input_mtok: 1, output_mtok: 1 } }],
  };
  const models = [
    model('mine'),
    model('elsewhere', 'openai-compatible'),
    ...['images', 'fine', 'counted', 'nightly', 'unheard'].map((id) => model(id)),
  ];
  const { lines, text } = check(t, listed, models);
  assert.deepEqual(lines, [
    'mine: left alone, its price comes from my contract',
    'images: listed without an exact price for input and output',
    'fine: listed without an exact price for input and output',
    'counted: priced by requests_kcount too, which is not supported',
    'nightly: priced by the time of day, which is not supported',
    'unheard: not known to the price source',
  ]);
  assert.equal(text, FILE);
});

test('the bundled source knows the shipped models, and a dated snapshot by its rules', (t) => {
  const models = ['gpt-6-sol', 'gpt-6-sol-2026-10-01'].map((apiModel) => ({
    ...model(apiModel),
    apiModel,
  }));
  const { rows } = check(t, {}, models, { lookUp: undefined, file: 'version: 1\nprices: []\n' });
  const [sol, snapshot] = rows;
  assert.ok(sol !== undefined && sol.base.inputPicoUsd > 0 && sol.base.outputPicoUsd > 0);
  assert.deepEqual(snapshot?.base, sol.base);
});

test('a file with a mistake is not rewritten', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'prices-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const pricingPath = join(folder, 'pricing.yaml');
  writeFileSync(pricingPath, FILE.replace('output: 10', 'output: -10'));
  const result = refreshPrices({ pricingPath, models: [model('big')], today: TODAY });
  assert.equal(result.kind === 'failed' && result.problems[0]?.line, 10);
});
