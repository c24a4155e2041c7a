/** The vocabulary of a tokenizer as data, as SentencePiece's model files have it. An id is a place in the list of pieces. */

import { TrainingError } from '../trainingError.ts';

/** What a piece is for; names and numbers are those of `sentencepiece_model.proto`. */
export type PieceKind = 'normal' | 'unknown' | 'control' | 'user-defined' | 'unused' | 'byte';

export interface Piece {
  /** A space is written as `▁`; a byte as `<0x0A>`. */
  readonly text: string;
  /** The higher, the sooner merged (BPE); the natural logarithm of its probability (unigram). A 32-bit float. */
  readonly score: number;
  readonly kind: PieceKind;
}

/** What happens to a text before it is cut into pieces. */
export interface Normalizer {
  /** `identity`, `nmt_nfkc` and others; empty where the file does not say. */
  readonly name: string;
  /** Compiled replacements of characters; empty for identity. */
  readonly charsmap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  readonly escapeWhitespaces: boolean;
}

export type Algorithm = 'bpe' | 'unigram';

export interface Vocabulary {
  readonly algorithm: Algorithm;
  readonly pieces: readonly Piece[];
  readonly normalizer: Normalizer;
  readonly byteFallback: boolean;
  readonly treatWhitespaceAsSuffix: boolean;
}

export interface SpecialIds {
  readonly unknown: number;
  readonly begin: number | undefined;
  readonly end: number | undefined;
}

export const SPACE = '▁';
export const BYTES = 256;

export function bytePiece(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

export function specialIds({ pieces }: Vocabulary): SpecialIds {
  const idOf = (text: string) => {
    const id = pieces.findIndex((piece) => piece.kind === 'control' && piece.text === text);
    return id < 0 ? undefined : id;
  };
  const unknown = pieces.findIndex(({ kind }) => kind === 'unknown');
  if (unknown < 0) throw new TrainingError('expected a piece for what is unknown, found none');
  return { unknown, begin: idOf('<s>'), end: idOf('</s>') };
}
