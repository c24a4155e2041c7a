/** A model's `config.json` as Hugging Face writes it for Llama, and what of it can be trained here. */
import { z } from 'zod';
import type { Architecture } from './architecture.ts';
import { TrainingError } from './trainingError.ts';

const count = z.number().int().positive();

const schema = z.object({
  model_type: z.string(),
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.optional(),
  head_dim: count.nullish(),
  max_position_embeddings: count,
  rms_norm_eps: z.number().positive(),
  hidden_act: z.string().default('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
  rope_theta: z.number().positive().optional(),
  rope_scaling: z.unknown().optional(),
  rope_parameters: z
    .object({ rope_type: z.string().default('default'), rope_theta: z.number().positive() })
    .optional(),
});

export function toLlamaConfig(architecture: Architecture): Readonly<Record<string, unknown>> {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: architecture.vocabSize,
    hidden_size: architecture.dModel,
    intermediate_size: architecture.dFf,
    num_hidden_layers: architecture.nLayers,
    num_attention_heads: architecture.nHeads,
    num_key_value_heads: architecture.nKvHeads,
    head_dim: architecture.dModel / architecture.nHeads,
    max_position_embeddings: architecture.seqLen,
    rms_norm_eps: architecture.normEps,
    hidden_act: 'silu',
    attention_bias: false,
    mlp_bias: false,
    attention_dropout: 0,
    tie_word_embeddings: architecture.tieEmbeddings,
    // Older and newer releases read the one or the other.
    rope_theta: architecture.ropeTheta,
    rope_parameters: { rope_type: 'default', rope_theta: architecture.ropeTheta },
    torch_dtype: 'float32',
    bos_token_id: 1,
    eos_token_id: 2,
  };
}

/**
 * @param what names the file in a message
 * @throws TrainingError for another architecture
 */
export function fromLlamaConfig(value: unknown, what: string): Architecture {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new TrainingError(`expected ${what} to describe a Llama model, got ${issues.join('; ')}`);
  }
  const config = parsed.data;
  const kvHeads = config.num_key_value_heads ?? config.num_attention_heads;
  const size = config.hidden_size / config.num_attention_heads;
  const ropeType = config.rope_parameters?.rope_type ?? 'default';
  const differs = [
    config.model_type !== 'llama' && `model_type ${config.model_type}`,
    config.hidden_act !== 'silu' && `hidden_act ${config.hidden_act}`,
    (config.attention_bias || config.mlp_bias) && 'biases',
    (ropeType !== 'default' || (config.rope_scaling ?? null) !== null) && 'scaled rope',
    (config.head_dim ?? size) !== size && `head_dim ${config.head_dim}`,
    (size % 2 !== 0 || config.num_attention_heads % kvHeads !== 0) && `heads of ${size}`,
  ].filter((difference) => difference !== false);
  if (differs.length > 0) {
    throw new TrainingError(
      `expected ${what} to describe a plain Llama model (no bias, SwiGLU, unscaled rope), got ${differs.join(', ')}`,
    );
  }
  return {
    vocabSize: config.vocab_size,
    dModel: config.hidden_size,
    nLayers: config.num_hidden_layers,
    nHeads: config.num_attention_heads,
    nKvHeads: kvHeads,
    dFf: config.intermediate_size,
    seqLen: config.max_position_embeddings,
    ropeTheta: config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000,
    normEps: config.rms_norm_eps,
    tieEmbeddings: config.tie_word_embeddings,
  };
}
