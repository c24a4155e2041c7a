/** A disk of its own that fills up while processes pay: the cloud closes with a sentence, and no money goes unrecorded. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { appendFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { openLedger } from '../../server/src/store/ledger.ts';
import { clockAt, NOVEMBER, openAt, request } from '../store/ledgerFixture.ts';
import { mountDisk } from '../support/smallDisk.ts';
import { assertAccounts, assertFinalAccounts, listen, type Told } from './accounts.ts';
import { startProvider } from './billingProvider.ts';
import type { PaymentReport } from './payingWorker.ts';
import { randomFrom, SEED, times } from './proof.ts';
import { killHard, messageOf, startWorker } from './workers.ts';

const FILLS = times({ short: 3, full: 20 });
const WORKERS = 3;
const DISK_KIB = 12_288;
const FULL = /^expected .*(the disk is full; free some space|check its folder and disk)$/;

/** Fills the disk until only this much is left. */
function fill(path: string, leftKib: number): void {
  const { bavail, bsize } = statfsSync(join(path, '..'));
  try {
    appendFileSync(path, Buffer.alloc(Math.max(0, bavail * bsize - leftKib * 1024)));
  } catch (error) {
    // A process that pays took some of it in between: then nothing is left at all.
    assert.ok(error instanceof Error && 'code' in error && error.code === 'ENOSPC', `${error}`);
  }
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, `expected ${what} within a minute`);
    await sleepFor(5);
  }
}

test('a disk that fills up under three paying processes', async (t) => {
  const disk = mountDisk(t, DISK_KIB);
  if ('why' in disk) return t.skip(disk.why);
  const random = randomFrom(SEED);
  const path = join(disk.folder, 'ledger.sqlite');
  const filler = join(disk.folder, 'filler');
  const provider = await startProvider(t, randomFrom(SEED + 1));
  const told: Told = new Map();
  const sentences = new Map<string, number>();
  let [refusals, refusedOpenings, atMostLeftKib] = [0, 0, 0];
  const limit = usd(100);

  for (let round = 1; round <= FILLS; round += 1) {
    const workers = Array.from({ length: WORKERS }, () =>
      startWorker(t, 'payingWorker.ts', [path, provider.url, `${limit}`]),
    );
    for (const worker of workers) listen(worker, told);
    const refused = workers.map(() => 0);
    await Promise.all(workers.map(messageOf));
    for (const [nth, worker] of workers.entries()) {
      worker.on('message', (report: PaymentReport) => {
        if (report.kind !== 'unavailable') return;
        assert.match(report.why, FULL);
        refused[nth] = (refused[nth] ?? 0) + 1;
        const ending = report.why.slice(report.why.lastIndexOf(';') + 2);
        sentences.set(ending, (sentences.get(ending) ?? 0) + 1);
      });
    }
    const toldBefore = told.size;
    await until('payments to begin', () => told.size >= toldBefore + 2 * WORKERS);
    // Some rounds leave not a single page, others room for a part of what is under way.
    const leftKib = random() < 0.3 ? 0 : random.below(256);
    atMostLeftKib = Math.max(atMostLeftKib, leftKib);
    fill(filler, leftKib);
    await until('every process to be refused', () => refused.every((count) => count >= 4));

    const opened = await openLedger({ path, clock: clockAt(NOVEMBER), newId: randomUUID });
    if (opened.kind === 'unavailable') {
      assert.match(opened.why, FULL);
      const reply = await opened.ledger.reserve(request('late', 0.01), {
        monthlyNanoUsd: undefined,
      });
      assert.deepEqual(reply, { kind: 'unavailable', why: opened.why });
      refusedOpenings += 1;
    } else {
      await assertAccounts(opened.ledger, provider, told);
      await opened.ledger.close();
    }

    rmSync(filler);
    const settledBefore = told.size;
    await until('payments to go on', () => told.size >= settledBefore + WORKERS);
    await Promise.all(workers.map(killHard));
    refusals += refused.reduce((sum, count) => sum + count, 0);
    const after = await openAt(path);
    await assertFinalAccounts(after, provider, told);
    await after.close();
  }
  assert.ok(provider.billedInAll() <= limit);
  t.diagnostic(
    `seed ${SEED}: filled up ${FILLS} times with 0 to ${atMostLeftKib} KiB left: ${refusals} refusals in a sentence ` +
      `(${[...sentences].map(([sentence, count]) => `${count} "${sentence}"`).join(', ')}), ` +
      `${refusedOpenings} openings refused; ${provider.bill.size} calls billed, ${told.size} settlements told and none lost`,
  );
});
