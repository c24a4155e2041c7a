/**
 * The price arithmetic against an independent calculator, over models with cached input, cache writes and tiers;
 * and the two promises that a budget rests on: a bill never passes its bound, a lowered cap never passes its limit.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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
  ratesFor,
} from '../../server/src/core/price.ts';
import type { PriceRow, Rates, Usage } from '../../server/src/core/types.ts';
import { type ListedPrice, listed } from '../../server/src/models/genaiPrices.ts';
import { parsePricing, rowInForce } from '../../server/src/models/pricing.ts';
import { parseRegistry } from '../../server/src/models/registry.ts';

const provider = findProvider({ providerId: 'openai' }) ?? assert.fail('no provider openai');
const DAY = '2026-11-23';

/** Every model of OpenAI whose price a row can hold, and which the reference finds by its own id (a `ft:` family it does not). */
const LISTED = provider.models.flatMap((info) => {
  if (calcPrice({ input_tokens: 1 }, info.id, { provider })?.model.id !== info.id) return [];
  const listing = listed(info);
  const price =
    listing.kind === 'listed'
      ? listing.prices.findLast(({ startDate }) => (startDate ?? '') <= DAY)
      : undefined;
  return price === undefined ? [] : [{ apiModel: info.id, row: rowOf(info.id, price) }];
});

/** The shipped rows, as they stand in the file. */
const SHIPPED = shippedRows();

function rowOf(model: string, { base, tiers }: ListedPrice): PriceRow {
  const id = `${model}@${DAY}`;
  return { id, model, effectiveFrom: DAY, source: 's', checkedAt: DAY, base, tiers };
}

