import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addDecimal,
  decimalUsd,
  exactUsd,
  nearestNanoUsd,
  ZERO_DECIMAL,
} from '../../server/src/core/decimalUsd.ts';

const nano = (text: string) => {
  const read = decimalUsd(text);
  return read === undefined ? undefined : nearestNanoUsd(read);
};

test('amounts are written with all their decimals', () => {
  assert.equal(exactUsd(0), '0.000000000');
  assert.equal(exactUsd(1), '0.000000001');
  assert.equal(exactUsd(12_345_678_901), '12.345678901');
  assert.equal(exactUsd(-20_000), '-0.000020000');
  assert.equal(exactUsd(Number.MAX_SAFE_INTEGER), '9007199.254740991');
  assert.throws(() => exactUsd(0.5), RangeError);
});

const rows = [
  ['0.06', 60_000_000],
  ['6e-05', 60_000],
  ['6E+1', 60_000_000_000],
  ['0.003835980000000000000000000000', 3_835_980],
  ['0.15000000000000002', 150_000_000],
  ['0.0000000005', 1],
  ['0.00000000049999999999', 0],
  ['-0.0000000005', -1],
  ['10', 10_000_000_000],
  ['', undefined],
  ['1,5', undefined],
  ['$1', undefined],
  ['.5', undefined],
  ['0x10', undefined],
] as const;
for (const [text, expected] of rows) {
  test(`${JSON.stringify(text)} is ${expected ?? 'no amount'}`, () => {
    assert.equal(nano(text), expected);
  });
}

test('every amount comes back, and sums lose nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 1_000_000_000_000 }), { maxLength: 20 }), (amounts) => {
      const sum = amounts.reduce(
        (all, amount) => addDecimal(all, decimalUsd(exactUsd(amount)) ?? assert.fail()),
        ZERO_DECIMAL,
      );
      assert.equal(
        nearestNanoUsd(sum),
        amounts.reduce((all, amount) => all + amount, 0),
      );
    }),
  );
});

test('a sum is rounded once: thirds of a nano-dollar are not lost one by one', () => {
  const third = decimalUsd('0.000000000333333333333333333333') ?? assert.fail();
  assert.equal(nearestNanoUsd(third), 0);
  assert.equal(nearestNanoUsd(addDecimal(addDecimal(third, third), third)), 1);
});
