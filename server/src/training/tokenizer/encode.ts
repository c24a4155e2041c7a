/**
 * Text to ids and back, with the ids that SentencePiece gives. Texts are cut where no piece of the vocabulary can reach
 * across, and what is between the cuts is encoded once and remembered: most words of a text are words that came before.
 */

import { TrainingError } from '../trainingError.ts';
import { createBpe } from './bpe.ts';
import { normalize } from './normalize.ts';
import { BYTES, bytePiece, SPACE, type SpecialIds, specialIds, type Vocabulary } from './pieces.ts';
import { createUnigram } from './unigram.ts';

export interface Tokenizer {
  readonly vocabulary: Vocabulary;
  readonly special: SpecialIds;
  /**
   * The ids of a text, without begin and end.
   * @param begins whether the text stands at the beginning; false for a further part of one. @default true
   */
  encode(text: string, begins?: boolean): number[];
  decode(ids: Iterable<number>): string;
  /** The last place up to which a text may be encoded before the rest is known; 0 where there is none. */
  safeCut(text: string): number;
}

/** Maps a normalized stretch of text to ids of pieces; `unknown` stands for one character that has none. */
export type Segmenter = (text: string) => number[];

const MAX_REMEMBERED = 200_000;
const MAX_REMEMBERED_LENGTH = 64;

export function createTokenizer(vocabulary: Vocabulary): Tokenizer {
  const { pieces, byteFallback, normalizer, treatWhitespaceAsSuffix } = vocabulary;
  const special = specialIds(vocabulary);
  const bytes = byteIds(vocabulary);
  const userDefined = pieces
    .flatMap(({ kind, text }) => (kind === 'user-defined' ? [text] : []))
    .toSorted((a, b) => b.length - a.length);
  const segment: Segmenter =
    vocabulary.algorithm === 'bpe'
      ? createBpe(vocabulary, userDefined, unknownIds)
      : createUnigram(vocabulary, unknownIds);
  const stretches = stretchesOf(vocabulary);
  // Unigram adds up scores in 32-bit floats over the whole text, and ties fall as the rounding falls.
  const whole = stretches === undefined || vocabulary.algorithm === 'unigram';
  const remembered = new Map<string, readonly number[]>();

  function unknownIds(character: string): readonly number[] {
    if (!byteFallback) return [special.unknown];
    return [...Buffer.from(character)].map((byte) => bytes[byte] ?? special.unknown);
  }

  function encodeStretch(text: string): readonly number[] {
    const known = remembered.get(text);
    if (known !== undefined) return known;
    const ids = segment(text);
    if (text.length <= MAX_REMEMBERED_LENGTH) {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear();
      remembered.set(text, ids);
    }
    return ids;
  }

  return {
    vocabulary,
    special,
    encode(text, begins = true) {
      const normal = normalize(text, normalizer, { userDefined, treatWhitespaceAsSuffix }, begins);
      const ids: number[] = [];
      const parts = whole ? [normal] : (normal.match(stretches ?? /./s) ?? []);
      for (const part of parts) {
        for (const id of encodeStretch(part)) {
          // A run of what is unknown is one unknown, so that it could be copied as a whole.
          if (id === special.unknown && ids.at(-1) === id) continue;
          ids.push(id);
        }
      }
      return ids;
    },
    decode: (ids) => decode(ids, vocabulary),
    safeCut(text) {
      // What was normalized away or joined can't be told from its parts.
      if (stretches === undefined || normalizer.charsmap.length > 0) return 0;
      if (normalizer.removeExtraWhitespaces || treatWhitespaceAsSuffix) return 0;
      for (let at = text.length - 1; at > 0; at--) {
        if (text[at] === ' ' && text[at - 1] !== ' ') return at;
      }
      return 0;
    },
  };
}

function byteIds({ pieces, byteFallback }: Vocabulary): readonly number[] {
  if (!byteFallback) return [];
  const byText = new Map(
    pieces.flatMap(({ kind, text }, id) => (kind === 'byte' ? [[text, id] as const] : [])),
  );
  return Array.from({ length: BYTES }, (_, byte) => {
    const id = byText.get(bytePiece(byte));
    if (id === undefined) {
      throw new TrainingError(
        `expected a piece for each of 256 bytes, found no ${bytePiece(byte)}`,
      );
    }
    return id;
  });
}

/** How a text may be cut so that no piece could reach across; `undefined` where pieces hold several words. */
function stretchesOf({ pieces, normalizer }: Vocabulary): RegExp | undefined {
  if (!normalizer.escapeWhitespaces) return undefined;
  const texts = pieces.flatMap(({ kind, text }) =>
    kind === 'normal' || kind === 'user-defined' || kind === 'unused' ? [text] : [],
  );
  const word = new RegExp(`[^${SPACE}]${SPACE}`, 'u');
  if (texts.some((text) => word.test(text))) return undefined;
  const line = /\n[^\n]|[^\n]\n/;
  return texts.some((text) => line.test(text))
    ? new RegExp(`${SPACE}+[^${SPACE}]*|[^${SPACE}]+`, 'gu')
    : new RegExp(`${SPACE}+[^${SPACE}\\n]*|\\n+|[^${SPACE}\\n]+`, 'gu');
}

function decode(ids: Iterable<number>, { pieces, normalizer }: Vocabulary): string {
  const out: Buffer[] = [];
  for (const id of ids) {
    const piece = pieces[id];
    if (piece === undefined) {
      throw new TrainingError(`expected an id below ${pieces.length}, got ${id}`);
    }
    if (piece.kind === 'control') continue;
    if (piece.kind === 'byte') out.push(Buffer.from([Number(piece.text.slice(1, -1))]));
    else
      out.push(Buffer.from(piece.kind === 'unknown' ? ' ⁇ ' : piece.text.replaceAll(SPACE, ' ')));
  }
  const text = Buffer.concat(out).toString('utf8');
  return normalizer.addDummyPrefix && text.startsWith(' ') ? text.slice(1) : text;
}
