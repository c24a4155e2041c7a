/**
 * The price arithmetic against an independent calculator, over models with cached input, cache writes and tiers;
 * and the two promises that a budget rests on: a bill never passes its bound, a lowered cap never passes its limit.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { calcPrice, findProvider } from '@pydantic/genai-prices';
import fc from 'fast-check';
import {
  addUsd,
  costBound,
  costOf,
  dollars,
  nanoUsd,
  nanoUsdFromDollars,
  outputCapWithin,
} from '../../server/src/core/price.ts';
import type { PriceRow, Rates, Usage } from '../../server/src/core/types.ts';
import { listed, lookUpBundled } from '../../server/src/models/genaiPrices.ts';

/** Untiered, tiered, with and without cache rates. */
const API_MODELS = [
  'gpt-5.4-mini',
  'gpt-5.4',
  'gpt-5.4-pro',
  'gpt-6-luna',
  'gpt-6-sol',
  'gpt-5.6-sol',
];

function rowOf(apiModel: string): PriceRow {
  const listing = listed(lookUpBundled(apiModel));
  const price = listing.kind === 'listed' ? listing.prices.at(-1) : undefined;
  assert.ok(price, apiModel);
  const { base, tiers } = price;
  const day = '2026-11-23';
  return {
    id: `${apiModel}@${day}`,
    model: apiModel,
    effectiveFrom: day,
    source: 's',
    checkedAt: day,
    base,
    tiers,
  };
}

/** Token counts of every size, and those on either side of the tiers' edge. */
const tokens = fc.oneof(
  fc.nat({ max: 2_000 }),
  fc.nat({ max: 1_000_000 }),
  fc.integer({ min: 271_998, max: 272_002 }),
);

interface Counts {
  readonly input: number;
  readonly cached: number;
  readonly written: number;
  readonly output: number;
}

const counts: fc.Arbitrary<Counts> = fc
  .record({
    input: tokens,
    output: tokens,
    a: fc.double({ min: 0, max: 1, noNaN: true }),
    b: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ input, output, a, b }) => {
    const cached = Math.floor(input * a);
    return { input, output, cached, written: Math.floor((input - cached) * b) };
  });

function usageOf({ input, cached, written, output }: Counts): Usage {
  return {
    inputTokens: input,
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    outputTokens: output,
    reasoningTokens: undefined,
  };
}

for (const apiModel of API_MODELS) {
  test(`${apiModel}: bills as the reference does, rounded up to a nano-dollar`, () => {
    const row = rowOf(apiModel);
    const provider = findProvider({ providerId: 'openai' });
    assert.ok(provider);
    fc.assert(
      fc.property(counts, ({ input, cached, written, output }) => {
        const reference = calcPrice(
          {
            input_tokens: input,
            ...(row.base.cachedInputPicoUsd !== undefined && { cache_read_tokens: cached }),
            ...(row.base.cacheWritePicoUsd !== undefined && { cache_write_tokens: written }),
            output_tokens: output,
          },
          apiModel,
          { provider },
        );
        assert.ok(reference);
        const nano = costOf(row, usageOf({ input, cached, written, output }));
        assert.ok(nano !== undefined);
        // The reference adds doubles; a thousandth of a nano-dollar is far above its error here.
        const expected = reference.total_price * 1e9;
        const slack = 1e-3;
        assert.ok(nano >= expected - slack, `${nano} is less than ${expected}`);
        assert.ok(nano < expected + 1 + slack, `${nano} is more than ${expected} rounded up`);
      }),
    );
  });
}

// Properties over any row --------------------------------------------------------------------------------------------

