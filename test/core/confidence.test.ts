/** The confidence as it ships, and with weights that make each sign visible. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { codeIsBalanced } from '../../server/src/core/codeBalance.ts';
import {
  confidenceOf,
  gateOf,
  type JudgedAnswer,
  parseFittedConfidence,
} from '../../server/src/core/confidence.ts';

const path = new URL('../../models/confidence.json', import.meta.url);
const file = JSON.parse(readFileSync(path, 'utf8'));
const fitted = parseFittedConfidence(file);
const smolLm2 = 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53';

function answer(text: string, logProb?: number, changes: Partial<JudgedAnswer> = {}): JudgedAnswer {
  const logProbs =
    logProb === undefined
      ? undefined
      : Array.from({ length: 20 }, () => ({ text: 'word', logProb }));
  return { text, finish: 'stop', logProbs, ...changes };
}

const confident = (judged: JudgedAnswer, identity = smolLm2, task = 'natural_qa') =>
  confidenceOf(judged, task, fitted, identity);

test('the gate of the embedded model was fitted to answers, and says how well it works', () => {
  const gate = gateOf(fitted, smolLm2, 'natural_qa');
  assert.equal(gate.source, 'outcomes');
  assert.ok(gate.answers >= 100);
  assert.ok((gate.auroc ?? 0) > 0.65 && (gate.auroc ?? 1) < 1);
  assert.ok(gate.catchRate > gate.falseRejectRate + 0.2);
});

test('a model that nothing was measured on gets the cautious gate', () => {
  assert.equal(gateOf(fitted, 'another model', 'natural_qa'), fitted.gate);
  assert.equal(fitted.gate.source, 'judgement');
});

test('a task that the fit has not seen gets the cautious gate too', () => {
  assert.equal(gateOf(fitted, smolLm2, 'summarize'), fitted.gate);
});

test('surer tokens give more confidence, on both sides of the gate', () => {
  for (const identity of [smolLm2, 'another model']) {
    const values = [-3, -1.5, -0.7, -0.1].map(
      (logProb) => confident(answer('Paris.', logProb), identity).value,
    );
    assert.deepEqual(
      values,
      values.toSorted((a, b) => a - b),
    );
    const { needed } = gateOf(fitted, identity, 'natural_qa');
    assert.ok((values[0] ?? 1) < needed && (values.at(-1) ?? 0) > needed);
  }
});

test('a few wild tokens count although the mean hides them', () => {
  const even = Array.from({ length: 20 }, () => ({ text: '', logProb: -0.5 }));
  const wild = even.map((token, at) => ({ ...token, logProb: at < 3 ? -2.5 : -0.147 }));
  const of = (logProbs: typeof even) => confident(answer('text', undefined, { logProbs })).value;
  assert.ok(of(wild) < of(even));
});

const judged: [name: string, answer: JudgedAnswer][] = [
  ['with log-probabilities', answer('The capital is Paris.', -0.2)],
  ['without', answer('The capital is Paris.')],
  ['with an empty list of them', answer('Paris', undefined, { logProbs: [] })],
  ['empty', answer('')],
  ['with every sign', answer("I'm sorry ```js\n(\n``` ".repeat(30), -4, { finish: 'length' })],
  ['with an impossible token', answer('x', Number.NEGATIVE_INFINITY)],
];
for (const [name, given] of judged) {
  test(`the parts sum to the value, which is a probability: an answer ${name}`, () => {
    const { value, needed, parts } = confident(given);
    const sum = parts.reduce((total, part) => total + part.added, 0);
    assert.ok(value >= 0 && value <= 1);
    assert.ok(Math.abs(sum - value) < 1e-9);
    assert.equal(needed, gateOf(fitted, smolLm2, 'natural_qa').needed);
  });
}

const words = 'one two three four five six seven eight nine ten eleven twelve';
const signs: [sign: string, answer: JudgedAnswer, without: JudgedAnswer][] = [
  ['empty', answer('  \n', -0.2), answer('Paris', -0.2)],
  ['refused', answer('I’m sorry, but that is beyond me.', -0.2), answer('That is Paris.', -0.2)],
  ['refused', answer('No.', -0.2, { finish: 'refusal' }), answer('No.', -0.2)],
  ['repeated', answer(`${words} `.repeat(5), -0.2), answer(words, -0.2)],
  ['truncated', answer(words, -0.2, { finish: 'length' }), answer(words, -0.2)],
  [
    'unbalanced',
    answer('```ts\nfunction f( {\n```', -0.2),
    answer('```ts\nfunction f() {}\n```', -0.2),
  ],
];
for (const [sign, having, without] of signs) {
  test(`${sign} is seen, costs confidence, and is not seen where it is not`, () => {
    const part = confident(having).parts.find(({ name }) => name === sign);
    assert.ok(part !== undefined && part.added < 0);
    assert.ok(!confident(without).parts.some(({ name }) => name === sign));
    assert.ok(confident(having).value < confident(without).value);
  });
}

test('an apology late in a letter is content, not a refusal', () => {
  const letter = `Dear Ms Weber, ${'thank you for your patience with us. '.repeat(6)}I'm sorry for the delay.`;
  assert.ok(!confident(answer(letter, -0.2)).parts.some(({ name }) => name === 'refused'));
});

test('details repeat no word of the answer', () => {
  const { parts } = confident(answer('xylophone xylophone xylophone', -2));
  assert.ok(!JSON.stringify(parts).includes('xylophone'));
});

const code: [name: string, answer: string, balanced: boolean][] = [
  ['no code', 'just (text', true],
  ['good code', '```js\nconst a = [1, { b: "(" }]; // :-)\n```', true],
  ['a missing brace', '```js\nif (a) { b(\n```', false],
  ['a closing too many', '```python\nprint(1))\n```', false],
  ['crossed pairs', '```go\nf([)]\n```', false],
  ['brackets in strings and comments', '```c\n/* ( */ char *s = "[\\"{"; // }\n```', true],
  ['a docstring', '```python\ndef f():\n    """(unfinished"""\n    return 1  # :(\n```', true],
  ['a lifetime', "```rust\nfn f<'a>(x: &'a str) -> &'a str { x }\n```", true],
  ['a template literal', '```ts\nconst s = `a\n( b `;\n```', true],
  ['a language of other rules', '```shell\ncase $x in a) echo 1;; esac\n```', true],
  ['a cut block', 'see\n```js\nif (a', true],
  ['the second of two blocks', '```js\nf()\n```\nand\n```js\nf((\n```', false],
];
for (const [name, text, balanced] of code) {
  test(`${name} is ${balanced ? 'fine' : 'unbalanced'}`, () => {
    assert.equal(codeIsBalanced(text), balanced);
  });
}

const badFiles: [name: string, change: object, message: RegExp][] = [
  ['another schema', { schema: 3 }, /schema: /],
  ['a rate above one', { default: { ...file.default, catchRate: 2 } }, /default\.catchRate: /],
  ['a missing default', { default: undefined }, /default: /],
];
for (const [name, change, message] of badFiles) {
  test(`a fitted confidence with ${name} is refused with the place and what to do`, () => {
    const parse = () => parseFittedConfidence({ ...file, ...change });
    assert.throws(parse, message);
    assert.throws(parse, /restore models\/confidence\.json/);
  });
}
