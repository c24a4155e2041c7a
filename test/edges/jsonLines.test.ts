/** Lines from pieces of any size: cut characters, a byte order mark, carriage returns, and a line that would not end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLinesOf } from '../../server/src/jsonLines.ts';

async function linesOf(pieces: Iterable<Uint8Array | string>): Promise<readonly unknown[]> {
  const lines: unknown[] = [];
  async function* input() {
    yield* pieces;
  }
  for await (const line of jsonLinesOf(input())) {
    lines.push([line.line, line.kind === 'object' ? line.value : line.kind]);
  }
  return lines;
}

test('a text is read alike however it is cut', async () => {
  const bytes = new TextEncoder().encode('\uFEFF{"a":"schön 🙂"}\r\n\n[1]\n{"b":2}');
  const whole = [
    [1, { a: 'schön 🙂' }],
    [3, 'bad'],
    [4, { b: 2 }],
  ];
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
      bytes.subarray(at * size, (at + 1) * size),
    );
    assert.deepEqual(await linesOf(pieces), whole, `pieces of ${size}`);
  }
  assert.deepEqual(await linesOf(['\uFEFF{"a":"schön 🙂"}\r\n\n[1]\n{"b":2}']), whole);
});

test('a line that does not end takes no more memory, is told, and the next one counts', async () => {
  function* pieces() {
    yield '{"a":1}\n{"long":"';
    for (let part = 0; part < 40; part += 1) yield 'x'.repeat(1_000_000);
    yield '"}\n{"b":2}\n';
  }
  assert.deepEqual(await linesOf(pieces()), [
    [1, { a: 1 }],
    [2, 'bad'],
    [3, { b: 2 }],
  ]);
});