const rate = fc.nat({ max: 200_000_000 });
const rates: fc.Arbitrary<Rates> = fc.record(
  { inputPicoUsd: rate, outputPicoUsd: rate, cachedInputPicoUsd: rate, cacheWritePicoUsd: rate },
  { requiredKeys: ['inputPicoUsd', 'outputPicoUsd'] },
);
const row: fc.Arbitrary<PriceRow> = fc
  .record({
    base: rates,
    tiers: fc.uniqueArray(
      fc.record({ aboveInputTokens: fc.integer({ min: 1, max: 1_000_000 }), rates }),
      {
        maxLength: 3,
        selector: ({ aboveInputTokens }) => aboveInputTokens,
      },
    ),
  })
  .map(({ base, tiers }) => ({
    id: 'm@2026-01-01',
    model: 'm',
    effectiveFrom: '2026-01-01',
    source: 's',
    checkedAt: '2026-01-01',
    base,
    tiers: tiers.toSorted((a, b) => a.aboveInputTokens - b.aboveInputTokens),
  }));

describe('for any prices', () => {
  test('a bill within the counts never passes its bound', () => {
    fc.assert(
      fc.property(
        row,
        counts,
        fc.nat({ max: 5_000 }),
        fc.nat({ max: 5_000 }),
        (price, used, moreInput, moreOutput) => {
          const bill = costOf(price, usageOf(used));
          assert.ok(bill !== undefined);
          assert.ok(bill <= costBound(price, used.input + moreInput, used.output + moreOutput));
        },
      ),
    );
  });

  test('the output cap for a limit keeps within it, and one token more would not', () => {
    fc.assert(
      fc.property(row, tokens, fc.nat({ max: 2_000_000_000 }), (price, input, limit) => {
        const cap = outputCapWithin(price, input, nanoUsd(limit));
        if (cap > 0) {
          if (cap === Number.MAX_SAFE_INTEGER) return;
          assert.ok(costBound(price, input, cap) <= limit);
        }
        assert.ok(cap === 0 || costBound(price, input, cap + 1) > limit);
        if (cap === 0) assert.ok(costBound(price, input, 1) >= limit);
      }),
    );
  });

  test('a bill grows with every count', () => {
    fc.assert(
      fc.property(row, tokens, tokens, (price, input, output) => {
        const used = { input, output, cached: 0, written: 0 };
        const bill = costOf(price, usageOf(used)) ?? assert.fail();
        assert.ok((costOf(price, usageOf({ ...used, output: output + 1 })) ?? -1) >= bill);
      }),
    );
  });

  test('untold counts leave the bill unknown, never zero', () => {
    fc.assert(
      fc.property(row, counts, (price, used) => {
        const usage = usageOf(used);
        assert.equal(costOf(price, { ...usage, inputTokens: undefined }), undefined);
        assert.equal(costOf(price, { ...usage, outputTokens: undefined }), undefined);
        // Untold parts are billed as plain input.
        const plain = costOf(price, {
          ...usage,
          cachedInputTokens: undefined,
          cacheWriteTokens: undefined,
        });
        assert.equal(plain, costOf(price, usageOf({ ...used, cached: 0, written: 0 })));
      }),
    );
  });
});

describe('dollars at the edges', () => {
  const rows = [
    [0, 0],
    [0.0005, 500_000],
    [0.1 + 0.2, 300_000_000],
    [20, 20_000_000_000],
    [1e-9, 1],
    [1.9e-9, 1],
    [1e-12, 0],
  ] as const;
  for (const [usd, nano] of rows) {
    test(`${usd} USD is ${nano} nano-dollars`, () => assert.equal(nanoUsdFromDollars(usd), nano));
  }

  test('every amount comes back', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000_000_000 }), (nano) => {
        assert.equal(nanoUsdFromDollars(dollars(nano)), nano);
      }),
    );
  });

  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    test(`${wrong} is refused`, () => assert.throws(() => nanoUsdFromDollars(wrong), RangeError));
  }

  test('a sum past what an integer holds is refused, not rounded', () => {
    const most = nanoUsd(Number.MAX_SAFE_INTEGER);
    assert.throws(() => addUsd(most, nanoUsd(1)), RangeError);
  });
});
