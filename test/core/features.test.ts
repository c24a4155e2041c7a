import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Features, featuresOf, wordHash } from '../../server/src/core/features.ts';
import type { ContextPart, Turn } from '../../server/src/core/types.ts';

function of(text: string, context: ContextPart[] = [], history: Turn[] = []): Features {
  return featuresOf({ text, context, history });
}

test('the same prompt gives the same features, in whatever order prompts come', () => {
  const first = of('Explain the CAP theorem.');
  of('something else entirely');
  assert.deepEqual(of('Explain the CAP theorem.'), first);
});

test('words are found whatever their case, and every gram once', () => {
  const { grams } = of('Sum up SUM UP sum up');
  assert.ok(grams.includes(wordHash('sum')));
  assert.equal(new Set(grams).size, grams.length);
  assert.ok(!grams.includes(wordHash('summary')));
});

test('a number counts by its size, not by its digits', () => {
  assert.deepEqual(of('add 17 and 25').grams, of('add 39 and 84').grams);
  assert.notDeepEqual(of('add 17 and 25').grams, of('add 1700 and 25').grams);
});

const asked: [text: string, asked: Features['asked']][] = [
  ['', 'nothing'],
  ['   \n\t ', 'nothing'],
  ['Is it raining?', 'question'],
  ['how do I undo a commit', 'question'],
  ['Undo my last commit.', 'instruction'],
  ['🙂', 'instruction'],
];
for (const [text, expected] of asked) {
  test(`${JSON.stringify(text)} is taken for: ${expected}`, () => {
    assert.equal(of(text).asked, expected);
  });
}

test('a short reply carries the work that it follows', () => {
  const plan = 'Work out how we move all customers to the new data centre without downtime.';
  const history: Turn[] = [
    { role: 'user', text: plan },
    { role: 'assistant', text: 'Shall I include the rollback?' },
    { role: 'user', text: 'ok' },
  ];
  const reply = of('yes please', [], history);
  assert.equal(reply.asked, 'follow-up');
  assert.ok(reply.grams.includes(wordHash('customers')));
  assert.ok(reply.textTokens > plan.length / 4);
  assert.ok(reply.historyTokens > reply.textTokens);
});

test('words that point back carry the work too; thanks carry none', () => {
  const history: Turn[] = [
    { role: 'user', text: 'Prove that there are infinitely many primes, in every step.' },
    { role: 'assistant', text: 'Suppose there were only finitely many.' },
  ];
  const back = of('Do it again, but write it down for a younger reader', [], history);
  assert.equal(back.asked, 'follow-up');
  assert.ok(back.grams.includes(wordHash('primes')));
  assert.equal(back.shape.relations, 1, 'of the work: every');
  const thanks = of('Thank you!', [], history);
  assert.notEqual(thanks.asked, 'follow-up');
  assert.ok(!thanks.grams.includes(wordHash('primes')));
});

test('a new wish in an old conversation stands for itself', () => {
  const history: Turn[] = [{ role: 'user', text: 'Prove that there are infinitely many primes.' }];
  const { asked: kind, grams } = of('Now translate this short greeting into Dutch.', [], history);
  assert.equal(kind, 'instruction');
  assert.ok(!grams.includes(wordHash('primes')));
});

test('attached code is known by its language and size, not by its words', () => {
  const part = (text: string): ContextPart => ({ kind: 'selection', text, language: 'Rust' });
  const small = of('What does this do?', [part('fn main() {}')]);
  const large = of('What does this do?', [part('fn longer() {}'.repeat(100))]);
  assert.equal(small.codeLanguage, 'rust');
  assert.deepEqual(small.grams, large.grams);
  assert.ok(large.contextTokens > small.contextTokens);
  assert.notDeepEqual(small.grams, of('What does this do?').grams);
});

const fences: [text: string, language: string | undefined][] = [
  ['no code here', undefined],
  ['why?\n```python\nprint(1)\n```', 'python'],
  ['why?\n```\nprint(1)\n```', 'unknown'],
  ['an unfinished fence ```', 'unknown'],
];
for (const [text, language] of fences) {
  test(`language of ${JSON.stringify(text)}: ${language}`, () => {
    assert.equal(of(text).codeLanguage, language);
  });
}

test('scripts without spaces are read character by character', () => {
  const { shape, grams } = of('这个函数做什么');
  assert.equal(shape.words, 7);
  assert.ok(grams.length > 7);
});

test('a huge prompt is read at both ends only, and its size still told', () => {
  const filler = 'lorem ipsum '.repeat(200_000);
  const { grams, textTokens } = of(`beginning ${filler} ending`);
  assert.ok(grams.includes(wordHash('beginning')) && grams.includes(wordHash('ending')));
  assert.equal(textTokens, Math.ceil((filler.length + 'beginning  ending'.length) / 4));
  const varied = Array.from({ length: 100_000 }, (_, at) => `w${at.toString(36)}x`).join('?');
  assert.ok(of(varied, [], []).grams.length < 32_000);
});

test('lone surrogates and control characters do no harm', () => {
  assert.ok(of('\ud800\u0000\uffff\udfff'.repeat(5_000)).grams.length > 0);
});
