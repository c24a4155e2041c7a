import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Reason,
  reasonCodes,
  reasonSentence,
  reasonText,
} from '../../server/src/core/reason.ts';
import { formatSeconds, formatUsd } from '../../server/src/core/report.ts';

const samples: readonly (readonly [Reason, wire: string, sentence: RegExp])[] = [
  [
    { code: 'cache_hit', facts: { model: 'm', ageMs: 5 } },
    'cache_hit(model=m, age_ms=5)',
    /nothing was spent again/,
  ],
  [{ code: 'forced', facts: { model: 'm' } }, 'forced(model=m)', /You asked for M/],
  [{ code: 'privacy_floor', facts: { rule: 'aws' } }, 'privacy_floor(rule=aws)', /secret \(aws\)/],
  [
    { code: 'privacy_floor', facts: { rule: 'local-only', wanted: 'm' } },
    'privacy_floor(rule=local-only, wanted=m)',
    /you asked that nothing leaves/,
  ],
  [
    { code: 'privacy_floor', facts: { rule: 'untrusted-workspace', wanted: 'm' } },
    'privacy_floor(rule=untrusted-workspace, wanted=m)',
    /this workspace is not trusted/,
  ],
  [
    { code: 'prompt_complexity_low', facts: { score: 0.2, threshold: 0.55, task: 't' } },
    'prompt_complexity_low(score=0.20, threshold=0.55, task=t)',
    /Looks easy \(0\.20 of 0\.55/,
  ],
  [
    { code: 'prompt_complexity_high', facts: { score: 0.912, threshold: 0.55, task: 't' } },
    'prompt_complexity_high(score=0.91, threshold=0.55, task=t)',
    /Looks hard/,
  ],
  [
    { code: 'low_confidence', facts: { confidence: 0.41, needed: 0.62, model: 'm' } },
    'low_confidence(confidence=0.41, needed=0.62, model=m)',
    /unsure.*so M answered/,
  ],
  [
    { code: 'confident', facts: { confidence: 0.7, needed: 0.62, model: 'm' } },
    'confident(confidence=0.70, needed=0.62, model=m)',
    /sure enough/,
  ],
  [
    { code: 'quality_unreachable', facts: { expected: 0.5, wanted: 0.9, because: 'cost_limit' } },
    'quality_unreachable(expected=0.50, wanted=0.90, because=cost_limit)',
    /because of cost_limit/,
  ],
  [
    {
      code: 'cost_limit',
      facts: { wanted: 'm', needsNanoUsd: 4_000_000, limitNanoUsd: 1_000_000 },
    },
    'cost_limit(wanted=m, needs_usd=0.004, limit_usd=0.001)',
    /\$0\.0040.*\$0\.0010/,
  ],
  [
    {
      code: 'budget_exhausted',
      facts: { wanted: 'm', needsNanoUsd: 4_000_000, limitNanoUsd: 0, period: 'day' },
    },
    'budget_exhausted(wanted=m, needs_usd=0.004, limit_usd=0, period=day)',
    /budget/,
  ],
  [
    { code: 'latency_limit', facts: { wanted: 'm', needsMs: 5000, limitMs: 1000 } },
    'latency_limit(wanted=m, needs_ms=5000, limit_ms=1000)',
    /≈ 5\.0 s/,
  ],
  [
    { code: 'context_limit', facts: { wanted: 'm', tokens: 9000, limit: 4096 } },
    'context_limit(wanted=m, tokens=9000, limit=4096)',
    /does not fit/,
  ],
  [
    { code: 'capability_missing', facts: { wanted: 'm', needs: 'tools' } },
    'capability_missing(wanted=m, needs=tools)',
    /offers tools, which M can not call/,
  ],
  [
    { code: 'capability_missing', facts: { wanted: 'm', needs: 'answer-format' } },
    'capability_missing(wanted=m, needs=answer-format)',
    /a form of the answer/,
  ],
  [
    {
      code: 'conversation_kept',
      facts: { model: 'm', score: 0.3, threshold: 0.4, switchNanoUsd: 1_500_000 },
    },
    'conversation_kept(model=m, score=0.30, threshold=0.40, switch_usd=0.0015)',
    /stays with M: .*\$0\.0015/,
  ],
  [
    { code: 'budget_pacing', facts: { score: 0.6, threshold: 0.8, usedShare: 0.95 } },
    'budget_pacing(score=0.60, threshold=0.80, used_share=0.95)',
    /95 % is used/,
  ],
  [
    { code: 'no_api_key', facts: { wanted: 'm', wouldCostNanoUsd: 3_100_000 } },
    'no_api_key(wanted=m, would_cost_usd=0.0031)',
    /would cost ≈ \$0\.0031/,
  ],
  [
    { code: 'model_missing', facts: { wanted: 'm' } },
    'model_missing(wanted=m)',
    /not on this machine/,
  ],
  [
    { code: 'provider_unavailable', facts: { wanted: 'm', failure: 'timeout' } },
    'provider_unavailable(wanted=m, failure=timeout)',
    /timeout/,
  ],
  [
    { code: 'unknown_price', facts: { wanted: 'm' } },
    'unknown_price(wanted=m)',
    /price of M is unknown/,
  ],
];

test('every code has its wire form and its sentence', () => {
  for (const [reason, wire, sentence] of samples) {
    assert.equal(reasonText(reason), wire);
    assert.match(
      reasonSentence(reason, (id) => id.toUpperCase(), formatUsd),
      sentence,
    );
  }
  assert.deepEqual(new Set(samples.map(([{ code }]) => code)), new Set(reasonCodes));
});

test('money and time as people read them', () => {
  for (const [nano, text] of [
    [0, '$0.00'],
    [3_120_000_000, '$3.12'],
    [10_000_000, '$0.01'],
    [9_960_000, '$0.01'],
    [9_940_000, '$0.0099'],
    [4_234_000, '$0.0042'],
    [3_100, '$0.0000031'],
    [-4_200_000, '-$0.0042'],
    [1, '$0.000000001'],
  ] as const) {
    assert.equal(formatUsd(nano), text);
  }
  assert.equal(formatSeconds(812), '0.8 s');
  assert.equal(formatSeconds(12_400), '12 s');
});
