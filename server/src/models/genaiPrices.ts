/**
 * Reads what the bundled data of `@pydantic/genai-prices` says of a model of OpenAI: dated prices, each with its
 * tiers by input length, in the router's own rates. Figures that those can't hold exactly are refused.
 */
import {
  calcPrice,
  findProvider,
  type ModelInfo,
  type ModelPrice,
  type TieredPrices,
} from '@pydantic/genai-prices';
import type { PriceRow, Rates } from '../core/types.ts';
import { picoUsdPerToken } from './pricing.ts';

/** A price without a stated beginning holds since the model exists; this day is before every model here. */
export const BEGINNING = '2020-01-01';

export interface ListedPrice {
  /** `undefined` for the price that held from the beginning. */
  readonly startDate: string | undefined;
  readonly base: Rates;
  readonly tiers: PriceRow['tiers'];
}

const RATES: readonly string[] = [
  'input_mtok',
  'cache_read_mtok',
  'cache_write_mtok',
  'output_mtok',
];

/** Prices of features that a call never asks for; a bill that has them all the same is taken as unknown. */
const NEVER_ASKED: readonly string[] = [
  'web_searches_kcount',
  'storage_searches_kcount',
  'input_audio_mtok',
  'cache_audio_read_mtok',
  'output_audio_mtok',
  'input_image_mtok',
  'cache_image_read_mtok',
  'output_image_mtok',
  'audio_hours',
  'input_audio_hours',
];

export type Listing =
  | { readonly kind: 'listed'; readonly prices: readonly ListedPrice[] }
  | { readonly kind: 'not_listed'; readonly why: string };

export function lookUpBundled(apiModel: string): ModelInfo | undefined {
  const provider = findProvider({ providerId: 'openai' });
  const exact = provider?.models.find((model) => model.id === apiModel);
  if (exact !== undefined || provider === undefined) return exact;
  // A dated snapshot of a model is found by the source's own matching rules.
  return calcPrice({ input_tokens: 1 }, apiModel, { provider })?.model;
}

export function listed(info: ModelInfo | undefined): Listing {
  if (info === undefined) return { kind: 'not_listed', why: 'not known to the price source' };
  const entries = Array.isArray(info.prices) ? info.prices : [{ prices: info.prices }];
  const prices: ListedPrice[] = [];
  for (const { constraint, prices: figures } of entries) {
    const other = Object.keys(figures).find(
      (key) => !RATES.includes(key) && !NEVER_ASKED.includes(key),
    );
    if (other !== undefined) {
      return { kind: 'not_listed', why: `priced by ${other} too, which is not supported` };
    }
    if (constraint?.type === 'time_of_date') {
      return { kind: 'not_listed', why: 'priced by the time of day, which is not supported' };
    }
    const price = toListedPrice(figures, constraint?.start_date);
    if (price === undefined) {
      return { kind: 'not_listed', why: 'listed without an exact price for input and output' };
    }
    prices.push(price);
  }
  prices.sort((a, b) => ((a.startDate ?? '') < (b.startDate ?? '') ? -1 : 1));
  return { kind: 'listed', prices };
}

function toListedPrice(
  figures: ModelPrice,
  startDate: string | undefined,
): ListedPrice | undefined {
  const starts = new Set(Object.values(figures).flatMap((figure) => tierStarts(figure)));
  const base = ratesFrom(figures, 0);
  if (base === undefined) return undefined;
  const tiers: { aboveInputTokens: number; rates: Rates }[] = [];
  for (const start of [...starts].sort((a, b) => a - b)) {
    const rates = ratesFrom(figures, start + 1);
    if (rates === undefined) return undefined;
    tiers.push({ aboveInputTokens: start, rates });
  }
  return { startDate, base, tiers };
}

type Figure = number | TieredPrices | undefined;

function tierStarts(figure: Figure): readonly number[] {
  return typeof figure === 'object' ? figure.tiers.map((tier) => tier.start) : [];
}

/** The rates of a request of that many input tokens, in the source's own keys. */
function ratesFrom(figures: ModelPrice, inputTokens: number): Rates | undefined {
  const pick = (key: string): number | undefined => {
    const figure: Figure = figures[key];
    if (typeof figure !== 'object') return figure;
    const tiers = figure.tiers.toSorted((a, b) => a.start - b.start);
    return tiers.findLast((tier) => inputTokens > tier.start)?.price ?? figure.base;
  };
  const keys = ['input_mtok', 'cache_read_mtok', 'cache_write_mtok', 'output_mtok'] as const;
  const usd = keys.map(pick);
  const pico = usd.map((figure) => (figure === undefined ? undefined : picoUsdPerToken(figure)));
  if (usd.some((figure, index) => figure !== undefined && pico[index] === undefined)) {
    return undefined;
  }
  const [input, cachedInput, cacheWrite, output] = pico;
  if (input === undefined || output === undefined) return undefined;
  return {
    inputPicoUsd: input,
    outputPicoUsd: output,
    ...(cachedInput !== undefined && { cachedInputPicoUsd: cachedInput }),
    ...(cacheWrite !== undefined && { cacheWritePicoUsd: cacheWrite }),
  };
}
