/** Prices in YAML: exact conversion or refusal, and mistakes with their line. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parsePricing, picoUsdPerToken, usdPerMillion } from '../../server/src/models/pricing.ts';
import { parseRegistry } from '../../server/src/models/registry.ts';

const rates = [
  [2, 2_000_000],
  ['2', 2_000_000],
  [0.25, 250_000],
  ['0.125000000', 125_000],
  [0.000001, 1],
  [1e-7, undefined, 'finer than a pico-dollar'],
  ['0.000001', 1],
  [0, 0],
  ['0.0000001', undefined, 'finer than a pico-dollar'],
  [-1, undefined, 'negative'],
  ['1e3', undefined, 'an exponent'],
  ['', undefined, 'nothing'],
  ['2 USD', undefined, 'a unit'],
  [Number.NaN, undefined, 'no number'],
  [Number.POSITIVE_INFINITY, undefined, 'no number'],
  [10_000_000, undefined, 'beyond any price'],
] as const;
for (const [usd, pico, why] of rates) {
  test(`${JSON.stringify(usd)} USD per million is ${pico ?? `refused: ${why}`}`, () => {
    assert.equal(picoUsdPerToken(usd), pico);
  });
}

test('every price that can be written comes back as it was', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999 }), (pico) => {
      assert.equal(picoUsdPerToken(usdPerMillion(pico).toFixed(6)), pico);
    }),
  );
});

/** Line numbers in the tests below are those of this text. */
const GOOD = `version: 1
prices:
  - model: big
    effective_from: 2026-01-01
    source: genai-prices
    checked_at: 2026-02-01
    input: 2
    cached_input: 0.2
    cache_write: '2.5'
    output: 10
    tiers:
      - { above_input_tokens: 272000, input: 4, output: 15 }
      - { above_input_tokens: 500000, input: 8, output: 30 }
`;

test('a row becomes whole pico-dollars per token', () => {
  assert.deepEqual(parsePricing('pricing.yaml', GOOD), {
    kind: 'ok',
    value: [
      {
        id: 'big@2026-01-01',
        model: 'big',
        effectiveFrom: '2026-01-01',
        source: 'genai-prices',
        checkedAt: '2026-02-01',
        base: {
          inputPicoUsd: 2_000_000,
          cachedInputPicoUsd: 200_000,
          cacheWritePicoUsd: 2_500_000,
          outputPicoUsd: 10_000_000,
        },
        tiers: [
          {
            aboveInputTokens: 272_000,
            rates: { inputPicoUsd: 4_000_000, outputPicoUsd: 15_000_000 },
          },
          {
            aboveInputTokens: 500_000,
            rates: { inputPicoUsd: 8_000_000, outputPicoUsd: 30_000_000 },
          },
        ],
      },
    ],
  });
});

describe('mistakes', () => {
  const RATE = 'a price in USD per million tokens, 0 or more, with at most six decimals';
  const rows = [
    ['a negative price', 'input: 2\n', 'input: -2\n', 7, 'prices[0].input', RATE, '-2'],
    ['too fine a price', '0.2\n', '0.2000001\n', 8, 'prices[0].cached_input', RATE, '0.2000001'],
    ['words', 'output: 10', 'output: cheap', 10, 'prices[0].output', RATE, '"cheap"'],
    ['no price', '    output: 10\n', '', 3, 'prices[0].output', RATE, 'nothing'],
    [
      'no such day',
      '2026-01-01',
      '2026-02-30',
      4,
      'prices[0].effective_from',
      'a day as 2026-01-31',
      '"2026-02-30"',
    ],
    [
      'a tier out of order',
      '500000',
      '272000',
      13,
      'prices[0].tiers[1].above_input_tokens',
      'more than the 272000 of the tier before',
      '272000',
    ],
    [
      'an unknown key',
      'cache_write',
      'cache_writes',
      9,
      'prices[0].cache_writes',
      'no such key',
      'cache_writes',
    ],
  ] as const;
  for (const [name, from, to, line, path, expected, found] of rows) {
    test(name, () => {
      const parsed = parsePricing('pricing.yaml', GOOD.replace(from, to));
      const problems = parsed.kind === 'bad' ? parsed.problems : assert.fail('accepted');
      assert.equal(problems.length, 1);
      assert.partialDeepStrictEqual(problems[0], { line, path, expected, found });
    });
  }

  test('two rows of a model for a day', () => {
    const row =
      '  - { model: m, effective_from: 2026-01-01, source: s, checked_at: 2026-01-01, input: 1, output: 1 }\n';
    const parsed = parsePricing('p.yaml', `version: 1\nprices:\n${row}${row}`);
    assert.partialDeepStrictEqual(parsed, {
      kind: 'bad',
      problems: [
        { line: 4, path: 'prices[1].effective_from', found: 'a second row from 2026-01-01' },
      ],
    });
  });
});

test('every cloud model of the shipped registry has a price, and nothing else has', () => {
  const read = (name: string) =>
    readFileSync(join(import.meta.dirname, '../../models', name), 'utf8');
  const prices = parsePricing('pricing.yaml', read('pricing.yaml'));
  const registry = parseRegistry('registry.yaml', read('registry.yaml'));
  assert.ok(prices.kind === 'ok' && registry.kind === 'ok');
  const cloud = registry.value.models.filter(({ provider }) => provider !== 'local');
  assert.deepEqual(
    new Set(prices.value.map(({ model }) => model)),
    new Set(cloud.map(({ id }) => id)),
  );
});
