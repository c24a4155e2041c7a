/** Eight processes on one ledger take all that a dollar gives, again and again, and never a cent more. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { ONE_DOLLAR, openAt, tempFolder } from '../store/ledgerFixture.ts';
import { sumEvents } from './eventSums.ts';
import type { HammerReport, HammerRound } from './hammerWorker.ts';
import { times } from './proof.ts';
import { messageOf, startWorker } from './workers.ts';

const PROCESSES = 8;
const ROUNDS = times({ short: 3, full: 20 });

async function hammer(
  workers: readonly ChildProcess[],
  round: HammerRound,
): Promise<readonly Extract<HammerReport, { kind: 'done' }>[]> {
  const ready = workers.map(messageOf);
  for (const worker of workers) worker.send(round);
  await Promise.all(ready);
  const done = workers.map((worker) => messageOf<HammerReport>(worker));
  for (const worker of workers) worker.send('go');
  return (await Promise.all(done)).map((report) => {
    assert.ok(report.kind === 'done', `expected a result, got ${report.kind}`);
    return report;
  });
}

async function rounds(t: TestContext, bill: number, expected: number): Promise<void> {
  const folder = tempFolder(t);
  const workers = Array.from({ length: PROCESSES }, () => startWorker(t, 'hammerWorker.ts'));
  const limit = ONE_DOLLAR.monthlyNanoUsd;
  let [refused, longestBlockMs, servedProcesses] = [0, 0, 0];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const path = join(folder, `${round}`, 'ledger.sqlite');
    const reports = await hammer(workers, { path, billNanoUsd: usd(bill) });
    const accepted = reports.reduce((sum, report) => sum + report.accepted, 0);
    assert.equal(accepted, expected, `round ${round}`);
    for (const { highestUsed } of reports) {
      assert.ok(highestUsed <= limit, `round ${round}: a process was told of ${highestUsed}`);
    }
    const ledger = await openAt(path);
    const sums = sumEvents(ledger.events());
    assert.equal(sums.ended.size, expected);
    assert.ok(sums.highestUsed <= limit, `round ${round}: ${sums.highestUsed} spent and held`);
    const { spentNanoUsd, heldNanoUsd } = await ledger.budget(ONE_DOLLAR);
    assert.deepEqual([spentNanoUsd, heldNanoUsd], [expected * usd(bill), 0]);
    assert.deepEqual([sums.spent, sums.held], [spentNanoUsd, heldNanoUsd]);
    assert.deepEqual(ledger.verify(), []);
    await ledger.close();
    refused += reports.reduce((sum, report) => sum + report.refused, 0);
    longestBlockMs = Math.max(longestBlockMs, ...reports.map((report) => report.longestBlockMs));
    servedProcesses += reports.filter((report) => report.accepted > 0).length;
  }
  t.diagnostic(
    `${ROUNDS} rounds of ${PROCESSES} processes: ${expected} calls accepted in every round, ${refused} refused in all; ` +
      `${(servedProcesses / ROUNDS).toFixed(1)} processes served per round; ` +
      `event loop blocked ${longestBlockMs.toFixed(1)} ms at most`,
  );
}

test('calls billed at their bound of ten cents: ten of them, in every round', (t) =>
  rounds(t, 0.1, 10));

// The thirteenth starts at 84 cents; after it 91 are spent, and a bound of ten no longer fits.
test('calls of at most ten cents billed at seven: thirteen of them, in every round', (t) =>
  rounds(t, 0.07, 13));
