/** What the wire says in words: stored reasons read like fresh ones, and months say what is known and no more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nanoUsd } from '../../server/src/core/price.ts';
import {
  type Reason,
  reasonCodes,
  reasonSentence,
  reasonText,
} from '../../server/src/core/reason.ts';
import { formatUsd } from '../../server/src/core/report.ts';
import type { MonthReport, Sums } from '../../server/src/core/routeReports.ts';
import { sentenceOfText } from '../../server/src/lsp/wire/reasonOfText.ts';
import {
  boundText,
  budgetMoney,
  estimateText,
  latencyText,
} from '../../server/src/lsp/wire/texts.ts';
import { NO_AUDITS } from '../../server/src/store/ledgerAudits.ts';
import { openLsp } from './lspHarness.ts';

const names = (id: string) => `<${id}>`;

const reasons: readonly Reason[] = [
  { code: 'cache_hit', facts: { model: 'a', ageMs: 5 } },
  { code: 'forced', facts: { model: 'gpt-5.4-mini' } },
  { code: 'privacy_floor', facts: { rule: 'local-only', wanted: 'b' } },
  { code: 'privacy_floor', facts: { rule: 'aws, or more', wanted: 'b' } },
  { code: 'prompt_complexity_low', facts: { score: 0.22, threshold: 0.55, task: 'math' } },
  { code: 'prompt_complexity_high', facts: { score: 1, threshold: 0.5, task: 'write-code' } },
  { code: 'low_confidence', facts: { confidence: 0.41, needed: 0.62, model: 'b' } },
  { code: 'confident', facts: { confidence: 0.9, needed: 0.62, model: 'a' } },
  { code: 'quality_unreachable', facts: { expected: 0.4, wanted: 0.8, because: 'no_api_key' } },
  { code: 'cost_limit', facts: { wanted: 'b', needsNanoUsd: 12_100_000, limitNanoUsd: 42 } },
  { code: 'latency_limit', facts: { wanted: 'b', needsMs: 1234.5, limitMs: 1000 } },
  { code: 'context_limit', facts: { wanted: 'b', tokens: 5000, limit: 4096 } },
  { code: 'capability_missing', facts: { wanted: 'a', needs: 'tools' } },
  { code: 'capability_missing', facts: { wanted: 'a', needs: 'answer-format' } },
  {
    code: 'conversation_kept',
    facts: { model: 'a', score: 0.3, threshold: 0.4, switchNanoUsd: 1_500_000 },
  },
  { code: 'budget_pacing', facts: { score: 0.6, threshold: 0.7, usedShare: 0.85 } },
  { code: 'no_api_key', facts: { wanted: 'b', wouldCostNanoUsd: 2_644_000 } },
  { code: 'no_api_key', facts: { wanted: 'b' } },
  { code: 'model_missing', facts: { wanted: 'a' } },
  { code: 'provider_unavailable', facts: { wanted: 'b', failure: 'timeout' } },
  { code: 'unknown_price', facts: { wanted: 'b' } },
];

for (const reason of reasons) {
  test(`a stored ${reasonText(reason)} reads as it did when it was fresh`, () => {
    const fresh = reasonSentence(reason, names, formatUsd);
    assert.equal(sentenceOfText(reasonText(reason), names), fresh);
  });
}

test('every code of a reason but the budget is among them, and a failure is its own words', () => {
  const covered = new Set<string>(reasons.map(({ code }) => code));
  assert.deepEqual(
    reasonCodes.filter((code) => !covered.has(code)),
    ['budget_exhausted'],
  );
  for (const period of ['month', 'day'] as const) {
    const reason = {
      code: 'budget_exhausted',
      facts: { wanted: 'b', needsNanoUsd: 10, limitNanoUsd: 5, period },
    } satisfies Reason;
    assert.equal(
      sentenceOfText(reasonText(reason), names),
      reasonSentence(reason, names, formatUsd),
    );
  }
  assert.equal(sentenceOfText('stream_cut', names), 'stream cut.');
  assert.equal(sentenceOfText('forced(', names), 'forced(.');
  assert.match(sentenceOfText('confident(other=1)', names), /^confident\(other=1\)\.$/);
});

test('an estimate, a bound and an unknown can be told apart', () => {
  assert.equal(estimateText(nanoUsd(3_100_000)), '≈ $0.0031');
  assert.equal(estimateText(nanoUsd(0)), 'free');
  assert.equal(boundText(nanoUsd(4_100_000)), 'at most $0.0041');
  assert.equal(boundText(undefined), 'unknown');
  assert.equal(latencyText(1234), '≈ 1.2 s');
  assert.equal(latencyText(undefined), 'unknown');
  assert.equal(budgetMoney(nanoUsd(20_000_000_000)).text, '$20');
  assert.equal(budgetMoney(nanoUsd(7_500_000_000)).text, '$7.50');
});

function sumsOf(answers: number, unknownSavings: number): Sums {
  const costNanoUsd = nanoUsd(1_500_000_000);
  return { answers, unknownSavings, costNanoUsd, savedNanoUsd: 0, baselineNanoUsd: nanoUsd(0) };
}

/** The middle of November, by the clock of the scripted ports. */
function november(change: Partial<MonthReport>): MonthReport {
  const verdicts = {
    kept: 0,
    dismissed: 0,
    up: 0,
    down: 0,
    good_enough: 0,
    asked_bigger: 0,
    retried: 0,
    tests_passed: 0,
    tests_failed: 0,
  };
  return {
    budget: {
      month: '2026-11',
      limitNanoUsd: nanoUsd(20_000_000_000),
      spentNanoUsd: nanoUsd(1_450_000_000),
      heldNanoUsd: nanoUsd(0),
    },
    months: ['2026-11'],
    total: sumsOf(4, 4),
    days: [{ ...sumsOf(4, 4), day: '2026-11-15' }],
    byModel: [{ ...sumsOf(4, 4), modelId: 'none' }],
    byTask: [],
    byServed: [
      { ...sumsOf(3, 3), served: 'local' },
      { ...sumsOf(1, 1), served: 'none' },
    ],
    byReason: [],
    verdicts,
    audits: NO_AUDITS,
    ...change,
  };
}

async function reportOf(month: MonthReport) {
  const lsp = await openLsp();
  Object.assign(lsp.app.reports, { month: () => month });
  const report = await lsp.request('costAwareRouter/report', {});
  await lsp.close();
  return report;
}

test('a month projects its spend in a straight line, and unknown savings are unknown', async () => {
  const report = await reportOf(november({}));
  // 14.5 of 30 days are over.
  assert.equal(report.projection, '≈ $3.00 by 30 November');
  assert.equal(report.saved, 'unknown');
  assert.deepEqual([report.days[0]?.saved, report.days[0]?.baseline], ['unknown', 'unknown']);
  assert.equal(report.byModel[0]?.name, 'no answer');
  assert.deepEqual(report.shares, { local: 1, cloud: 0, cache: 0 });
});

test('quality is measured by verdicts, with its uncertainty, or said to be unknown', async () => {
  const few = await reportOf(november({}));
  assert.equal(few.quality, 'unknown (0 of 10 verdicts)');
  const verdicts = {
    kept: 30,
    dismissed: 9,
    up: 24,
    down: 4,
    good_enough: 3,
    asked_bigger: 0,
    retried: 0,
    tests_passed: 0,
    tests_failed: 0,
  };
  const many = await reportOf(november({ verdicts }));
  assert.equal(many.quality, '93 % ± 7 (n=61), measured');
});
