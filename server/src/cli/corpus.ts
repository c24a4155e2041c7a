/** `train tokenizer` and `train prepare`: from texts to a tokenizer, and with it to shards. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { exitCodes } from './exitCodes.ts';
import { writeLine } from './io.ts';
import type { Session } from './session.ts';
import { withTraining } from './trainingSession.ts';

export interface TokenizerFlags {
  readonly input: readonly string[];
  readonly vocabSize: number;
  readonly out: string;
  readonly type: 'bpe' | 'unigram';
}

export interface PrepareFlags {
  readonly input: readonly string[];
  readonly tok: string;
  readonly out: string;
  readonly seqLen?: number;
  readonly config?: string;
  readonly valShare: number;
}

/** That of configs/tiny.json. */
const DEFAULT_SEQUENCE_LENGTH = 128;

export async function trainTokenizerFile({ io }: Session, flags: TokenizerFlags): Promise<number> {
  return await withTraining(io, async (progress) => {
    const { textFiles } = await import('../training/textFiles.ts');
    const { trainTokenizer } = await import('../training/tokenizer/trainTokenizer.ts');
    const { writeVocabulary } = await import('../training/tokenizer/modelFile.ts');
    const files = await textFiles(flags.input.map((path) => resolve(io.cwd, path)));
    const vocabulary = await trainTokenizer(files, {
      algorithm: flags.type,
      vocabularySize: flags.vocabSize,
      onProgress: (stage, share) => progress.show(stage, share),
      signal: io.signal,
    });
    const path = resolve(io.cwd, flags.out);
    await writeVocabulary(path, vocabulary);
    progress.clear();
    await writeLine(
      io.stdout,
      `${vocabulary.pieces.length} pieces (${flags.type}) in ${flags.out}`,
    );
    return exitCodes.ok;
  });
}

export async function prepareCorpus({ io }: Session, flags: PrepareFlags): Promise<number> {
  return await withTraining(io, async (progress) => {
    const { textFiles } = await import('../training/textFiles.ts');
    const { prepareShards } = await import('../training/prepare.ts');
    const { createTokenizer } = await import('../training/tokenizer/encode.ts');
    const { decodeVocabulary } = await import('../training/tokenizer/modelFile.ts');
    const tokenizerFile = await readFile(resolve(io.cwd, flags.tok));
    const tokenizer = createTokenizer(decodeVocabulary(tokenizerFile, flags.tok));
    const files = await textFiles(flags.input.map((path) => resolve(io.cwd, path)));
    const sequenceLength = await sequenceLengthOf(flags, io.cwd);
    const prepared = await prepareShards(files, resolve(io.cwd, flags.out), {
      tokenizer,
      tokenizerSha256: createHash('sha256').update(tokenizerFile).digest('hex'),
      sequenceLength,
      validationShare: flags.valShare,
      onProgress: (share) => progress.show('writing shards', share),
      signal: io.signal,
    });
    progress.clear();
    const { tokens, trainSequences, validationSequences, tokensLeftOver } = prepared;
    await writeLine(
      io.stdout,
      `${tokens} tokens in ${flags.out}: ${trainSequences} sequences of ${sequenceLength} to train, ${validationSequences} to validate, ${tokensLeftOver} tokens left over at the end`,
    );
    return exitCodes.ok;
  });
}

async function sequenceLengthOf(flags: PrepareFlags, cwd: string): Promise<number> {
  if (flags.seqLen !== undefined) return flags.seqLen;
  if (flags.config === undefined) return DEFAULT_SEQUENCE_LENGTH;
  const { readTrainConfig } = await import('../training/config.ts');
  return (await readTrainConfig(resolve(cwd, flags.config))).seq_len;
}
