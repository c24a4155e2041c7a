/** Perplexity of files by a checkpoint or by a GGUF, whichever a path leads to. */
import { readFile } from 'node:fs/promises';
import { readModel } from './checkpoint.ts';
import { createScorer } from './engine/scorer.ts';
import { openGgufScorer } from './ggufScorer.ts';
import {
  type PerplexityOptions,
  scoreText,
  type TextScore,
  type TextScorer,
} from './perplexity.ts';
import type { TextFile } from './textFiles.ts';
import { createTokenizer, type Tokenizer } from './tokenizer/encode.ts';
import { readVocabulary } from './tokenizer/modelFile.ts';
import { TrainingError } from './trainingError.ts';

export interface EvaluateOptions extends Pick<PerplexityOptions, 'window' | 'stride' | 'signal'> {
  /** A checkpoint's folder, or a GGUF file. */
  readonly model: string;
  /** A SentencePiece model file. A GGUF has a tokenizer of its own. */
  readonly tokenizer: string | undefined;
  readonly threads: number;
  readonly onProgress: (path: string, share: number) => void;
}

export interface FileScore extends TextScore {
  readonly path: string;
  readonly ids: readonly number[];
  /** Of each scored token, as it stands in the text. */
  readonly texts: readonly string[];
}

interface Judge extends TextScorer {
  readonly vocabularySize: number;
  readonly begin: number | undefined;
  encode(text: string): Promise<readonly number[]>;
  close(): void;
}

export async function evaluate(
  files: readonly TextFile[],
  options: EvaluateOptions,
): Promise<readonly FileScore[]> {
  const { window, stride, signal } = options;
  const tokenizer =
    options.tokenizer === undefined
      ? undefined
      : createTokenizer(await readVocabulary(options.tokenizer));
  const judge = await openJudge(options, tokenizer);
  try {
    if (tokenizer !== undefined && tokenizer.vocabulary.pieces.length !== judge.vocabularySize) {
      throw new TrainingError(
        `expected the tokenizer of the model (${judge.vocabularySize} pieces), got one of ${tokenizer.vocabulary.pieces.length}: ${options.tokenizer}`,
      );
    }
    const scores: FileScore[] = [];
    for (const { path } of files) {
      const ids = [...(await judge.encode(await readText(path)))];
      if (judge.begin !== undefined) ids.unshift(judge.begin);
      if (ids.length < 2) {
        throw new TrainingError(`expected text to score in ${path}, got ${ids.length} tokens`);
      }
      const score = await scoreText(judge, ids, {
        signal,
        onProgress: (share) => options.onProgress(path, share),
        ...(window !== undefined && { window }),
        ...(stride !== undefined && { stride }),
      });
      const scored = ids.slice(1);
      const texts = scored.map((id) => tokenizer?.vocabulary.pieces[id]?.text ?? String(id));
      scores.push({ path, ids: scored, texts, ...score });
    }
    return scores;
  } finally {
    judge.close();
  }
}

async function openJudge(
  { model, window, threads, signal }: EvaluateOptions,
  tokenizer: Tokenizer | undefined,
): Promise<Judge> {
  if (/\.gguf$/i.test(model)) {
    const scorer = await openGgufScorer(model, { threads, window, signal });
    if (tokenizer === undefined) return scorer;
    const encode = async (text: string) => tokenizer.encode(text);
    return { ...scorer, encode, begin: tokenizer.special.begin };
  }
  if (tokenizer === undefined) {
    throw new TrainingError('expected --tok with the tokenizer of the checkpoint, got none');
  }
  const read = await readModel(model);
  const scorer = await createScorer(read);
  return {
    contextLength: read.architecture.seqLen,
    vocabularySize: read.architecture.vocabSize,
    begin: tokenizer.special.begin,
    encode: async (text) => tokenizer.encode(text),
    losses: async (ids, targets, from) => scorer.losses(ids, targets).subarray(from),
    close() {},
  };
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new TrainingError(`expected ${path} to be text in UTF-8, got bytes that are none`);
  }
}
