import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chooseThreads,
  type ThreadMeasurement,
  threadCounts,
  threadsText,
} from '../../server/src/core/threadChoice.ts';
import { english } from '../../server/src/core/translate.ts';

function measured(
  threads: number,
  outputTokensPerSecond: number,
  more: Partial<ThreadMeasurement> = {},
): ThreadMeasurement {
  const promptTokensPerSecond = outputTokensPerSecond * 4;
  return { threads, promptTokensPerSecond, outputTokensPerSecond, cpuShare: 0.97, ...more };
}

test('the smallest number within a few per cent of the fastest is chosen', () => {
  const scaling = [measured(7, 98), measured(1, 20), measured(4, 95), measured(8, 100)];
  assert.deepEqual(chooseThreads(scaling), { threads: 7, busy: false });
  const flat = [measured(7, 98), measured(1, 20), measured(4, 96), measured(8, 100)];
  assert.deepEqual(chooseThreads(flat), { threads: 4, busy: false });
  assert.deepEqual(chooseThreads([measured(1, 5)]), { threads: 1, busy: false });
  assert.equal(chooseThreads([]), undefined);
});

test('reading a prompt counts beside writing', () => {
  const same = 30;
  const one = measured(1, same, { promptTokensPerSecond: 100 });
  const two = measured(2, same, { promptTokensPerSecond: 190 });
  assert.equal(chooseThreads([one, two])?.threads, 2);
});

test('on a loaded machine the odd measurement loses, and the choice is known to be made beside others', () => {
  // As seen with both cores busy: two spinning threads wait for each other's turns.
  const loaded = [
    measured(1, 16, { promptTokensPerSecond: 66, cpuShare: 0.44 }),
    measured(2, 1, { promptTokensPerSecond: 12, cpuShare: 0.25 }),
  ];
  assert.deepEqual(chooseThreads(loaded), { threads: 1, busy: true });
  const oneProgramBeside = [measured(1, 40), measured(2, 9, { cpuShare: 0.6 })];
  assert.deepEqual(chooseThreads(oneProgramBeside), { threads: 1, busy: true });
});

test('one, half of the physical cores, all of them, and all but one are tried, upwards, and one is always left', () => {
  assert.deepEqual(threadCounts(16, 8), [1, 4, 8, 15]);
  assert.deepEqual(threadCounts(8, 8), [1, 4, 7]);
  assert.deepEqual(threadCounts(2, 2), [1]);
  assert.deepEqual(threadCounts(1, 8), [1]);
  assert.deepEqual(threadCounts(4, 0), [1, 3]);
});

test('a person reads what was chosen and what from', () => {
  const each = [measured(2, 12.4), measured(1, 45)];
  const text = (busy: boolean) =>
    threadsText({ threads: 1, cores: 2, from: 'measured', measured: { each, busy } }, english);
  assert.equal(text(false), '1 of 2 cores; tokens/s written with each number: 1: 45, 2: 12');
  assert.match(text(true), /beside other programs: 1: 45, 2: 12$/);
  assert.equal(
    threadsText({ threads: 3, cores: 4, from: 'setting' }, english),
    '3 of 4 cores, as set',
  );
});
