/**
 * Brings `pricing.yaml` up to the prices bundled with `@pydantic/genai-prices`, without the network.
 * Rows are only added, never changed, so that history keeps the price it was settled at; rows that a person
 * wrote (any other `source`) are left alone. Comments of the file stay.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { ModelInfo } from '@pydantic/genai-prices';
import { isMap, isSeq, parseDocument } from 'yaml';
import type { Model, PriceRow, Rates } from '../core/types.ts';
import { BEGINNING, type ListedPrice, type Listing, listed, lookUpBundled } from './genaiPrices.ts';
import { parsePricing, rowId, rowInForce, usdPerMillion } from './pricing.ts';
import type { FileProblem } from './yamlFile.ts';

const GENAI_PRICES = 'genai-prices';

export type PriceChange =
  | { readonly kind: 'added'; readonly row: PriceRow; readonly before: PriceRow | undefined }
  | { readonly kind: 'checked'; readonly row: PriceRow }
  /** The newest row was written by hand, so a person keeps it. */
  | { readonly kind: 'left_alone'; readonly row: PriceRow }
  | { readonly kind: 'not_listed'; readonly model: string; readonly why: string };

export type RefreshResult =
  | {
      readonly kind: 'refreshed';
      readonly changes: readonly PriceChange[];
      /** The whole new file; hand it to `writePrices`. */
      readonly text: string;
    }
  | { readonly kind: 'failed'; readonly problems: readonly FileProblem[] };

export interface RefreshOptions {
  readonly pricingPath: string;
  readonly models: readonly Model[];
  /** UTC day, `2026-11-23`. */
  readonly today: string;
  /** What the source knows of a model of OpenAI. @default the bundled data */
  readonly lookUp?: (apiModel: string) => ModelInfo | undefined;
}

export function refreshPrices(options: RefreshOptions): RefreshResult {
  const { pricingPath, today, lookUp = lookUpBundled } = options;
  const text = readFileSync(pricingPath, 'utf8');
  const parsed = parsePricing(pricingPath, text);
  if (parsed.kind === 'bad') return { kind: 'failed', problems: parsed.problems };

  const changes = options.models.flatMap((model) => {
    if (model.provider !== 'openai') return [];
    return changesOf(model.id, parsed.value, listed(lookUp(model.apiModel)), today);
  });
  return { kind: 'refreshed', changes, text: applyChanges(text, parsed.value, changes, today) };
}

