/**
 * SentencePiece's model file: a ModelProto in protobuf's wire format. Field numbers are those of
 * https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
 */
import { readFile } from 'node:fs/promises';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { TrainingError } from '../trainingError.ts';
import { writeWhole } from '../wholeFile.ts';
import {
  type Algorithm,
  type Normalizer,
  type Piece,
  type PieceKind,
  specialIds,
  type Vocabulary,
} from './pieces.ts';

const kinds: Readonly<Record<number, PieceKind>> = {
  1: 'normal',
  2: 'unknown',
  3: 'control',
  4: 'user-defined',
  5: 'unused',
  6: 'byte',
};
const kindNumbers: Readonly<Record<PieceKind, number>> = {
  normal: 1,
  unknown: 2,
  control: 3,
  'user-defined': 4,
  unused: 5,
  byte: 6,
};
const algorithms: Readonly<Record<number, string>> = {
  1: 'unigram',
  2: 'bpe',
  3: 'word',
  4: 'char',
};

const model = { pieces: 1, trainer: 2, normalizer: 3 } as const;
const piece = { text: 1, score: 2, kind: 3 } as const;
const trainer = {
  algorithm: 3,
  vocabSize: 4,
  whitespaceAsSuffix: 24,
  byteFallback: 35,
  unknownId: 40,
  beginId: 41,
  endId: 42,
  padId: 43,
} as const;
const normalizer = {
  name: 1,
  charsmap: 2,
  addDummyPrefix: 3,
  removeExtraWhitespaces: 4,
  escapeWhitespaces: 5,
} as const;

export async function readVocabulary(path: string): Promise<Vocabulary> {
  return decodeVocabulary(await readFile(path), path);
}

export async function writeVocabulary(path: string, vocabulary: Vocabulary): Promise<void> {
  await writeWhole(path, encodeVocabulary(vocabulary));
}

export function encodeVocabulary(vocabulary: Vocabulary): Uint8Array {
  const out = new BinaryWriter();
  for (const { text, score, kind } of vocabulary.pieces) {
    out.tag(model.pieces, WireType.LengthDelimited).fork();
    out.tag(piece.text, WireType.LengthDelimited).string(text);
    out.tag(piece.score, WireType.Bit32).float(score);
    if (kind !== 'normal') out.tag(piece.kind, WireType.Varint).int32(kindNumbers[kind]);
    out.join();
  }
  const { unknown, begin, end } = specialIds(vocabulary);
  out.tag(model.trainer, WireType.LengthDelimited).fork();
  const algorithm = vocabulary.algorithm === 'bpe' ? 2 : 1;
  out.tag(trainer.algorithm, WireType.Varint).int32(algorithm);
  out.tag(trainer.vocabSize, WireType.Varint).int32(vocabulary.pieces.length);
  out.tag(trainer.whitespaceAsSuffix, WireType.Varint).bool(vocabulary.treatWhitespaceAsSuffix);
  out.tag(trainer.byteFallback, WireType.Varint).bool(vocabulary.byteFallback);
  out.tag(trainer.unknownId, WireType.Varint).int32(unknown);
  out.tag(trainer.beginId, WireType.Varint).int32(begin ?? -1);
  out.tag(trainer.endId, WireType.Varint).int32(end ?? -1);
  out.tag(trainer.padId, WireType.Varint).int32(-1);
  out.join();
  const rules = vocabulary.normalizer;
  out.tag(model.normalizer, WireType.LengthDelimited).fork();
  out.tag(normalizer.name, WireType.LengthDelimited).string(rules.name);
  out.tag(normalizer.charsmap, WireType.LengthDelimited).bytes(rules.charsmap);
  out.tag(normalizer.addDummyPrefix, WireType.Varint).bool(rules.addDummyPrefix);
  out.tag(normalizer.removeExtraWhitespaces, WireType.Varint).bool(rules.removeExtraWhitespaces);
  out.tag(normalizer.escapeWhitespaces, WireType.Varint).bool(rules.escapeWhitespaces);
  out.join();
  return out.finish();
}

/** @param what names the file in errors */
export function decodeVocabulary(bytes: Uint8Array, what: string): Vocabulary {
  const pieces: Piece[] = [];
  let training = { algorithm: 'unigram', byteFallback: false, treatWhitespaceAsSuffix: false };
  let rules: Normalizer = {
    name: '',
    charsmap: new Uint8Array(0),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
  };
  try {
    eachField(new BinaryReader(bytes), (field, reader) => {
      if (field === model.pieces) pieces.push(readPiece(inner(reader)));
      else if (field === model.trainer) training = readTraining(inner(reader));
      else if (field === model.normalizer) rules = readNormalizer(inner(reader), rules);
      else return false;
      return true;
    });
  } catch (error) {
    if (error instanceof TrainingError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new TrainingError(`expected ${what} to be a SentencePiece model, got ${why}`);
  }
  const { algorithm, ...flags } = training;
  if (pieces.length === 0) {
    throw new TrainingError(`expected ${what} to be a SentencePiece model, got no pieces`);
  }
  if (!isAlgorithm(algorithm)) {
    throw new TrainingError(
      `expected ${what} to be a BPE or unigram tokenizer, got the type ${algorithm}`,
    );
  }
  return { algorithm, pieces, normalizer: rules, ...flags };
}

function isAlgorithm(name: string): name is Algorithm {
  return name === 'bpe' || name === 'unigram';
}

/** @param read returns whether it has consumed the field; what nobody wants is skipped */
function eachField(
  reader: BinaryReader,
  read: (field: number, reader: BinaryReader) => boolean,
): void {
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (!read(field, reader)) reader.skip(type, field);
  }
}

function inner(reader: BinaryReader): BinaryReader {
  return new BinaryReader(reader.bytes());
}

function readPiece(reader: BinaryReader): Piece {
  let text = '';
  let score = 0;
  let kind: PieceKind = 'normal';
  eachField(reader, (field) => {
    if (field === piece.text) text = reader.string();
    else if (field === piece.score) score = reader.float();
    else if (field === piece.kind) {
      const number = reader.int32();
      const known = kinds[number];
      if (known === undefined) throw new TrainingError(`expected a kind of piece, got ${number}`);
      kind = known;
    } else return false;
    return true;
  });
  return { text, score, kind };
}

function readTraining(reader: BinaryReader) {
  const read = { algorithm: 'unigram', byteFallback: false, treatWhitespaceAsSuffix: false };
  eachField(reader, (field) => {
    if (field === trainer.algorithm) {
      const number = reader.int32();
      read.algorithm = algorithms[number] ?? `number ${number}`;
    } else if (field === trainer.byteFallback) read.byteFallback = reader.bool();
    else if (field === trainer.whitespaceAsSuffix) read.treatWhitespaceAsSuffix = reader.bool();
    else return false;
    return true;
  });
  return read;
}

function readNormalizer(reader: BinaryReader, defaults: Normalizer): Normalizer {
  const read = { ...defaults };
  eachField(reader, (field) => {
    if (field === normalizer.name) read.name = reader.string();
    else if (field === normalizer.charsmap) read.charsmap = reader.bytes();
    else if (field === normalizer.addDummyPrefix) read.addDummyPrefix = reader.bool();
    else if (field === normalizer.removeExtraWhitespaces)
      read.removeExtraWhitespaces = reader.bool();
    else if (field === normalizer.escapeWhitespaces) read.escapeWhitespaces = reader.bool();
    else return false;
    return true;
  });
  return read;
}
