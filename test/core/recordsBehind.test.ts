import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createRecordsBehind } from '../../server/src/core/recordsBehind.ts';

/** Time that passes by hand, a millisecond a step. */
function setUp() {
  let answering = false;
  let wake: (() => void) | undefined;
  const sleep = (ms: number) => {
    assert.equal(ms, 1);
    return new Promise<void>((resolve) => (wake = resolve));
  };
  const records = createRecordsBehind(sleep, () => answering);
  const done: string[] = [];
  return {
    done,
    records,
    answer: (is: boolean) => (answering = is),
    keep: (name: string) => records.keep(async () => void done.push(name)),
    async step() {
      wake?.();
      await nextTurn();
    },
  };
}

test('the record of an answer that stands alone is kept a millisecond after it', async () => {
  const { keep, step, done } = setUp();
  void keep('one');
  await nextTurn();
  assert.deepEqual(done, []);
  await step();
  assert.deepEqual(done, ['one']);
  void keep('two');
  await step();
  assert.deepEqual(done, ['one', 'two']);
});

test('records of prompts that come one upon the other are kept together, as soon as none comes', async () => {
  const { keep, step, done, answer } = setUp();
  void keep('one');
  void keep('two');
  answer(true);
  await step();
  void keep('three');
  answer(false);
  await step();
  assert.deepEqual(done, [], 'one has come since');
  await step();
  assert.deepEqual(done, ['one', 'two', 'three']);
});

test('a prompt that is answered for long holds no record up for more than 20 milliseconds', async () => {
  const { keep, step, done, answer } = setUp();
  answer(true);
  void keep('one');
  for (let ms = 1; ms < 20; ms += 1) await step();
  assert.deepEqual(done, []);
  await step();
  assert.deepEqual(done, ['one']);
});

test('whoever looks at the past waits for what came before, also for what could not be kept', async () => {
  const { records, step, keep, done } = setUp();
  await records.kept();
  void keep('one');
  const refused = records.keep(async () => await Promise.reject(new Error('no room')));
  refused.catch(() => undefined);
  let looked = false;
  const looking = records.kept().then(() => (looked = true));
  await nextTurn();
  assert.equal(looked, false);
  await step();
  await step();
  await looking;
  assert.deepEqual(done, ['one']);
});
