import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQuietWork } from '../../server/src/models/quietWork.ts';

/** Works until it is aborted, and a little longer: as long as `release` was not called. */
function work() {
  const controller = new AbortController();
  const { promise, resolve: release } = Promise.withResolvers<void>();
  const log: string[] = [];
  const begin = async () => {
    log.push(controller.signal.aborted ? 'began aborted' : 'began');
    if (!controller.signal.aborted) await promise;
    log.push('ended');
  };
  return { controller, begin, release, log };
}

test('a prompt ends the work, and waits until it has let go', async () => {
  const quiet = createQuietWork();
  const one = work();
  const running = quiet.run(one.controller, one.begin);
  const over = quiet.promptCame();
  assert.equal(one.controller.signal.aborted, true);
  let answered = false;
  const answer = quiet.settled().then(() => {
    answered = true;
  });
  await Promise.resolve();
  assert.equal(answered, false);
  one.release();
  await answer;
  assert.deepEqual(one.log, ['began', 'ended']);
  over();
  await running;
});

test('beside a prompt nothing begins, and after it work does', async () => {
  const quiet = createQuietWork();
  const over = quiet.promptCame();
  const early = work();
  await quiet.run(early.controller, early.begin);
  assert.deepEqual(early.log, ['began aborted', 'ended']);
  over();
  const later = work();
  later.release();
  await quiet.run(later.controller, later.begin);
  assert.deepEqual(later.log, ['began', 'ended']);
});

test('newer work ends the older, also where it fails, and begins after it', async () => {
  const quiet = createQuietWork();
  const older = work();
  const failing = quiet.run(older.controller, async () => {
    await older.begin();
    throw new Error('no more room');
  });
  const newer = work();
  const running = quiet.run(newer.controller, newer.begin);
  assert.equal(older.controller.signal.aborted, true);
  assert.deepEqual(newer.log, []);
  older.release();
  await assert.rejects(failing, /no more room/);
  newer.release();
  await running;
  assert.deepEqual(newer.log, ['began', 'ended']);
});
