/** The language server's output: pieces of one turn go out together, in order, and nothing of them is lost at the end. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gathered } from '../../server/src/lsp/gathered.ts';

function sink(options: { readonly stalls?: boolean } = {}) {
  const writes: string[] = [];
  const waiting: (() => void)[] = [];
  const output = new Writable({
    highWaterMark: 8,
    write(piece: Buffer, _encoding, done) {
      writes.push(piece.toString());
      if (options.stalls === true) waiting.push(done);
      else done();
    },
  });
  return { output, writes, waiting };
}

test('a head and a body that waits for it go out in one write, and so do the messages of one turn', async () => {
  const { output, writes } = sink();
  const out = gathered(output);
  for (const name of ['one', 'two']) {
    await new Promise<void>((resolve) => out.write(`head ${name},`, 'ascii', () => resolve()));
    out.write(Buffer.from(`body ${name};`));
  }
  assert.deepEqual(writes, []);
  await nextTurn();
  assert.deepEqual(writes, ['head one,body one;head two,body two;']);
  out.write('three');
  await nextTurn();
  assert.deepEqual(writes.slice(1), ['three']);
});

test('the end brings out what is left, and whoever does not read holds the writer back', async () => {
  const { output, writes, waiting } = sink({ stalls: true });
  const out = gathered(output);
  out.write('a long first piece');
  await nextTurn();
  let isDone = false;
  out.write('second', () => (isDone = true));
  await nextTurn();
  assert.deepEqual([writes.length, isDone], [1, false]);
  out.end();
  const ended = once(output, 'finish');
  while (!output.writableFinished) {
    waiting.shift()?.();
    await nextTurn();
  }
  await ended;
  assert.equal(writes.join(), 'a long first piece,second');
  assert.equal(isDone, true);
});

test('a broken output breaks it, with the cause', async () => {
  const { output } = sink();
  const out = gathered(output);
  const broken = once(out, 'error');
  output.destroy(new Error('the pipe is gone'));
  const [error] = await broken;
  assert.match(String(error), /the pipe is gone/);
  assert.equal(out.destroyed, true);
});
