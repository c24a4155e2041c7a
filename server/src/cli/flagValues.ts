/** Reads the values of flags. A bad one says what was expected; commander adds the flag and what came. */
import { InvalidArgumentError } from 'commander';
import { nanoUsdFromDollars } from '../core/price.ts';
import type { NanoUsd } from '../core/types.ts';

const MAX_USD = 1_000_000;

export function usd(value: string): NanoUsd {
  return nanoUsdFromDollars(decimal(value, 'an amount in USD such as 0.01', 0, MAX_USD));
}

/** `none` lifts the limit. */
export function usdOrNone(value: string): NanoUsd | 'none' {
  if (value === 'none') return 'none';
  return nanoUsdFromDollars(
    decimal(value, 'an amount in USD such as 20, or none for no limit', 0, MAX_USD),
  );
}

export function milliseconds(value: string): number {
  const most = 24 * 60 * 60 * 1000;
  return wholeNumber(value, 'whole milliseconds such as 2000', 1, most);
}

export function share(value: string): number {
  return decimal(value, 'a share between 0 and 1 such as 0.8', 0, 1);
}

export function questions(value: string): number {
  return wholeNumber(value, 'a number of questions such as 100', 1, 100_000);
}

export function port(value: string): number {
  return wholeNumber(value, 'a port between 0 and 65535', 0, 65_535);
}

export function threads(value: string): number {
  return wholeNumber(value, 'a number of threads between 1 and 256', 1, 256);
}

export function sizeFrom(least: number): (value: string) => number {
  const most = 10_000_000;
  return (value) => wholeNumber(value, `a whole number from ${least} to ${most}`, least, most);
}

/** A UTC month. */
export function month(value: string): string {
  if (!/^\d{4}-(0[1-9]|1[0-2])$/.test(value)) {
    throw new InvalidArgumentError('Expected a month such as 2026-11.');
  }
  return value;
}

/** Patterns as in `.gitignore`, none of them empty. */
export function patterns(value: string): string[] {
  return value
    .split(',')
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '');
}

/** Whole milliwatts; finer is beyond any meter. */
export function milliwatts(value: string): number {
  return Math.round(decimal(value, 'watts such as 65', 0, 1_000_000) * 1000);
}

function decimal(value: string, expected: string, least: number, most: number): number {
  // `Number` alone would take an empty text for 0 and read hexadecimal.
  const number = /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (!(number >= least && number <= most)) throw new InvalidArgumentError(`Expected ${expected}.`);
  return number;
}

function wholeNumber(value: string, expected: string, least: number, most: number): number {
  const number = decimal(value, expected, least, most);
  if (!Number.isSafeInteger(number)) throw new InvalidArgumentError(`Expected ${expected}.`);
  return number;
}
