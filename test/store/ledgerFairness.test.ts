/** Eight processes that all write one ledger as fast as they can: none of them starves. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { waitCeilingMs } from '../../server/src/store/sqliteFile.ts';
import { ONE_DOLLAR, openAt, tempFolder } from './ledgerFixture.ts';
import type { Turns } from './ledgerTurns.ts';

const PROCESSES = 8;
const FOR_MS = Number(process.env['COST_AWARE_ROUTER_FAIRNESS_MS'] ?? 4_000);

test('eight processes that hammer one ledger each get their turns', async (t) => {
  const path = join(tempFolder(t), 'ledger.sqlite');
  await (await openAt(path)).close();
  const workers = Array.from({ length: PROCESSES }, () =>
    fork(join(import.meta.dirname, 'ledgerTurns.ts'), [path, `${FOR_MS}`]),
  );
  t.after(() => {
    for (const worker of workers) worker.kill('SIGKILL');
  });
  const next = async (): Promise<unknown[]> =>
    await Promise.all(
      workers.map(async (worker) => {
        const ended = once(worker, 'exit').then(([code, signal]) => {
          throw new Error(`expected a report, got the worker's end (${code ?? signal})`);
        });
        return (await Promise.race([once(worker, 'message'), ended]))[0];
      }),
    );
  await next();
  const reports = next();
  for (const worker of workers) worker.send('go');
  const turns = (await reports) as Turns[];
  const total = turns.reduce((sum, { calls }) => sum + calls, 0);
  for (const { calls, longestWaitMs } of turns) {
    const share = ((calls / total) * 100).toFixed(1);
    t.diagnostic(`${calls} calls, ${share} %, longest wait ${Math.round(longestWaitMs)} ms`);
  }
  const fewest = Math.min(...turns.map(({ calls }) => calls));
  // A write that was refused as busy would have ended its worker. The system's own scheduler has its part in the shares.
  assert.ok(fewest >= total / PROCESSES / 8, `${fewest} of ${total} calls`);
  const ledger = await openAt(path);
  t.after(() => ledger.close());
  assert.deepEqual(ledger.verify(), []);
  assert.equal((await ledger.budget(ONE_DOLLAR)).spentNanoUsd, total * 1_000_000);
});

/**
 * Processes that want the file again and again, in virtual time: whoever finds it busy waits by `ceilingMs`.
 * Returns the longest that one of them was kept waiting.
 */
function longestWaitMs(
  processes: number,
  ceilingMs: (attempt: number, waitedMs: number) => number,
): number {
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const waiting = Array.from({ length: processes }, (_, nth) => ({
    atMs: nth / 10,
    sinceMs: nth / 10,
    attempt: 0,
    sleptMs: 0,
  }));
  let freeAtMs = 0;
  let longest = 0;
  for (let tries = 0; tries < 400_000; tries += 1) {
    const one = waiting.reduce((first, other) => (other.atMs < first.atMs ? other : first));
    if (one.atMs >= freeAtMs) {
      longest = Math.max(longest, one.atMs - one.sinceMs);
      freeAtMs = one.atMs + 1 + random() * 4;
      one.atMs = freeAtMs + random();
      one.sinceMs = one.atMs;
      one.attempt = 0;
      one.sleptMs = 0;
    } else {
      // No timer is finer than a millisecond.
      const wait = Math.max(1, 0.5 + random() * ceilingMs(one.attempt, one.sleptMs));
      one.attempt += 1;
      one.sleptMs += wait;
      one.atMs += wait;
    }
  }
  return longest;
}

test('who has waited longer looks more often, so that the longest wait stays short', (t) => {
  for (const processes of [2, 4, 8, 16]) {
    const fair = longestWaitMs(processes, waitCeilingMs);
    const unfair = longestWaitMs(processes, (attempt) => Math.min(25, 2 ** attempt));
    t.diagnostic(
      `${processes} processes: ${Math.round(fair)} ms at the longest; without ageing ${Math.round(unfair)} ms`,
    );
    assert.ok(fair < 1_000, `${fair} ms`);
    if (processes >= 4) assert.ok(fair < unfair, `${fair} ms, without ageing ${unfair} ms`);
  }
});
