/** Whether tokenizer, shards and configuration belong together. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { TrainConfig } from './config.ts';
import { decodeVocabulary } from './tokenizer/modelFile.ts';
import { TrainingError } from './trainingError.ts';

const preparedSchema = z.object({ tokenizer_sha256: z.string() });

/**
 * The hash of the tokenizer's file.
 *
 * @param shards files of the training shards; what `train prepare` noted beside them is compared
 * @throws TrainingError where vocabulary or shards are those of another tokenizer
 */
export async function checkTokenizer(
  config: Pick<TrainConfig, 'tokenizer_path' | 'vocab_size'>,
  cwd: string,
  shards: readonly string[],
): Promise<string> {
  const path = resolve(cwd, config.tokenizer_path);
  const file = await readFile(path).catch(() => undefined);
  if (file === undefined) {
    throw new TrainingError(
      `expected a tokenizer at ${config.tokenizer_path} (tokenizer_path), got nothing that can be read; make one with: train tokenizer`,
    );
  }
  const { pieces } = decodeVocabulary(file, path);
  if (pieces.length !== config.vocab_size) {
    throw new TrainingError(
      `expected vocab_size to be that of ${config.tokenizer_path}, ${pieces.length}, got ${config.vocab_size}; change the one or train the other`,
    );
  }
  const sha256 = createHash('sha256').update(file).digest('hex');
  for (const folder of new Set(shards.map((shard) => dirname(shard)))) {
    const prepared = preparedSchema.safeParse(await preparedIn(folder));
    if (prepared.success && prepared.data.tokenizer_sha256 !== sha256) {
      throw new TrainingError(
        `expected the shards in ${folder} to be made with ${config.tokenizer_path}, got those of another tokenizer; make them again with: train prepare`,
      );
    }
  }
  return sha256;
}

/** Shards made elsewhere have no such note. */
async function preparedIn(folder: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(join(folder, 'prepared.json'), 'utf8'));
  } catch {
    return undefined;
  }
}
