/** A conversation keeps its model unless a switch is worth the cache discount that it loses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  conversationOf,
  createAnswerMemory,
  keptThreshold,
  lostDiscount,
} from '../../server/src/core/conversation.ts';
import type { NanoUsd, PriceRow, Turn } from '../../server/src/core/types.ts';

const nano = (amount: number) => amount as NanoUsd;
/** 2 USD per million tokens in, 0.5 from the cache, 8 out. */
const price: PriceRow = {
  id: 'big@2026-01-01',
  model: 'big',
  effectiveFrom: '2026-01-01',
  source: 'test',
  checkedAt: '2026-01-01',
  base: { inputPicoUsd: 2_000_000, cachedInputPicoUsd: 500_000, outputPicoUsd: 8_000_000 },
  tiers: [],
};

test('the lost discount is the difference of both rates, in whole nano-dollars', () => {
  assert.equal(lostDiscount(price, 2_000), 2_000 * 1_500);
  assert.equal(lostDiscount(price, 1_023), 0, 'providers cache no shorter beginning');
  assert.equal(lostDiscount(undefined, 2_000), 0);
  const { cachedInputPicoUsd: _, ...flat } = price.base;
  assert.equal(lostDiscount({ ...price, base: flat }, 2_000), 0, 'no discount, nothing to lose');
});

const rows: [
  name: string,
  tier: 'cheap' | 'escalation',
  lost: number,
  expected: number,
  to: number,
][] = [
  ['a cheap conversation goes to the cloud later', 'cheap', 250, 1_000, 0.5],
  ['one in the cloud stays there longer', 'escalation', 250, 1_000, 0.3],
  ['a discount as large as the bill keeps it there', 'escalation', 5_000, 1_000, 0],
  ['nothing to lose changes nothing', 'cheap', 0, 1_000, 0.4],
  ['a free model has no discount', 'escalation', 10, 0, 0.4],
];
for (const [name, tier, lost, expected, to] of rows) {
  test(name, () => {
    assert.ok(Math.abs(keptThreshold(0.4, tier, nano(lost), nano(expected)) - to) < 1e-9);
  });
}

test('the last answer tells the model, however an edge wraps it; nothing is known of answers from elsewhere', () => {
  const memory = createAnswerMemory();
  memory.remember('Use a queue.\n\nIt is simpler.', 'big');
  memory.remember('No.', 'small');
  const after = (text: string): Turn[] => [
    { role: 'user', text: 'How?' },
    { role: 'assistant', text },
  ];
  assert.equal(memory.lastModel(after('Use a queue. It is  simpler.\n')), 'big');
  assert.equal(memory.lastModel(after('Use a stack.')), undefined);
  assert.equal(memory.lastModel([{ role: 'user', text: 'No.' }]), undefined);
  for (let at = 0; at < 2_000; at += 1) memory.remember(`answer ${at}`, 'small');
  assert.equal(memory.lastModel(after('Use a queue. It is simpler.')), undefined, 'it forgets');
});

test('a conversation with a model outside the pair moves no threshold', () => {
  const memory = createAnswerMemory();
  memory.remember('Yes.', 'other');
  const input = {
    memory,
    cheapId: 'small',
    escalationId: 'big',
    price,
    thresholdAlone: 0.4,
    historyTokens: 5_000,
    inputTokens: 5_100,
    expectedOutputTokens: 250,
  };
  const history: Turn[] = [
    { role: 'user', text: 'Is it?' },
    { role: 'assistant', text: 'Yes.' },
  ];
  assert.equal(conversationOf({ ...input, history }), undefined);
  memory.remember('Yes.', 'big');
  const found = conversationOf({ ...input, history });
  assert.equal(found?.lostDiscountNanoUsd, 7_500_000);
  // 5,100 x 2,000 + 250 x 8,000 = 12,200,000 nano-dollars; 7.5 of 12.2 is 614 thousandths.
  assert.ok(Math.abs((found?.threshold ?? 0) - 0.4 * (1 - 0.614)) < 1e-9);
  assert.equal(conversationOf({ ...input, history: [] }), undefined);
});
