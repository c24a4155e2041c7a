/** The small parts that fitting is made of, each on data whose answer is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRight } from '../../server/src/learning/checkableQuestions.ts';
import { chanceOf, fitLogistic } from '../../server/src/learning/logistic.ts';
import { packWeights } from '../../server/src/learning/quantise.ts';
import { createSeededRandom } from '../../server/src/learning/seededRandom.ts';
import { drawPatterns } from '../../server/src/learning/seedPatterns.ts';
import { readSeedPrompts } from '../../server/src/learning/seedPrompts.ts';
import { fitSizeLine } from '../../server/src/learning/sizePrior.ts';
import { probabilities, trainSoftmax } from '../../server/src/learning/softmax.ts';
import { benchmarkTasks, editorTasks, judgedLogit } from '../../server/src/learning/tasks.ts';

test('a softmax learns which word belongs to which label, and the same from the same seed', () => {
  const examples = Array.from({ length: 60 }, (_, at) => ({
    buckets: Int32Array.of(at % 3, 3 + (at % 5)),
    label: at % 3,
    weight: 1,
  }));
  const options = { buckets: 8, labels: 3, epochs: 20, rate: 0.3, decay: 1e-5, seed: 1 };
  const model = trainSoftmax(examples, options);
  for (const label of [0, 1, 2]) {
    assert.ok((probabilities(model, Int32Array.of(label, 4))[label] ?? 0) > 0.8);
  }
  assert.deepEqual(trainSoftmax(examples, options).weights, model.weights);
});

test('a logistic finds the weights that made the data', () => {
  const random = createSeededRandom(2);
  const truth = [-0.5, 2];
  const rows = Array.from({ length: 4_000 }, () => {
    const values = [1, random.next() * 4 - 2];
    const row = { values, offset: 0.3, positive: false };
    return { ...row, positive: random.next() < chanceOf(row, truth) };
  });
  const weights = fitLogistic(rows, [1e-6, 1e-6]);
  weights.forEach((weight, at) => {
    assert.ok(Math.abs(weight - (truth[at] ?? 0)) < 0.2, `${weight}`);
  });
});

test('a pull keeps the weight of a perfectly separating value finite', () => {
  const rows = [-1, 1].map((value) => ({ values: [value], offset: 0, positive: value > 0 }));
  const [weight = 0] = fitLogistic(rows, [0.5]);
  assert.ok(weight > 0.5 && weight < 3);
});

test('packed weights come back within half a step, cut at the limit', () => {
  const weights = Float32Array.from([0.1, -0.2, 0.3, -0.4, 0.5, 5]);
  const model = { labels: 2, weights, bias: new Float64Array(2) };
  const { weights: packed, scales } = packWeights(model, 4, 0.99);
  const bytes = Buffer.from(packed, 'base64');
  assert.equal(bytes.length, 3);
  const unpacked = [...bytes].flatMap((pair) => [(pair << 28) >> 28, (pair << 24) >> 28]);
  unpacked.forEach((step, at) => {
    const [scale = 0, wanted = 0] = [scales[at % 2], weights[at]];
    assert.ok(Math.abs(step * scale - wanted) <= scale / 2 + 1e-6);
  });
});

test('the size line recovers a slope, and an outlier does not move it', () => {
  const tasks = [-1, 0, 1, 2];
  const row = (billions: number, level = 0) => ({
    billions,
    logits: tasks.map((task) => task + level + 1.2 * Math.log10(billions / 10)),
  });
  const rows = [1, 3, 7, 8, 13, 30, 70].map((billions) => row(billions));
  const line = fitSizeLine(rows);
  assert.ok(Math.abs(line.slopeOfRows - 1.2) < 1e-6);
  const disturbed = fitSizeLine([...rows, row(70, -4)]);
  assert.ok(Math.abs(disturbed.slope - line.slope) < 0.1, `${disturbed.slope}`);
  line.intercepts.forEach((intercept, at) => {
    assert.ok(Math.abs(intercept - (tasks[at] ?? 0)) < 0.2);
  });
});

test('every editor task has seed prompts, names known tasks, and reads a mix without a missing task', () => {
  const seeds = readSeedPrompts();
  const known = new Set(benchmarkTasks.map(({ name }) => name));
  const drawn = new Set(drawPatterns(1, 1).map(({ task }) => task));
  for (const task of editorTasks) {
    const written = seeds.filter((seed) => seed.task === task.name).length;
    // A task that patterns teach as well needs fewer that are written out.
    assert.ok(written >= (drawn.has(task.name) ? 6 : 25), `${task.name}: ${written}`);
    for (const name of Object.keys(task.mix)) assert.ok(known.has(name), name);
    assert.equal(
      judgedLogit(task, () => 0.5),
      0.5 + task.offset,
    );
    assert.equal(
      judgedLogit(task, () => undefined),
      task.offset,
    );
  }
  const names = new Set(editorTasks.map(({ name }) => name));
  for (const { task } of [...seeds, ...drawPatterns(1, 1)]) assert.ok(names.has(task), task);
});

test('the prompts that the demo shows are not taught', () => {
  const demo = [
    "summarize last week's support tickets into three bullet points",
    'design a multi-step rollout plan and analyze trade-offs for risk mitigation',
    'rewrite this email to sound friendly and professional',
  ].map(wordsOf);
  for (const { text } of [...readSeedPrompts(), ...drawPatterns(400, 11)]) {
    const words = wordsOf(text);
    for (const prompt of demo) {
      const shared = [...prompt].filter((word) => words.has(word)).length;
      assert.ok(shared / prompt.size < 0.7, text);
    }
  }
});

function wordsOf(text: string): Set<string> {
  return new Set(text.toLowerCase().match(/[a-z']+/g));
}

test('patterns are drawn reproducibly and leave no slot open', () => {
  const drawn = drawPatterns(50, 4);
  assert.deepEqual(drawPatterns(50, 4), drawn);
  for (const { text } of drawn) assert.doesNotMatch(text, /[{}]/);
});

test('a text that is given to work on may be any, and asks for nothing itself', () => {
  const passage = 'Zirbelnuss '.repeat(20);
  const drawn = drawPatterns(
    200,
    4,
    Array.from({ length: 400 }, () => passage),
  );
  const holders = drawn.filter(({ text }) => text.includes('Zirbelnuss'));
  const tasks = [...new Set(holders.map(({ task }) => task))].sort();
  assert.deepEqual(
    tasks.filter((task) => !task.startsWith('exam-')),
    ['extract-data', 'rewrite-text', 'summarize', 'translate'],
  );
  assert.ok(tasks.includes('exam-law'), `${tasks}`);
  for (const { text } of holders) assert.match(text.replaceAll('Zirbelnuss', ''), /[a-z]{3}/);
});

const answers: [
  answer: string,
  accept: string[],
  unlessFirst: string[] | undefined,
  good: boolean,
][] = [
  ['It is Paris.', ['paris'], undefined, true],
  ['It is Parisian.', ['paris'], undefined, false],
  ['7 + 5 = 12.', ['12', 'twelve'], undefined, true],
  ['That makes 125.', ['12'], undefined, false],
  ['That makes 12.5', ['12'], undefined, false],
  ["I don't know", ['t'], undefined, false],
  ['Hi', ['HI'], undefined, false],
  ['It prints HI', ['HI'], undefined, true],
  ['The sun is larger than the moon.', ['sun'], ['moon'], true],
  ['The moon, not the sun.', ['sun'], ['moon'], false],
  [`${'Well, '.repeat(60)}Paris`, ['paris'], undefined, false],
];
const noCode = async () => undefined;
for (const [answer, accept, unlessFirst, good] of answers) {
  test(`${JSON.stringify(answer.slice(0, 40))} for ${accept.join(' or ')}: ${good ? 'good' : 'bad'}`, async () => {
    const question = { kind: 'test', question: '?', accept, unlessFirst };
    assert.equal(await isRight(answer, question, noCode), good);
  });
}
