/** The quality kept and its interval: known values, what is not enough, and how often the interval holds the truth. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nanoUsd } from '../../server/src/core/price.ts';
import {
  auditsText,
  LEAST_AUDITS,
  measuredShare,
  qualityKept,
  qualityKeptText,
} from '../../server/src/core/qualityKept.ts';
import { english } from '../../server/src/core/translate.ts';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';

const sums = {
  audits: 3,
  costNanoUsd: nanoUsd(2_500_000),
  judged: [
    { baselineId: 'big', asGood: 57, worse: 5 },
    { baselineId: 'old', asGood: 1, worse: 28 },
  ],
};

test('the interval is Wilson’s: values worked out elsewhere', () => {
  const rows: readonly [number, number, number, number][] = [
    // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
    [20, 20, 0.8389, 1],
  ];
  for (const [good, n, low, high] of rows) {
    const measured = measuredShare(good, n, 1);
    assert.equal(measured.kind, 'measured');
    if (measured.kind !== 'measured') continue;
    assert.deepEqual(
      [measured.low.toFixed(4), measured.high.toFixed(4)],
      [low.toFixed(4), high.toFixed(4)],
    );
  }
});

test('unknown until there are enough, and only audits against the baseline of now count', () => {
  assert.deepEqual(qualityKept(sums, 'old'), { kind: 'unknown', n: 29, least: LEAST_AUDITS });
  assert.deepEqual(qualityKept(sums, 'new'), { kind: 'unknown', n: 0, least: LEAST_AUDITS });
  assert.deepEqual(qualityKept(sums, undefined), { kind: 'unknown', n: 0, least: LEAST_AUDITS });
  const kept = qualityKept(sums, 'big');
  assert.equal(kept.kind === 'measured' && kept.share, 57 / 62);
  const text = (id: string, share: number) =>
    qualityKeptText(qualityKept(sums, id), share, english);
  assert.equal(text('big', 0), '92 % (82 to 97 %), n=62, measured');
  assert.equal(text('old', 0), 'unknown (29 of 30 audits)');
  assert.equal(text('new', 0.1), 'unknown (0 of 30 audits)');
  assert.equal(text('new', 0), 'unknown (no answers are audited)');
  assert.equal(auditsText(sums, english), '3 local answers audited this month for $0.0025');
  assert.equal(auditsText({ ...sums, audits: 0 }, english), '');
});

test('over many seeded users the interval holds the true quality about 19 times in 20', () => {
  const random = createSeededRandom(7).next;
  for (const [truth, n] of [
    [0.9, 30],
    [0.7, 60],
    [0.97, 120],
  ] as const) {
    let held = 0;
    const users = 2000;
    for (let user = 0; user < users; user++) {
      let good = 0;
      for (let at = 0; at < n; at++) if (random() < truth) good += 1;
      const measured = measuredShare(good, n, LEAST_AUDITS);
      if (measured.kind === 'measured' && measured.low <= truth && truth <= measured.high)
        held += 1;
    }
    assert.ok(held / users > 0.925, `${truth} with ${n} audits: held ${held} of ${users}`);
  }
});
