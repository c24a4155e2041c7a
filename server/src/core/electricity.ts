/**
 * What local answers cost in electricity: time x watts x price. An estimate that is told beside the money of the ledger
 * and is no part of it. Whole numbers throughout, rounded up once.
 */
import { nanoUsd } from './price.ts';
import type { NanoUsd } from './types.ts';

/** What a person says of the machine. Both figures or none. */
export interface ElectricityRate {
  /** The draw while the model answers. */
  readonly milliwatts: number;
  readonly nanoUsdPerKwh: number;
}

/** Milliwatts times microseconds in a kilowatt-hour. */
const MILLIWATT_US_PER_KWH = 3_600_000_000_000_000n;

export function electricityCost(
  latenciesMs: Iterable<number>,
  { milliwatts, nanoUsdPerKwh }: ElectricityRate,
): NanoUsd {
  let timeUs = 0n;
  for (const latencyMs of latenciesMs) timeUs += BigInt(Math.ceil(latencyMs * 1000));
  const product = timeUs * BigInt(milliwatts) * BigInt(nanoUsdPerKwh);
  return nanoUsd(Number((product + MILLIWATT_US_PER_KWH - 1n) / MILLIWATT_US_PER_KWH));
}
