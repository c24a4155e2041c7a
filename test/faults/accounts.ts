/** The provider's bill and what workers were told, held against the ledger. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import type { LedgerFile } from '../../server/src/store/ledgerFile.ts';
import type { BillingProvider } from './billingProvider.ts';
import { type EventSums, sumEvents } from './eventSums.ts';
import type { PaymentReport } from './payingWorker.ts';

/** Every settlement that any worker was told of, as booked, by reservation. */
export type Told = Map<string, number>;

export function listen(worker: ChildProcess, told: Told): void {
  worker.on('message', (report: PaymentReport) => {
    if (report.kind === 'settled') told.set(report.id, report.bookedNanoUsd);
  });
}

const NO_LIMIT = { monthlyNanoUsd: undefined };

/** What must hold at every moment, also while others write. */
export async function assertAccounts(
  ledger: LedgerFile,
  provider: BillingProvider,
  told: Told,
): Promise<EventSums> {
  // What is billed or told now was held or booked before, so that the ledger, read later, must know of it.
  const billed = provider.billedInAll();
  const toldNow = [...told];
  const { spentNanoUsd, heldNanoUsd } = await ledger.budget(NO_LIMIT);
  assert.ok(
    spentNanoUsd + heldNanoUsd >= billed,
    `${spentNanoUsd} spent and ${heldNanoUsd} held, but ${billed} billed`,
  );
  assert.deepEqual(ledger.verify(), []);
  const sums = sumEvents(ledger.events());
  for (const [id, booked] of toldNow) {
    assert.deepEqual(sums.ended.get(id), { kind: 'settled', booked }, `settlement ${id}`);
  }
  assert.deepEqual(provider.repeated, []);
  return sums;
}

/** What must hold when nobody writes any more: nothing is held, and every single call is booked at its bill or above. */
export async function assertFinalAccounts(
  ledger: LedgerFile,
  provider: BillingProvider,
  told: Told,
): Promise<EventSums> {
  const sums = await assertAccounts(ledger, provider, told);
  const { spentNanoUsd, heldNanoUsd } = await ledger.budget(NO_LIMIT);
  assert.deepEqual([spentNanoUsd, heldNanoUsd], [sums.spent, 0]);
  for (const [id, cost] of provider.bill) {
    assert.ok(sums.dispatched.has(id), `call ${id} was billed without a dispatch on record`);
    const end = sums.ended.get(id);
    assert.ok(end !== undefined && end.booked >= cost, `${id}: ${cost} billed, ${end?.booked}`);
    if (end.kind === 'settled') assert.equal(end.booked, cost);
  }
  return sums;
}
