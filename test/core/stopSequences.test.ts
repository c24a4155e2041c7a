/** Answers end before a stop sequence, however a stream cuts them up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createStopCut, cutAtStop } from '../../server/src/core/stopSequences.ts';

function streamed(pieces: readonly string[], stops: readonly string[]) {
  const cut = createStopCut(stops);
  const text = pieces.map((piece) => cut.take(piece)).join('') + cut.rest();
  return { text, stopped: cut.stopped() };
}

/** What a writer gives who looks after each letter whether a stop is complete: the rule, told without the code's own search. */
function oneByOne(whole: string, stops: readonly string[]): string {
  for (let end = 1; end <= whole.length; end++) {
    const written = whole.slice(0, end);
    const complete = stops.filter((stop) => written.endsWith(stop));
    if (complete.length > 0)
      return written.slice(0, end - Math.max(...complete.map(({ length }) => length)));
  }
  return whole;
}

test('the first stop that comes ends the text, and what might begin one is held back until it is known', () => {
  assert.deepEqual(streamed(['one E', 'N', 'D two STOP'], ['STOP', 'END']), {
    text: 'one ',
    stopped: true,
  });
  const cut = createStopCut(['END']);
  assert.equal(cut.take('one E'), 'one ');
  assert.equal(cut.take('N'), '');
  assert.equal(cut.take('ough'), 'ENough');
  assert.equal(cut.take(' E'), ' ');
  assert.equal(cut.rest(), 'E');
  assert.equal(cut.stopped(), false);
  assert.equal(cutAtStop('no stop at all', ['END']), 'no stop at all');
  assert.deepEqual(streamed(['as it ', 'is'], []), { text: 'as it is', stopped: false });
});

test('of two that overlap, the one that is complete first ends the text', () => {
  const stops = ['b\n\n', '\n'];
  const expected = { text: 'b', stopped: true };
  assert.deepEqual(streamed(['b\n', '\n'], stops), expected);
  assert.deepEqual(streamed(['b\n\n'], stops), expected);
  assert.equal(cutAtStop('b\n\n', stops), 'b');
  assert.deepEqual(streamed(['a', '\nEND'], ['END', '\nEND']), { text: 'a', stopped: true });
});

test('a stream gives what the whole text would, wherever it is cut', () => {
  const letters = (least: number) =>
    fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: least, maxLength: 6 });
  const stops = fc.array(letters(1), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(letters(0), { maxLength: 8 }), stops, (pieces, all) => {
      const whole = pieces.join('');
      const { text, stopped } = streamed(pieces, all);
      assert.equal(text, cutAtStop(whole, all));
      assert.equal(text, oneByOne(whole, all));
      assert.equal(
        stopped,
        all.some((stop) => whole.includes(stop)),
      );
    }),
  );
});