function shippedRows(): readonly { readonly apiModel: string; readonly row: PriceRow }[] {
  const read = (name: string) =>
    readFileSync(join(import.meta.dirname, '../../models', name), 'utf8');
  const prices = parsePricing('pricing.yaml', read('pricing.yaml'));
  const registry = parseRegistry('registry.yaml', read('registry.yaml'));
  assert.ok(prices.kind === 'ok' && registry.kind === 'ok');
  return registry.value.models.flatMap((model) => {
    if (model.provider !== 'openai') return [];
    const row = rowInForce(prices.value, model.id, DAY) ?? assert.fail(model.id);
    return [{ apiModel: model.apiModel, row }];
  });
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

/**
 * The bill of the reference in whole pico-dollars. Rates are whole pico-dollars per token, so every true bill is whole too;
 * the reference adds doubles, whose error stays far below the half that rounding back needs. `undefined` where it refuses.
 */
function referencePico(apiModel: string, usage: Record<string, number>): bigint | undefined {
  let reference: ReturnType<typeof calcPrice>;
  try {
    reference = calcPrice(usage, apiModel, { provider, timestamp: new Date(`${DAY}T00:00:00Z`) });
  } catch (error) {
    assert.match(String(error), /Invalid usage data/);
    return undefined;
  }
  assert.equal(reference?.model.id, apiModel);
  const pico = reference.total_price * 1e12;
  assert.ok(Math.abs(pico - Math.round(pico)) < 0.25, `${pico} is no whole amount`);
  return BigInt(Math.round(pico));
}

/** Up to the next whole nano-dollar, which is the one way in which the router departs from the reference. */
function roundedUp(pico: bigint): number {
  return Number((pico + 999n) / 1000n);
}

function referenceUsage({ input, cached, written, output }: Counts): Record<string, number> {
  return {
    input_tokens: input,
    cache_read_tokens: cached,
    cache_write_tokens: written,
    output_tokens: output,
  };
}

describe('against the reference', () => {
  test('the shipped rows and most of what the source lists are compared', () => {
    assert.ok(SHIPPED.length >= 3, `${SHIPPED.length}`);
    assert.ok(LISTED.length >= 60, `${LISTED.length}`);
  });

  for (const { apiModel, row } of SHIPPED) {
    test(`${apiModel} as shipped: no difference but rounding up, cached and written tokens included`, () => {
      fc.assert(
        fc.property(counts, (used) => {
          const pico = referencePico(apiModel, referenceUsage(used)) ?? assert.fail('refused');
          assert.equal(costOf(row, usageOf(used)), roundedUp(pico));
        }),
        { numRuns: 5_000 },
      );
    });
  }

  test('every listed model: no difference but rounding up, and unpriced writes', () => {
    fc.assert(
      fc.property(fc.constantFrom(...LISTED), counts, ({ apiModel, row }, used) => {
        const pico = referencePico(apiModel, referenceUsage(used)) ?? assert.fail('refused');
        const ours = costOf(row, usageOf(used));
        if (used.written > 0 && ratesFor(row, used.input).cacheWritePicoUsd === undefined) {
          // The reference takes a write without a price for plain input; the router says that it does not know.
          assert.equal(ours, undefined);
          const plain = costOf(row, usageOf({ ...used, written: 0 }));
          assert.equal(plain, roundedUp(pico));
        } else {
          assert.equal(ours, roundedUp(pico));
        }
      }),
      { numRuns: 10_000 },
    );
  });

  test('both refuse parts that are more than their whole', () => {
    const cachePriced = LISTED.filter(
      ({ row }) =>
        row.base.cachedInputPicoUsd !== undefined && row.base.cacheWritePicoUsd !== undefined,
    );
    assert.ok(cachePriced.length >= 5);
    const nearTheWhole = fc
      .record({
        input: fc.nat({ max: 300_000 }),
        output: tokens,
        cached: fc.nat({ max: 300_000 }),
        off: fc.integer({ min: -3, max: 3 }),
      })
      .map(({ input, output, cached, off }) => ({
        input,
        output,
        cached,
        written: Math.max(0, input - cached + off),
      }));
    fc.assert(
      fc.property(fc.constantFrom(...cachePriced), nearTheWhole, ({ apiModel, row }, used) => {
        const pico = referencePico(apiModel, referenceUsage(used));
        const ours = costOf(row, usageOf(used));
        assert.equal(ours, pico === undefined ? undefined : roundedUp(pico));
        assert.equal(ours === undefined, used.cached + used.written > used.input);
      }),
      { numRuns: 3_000 },
    );
  });
});

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

/** The same counts without written tokens where the row has no price for them: their bill would be unknown. */
function priced(price: PriceRow, used: Counts): Counts {
  const { cacheWritePicoUsd } = ratesFor(price, used.input);
  return cacheWritePicoUsd === undefined ? { ...used, written: 0 } : used;
}

describe('for any prices', () => {
  test('a bill within the counts never passes its bound', () => {
    fc.assert(
      fc.property(
        row,
        counts,
        fc.nat({ max: 5_000 }),
        fc.nat({ max: 5_000 }),
        (price, used, moreInput, moreOutput) => {
          const bill = costOf(price, usageOf(priced(price, used)));
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

  test('bounds and caps are exact on both sides of what a double holds exactly', () => {
    const many = fc.nat({ max: 100_000_000 });
    const limits = fc.nat({ max: 100_000_000_000_000 });
    fc.assert(
      fc.property(
        rate,
        rate,
        many,
        many,
        limits,
        (inputPicoUsd, outputPicoUsd, input, cap, limit) => {
          const base = { inputPicoUsd, outputPicoUsd };
          const price = { ...fc.sample(row, { numRuns: 1, seed: 1 })[0]!, base, tiers: [] };
          const read = BigInt(input) * BigInt(inputPicoUsd);
          const bound = (read + BigInt(cap) * BigInt(outputPicoUsd) + 999n) / 1000n;
          assert.equal(costBound(price, input, cap), Number(bound));
          const left = BigInt(limit) * 1000n - read;
          const free = BigInt(Number.MAX_SAFE_INTEGER);
          const most = left <= 0n ? 0n : outputPicoUsd === 0 ? free : left / BigInt(outputPicoUsd);
          assert.equal(outputCapWithin(price, input, nanoUsd(limit)), Number(most));
        },
      ),
      { numRuns: 1_000 },
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

  test('what is untold or has no price leaves the bill unknown, never zero', () => {
    fc.assert(
      fc.property(row, counts, (price, used) => {
        const usage = usageOf(priced(price, used));
        assert.ok(costOf(price, usage) !== undefined);
        assert.equal(costOf(price, { ...usage, inputTokens: undefined }), undefined);
        assert.equal(costOf(price, { ...usage, outputTokens: undefined }), undefined);
        assert.equal(costOf(price, { ...usage, unpriced: 'audio_tokens' }), undefined);
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

  test('reasoning is part of the output: it changes no bill, and more of it than output is unknown', () => {
    fc.assert(
      fc.property(row, counts, fc.nat(), (price, used, reasoning) => {
        const usage = usageOf(priced(price, used));
        const bill = costOf(price, { ...usage, reasoningTokens: reasoning });
        assert.equal(bill, reasoning > used.output ? undefined : costOf(price, usage));
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
