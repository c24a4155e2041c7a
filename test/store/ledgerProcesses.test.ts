/** Holds of real processes that live or die; what they do under load and kills is in test/faults. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { ONE_DOLLAR, openAt, request, tempFolder } from './ledgerFixture.ts';
import type { WorkerReport } from './ledgerWorker.ts';

const WORKER = join(import.meta.dirname, 'ledgerWorker.ts');

function start(t: TestContext, path: string, task: string): ChildProcess {
  const worker = fork(WORKER, [path, task]);
  t.after(() => worker.kill('SIGKILL'));
  return worker;
}

/** The next report of a worker; a worker that ends without one fails the test. */
async function reportOf(worker: ChildProcess): Promise<WorkerReport> {
  const ended = once(worker, 'exit').then(([code, signal]) => {
    throw new Error(`expected a report, got the worker's end (${code ?? signal})`);
  });
  const [message] = await Promise.race([once(worker, 'message'), ended]);
  return message;
}

async function killed(worker: ChildProcess): Promise<void> {
  const exit = once(worker, 'exit');
  worker.kill('SIGKILL');
  await exit;
}

test('holds of a living process stay; once it is killed the next opener ends them', async (t) => {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const worker = start(t, path, 'hold');
  await reportOf(worker);
  const early = await openAt(path);
  t.after(() => early.close());
  const balance = async () => {
    const { spentNanoUsd, heldNanoUsd } = await early.budget(ONE_DOLLAR);
    return [spentNanoUsd, heldNanoUsd];
  };
  assert.deepEqual(await balance(), [0, usd(0.5)]);
  assert.equal((await early.reserve(request('a', 0.6), ONE_DOLLAR)).kind, 'exhausted');
  assert.deepEqual(await balance(), [0, usd(0.5)]);

  await killed(worker);
  const next = await openAt(path);
  t.after(() => next.close());
  assert.deepEqual(await balance(), [usd(0.3), 0]);
  const ends = [...next.events()].slice(-2).map(({ kind, reservationId }) => [reservationId, kind]);
  assert.deepEqual(Object.fromEntries(ends), { 'only held': 'voided', sent: 'settled_at_bound' });
  assert.deepEqual(next.verify(), []);
  assert.equal(readdirSync(path.replace('.sqlite', '.owners')).length, 2);
});

test('a process that needs the room ends the holds of a dead one by itself', async (t) => {
  const path = join(tempFolder(t), 'ledger.sqlite');
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  const worker = start(t, path, 'hold');
  await reportOf(worker);
  assert.equal((await ledger.reserve(request('a', 0.7), ONE_DOLLAR)).kind, 'exhausted');
  await killed(worker);
  assert.equal((await ledger.reserve(request('a', 0.7), ONE_DOLLAR)).kind, 'held');
  const { spentNanoUsd, heldNanoUsd } = await ledger.budget(ONE_DOLLAR);
  assert.deepEqual([spentNanoUsd, heldNanoUsd], [usd(0.3), usd(0.7)]);
});
