import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readNpz } from '../../server/src/training/npz.ts';
import { createTokenizer } from '../../server/src/training/tokenizer/encode.ts';
import { readVocabulary } from '../../server/src/training/tokenizer/modelFile.ts';
import { cli } from '../edges/cliHarness.ts';

const fixtures = join(import.meta.dirname, '../fixtures/training');
const tok = join(fixtures, 'ourBpe.model');
const folder = mkdtempSync(join(tmpdir(), 'prepare-'));
const corpus = join(import.meta.dirname, '../../data/corpus/mobyDick.txt');
const book = readFileSync(corpus, 'utf8');
after(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
/** Longer than a block of reading, so that the parts have to fit together. */
const long = write('long.txt', book);
const short = write('short.txt', book.slice(500, 9_000));

test('shards hold every token once, in order, and y is x one token on', async () => {
  const out = join(folder, 'shards');
  const run = await cli(
    ['train', 'prepare', '--input', long, short, '--tok', tok, '--out', out, '--seq-len', '64'],
    { cwd: folder },
  );
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(readdirSync(out).sort(), ['prepared.json', 'train_00000.npz', 'val_00000.npz']);
  const tokenizer = createTokenizer(await readVocabulary(tok));
  const { begin = -1, end = -1 } = tokenizer.special;
  const expected = [long, short].flatMap((path) => [
    begin,
    ...tokenizer.encode(readFileSync(path, 'utf8')),
    end,
  ]);
  const train = await readNpz(join(out, 'train_00000.npz'));
  const val = await readNpz(join(out, 'val_00000.npz'));
  const rows = { train: 0, val: 0 };
  const row = (kind: 'train' | 'val', array: 'x' | 'y') => {
    const { data } = (kind === 'train' ? train : val).get(array)!;
    return [...data.subarray(rows[kind] * 64, (rows[kind] + 1) * 64)];
  };
  const sequences = Math.floor((expected.length - 1) / 64);
  for (let sequence = 0; sequence < sequences; sequence++) {
    const kind = (sequence + 1) % 20 === 0 ? 'val' : 'train';
    const at = sequence * 64;
    assert.deepEqual(row(kind, 'x'), expected.slice(at, at + 64), `x of sequence ${sequence}`);
    assert.deepEqual(row(kind, 'y'), expected.slice(at + 1, at + 65), `y of sequence ${sequence}`);
    rows[kind] += 1;
  }
  assert.deepEqual(train.get('x')!.shape, [rows.train, 64]);
  assert.deepEqual(val.get('y')!.shape, [rows.val, 64]);
  assert.match(run.stdout, new RegExp(`^${expected.length} tokens in `));
});

test('an earlier run is replaced whole, and a failed one leaves it as it was', async () => {
  const out = join(folder, 'again');
  const prepare = (...more: string[]) =>
    cli(['train', 'prepare', '--tok', tok, '--out', out, ...more], { cwd: folder });
  assert.equal((await prepare('--input', short, '--seq-len', '32')).code, 0);
  const before = readdirSync(out).map((name) => [name, readFileSync(join(out, name))]);
  const failed = await prepare('--input', write('tiny.txt', 'Call me Ishmael.'));
  assert.equal(failed.code, 2);
  assert.match(failed.stderr, /at least 257 tokens \(two sequences of 128\), got \d+/);
  assert.deepEqual(
    readdirSync(out).map((name) => [name, readFileSync(join(out, name))]),
    before,
  );
  const config = join(import.meta.dirname, '../../configs/tiny.json');
  const configured = await prepare('--input', short, '--config', config);
  assert.match(configured.stdout, /sequences of 128 to train/);
  // Too short for every twentieth sequence to be there: the last one is kept to validate.
  assert.equal((await prepare('--input', write('few.txt', book.slice(0, 2_000)))).code, 0);
  assert.equal((await readNpz(join(out, 'val_00000.npz'))).get('x')!.shape[0], 1);
});

test('what is missing or empty is said', async () => {
  const said = async (argv: string[], expected: RegExp) => {
    const run = await cli(argv, { cwd: folder });
    assert.equal(run.code, 2);
    assert.match(run.stderr, expected);
  };
  const empty = write('empty.txt', '');
  const tokenizer = ['train', 'tokenizer', '--vocab-size', '400', '--out', 'x.model', '--input'];
  await said([...tokenizer, empty], /expected text in the corpus, got nothing/);
  await said([...tokenizer, 'none.txt'], /found nothing that can be read/);
  await said([...tokenizer], /argument missing/);
  const prepare = ['train', 'prepare', '--input', short, '--tok'];
  await said([...prepare, 'none.model'], /expected to open .*none\.model, got ENOENT/);
  await said([...prepare, short], /to be a SentencePiece model/);
  await said([...prepare, tok, '--seq-len', '1'], /a whole number from 2/);
});

test('Ctrl-C ends it and leaves nothing behind', async () => {
  const out = join(folder, 'cancelled');
  const run = await cli(['train', 'prepare', '--input', long, '--tok', tok, '--out', out], {
    cwd: folder,
    signal: AbortSignal.abort(),
  });
  assert.equal(run.code, 130);
  assert.deepEqual(readdirSync(out), []);
});
