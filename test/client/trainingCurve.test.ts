/** The curve file of a run as the dashboard takes it: whatever is half written or foreign in it is left out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCurve, readTrainingConfig } from '../../client/src/trainingCurve.ts';

test('a curve has its points in order, thinned, and always its last', () => {
  const lines = Array.from({ length: 1001 }, (_, at) =>
    JSON.stringify({ step: at + 1, loss: 9 - at / 500, lr: 1, grad_norm: 1, tokens_per_s: 1 }),
  );
  lines.splice(500, 0, '{"step":500,"val_loss":8.5}');
  const { train, validation } = readCurve(`${lines.join('\n')}\n`);
  assert.ok(train.length <= 401, `${train.length} points`);
  assert.deepEqual(train[0], [1, 9]);
  assert.deepEqual(train.at(-1), [1001, 7]);
  assert.deepEqual(validation, [[500, 8.5]]);
});

test('a line that is cut, of another form or no number is left out', () => {
  const text =
    '{"step":1,"loss":9}\nnull\n[]\n{"step":"2","loss":8}\n{"step":3,"loss":null}\n{"step":4,"lo';
  assert.deepEqual(readCurve(text), { train: [[1, 9]], validation: [] });
  assert.deepEqual(readCurve(''), { train: [], validation: [] });
});

test('a configuration is one that names where it saves', () => {
  assert.deepEqual(readTrainingConfig('{"save_dir":"out","max_steps":9}'), {
    saveDir: 'out',
    totalSteps: 9,
  });
  assert.deepEqual(readTrainingConfig('{"save_dir":"out"}'), { saveDir: 'out', totalSteps: null });
  for (const other of ['', '[]', '{"save_dir":1}', '{}'])
    assert.equal(readTrainingConfig(other), null);
});
