/** The score as it ships, on prompts that nothing was fitted to. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { abilityProblem } from '../../server/src/core/ability.ts';
import { featuresOf } from '../../server/src/core/features.ts';
import { parseFittedScore } from '../../server/src/core/fittedScore.ts';
import { createScorer, type Score } from '../../server/src/core/score.ts';
import type { AbilitySource } from '../../server/src/core/types.ts';

const path = new URL('../../models/score.json', import.meta.url);
const file = JSON.parse(readFileSync(path, 'utf8'));
const fitted = parseFittedScore(file);
const scorer = createScorer(fitted);

const sized = (billions: number) => ({ ability: { kind: 'size', billions } as const });
const tiny = sized(0.135);
const small = sized(4);
const large = sized(400);
const mistral = { ability: { kind: 'fitted', key: 'mistral-7b-instruct-v0.3' } as const };

const featured = (text: string) => featuresOf({ text, context: [], history: [] });

/** Not in the seed set, and written without a look at it. */
const easy: [text: string, task: string][] = [
  ['Please shorten the weekly status mail to its three most important points.', 'summarize'],
  ['Could you sum up what was said in the retrospective?', 'summarize'],
  ['Brief overview of this long thread about holidays, please.', 'summarize'],
  ['Make my answer to the applicant sound kinder.', 'rewrite-text'],
  ['Fix the commas in this sentence.', 'rewrite-text'],
  ['Reword this tooltip in simpler English.', 'rewrite-text'],
  ['Say "see you tomorrow" in Danish.', 'translate'],
  ['Translate the last paragraph into Finnish.', 'translate'],
  ['Write a cheerful note for the kitchen fridge.', 'write-text'],
  ['Draft two lines of thanks to our volunteers.', 'write-text'],
  ['Good evening!', 'small-talk'],
  ['thank you very much', 'small-talk'],
  ['Put these opening hours into a table.', 'extract-data'],
  ['Add a comment above this function.', 'document-code'],
  ['Rename the method to fetchAll.', 'small-edit'],
];
const hard: [text: string, task: string][] = [
  ['Plan how we split the billing database without losing a payment.', 'plan-design'],
  ['Propose an architecture for a live auction site and weigh its weak points.', 'plan-design'],
  [
    'Which steps and fallbacks do we need to bring the new tax rules live in nine countries?',
    'plan-design',
  ],
  ['Weigh three ways to store telemetry for ten years against each other.', 'plan-design'],
  ['Draw up a phased strategy for leaving our cloud provider, with risks.', 'plan-design'],
  ['Design a schema and a failover concept for hospital appointments.', 'plan-design'],
  ['Build a collaborative whiteboard with cursors and history.', 'build-feature'],
  ['Implement a query planner for our toy database.', 'build-feature'],
  ['Write a complete inventory system with barcode scanning.', 'build-feature'],
  ['Implement payments with retries and webhooks in this backend.', 'build-feature'],
  ['Sometimes the export hangs for minutes and nobody knows why.', 'debug'],
  ['Our service throws a broken pipe error under load, find the cause.', 'debug'],
  ['Restructure this service so that its layers can be tested apart.', 'refactor'],
  ['Untangle this class, it mixes parsing and printing.', 'refactor'],
  ['Prove that the product of two odd integers is odd.', 'math'],
];

test('the file is under 1 MB', () => {
  assert.ok(statSync(path).size < 1_000_000);
});

const anything = [
  '',
  '?',
  '🙂'.repeat(10),
  'ничего не работает',
  'word '.repeat(50_000),
  ...[...easy, ...hard].map(([text]) => text),
];

test('the parts sum to the value, which stays in its range, for every kind of prompt', () => {
  const check = ({ value, parts, taskProbability }: Score) => {
    const sum = parts.reduce((total, part) => total + part.added, 0);
    assert.equal(value, Math.min(0.99, Math.max(0.01, sum)));
    assert.ok(taskProbability > 0 && taskProbability <= 1);
    for (const part of parts) assert.ok(Number.isFinite(part.added) && part.detail.length > 0);
  };
  for (const text of anything) {
    const features = featured(text);
    for (const model of [tiny, small, large, mistral]) check(scorer.score(features, model));
    check(scorer.gain(features, tiny, large));
  }
});

