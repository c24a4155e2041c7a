/**
 * The shape of `pricing.yaml` and its way into the core's `PriceRow`. The file speaks USD per million tokens;
 * they become whole pico-dollars per token, exactly or not at all.
 */
import { z } from 'zod';
import type { PriceRow, Rates } from '../core/types.ts';
import { type Parsed, parseYaml } from './yamlFile.ts';

/** 1 USD per million tokens is 1,000,000 pico-dollars per token, so six decimals fit. */
const DECIMALS = 6;
const WHOLE_DIGITS = 6;

/** `undefined` when the figure is negative, not a plain decimal, or finer than a pico-dollar per token. */
export function picoUsdPerToken(usdPerMillion: number | string): number | undefined {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(String(usdPerMillion).trim());
  const [, whole = '', fraction = ''] = match ?? [];
  const digits = fraction.replace(/0+$/, '');
  if (match === null || digits.length > DECIMALS || whole.length > WHOLE_DIGITS) return undefined;
  return Number(whole + digits.padEnd(DECIMALS, '0'));
}

/** The way back, for what is written and shown: `0.125`. */
export function usdPerMillion(picoUsd: number): number {
  return Number(`${picoUsd}e-${DECIMALS}`);
}

const RATE_WORDS = 'a price in USD per million tokens, 0 or more, with at most six decimals';

const rate = z
  .union([z.number(), z.string()], { error: RATE_WORDS })
  .transform((value, context) => {
    const picoUsd = picoUsdPerToken(value);
    if (picoUsd !== undefined) return picoUsd;
    context.addIssue({ code: 'custom', message: RATE_WORDS });
    return z.NEVER;
  });

const day = z.string({ error: 'a day as 2026-01-31' }).refine(isDay, 'a day as 2026-01-31');

const rates = {
  input: rate.describe('USD per million tokens, at most six decimals.'),
  cached_input: rate.optional().describe('Of input that the provider had in its cache.'),
  cache_write: rate
    .optional()
    .describe(
      'Of input written to the cache; without it a bill that has such is booked at its bound.',
    ),
  output: rate.describe('Reasoning included.'),
};

const row = z.strictObject({
  model: z.string().min(1).describe('An id of the registry.'),
  effective_from: day.describe('The latest row that has begun holds.'),
  source: z
    .string()
    .min(1)
    .describe('`genai-prices` is kept by `models refresh-prices`; any other is yours.'),
  checked_at: day.describe('You are warned when it is old.'),
  ...rates,
  tiers: z
    .array(
      z.strictObject({
        above_input_tokens: z.int().positive().describe('Holds for inputs longer than this.'),
        ...rates,
      }),
    )
    .default([])
    .describe('The whole request is billed at the rates of the highest tier that its input passes.')
    .superRefine((tiers, context) => {
      for (const [index, tier] of tiers.entries()) {
        const before = tiers[index - 1]?.above_input_tokens ?? 0;
        if (tier.above_input_tokens > before) continue;
        context.addIssue({
          code: 'custom',
          path: [index, 'above_input_tokens'],
          message: `more than the ${before} of the tier before`,
        });
      }
    }),
});

export const pricingFile = z
  .strictObject({ version: z.literal(1), prices: z.array(row) })
  .superRefine(({ prices }, context) => {
    const seen = new Set<string>();
    for (const [index, { model, effective_from: from }] of prices.entries()) {
      if (seen.has(rowId(model, from))) {
        context.addIssue({
          code: 'custom',
          path: ['prices', index, 'effective_from'],
          message: `one row of ${model} for a day`,
          params: { found: `a second row from ${from}` },
        });
      }
      seen.add(rowId(model, from));
    }
  });

/** Rows in the order of the file. */
export function parsePricing(path: string, content: string): Parsed<readonly PriceRow[]> {
  const parsed = parseYaml(path, content, pricingFile);
  if (parsed.kind === 'bad') return parsed;
  return { kind: 'ok', value: parsed.value.prices.map(toRow) };
}

export function rowId(model: string, effectiveFrom: string): string {
  return `${model}@${effectiveFrom}`;
}

/** The latest row of a model that has begun by that day. */
export function rowInForce(
  rows: readonly PriceRow[],
  model: string,
  today: string,
): PriceRow | undefined {
  return rows
    .filter((one) => one.model === model && one.effectiveFrom <= today)
    .reduce<PriceRow | undefined>(
      (latest, one) =>
        latest === undefined || one.effectiveFrom > latest.effectiveFrom ? one : latest,
      undefined,
    );
}

export function utcDay(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10);
}

function toRow(entry: z.infer<typeof row>): PriceRow {
  return {
    id: rowId(entry.model, entry.effective_from),
    model: entry.model,
    effectiveFrom: entry.effective_from,
    source: entry.source,
    checkedAt: entry.checked_at,
    base: toRates(entry),
    tiers: entry.tiers.map((tier) => ({
      aboveInputTokens: tier.above_input_tokens,
      rates: toRates(tier),
    })),
  };
}

interface RateEntry {
  readonly input: number;
  readonly cached_input?: number | undefined;
  readonly cache_write?: number | undefined;
  readonly output: number;
}

function toRates(entry: RateEntry): Rates {
  return {
    inputPicoUsd: entry.input,
    outputPicoUsd: entry.output,
    ...(entry.cached_input !== undefined && { cachedInputPicoUsd: entry.cached_input }),
    ...(entry.cache_write !== undefined && { cacheWritePicoUsd: entry.cache_write }),
  };
}

/** Rejects 2026-02-30, which `Date` would move to March. */
function isDay(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const time = Date.parse(`${value}T00:00:00Z`);
  return Number.isFinite(time) && utcDay(time) === value;
}
