/**
 * A training configuration: `configs/*.json`. The first fields are those of the classic `125m.json`, which is taken as it
 * is; the rest have defaults. Paths are relative to the working folder, as there.
 */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Architecture } from './architecture.ts';
import { TrainingError } from './trainingError.ts';

const count = z.number().int().positive();

export const trainConfigSchema = z
  .strictObject({
    tokenizer_path: z.string().min(1).describe('Of `train tokenizer`, a SentencePiece model file.'),
    train_glob: z.string().min(1).describe('The shards to learn from.'),
    val_glob: z.string().min(1).describe('The shards to validate with.'),
    save_dir: z.string().min(1).describe('Where checkpoints go.'),
    seq_len: count.min(2).max(65_536).describe('Tokens that the model sees at once.'),
    vocab_size: count.min(2).max(1_000_000).describe('Of the tokenizer.'),
    n_layers: count.max(200).describe('Blocks.'),
    n_heads: count.describe('Attention heads of a block.'),
    d_model: count.describe('Width; a multiple of 2 * n_heads.'),
    d_ff: count.describe('Width of the feed-forward part.'),
    dropout: z.literal(0).default(0).describe('There is none.'),
    lr: z.number().positive().describe('The highest learning rate, after the warm-up.'),
    weight_decay: z.number().min(0).default(0.1).describe('Of matrices, by AdamW.'),
    warmup_steps: z.number().int().min(0).describe('In optimizer steps, as are all that follow.'),
    max_steps: count.describe('Where training ends.'),
    log_every: count.default(10).describe('A line with the loss.'),
    save_every: count.describe('A checkpoint.'),
    batch_size_tokens: count.describe(
      'Tokens of one optimizer step; gradients of `batch_size_tokens / (micro_batch_size * seq_len)` micro-batches add up.',
    ),
    micro_batch_size: count.describe('Sequences computed at once; memory goes with it.'),
    grad_accum_steps: count
      .optional()
      .describe('Taken for the sake of old files; `batch_size_tokens` decides.'),
    bf16: z
      .boolean()
      .default(false)
      .describe('Only on a GPU; everything else computes in 32 bits.'),
    grad_clip: z
      .number()
      .min(0)
      .default(1)
      .describe('Of the global norm, once per optimizer step. 0 leaves gradients alone.'),
    n_kv_heads: count.optional().describe('When left out: n_heads.'),
    rope_theta: z.number().positive().default(10_000).describe('Base of the rotary positions.'),
    norm_eps: z.number().positive().default(1e-5).describe('Of the RMS norms.'),
    tie_embeddings: z.boolean().default(false).describe('One matrix for input and output.'),
    min_lr: z
      .number()
      .min(0)
      .optional()
      .describe('Where the cosine ends, at `max_steps`. When left out: a tenth of lr.'),
    beta1: z.number().min(0).lt(1).default(0.9).describe('Of AdamW.'),
    beta2: z.number().min(0).lt(1).default(0.95).describe('Of AdamW.'),
    adam_eps: z.number().positive().default(1e-8).describe('Of AdamW.'),
    init_std: z
      .number()
      .positive()
      .default(0.02)
      .describe(
        'Standard deviation of fresh weights; those that end a residual branch are divided by sqrt(2 * n_layers).',
      ),
    eval_every: count.optional().describe('When left out: save_every.'),
    eval_sequences: count
      .default(64)
      .describe(
        'Sequences of the validation shards that are scored each time, always the same first ones.',
      ),
    keep_checkpoints: count
      .default(3)
      .describe('Older checkpoints are deleted; that of the best validation loss stays.'),
    seed: z
      .number()
      .int()
      .min(0)
      .max(0xffff_ffff)
      .default(1337)
      .describe('Of weights and the order of data.'),
  })
  .check((context) => {
    const config = context.value;
    const refuse = (field: keyof typeof config, message: string) =>
      context.issues.push({ code: 'custom', path: [field], message, input: config[field] });
    if (config.d_model % (2 * config.n_heads) !== 0) {
      refuse('d_model', `expected a multiple of 2 * n_heads (${2 * config.n_heads})`);
    }
    const kvHeads = config.n_kv_heads ?? config.n_heads;
    if (config.n_heads % kvHeads !== 0) {
      refuse('n_kv_heads', `expected a divisor of n_heads (${config.n_heads})`);
    }
    const microBatchTokens = config.micro_batch_size * config.seq_len;
    if (config.batch_size_tokens % microBatchTokens !== 0) {
      refuse(
        'batch_size_tokens',
        `expected a multiple of micro_batch_size * seq_len (${microBatchTokens})`,
      );
    }
    if (config.warmup_steps > config.max_steps) {
      refuse('warmup_steps', `expected at most max_steps (${config.max_steps})`);
    }
    if (config.min_lr !== undefined && config.min_lr > config.lr) {
      refuse('min_lr', `expected at most lr (${config.lr})`);
    }
  });

export type TrainConfig = z.infer<typeof trainConfigSchema>;

/** @throws TrainingError where the file can't be read or says what can't be trained */
export async function readTrainConfig(path: string): Promise<TrainConfig> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TrainingError(
      `expected a training configuration in ${path}, got ${why}; begin from configs/tiny.json`,
    );
  }
  const parsed = trainConfigSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) =>
    issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`,
  );
  throw new TrainingError(`${path}: ${issues.join('; ')}`);
}

export function architectureOf(config: TrainConfig): Architecture {
  return {
    vocabSize: config.vocab_size,
    dModel: config.d_model,
    nLayers: config.n_layers,
    nHeads: config.n_heads,
    nKvHeads: config.n_kv_heads ?? config.n_heads,
    dFf: config.d_ff,
    seqLen: config.seq_len,
    ropeTheta: config.rope_theta,
    normEps: config.norm_eps,
    tieEmbeddings: config.tie_embeddings,
  };
}

/** Micro-batches of one optimizer step. */
export function accumulationSteps(config: TrainConfig): number {
  return config.batch_size_tokens / (config.micro_batch_size * config.seq_len);
}
