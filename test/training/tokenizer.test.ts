/** Ids against Python's sentencepiece, as it once wrote them (test/fixtures/training/sentencepieceIds.py). */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { textFiles } from '../../server/src/training/textFiles.ts';
import { createTokenizer, type Tokenizer } from '../../server/src/training/tokenizer/encode.ts';
import {
  decodeVocabulary,
  encodeVocabulary,
  readVocabulary,
} from '../../server/src/training/tokenizer/modelFile.ts';
import type { Algorithm } from '../../server/src/training/tokenizer/pieces.ts';
import { trainTokenizer } from '../../server/src/training/tokenizer/trainTokenizer.ts';
import { TrainingError } from '../../server/src/training/trainingError.ts';

const fixtures = join(import.meta.dirname, '../fixtures/training');
const json = <T>(name: string): T => JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as T;
const texts = json<string[]>('tokenizerTexts.json');
const reference = json<Record<string, number[][]>>('sentencepieceIds.json');
const folder = mkdtempSync(join(tmpdir(), 'tokenizer-'));
const corpus = join(folder, 'corpus.txt');
const never = new AbortController().signal;

before(() => {
  const book = readFileSync(join(import.meta.dirname, '../../data/corpus/mobyDick.txt'), 'utf8');
  writeFileSync(corpus, book.slice(0, 120_000));
});
after(() => rmSync(folder, { recursive: true, force: true }));

async function trained(algorithm: Algorithm, vocabularySize: number) {
  return await trainTokenizer(await textFiles([corpus]), {
    algorithm,
    vocabularySize,
    onProgress: () => {},
    signal: never,
  });
}

for (const [name, ids] of Object.entries(reference)) {
  test(`ids are those of sentencepiece: ${name}`, async () => {
    const tokenizer = createTokenizer(await readVocabulary(join(fixtures, `${name}.model`)));
    assert.equal(ids.length, texts.length);
    for (const [index, text] of texts.entries()) {
      assert.deepEqual(tokenizer.encode(text), ids[index], JSON.stringify(text.slice(0, 60)));
    }
  });
}

for (const [algorithm, name] of [
  ['bpe', 'ourBpe'],
  ['unigram', 'ourUnigram'],
] as const) {
  test(`the model that sentencepiece loaded is the one that is trained today: ${name}`, async () => {
    const bytes = encodeVocabulary(await trained(algorithm, 800));
    assert.deepEqual(Buffer.from(bytes), readFileSync(join(fixtures, `${name}.model`)));
  });
}

test('a text comes back from its ids, whatever it is', async () => {
  const tokenizer = createTokenizer(await readVocabulary(join(fixtures, 'ourBpe.model')));
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      // The piece for a space and a space are one to the tokenizer.
      fc.pre(!text.includes('▁'));
      assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
    }),
  );
});

test('a text in parts has the ids of the whole', async () => {
  const tokenizer = createTokenizer(await readVocabulary(join(fixtures, 'ourBpe.model')));
  const text = texts.slice(0, 9).join(' ');
  const inParts = (tokens: Tokenizer, length: number): number[] => {
    const ids: number[] = [];
    let rest = '';
    let begins = true;
    for (let at = 0; at < text.length; at += length) {
      rest += text.slice(at, at + length);
      const cut = tokens.safeCut(rest);
      if (cut === 0) continue;
      ids.push(...tokens.encode(rest.slice(0, cut), begins));
      begins = false;
      rest = rest.slice(cut);
    }
    return [...ids, ...tokens.encode(rest, begins)];
  };
  for (const length of [1, 7, 100, 1000]) {
    assert.deepEqual(inParts(tokenizer, length), tokenizer.encode(text), `parts of ${length}`);
  }
});

test('what can not be trained says how large a vocabulary may be', async () => {
  await assert.rejects(trained('bpe', 300), /more than \d+ pieces .* got --vocab-size 300/);
  await assert.rejects(trained('bpe', 500_000), /fills 500000 pieces.* set --vocab-size \d+/);
  const empty = join(folder, 'empty.txt');
  writeFileSync(empty, '');
  await assert.rejects(textFiles([empty]), /expected text in the corpus, got nothing/);
  await assert.rejects(textFiles([join(folder, 'none.txt')]), /found nothing that can be read/);
  const latin = join(folder, 'latin.txt');
  writeFileSync(latin, Buffer.from('caf\xe9 au lait', 'latin1'));
  await assert.rejects(
    trainTokenizer(await textFiles([latin]), {
      algorithm: 'bpe',
      vocabularySize: 400,
      onProgress: () => {},
      signal: never,
    }),
    /to be text in UTF-8/,
  );
});

test('a file that is no tokenizer is refused', () => {
  const refused = (bytes: Uint8Array, expected: RegExp) =>
    assert.throws(
      () => decodeVocabulary(bytes, 'x.model'),
      (error) => error instanceof TrainingError && expected.test(error.message),
    );
  refused(new Uint8Array(0), /got no pieces/);
  refused(Buffer.from('GGUF and then something else'), /to be a SentencePiece model/);
  const words = Buffer.from([0x0a, 0x03, 0x0a, 0x01, 0x61, 0x12, 0x02, 0x18, 0x03]);
  refused(words, /to be a BPE or unigram tokenizer, got the type word/);
});
