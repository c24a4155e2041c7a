/** A vocabulary of a wanted size from the texts of a corpus. */
import type { TextFile } from '../textFiles.ts';
import { TrainingError } from '../trainingError.ts';
import { type Algorithm, BYTES, bytePiece, type Piece, type Vocabulary } from './pieces.ts';
import { learnMerges } from './trainBpe.ts';
import { learnUnigram } from './trainUnigram.ts';
import { countWords, coveredCharacters } from './words.ts';

export interface TokenizerOptions {
  readonly algorithm: Algorithm;
  readonly vocabularySize: number;
  readonly onProgress: (stage: 'counting words' | 'learning pieces', share: number) => void;
  readonly signal: AbortSignal;
}

/** Of all characters of the corpus; the rest is written in bytes. SentencePiece's own default. */
const CHARACTER_COVERAGE = 0.9995;

const meta: readonly Piece[] = [
  { text: '<unk>', score: 0, kind: 'unknown' },
  { text: '<s>', score: 0, kind: 'control' },
  { text: '</s>', score: 0, kind: 'control' },
  ...Array.from(
    { length: BYTES },
    (_, byte): Piece => ({ text: bytePiece(byte), score: 0, kind: 'byte' }),
  ),
];

/** @throws TrainingError when the corpus can't fill the vocabulary, or the vocabulary can't hold its characters */
export async function trainTokenizer(
  files: readonly TextFile[],
  { algorithm, vocabularySize, onProgress, signal }: TokenizerOptions,
): Promise<Vocabulary> {
  const { words, characters } = await countWords(
    files,
    (share) => onProgress('counting words', share),
    signal,
  );
  const covered = coveredCharacters(characters, CHARACTER_COVERAGE).map(([character]) => character);
  const room = vocabularySize - meta.length - covered.length;
  if (room < 1) {
    throw new TrainingError(
      `expected a vocabulary of more than ${meta.length + covered.length} pieces (3 of control, ${BYTES} bytes, ${covered.length} characters of this corpus), got --vocab-size ${vocabularySize}`,
    );
  }
  const alphabet = new Set(covered);
  const learning = {
    onProgress: (share: number) => onProgress('learning pieces', share),
    signal,
  };
  const learned =
    algorithm === 'bpe'
      ? ranked([...(await learnMerges(words, alphabet, { wanted: room, ...learning })), ...covered])
      : (await learnUnigram(words, alphabet, { wanted: room + covered.length, ...learning })).map(
          ({ text, score }): Piece => ({ text, score, kind: 'normal' }),
        );
  const pieces = [...meta, ...learned];
  if (pieces.length < vocabularySize) {
    throw new TrainingError(
      `expected a corpus that fills ${vocabularySize} pieces, got one that gives ${pieces.length}; add text or set --vocab-size ${pieces.length}`,
    );
  }
  return {
    algorithm,
    pieces,
    byteFallback: true,
    treatWhitespaceAsSuffix: false,
    normalizer: {
      name: 'identity',
      charsmap: new Uint8Array(0),
      addDummyPrefix: true,
      removeExtraWhitespaces: false,
      escapeWhitespaces: true,
    },
  };
}

/** Learned earlier is merged earlier. Whole numbers, so that 32-bit floats hold them exactly. */
function ranked(texts: readonly string[]): readonly Piece[] {
  return texts.map((text, rank) => ({ text, score: -rank, kind: 'normal' }));
}
