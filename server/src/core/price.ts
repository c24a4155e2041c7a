/**
 * Price arithmetic. Products are taken exactly and rounded up once, at the end, from pico- to nano-dollars: whole numbers
 * up to 2^53 pico-dollars (9,007 USD), which nearly every call is within, are exact as they are; beyond, BigInt is.
 * Every amount leaves here as a safe integer: a sum past 2^53 nano-dollars (9 million USD) throws.
 */
import type { NanoUsd, PriceRow, Rates, Usage } from './types.ts';

const PICO_PER_NANO = 1000n;

export const ZERO_USD = 0 as NanoUsd;

/** Checks that a number is an amount: a whole, safe, non-negative count of nano-dollars. */
export function nanoUsd(amount: number): NanoUsd {
  if (!Number.isSafeInteger(amount) || amount < 0) {
    throw new RangeError(`expected a whole, non-negative amount in nano-USD, got ${amount}`);
  }
  return amount as NanoUsd;
}

export function addUsd(one: NanoUsd, other: NanoUsd): NanoUsd {
  return nanoUsd(one + other);
}

export function sumUsd(amounts: readonly NanoUsd[]): NanoUsd {
  return amounts.reduce(addUsd, ZERO_USD);
}

/** The smaller of two limits; an absent one limits nothing. */
export function tighterLimit(
  one: NanoUsd | undefined,
  other: NanoUsd | undefined,
): NanoUsd | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one <= other ? one : other;
}

/** Dollars from an edge (a flag, a JSON field, a setting) to nano-dollars; fractions of one are dropped, so limits only tighten. */
export function nanoUsdFromDollars(dollars: number): NanoUsd {
  if (!Number.isFinite(dollars) || dollars < 0) {
    throw new RangeError(`expected a non-negative number of dollars, got ${dollars}`);
  }
  // The shortest decimal that reads back as this number is what the person wrote; floor of dollars * 1e9 is not.
  const [, whole = '0', fraction = ''] = /^(\d+)(?:\.(\d+))?$/.exec(plainDecimal(dollars)) ?? [];
  return nanoUsd(Number(whole + fraction.padEnd(9, '0').slice(0, 9)));
}

/** A number without exponent; digits past the twelfth decimal are of no consequence here. */
function plainDecimal(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(12) : text;
}

/** For an edge's reply; the division is the last thing that happens to an amount. */
export function dollars(amount: number): number {
  return amount / 1e9;
}

/** The rates for a request of that many input tokens: long inputs move the whole request to a dearer tier. */
export function ratesFor(row: PriceRow, inputTokens: number): Rates {
  return row.tiers.findLast((tier) => inputTokens > tier.aboveInputTokens)?.rates ?? row.base;
}

/**
 * What the provider bills for a usage, or `undefined` when the usage leaves the bill open: a count untold, parts that are
 * more than their whole, or a feature without a price. Cached and cache-written tokens are parts of `inputTokens`
 * (OpenAI's convention); reasoning is part of `outputTokens`.
 */
export function costOf(row: PriceRow, usage: Usage): NanoUsd | undefined {
  const { inputTokens, outputTokens, reasoningTokens = 0 } = usage;
  const { cachedInputTokens: cached = 0, cacheWriteTokens: written = 0 } = usage;
  if (inputTokens === undefined || outputTokens === undefined) return undefined;
  if (usage.unpriced !== undefined) return undefined;
  if (cached + written > inputTokens || reasoningTokens > outputTokens) return undefined;
  const rates = ratesFor(row, inputTokens);
  if (written > 0 && rates.cacheWritePicoUsd === undefined) return undefined;
  return product([
    { tokens: inputTokens - cached - written, picoUsd: rates.inputPicoUsd },
    // Reading a cache is nowhere dearer than reading anew.
    { tokens: cached, picoUsd: rates.cachedInputPicoUsd ?? rates.inputPicoUsd },
    { tokens: written, picoUsd: rates.cacheWritePicoUsd ?? rates.inputPicoUsd },
    { tokens: outputTokens, picoUsd: rates.outputPicoUsd },
  ]);
}

/** The most that a call can cost: every input token at its dearest rate, and an output as long as its cap. */
export function costBound(row: PriceRow, inputBound: number, outputCap: number): NanoUsd {
  const rates = dearestRates(row, inputBound);
  return product([
    { tokens: inputBound, picoUsd: dearestInputPicoUsd(rates) },
    { tokens: outputCap, picoUsd: rates.outputPicoUsd },
  ]);
}

/** The largest output cap whose bound stays within `limit`; zero or less means that even the input is too dear. */
export function outputCapWithin(row: PriceRow, inputBound: number, limit: NanoUsd): number {
  const rates = dearestRates(row, inputBound);
  const most = limit * 1000;
  const input = whole(inputBound) * dearestInputPicoUsd(rates);
  if (most <= Number.MAX_SAFE_INTEGER && input <= Number.MAX_SAFE_INTEGER) {
    if (most <= input) return 0;
    if (rates.outputPicoUsd === 0) return Number.MAX_SAFE_INTEGER;
    return wholePart(most - input, rates.outputPicoUsd);
  }
  const left =
    BigInt(limit) * PICO_PER_NANO - BigInt(inputBound) * BigInt(dearestInputPicoUsd(rates));
  if (left <= 0n) return 0;
  if (rates.outputPicoUsd === 0) return Number.MAX_SAFE_INTEGER;
  return Number(left / BigInt(rates.outputPicoUsd));
}

/** Tiers are not always dearer in every rate, so a bound takes the dearest of all that the input might reach. */
function dearestRates(row: PriceRow, inputBound: number): Rates {
  let inputPicoUsd = dearestInputPicoUsd(row.base);
  let { outputPicoUsd } = row.base;
  for (const { aboveInputTokens, rates } of row.tiers) {
    if (inputBound <= aboveInputTokens) continue;
    inputPicoUsd = Math.max(inputPicoUsd, dearestInputPicoUsd(rates));
    outputPicoUsd = Math.max(outputPicoUsd, rates.outputPicoUsd);
  }
  return { inputPicoUsd, outputPicoUsd };
}

function dearestInputPicoUsd(rates: Rates): number {
  return Math.max(rates.inputPicoUsd, rates.cacheWritePicoUsd ?? 0, rates.cachedInputPicoUsd ?? 0);
}

function product(terms: readonly { readonly tokens: number; readonly picoUsd: number }[]): NanoUsd {
  let sum = 0;
  for (const { tokens, picoUsd } of terms) sum += whole(tokens) * whole(picoUsd);
  // No term is negative, so a sum within the safe integers was within them at every step.
  if (sum <= Number.MAX_SAFE_INTEGER) {
    return nanoUsd(wholePart(sum, 1000) + (sum % 1000 === 0 ? 0 : 1));
  }
  const pico = terms.reduce(
    (big, { tokens, picoUsd }) => big + BigInt(tokens) * BigInt(picoUsd),
    0n,
  );
  return nanoUsd(Number((pico + PICO_PER_NANO - 1n) / PICO_PER_NANO));
}

/** How often one safe integer is in another; a quotient taken first could be rounded to the next whole number. */
function wholePart(amount: number, by: number): number {
  return (amount - (amount % by)) / by;
}

function whole(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`expected a whole, non-negative count, got ${value}`);
  }
  return value;
}
