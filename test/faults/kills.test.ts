/** `kill -9` at random moments: nothing that was settled is lost, and nothing that was billed is unknown. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleepFor } from 'node:timers/promises';
import { nanoUsd, nanoUsdFromDollars as usd } from '../../server/src/core/price.ts';
import { openAt, tempFolder } from '../store/ledgerFixture.ts';
import { assertAccounts, assertFinalAccounts, listen, type Told } from './accounts.ts';
import { startProvider } from './billingProvider.ts';
import { randomFrom, SEED, times } from './proof.ts';
import { killHard, messageOf, startWorker } from './workers.ts';

const KILLS = times({ short: 12, full: 200 });
const WORKERS = 3;
/** Of the room for new calls that each worker finds when it starts. */
const ROOM_USD = 0.25;
const OPENING_MS = 500;

test('workers killed at random moments', {
  skip: process.platform === 'win32' && 'needs SIGKILL',
}, async (t) => {
  const random = randomFrom(SEED);
  const path = join(tempFolder(t), 'ledger.sqlite');
  const provider = await startProvider(t, randomFrom(SEED + 1));
  const told: Told = new Map();
  const workers: { process: ChildProcess; ready: Promise<unknown>; isReady: boolean }[] = [];
  let [limit, kills, checks, killedOpening, killedAlone] = [usd(ROOM_USD), 0, 0, 0, 0];
  let toldBefore = 0;

  function start(): void {
    const process = startWorker(t, 'payingWorker.ts', [path, provider.url, `${limit}`]);
    listen(process, told);
    const worker = { process, ready: messageOf(process), isReady: false };
    worker.ready.then(
      () => {
        worker.isReady = true;
      },
      () => {},
    );
    workers.push(worker);
  }

  /** Waits until somebody pays, or nobody can because the room is used up. */
  async function payments(): Promise<void> {
    for (let tries = 0; tries < 200 && told.size < toldBefore + 2; tries += 1) await sleepFor(5);
  }

  while (kills < KILLS) {
    while (workers.length < WORKERS) start();
    // Three in ten die at any moment from their start on, the others at work.
    if (random() < 0.3) await sleepFor(random() * OPENING_MS);
    else {
      await Promise.all(workers.map(({ ready }) => ready));
      await sleepFor(random() * 120);
      // On a busy machine the first calls take longer than that.
      await payments();
    }
    // When all die at once, the next one to open has no living process to learn the log's end from.
    const count = Math.min(KILLS - kills, random() < 0.25 ? WORKERS : 1);
    const [first] = workers.splice(random.below(WORKERS), 1);
    const victims = [first, ...workers.splice(0, count - 1)].filter((one) => one !== undefined);
    killedOpening += victims.filter(({ isReady }) => !isReady).length;
    killedAlone += victims.length === 1 ? 1 : 0;
    await Promise.all(victims.map((victim) => killHard(victim.process)));
    kills += victims.length;

    const ledger = await openAt(path);
    const { spent } = await assertAccounts(ledger, provider, told);
    checks += 1;
    assert.ok(provider.billedInAll() <= limit, `${provider.billedInAll()} billed of ${limit}`);
    limit = nanoUsd(Math.max(limit, spent + usd(ROOM_USD)));
    await ledger.close();
    toldBefore = told.size;
  }

  await Promise.all(workers.map((worker) => killHard(worker.process)));
  kills += workers.length;
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  const { ended, spent } = await assertFinalAccounts(ledger, provider, told);
  assert.equal(readdirSync(path.replace('.sqlite', '.owners')).length, 1);
  const atBound = [...ended.values()].filter(({ kind }) => kind === 'settled_at_bound').length;
  assert.ok(told.size > kills, `${told.size} settlements`);
  t.diagnostic(
    `seed ${SEED}: ${kills} kills (${killedOpening} while opening, ${killedAlone} with others at work), ` +
      `${checks + 1} checks of the whole ledger: ${told.size} settlements told and none lost; ` +
      `${provider.bill.size} calls billed $${provider.billedInAll() / 1e9}, recorded $${spent / 1e9} ` +
      `with ${atBound} at their bound, nothing held at the end`,
  );
});