test('gains keep the order of what they sum to, also where escalating is worth little or less than nothing', () => {
  const gains = anything.map((text) => scorer.gain(featured(text), large, small));
  const summed = gains.map(({ value, parts }) => ({
    value,
    sum: parts.reduce((total, part) => total + part.added, 0),
  }));
  assert.ok(summed.some(({ sum }) => sum < 0));
  for (const one of summed) {
    assert.ok(one.value > 0 && one.value <= 0.99);
    for (const other of summed) {
      if (one.sum < other.sum) assert.ok(one.value < other.value);
    }
  }
});

test('scoring again, and in another order, gives the same', () => {
  const scores = anything.map((text) => scorer.score(featured(text), tiny));
  const again = createScorer(fitted);
  const reversed = anything.toReversed().map((text) => again.score(featured(text), tiny));
  assert.deepEqual(reversed.toReversed(), scores);
});

test('parts and details repeat no word of the prompt', () => {
  const { parts } = scorer.score(featured('Rewrite the xylophone contract'), tiny);
  assert.ok(!JSON.stringify(parts).includes('xylophone'));
});

test('the classic prompts come out in the right order', () => {
  const plan = 'Design a multi-step rollout plan and analyze trade-offs for risk mitigation.';
  const tickets = "Summarize last week's support tickets into three bullet points.";
  const email = 'Rewrite this email to sound friendly and professional.';
  for (const model of [tiny, small]) {
    const value = (text: string) => scorer.score(featured(text), model).value;
    const threshold = scorer.threshold(model, 0.5);
    assert.ok(value(plan) > threshold, 'the plan escalates');
    assert.ok(value(tickets) <= threshold, 'the summary stays');
    assert.ok(value(email) <= threshold, 'the rewriting stays');
    assert.ok(value(plan) > Math.max(value(tickets), value(email)) + 0.1);
  }
});

test('held-out prompts: hard ones outrank easy ones', () => {
  for (const model of [tiny, small]) {
    const value = ([text]: [string, string]) => scorer.score(featured(text), model).value;
    const pairs = hard.flatMap((above) => easy.map((below) => value(above) > value(below)));
    const share = pairs.filter(Boolean).length / pairs.length;
    assert.ok(share >= 0.9, `${share} of the pairs are in order`);
  }
});

/**
 * Twelve prompts of our own for each kind. That models of some 25 billion parameters are far behind the largest in the first
 * three kinds and close to them in the last four is common knowledge of published results. They took part in choosing what
 * length and words add, so they show that it stays so, not how good the score is.
 */
test('mathematics, code and puzzles are worth more than science, history, letters and roles', () => {
  const kinds = readFileSync(new URL('../fixtures/routing/kinds.jsonl', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; prompt: string });
  const gainsOf = (...wanted: string[]) =>
    kinds
      .filter(({ kind }) => wanted.includes(kind))
      .map(({ prompt }) => scorer.gain(featured(prompt), sized(25), large).value);
  const far = gainsOf('math', 'coding', 'reasoning');
  const between = gainsOf('extraction');
  const near = gainsOf('writing', 'roleplay', 'stem', 'humanities');
  assert.deepEqual([far.length, between.length, near.length], [36, 12, 48]);
  const ordered = (high: number[], low: number[]) =>
    high.flatMap((above) => low.map((below) => above > below)).filter(Boolean).length /
    (high.length * low.length);
  assert.ok(ordered(far, near) > 0.97, `far above near: ${ordered(far, near)}`);
  assert.ok(ordered(far, between) > 0.65, `far above between: ${ordered(far, between)}`);
  assert.ok(ordered(between, near) > 0.85, `between above near: ${ordered(between, near)}`);
});

const pasted =
  'Since the ferry was replaced by a bridge the island has changed. The bakery has closed, since people buy their bread where they work. The school, which had eleven pupils, has forty now. There are three cafés along the beach, all open until October, and the first traffic light was put up in May. Older people say that it has become louder, younger ones that it has become possible to stay. The last ferryman sells fish where his boat used to land, and takes visitors out when the sea is calm.';