/** Replaces the file as a whole, so that a reader never sees half of it. */
export function writePrices(pricingPath: string, text: string): void {
  const temporary = `${pricingPath}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, pricingPath);
}

/** One line per change, for a person: `gpt-6-sol from 2026-11-23: input 2 -> 1.5, output 10 (USD per million tokens)`. */
export function describeChange(change: PriceChange): string {
  switch (change.kind) {
    case 'added':
      return `${change.row.model} from ${change.row.effectiveFrom}: ${difference(change.row, change.before)} (USD per million tokens)`;
    case 'checked':
      return `${change.row.model}: unchanged`;
    case 'left_alone':
      return `${change.row.model}: left alone, its price comes from ${change.row.source}`;
    case 'not_listed':
      return `${change.model}: ${change.why}`;
  }
}

function changesOf(
  model: string,
  rows: readonly PriceRow[],
  listing: Listing,
  today: string,
): readonly PriceChange[] {
  const newest = rowInForce(rows, model, '9999-12-31');
  if (newest !== undefined && newest.source !== GENAI_PRICES) {
    return [{ kind: 'left_alone', row: newest }];
  }
  if (listing.kind === 'not_listed') return [{ kind: 'not_listed', model, why: listing.why }];

  const rowOf = (price: ListedPrice, effectiveFrom: string): PriceRow => ({
    id: rowId(model, effectiveFrom),
    model,
    effectiveFrom,
    source: GENAI_PRICES,
    checkedAt: today,
    base: price.base,
    tiers: price.tiers,
  });
  if (newest === undefined) {
    const added = listing.prices.map((price) => rowOf(price, price.startDate ?? BEGINNING));
    return added.map((row, index) => ({ kind: 'added', row, before: added[index - 1] }));
  }

  const added: Extract<PriceChange, { kind: 'added' }>[] = [];
  const known = rows.filter((row) => row.model === model);
  // Of the listed prices only the one in force and those to come can be news.
  for (const price of currentAndFuture(listing.prices, today)) {
    const named = price.startDate ?? BEGINNING;
    const before = rowInForce(known, model, named > today ? named : today);
    if (before !== undefined && sameFigures(before, price)) continue;
    // A start that lies after the row it follows is taken as named; otherwise the change is known from today on.
    let from = before === undefined || named > before.effectiveFrom ? named : today;
    while (known.some((row) => row.effectiveFrom === from)) from = nextDay(from);
    const row = rowOf(price, from);
    known.push(row);
    added.push({ kind: 'added', row, before });
  }
  return added.length > 0 ? added : [{ kind: 'checked', row: newest }];
}

function currentAndFuture(prices: readonly ListedPrice[], today: string): readonly ListedPrice[] {
  const current = prices.findLastIndex((price) => (price.startDate ?? BEGINNING) <= today);
  return prices.slice(Math.max(current, 0));
}

type Figures = Pick<PriceRow, 'base' | 'tiers'>;

function sameFigures(a: Figures, b: Figures): boolean {
  return JSON.stringify(figuresOf(a)) === JSON.stringify(figuresOf(b));
}

function figuresOf({ base, tiers }: Figures): unknown {
  const line = (rates: Rates) => rateLine(withWrites(rates));
  return [line(base), tiers.map((tier) => [tier.aboveInputTokens, line(tier.rates)])];
}

/** The source says nothing where a cache write has no fee; a row that says so is the same price. */
function withWrites(rates: Rates): Rates {
  return { ...rates, cacheWritePicoUsd: rates.cacheWritePicoUsd ?? rates.inputPicoUsd };
}

/** The rates in the file's own names and units; absent ones are left out. */
function rateLine(rates: Rates): Record<string, number> {
  const { cachedInputPicoUsd: cached, cacheWritePicoUsd: written } = rates;
  return {
    input: usdPerMillion(rates.inputPicoUsd),
    ...(cached !== undefined && { cached_input: usdPerMillion(cached) }),
    ...(written !== undefined && { cache_write: usdPerMillion(written) }),
    output: usdPerMillion(rates.outputPicoUsd),
  };
}

function difference(row: PriceRow, before: PriceRow | undefined): string {
  const old: Record<string, number | undefined> = before === undefined ? {} : rateLine(before.base);
  const base = Object.entries(rateLine(row.base)).map(([name, usd]) => {
    const was = old[name];
    return was === undefined || was === usd ? `${name} ${usd}` : `${name} ${was} -> ${usd}`;
  });
  const tiers = row.tiers.map((tier) => {
    const { input, output } = rateLine(tier.rates);
    return `above ${tier.aboveInputTokens} input tokens ${input}/${output}`;
  });
  return [...base, ...tiers].join(', ');
}

function applyChanges(
  text: string,
  rows: readonly PriceRow[],
  changes: readonly PriceChange[],
  today: string,
): string {
  const document = parseDocument(text);
  const list = document.get('prices');
  if (!isSeq(list)) throw new Error('expected the schema to demand a list of prices');
  for (const change of changes) {
    if (change.kind === 'checked') {
      const index = rows.findIndex((row) => row.id === change.row.id);
      document.setIn(['prices', index, 'checked_at'], today);
    }
    if (change.kind !== 'added') continue;
    const node = document.createNode(toEntry(change.row));
    if (isMap(node)) node.spaceBefore = true;
    list.add(node);
  }
  return document.toString({ lineWidth: 0 });
}

function toEntry(row: PriceRow): Record<string, unknown> {
  return {
    model: row.model,
    effective_from: row.effectiveFrom,
    source: row.source,
    checked_at: row.checkedAt,
    ...rateLine(row.base),
    ...(row.tiers.length > 0 && {
      tiers: row.tiers.map((tier) => ({
        above_input_tokens: tier.aboveInputTokens,
        ...rateLine(tier.rates),
      })),
    }),
  };
}

function nextDay(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 24 * 60 * 60 * 1000).toISOString().slice(0, 10);
}
