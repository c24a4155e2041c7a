/**
 * Ledgers as `kill -9` leaves them, with the truth about each: made once, copied for every damage that is tried.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { LedgerEvent } from '../../server/src/core/ledgerAudit.ts';
import { openAt, tempFolder } from '../store/ledgerFixture.ts';
import type { BillingProvider } from './billingProvider.ts';
import type { PaymentReport } from './payingWorker.ts';
import { killHard, messageOf, startWorker } from './workers.ts';

export interface WornLedger {
  readonly folder: string;
  /** All settlements with a bill, oldest first. */
  readonly settlements: readonly { readonly id: string; readonly booked: number }[];
  /** All that was spent, after each of its events that booked something. */
  readonly spentSteps: readonly number[];
  readonly spent: number;
  /** What is spent once an opening has booked what the dead process held. */
  readonly spentOnceOpened: number;
  readonly walBytes: number;
}

/** One worker pays until so many settlements were told, then dies. */
export async function wearLedger(
  t: TestContext,
  provider: BillingProvider,
  settlements: number,
  end: 'killed' | 'closed',
): Promise<WornLedger> {
  const folder = tempFolder(t);
  const path = join(folder, 'ledger.sqlite');
  const worker = startWorker(t, 'payingWorker.ts', [
    path,
    provider.url,
    `${Number.MAX_SAFE_INTEGER}`,
  ]);
  let told = 0;
  const enough = new Promise<void>((resolve) => {
    worker.on('message', (report: PaymentReport) => {
      if (report.kind === 'settled') told += 1;
      if (told === settlements) resolve();
    });
  });
  await messageOf(worker);
  await enough;
  await killHard(worker);
  if (end === 'closed') await (await openAt(path)).close();
  const walBytes = existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0;
  return { folder, walBytes, ...(await truthOf(t, folder)) };
}

/** Read from a copy: opening would already end what the dead process held. */
async function truthOf(t: TestContext, folder: string) {
  const ledger = await openAt(join(copyOf(t, folder), 'ledger.sqlite'));
  assert.deepEqual(ledger.verify(), []);
  const ends = [...ledger.events()].filter(isMeant);
  const { spentNanoUsd } = await ledger.budget({ monthlyNanoUsd: undefined });
  await ledger.close();
  let spent = 0;
  const spentSteps = ends.map(({ amountNanoUsd }) => (spent += amountNanoUsd));
  return { settlements: settlementsOf(ends), spentSteps, spent, spentOnceOpened: spentNanoUsd };
}

/** What the dead process booked itself; the opening books its open holds afterwards. */
function isMeant({ kind, details }: LedgerEvent): boolean {
  return (
    (kind === 'settled' || kind === 'settled_at_bound') && !details.includes('its process ended')
  );
}

export function settlementsOf(
  events: Iterable<LedgerEvent>,
): readonly { readonly id: string; readonly booked: number }[] {
  return [...events]
    .filter(({ kind }) => kind === 'settled')
    .map(({ reservationId, amountNanoUsd }) => ({ id: `${reservationId}`, booked: amountNanoUsd }));
}

export function copyOf(t: TestContext, folder: string): string {
  const copy = join(tempFolder(t), 'copy');
  mkdirSync(copy);
  cpSync(folder, copy, { recursive: true });
  return copy;
}