test('a pasted text does not hide what is asked', () => {
  const rows: readonly (readonly [text: string, task: string])[] = [
    [`Summarize the following text in two sentences.\n\n${pasted}`, 'summarize'],
    [`${pasted}\n\nTL;DR please`, 'summarize'],
    [`Translate this into Spanish: "${pasted}"`, 'translate'],
    [`Rewrite this paragraph in a more formal tone:\n${pasted}`, 'rewrite-text'],
    [
      `Extract all numbers with what they count from the text below as JSON.\n\n${pasted}`,
      'extract-data',
    ],
    [
      'Write a welcome letter to new neighbours on the island. Mention the bridge and the three cafés. Be brief and friendly, and do not praise the weather. Sign it as the council.',
      'write-text',
    ],
  ];
  const found = rows.map(([text]) => scorer.score(featured(text), small).task);
  assert.deepEqual(
    found,
    rows.map(([, task]) => task),
  );
});

test('length says less of a letter than of what no table knows', () => {
  const lengthOf = (text: string) =>
    scorer.gain(featured(text), sized(25), large).parts.find(({ name }) => name === 'length')
      ?.added ?? Number.NaN;
  const letter = 'Write a friendly letter that invites our neighbours to a garden party.';
  const longLetter = `${letter} Say that there will be cake and music, that children are welcome and that nobody has to bring anything. Close with a warm greeting and sign it with our names.`;
  const riddle = 'What may the keeper of a lighthouse and the owner of an orchard have in common?';
  const longRiddle = `Both rise early, both watch the weather, both count what the night has left behind, and both of them talk more to birds than to people. ${riddle}`;
  const ofLetter = lengthOf(longLetter) - lengthOf(letter);
  const ofRiddle = lengthOf(longRiddle) - lengthOf(riddle);
  assert.ok(ofRiddle > 0.05 && ofLetter < ofRiddle / 2, `${ofLetter} beside ${ofRiddle}`);
});

test('words of code, mathematics or reasoning say that escalating is worth more, and count once each', () => {
  const wordsOf = (text: string) =>
    scorer.gain(featured(text), sized(25), large).parts.find(({ name }) => name === 'words');
  const plain = wordsOf('Tell me about the blue one.');
  const asked = wordsOf('Tell me about the algorithm.');
  assert.ok((asked?.added ?? 0) > (plain?.added ?? 0));
  assert.match(asked?.detail ?? '', /^0 words that relate steps, 1 of code/);
  assert.match(wordsOf('algorithm algorithm algorithm')?.detail ?? '', /, 1 of code/);
});

test('held-out prompts: most tasks are recognised', () => {
  const all = [...easy, ...hard];
  const right = all.filter(([text, task]) => scorer.score(featured(text), tiny).task === task);
  assert.ok(right.length >= 0.6 * all.length, `${right.length} of ${all.length}`);
});

test('an unseen model is placed by its size', () => {
  const features = featured('Write a function that merges two sorted lists.');
  const values = [0.05, 0.135, 1, 7, 70, 700].map(
    (billions) => scorer.score(features, sized(billions)).value,
  );
  assert.deepEqual(
    values,
    values.toSorted((a, b) => b - a),
  );
  // Nothing is known of sizes beyond the range, so nothing is claimed of them.
  assert.equal(
    scorer.score(features, sized(0.001)).value,
    scorer.score(features, sized(0.1)).value,
  );
});

test('a stated ability overrules the size for its task only', () => {
  const stated = {
    ability: { kind: 'stated', billions: 4, tasks: { translate: 0.99 } } as const,
  };
  const translation = featured('Translate to French: the bridge is closed today');
  const arithmetic = featured('Write a function that merges two sorted lists.');
  assert.ok(scorer.score(translation, stated).value < scorer.score(translation, small).value - 0.1);
  const moved = scorer.score(arithmetic, stated).value - scorer.score(arithmetic, small).value;
  assert.ok(Math.abs(moved) < 0.03, `${moved}`);
});

test('a model with outcomes is judged by them', () => {
  const strong = { ability: { kind: 'fitted', key: 'llama-3.1-nemotron-51b-instruct' } as const };
  const sum = featured(
    'A baker sells 12 loaves in the morning and 15 in the afternoon at 3 dollars each. How much money does she take?',
  );
  assert.ok(scorer.score(sum, strong).value < scorer.score(sum, mistral).value - 0.2);
  assert.ok(scorer.gain(sum, mistral, strong).value > 0.2);
});

