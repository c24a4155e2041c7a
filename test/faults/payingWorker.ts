/**
 * A process that makes whole calls until it is killed: reserve, dispatch, call a provider over HTTP, settle. It goes on
 * when its ledger can't be written for a while. Arguments: the ledger's path, the provider, the limit in nano-USD.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleepFor } from 'node:timers/promises';
import type { Settlement } from '../../server/src/core/ports.ts';
import { nanoUsd } from '../../server/src/core/price.ts';
import { LedgerUnavailableError } from '../../server/src/store/ledgerFaults.ts';
import { openAt, request, USAGE } from '../store/ledgerFixture.ts';
import type { CallBody } from './billingProvider.ts';

export type PaymentReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'settled'; readonly id: string; readonly bookedNanoUsd: number }
  | { readonly kind: 'unavailable'; readonly why: string };

export const BOUND_USD = 0.01;
const LANES = 4;

const [, , path = '', url = '', limit = ''] = process.argv;
const limits = { monthlyNanoUsd: nanoUsd(Number(limit)) };
const report = (message: PaymentReport) => process.send?.(message);

const ledger = await openAt(path);
report({ kind: 'ready' });
await Promise.all(Array.from({ length: LANES }, lane));

async function lane(): Promise<void> {
  for (;;) {
    try {
      await payOnce();
    } catch (error) {
      if (!(error instanceof LedgerUnavailableError)) throw error;
      report({ kind: 'unavailable', why: error.message });
      await sleepFor(5);
    }
  }
}

async function payOnce(): Promise<void> {
  const id = randomUUID();
  const ask = request(id, BOUND_USD);
  const reply = await ledger.reserve(ask, limits);
  if (reply.kind === 'unavailable') throw new LedgerUnavailableError(reply.why);
  if (reply.kind !== 'held') return sleepFor(5);
  await ledger.dispatch(id);
  const settlement = await call({ id, capNanoUsd: ask.boundNanoUsd });
  const bookedNanoUsd = await ledger.settle(id, settlement);
  if (settlement.kind === 'settled') report({ kind: 'settled', id, bookedNanoUsd });
}

/** Only the refusal is proved unbilled. */
async function call(body: CallBody): Promise<Settlement> {
  try {
    const reply = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
    if (reply.status === 429) return { kind: 'voided', why: 'refused' };
    if (!reply.ok) return { kind: 'settled_at_bound', why: `status ${reply.status}` };
    const { costNanoUsd } = (await reply.json()) as { costNanoUsd: number };
    return { kind: 'settled', costNanoUsd: nanoUsd(costNanoUsd), usage: USAGE };
  } catch {
    return { kind: 'settled_at_bound', why: 'the connection broke' };
  }
}
