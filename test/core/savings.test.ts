import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nanoUsd } from '../../server/src/core/price.ts';
import { savingsOf } from '../../server/src/core/savings.ts';
import type { PriceRow, Usage } from '../../server/src/core/types.ts';

const row: PriceRow = {
  id: 'base@2026-01-01',
  model: 'base',
  effectiveFrom: '2026-01-01',
  source: 'test',
  checkedAt: '2026-01-01',
  base: { inputPicoUsd: 2_000_000, outputPicoUsd: 10_000_000 },
  tiers: [],
};

const usage: Usage = {
  inputTokens: 1000,
  cachedInputTokens: undefined,
  cacheWriteTokens: undefined,
  outputTokens: 100,
  reasoningTokens: undefined,
};

const known = {
  baselineId: 'base',
  baselineRow: row,
  usage,
  costNanoUsd: nanoUsd(1_000_000),
  complete: true,
  belowWantedQuality: false,
};

test('savings are the baseline less all that was paid, and may be negative', () => {
  // 1000 x 2 USD and 100 x 10 USD per million: 0.003 USD.
  assert.deepEqual(savingsOf(known), {
    kind: 'known',
    baselineCostNanoUsd: 3_000_000,
    savedNanoUsd: 2_000_000,
  });
  const dear = savingsOf({ ...known, costNanoUsd: nanoUsd(5_000_000) });
  assert.ok(dear.kind === 'known' && dear.savedNanoUsd === -2_000_000);
});

test('what can not be known is unknown, never zero', () => {
  const rows = [
    [{ baselineId: undefined }, 'baseline_missing'],
    [{ baselineRow: undefined }, 'baseline_unpriced'],
    [{ complete: false }, 'answer_incomplete'],
    [{ belowWantedQuality: true }, 'below_wanted_quality'],
    [{ usage: { ...usage, outputTokens: undefined } }, 'tokens_unknown'],
  ] as const;
  for (const [change, why] of rows) {
    assert.deepEqual(savingsOf({ ...known, ...change }), { kind: 'unknown', why });
  }
});