test('longer than usual is harder, and so is much attached code', () => {
  const short = 'Summarise the notes.';
  const long = `${short} ${'They are about the garden and the house. '.repeat(60)}`;
  const lengthOf = (text: string) =>
    scorer.score(featured(text), small).parts.find(({ name }) => name === 'length')?.added ?? 0;
  assert.ok(lengthOf(long) > 0 && lengthOf(short) < 0);
  const attached = (characters: number) =>
    featuresOf({
      text: 'Explain this.',
      history: [],
      context: [{ kind: 'file', text: 'x'.repeat(characters), language: 'go' }],
    });
  assert.ok(scorer.score(attached(80_000), small).value > scorer.score(attached(400), small).value);
});

test('a threshold keeps its share of the reference prompts, falls with it, and belongs to its model', () => {
  const shares = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1];
  for (const model of [tiny, small, large, mistral]) {
    const thresholds = shares.map((share) => scorer.threshold(model, share));
    assert.deepEqual(
      thresholds,
      thresholds.toSorted((a, b) => b - a),
    );
    assert.equal(thresholds[0], 1);
    assert.equal(thresholds.at(-1), 0);
  }
  assert.ok(scorer.threshold(tiny, 0.5) > scorer.threshold(small, 0.5) + 0.1);
  const gains = shares.map((share) => scorer.gainThreshold(tiny, large, share));
  assert.deepEqual(
    gains,
    gains.toSorted((a, b) => b - a),
  );
  assert.throws(() => scorer.threshold(tiny, 1.2), /share in \[0,1\], got 1.2/);
});

test('the baselines answer by the same interface', () => {
  for (const strategy of ['random', 'length', 'keywords'] as const) {
    const baseline = createScorer(fitted, strategy);
    assert.equal(baseline.strategy, strategy);
    const values = anything.map((text) => baseline.score(featured(text), tiny).value);
    assert.ok(values.every((value) => value >= 0.01 && value <= 0.99));
    assert.ok(new Set(values).size > 1);
    assert.deepEqual(
      values,
      anything.map((text) => baseline.gain(featured(text), tiny, large).value),
    );
    assert.ok(baseline.threshold(tiny, 0.2) >= baseline.threshold(tiny, 0.8));
  }
});

const badAbilities: [AbilitySource, RegExp][] = [
  [{ kind: 'fitted', key: 'no-such-model' }, /expected a model with a fitted table.*no-such-model/],
  [{ kind: 'size', billions: 0 }, /expected a size above 0.*got 0/],
  [{ kind: 'stated', billions: 1, tasks: { juggling: 0.5 } }, /expected a task out of.*juggling/],
  [{ kind: 'stated', billions: 1, tasks: { debug: 1.5 } }, /in \[0,1\] for debug, got 1.5/],
];
for (const [ability, message] of badAbilities) {
  test(`an ability that can't be used says why: ${message.source}`, () => {
    assert.match(abilityProblem(fitted, ability) ?? '', message);
    assert.throws(() => scorer.score(featured('hi'), { ability }), message);
  });
}

test('good abilities have no problem', () => {
  for (const model of [tiny, mistral])
    assert.equal(abilityProblem(fitted, model.ability), undefined);
});

const badFiles: [name: string, change: object, message: RegExp][] = [
  ['another schema', { schema: 2 }, /schema: /],
  ['a missing section', { sizePrior: undefined }, /sizePrior: /],
  [
    'cut weights',
    { classifier: { ...file.classifier, weights: file.classifier.weights.slice(0, 400) } },
    /classifier\.weights: expected \d+ entries, got 300/,
  ],
  [
    'weights that are no base64',
    { classifier: { ...file.classifier, weights: '%%%' } },
    /classifier\.weights: expected base64/,
  ],
  [
    'a table of the wrong width',
    { models: { m: { billions: 1, prior: [], good: [], bad: [] } } },
    /models\.m\.prior/,
  ],
  ['an unknown field', { surprise: 1 }, /surprise/],
];
for (const [name, change, message] of badFiles) {
  test(`a fitted score with ${name} is refused with the place and what to do`, () => {
    const parse = () => parseFittedScore({ ...file, ...change });
    assert.throws(parse, message);
    assert.throws(parse, /restore models\/score\.json/);
  });
}
