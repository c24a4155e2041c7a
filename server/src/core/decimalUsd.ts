/** Amounts as decimal text and back, by digits alone: no amount passes through a float on its way out or in. */

/** `12.345678901`: all nine decimals, so that a column of them adds up to the last digit. */
export function exactUsd(nanoUsd: number): string {
  if (!Number.isSafeInteger(nanoUsd)) {
    throw new RangeError(`expected a whole amount in nano-USD, got ${nanoUsd}`);
  }
  const digits = String(Math.abs(nanoUsd)).padStart(10, '0');
  return `${nanoUsd < 0 ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** Decimals that are kept of foreign amounts while they are summed; a provider writes up to thirty. */
const DECIMALS = 30;
const PER_NANO = 10n ** BigInt(DECIMALS - 9);

/** A sum of decimal amounts, in units of 1e-30 USD. */
export type DecimalUsd = bigint & { readonly unit: 'decimalUsd' };

export const ZERO_DECIMAL = 0n as DecimalUsd;

export function addDecimal(a: DecimalUsd, b: DecimalUsd): DecimalUsd {
  return (a + b) as DecimalUsd;
}

/** Reads `0.06`, `6e-05`, `-1.5`; `undefined` for anything else. Digits past the thirtieth decimal are dropped. */
export function decimalUsd(text: string): DecimalUsd | undefined {
  const match = /^(-?)(\d{1,15})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text.trim());
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const shift = DECIMALS - fraction.length + Number(exponent);
  const digits = BigInt(whole + fraction);
  const size = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift);
  return (sign === '-' ? -size : size) as DecimalUsd;
}

/** Rounded to the nearest nano-dollar, halves away from zero: once per sum, never per amount. */
export function nearestNanoUsd(amount: DecimalUsd): number {
  const size = amount < 0n ? -amount : amount;
  const nano = Number((size + PER_NANO / 2n) / PER_NANO);
  if (!Number.isSafeInteger(nano)) {
    throw new RangeError(`expected an amount below nine million USD, got ${nano} nano-USD`);
  }
  return amount < 0n ? -nano : nano;
}
