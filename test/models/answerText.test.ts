import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AnswerMarkers, createAnswerText } from '../../server/src/models/answerText.ts';

const plain: AnswerMarkers = {
  thoughtOpens: undefined,
  thoughtCloses: undefined,
  stops: ['<|im_end|>'],
  startsInThought: false,
};
const thinking: AnswerMarkers = { ...plain, thoughtOpens: '<think>', thoughtCloses: '</think>' };

/** Pushes pieces as a model would; returns the texts given out after each push and at the end. */
function answer(markers: AnswerMarkers, pieces: readonly string[]) {
  const text = createAnswerText(markers);
  const given: string[] = [];
  let stopped = false;
  for (const piece of pieces) {
    const pushed = text.push({ text: piece, logProb: -1 });
    given.push(pushed.released.map((each) => each.text).join(''));
    stopped = pushed.stopped;
    if (stopped) break;
  }
  given.push(
    text
      .flush()
      .map((each) => each.text)
      .join(''),
  );
  return { given, whole: given.join(''), stopped };
}

const rows: readonly (readonly [string, AnswerMarkers, readonly string[], string, boolean])[] = [
  ['plain text passes', plain, ['Hello', ' world'], 'Hello world', false],
  ['a stop text ends the answer', plain, ['Hi', '<|im', '_end|>', ' more'], 'Hi', true],
  [
    'what only looked like a stop text is given back',
    plain,
    ['a <', '|im', ' b'],
    'a <|im b',
    false,
  ],
  ['a held beginning of a stop text comes out at the end', plain, ['a', '<|im'], 'a<|im', false],
  ['a stop text inside one piece cuts it', plain, ['Hi.<|im_end|>x'], 'Hi.', true],
  ['a thought is left out', thinking, ['<think>', 'hm', '</think>', '\n\n', 'Yes'], 'Yes', false],
  [
    'a thought in split markers is left out',
    thinking,
    ['<th', 'ink>hm', '</thi', 'nk>Y', 'es'],
    'Yes',
    false,
  ],
  [
    'a thought begun by the prompt is left out',
    { ...thinking, startsInThought: true },
    ['hm', '</think>', 'Yes'],
    'Yes',
    false,
  ],
  [
    'a marker in the midst of an answer is text',
    thinking,
    ['Use ', '<think>', ' tags'],
    'Use <think> tags',
    false,
  ],
  ['an unfinished thought is no answer', thinking, ['<think>', 'hm', ' hm'], '', false],
  ['an empty thought in one piece', thinking, ['<think></think>Yes'], 'Yes', false],
];

for (const [name, markers, pieces, whole, stopped] of rows) {
  test(name, () => {
    const result = answer(markers, pieces);
    assert.equal(result.whole, whole);
    assert.equal(result.stopped, stopped);
  });
}

test('text is given out as soon as it can be no marker', () => {
  assert.deepEqual(answer(plain, ['Hello', ' <', 'b>']).given, ['Hello', '', ' <b>', '']);
});

test('a thought can be ended from outside', () => {
  const text = createAnswerText({ ...thinking, startsInThought: true });
  text.push({ text: 'hm', logProb: -1 });
  text.closeThought();
  assert.equal(text.inThought(), false);
  assert.deepEqual(text.push({ text: ' Yes', logProb: -2 }).released, [
    { text: 'Yes', logProb: -2 },
  ]);
});
