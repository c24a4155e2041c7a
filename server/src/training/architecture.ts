/**
 * The one architecture that is trained here: Llama (RMSNorm, rotary positions, SwiGLU, grouped key and value heads). Its
 * tensors carry Hugging Face's names in a fixed order, so that a checkpoint is the same for both engines.
 */

export interface Architecture {
  readonly vocabSize: number;
  readonly dModel: number;
  readonly nLayers: number;
  readonly nHeads: number;
  /** Heads of keys and values; each serves `nHeads / nKvHeads` heads of queries. */
  readonly nKvHeads: number;
  readonly dFf: number;
  /** Tokens of a training sequence: the longest context that the model has seen. */
  readonly seqLen: number;
  readonly ropeTheta: number;
  readonly normEps: number;
  /** The head is the embedding itself. */
  readonly tieEmbeddings: boolean;
}

export interface TensorSpec {
  readonly name: string;
  /** Row-major; a matrix is `[out, in]`. */
  readonly shape: readonly number[];
  readonly kind: 'embedding' | 'norm' | 'matrix' | 'head';
  /** Heads whose rows are rotated; their order differs between here and Hugging Face (`ropeLayout.ts`). */
  readonly rotatedHeads?: number;
}

export function headSize(architecture: Architecture): number {
  return architecture.dModel / architecture.nHeads;
}

/** Every tensor in the order in which it is stored, trained and summed. */
export function tensorsOf(architecture: Architecture): readonly TensorSpec[] {
  const { vocabSize, dModel, nLayers, nHeads, nKvHeads, dFf, tieEmbeddings } = architecture;
  const dKv = nKvHeads * headSize(architecture);
  const matrix = (name: string, rows: number, columns: number): TensorSpec => ({
    name,
    shape: [rows, columns],
    kind: 'matrix',
  });
  const norm = (name: string): TensorSpec => ({ name, shape: [dModel], kind: 'norm' });
  const layers = Array.from({ length: nLayers }, (_, layer) => {
    const prefix = `model.layers.${layer}`;
    return [
      norm(`${prefix}.input_layernorm.weight`),
      { ...matrix(`${prefix}.self_attn.q_proj.weight`, dModel, dModel), rotatedHeads: nHeads },
      { ...matrix(`${prefix}.self_attn.k_proj.weight`, dKv, dModel), rotatedHeads: nKvHeads },
      matrix(`${prefix}.self_attn.v_proj.weight`, dKv, dModel),
      matrix(`${prefix}.self_attn.o_proj.weight`, dModel, dModel),
      norm(`${prefix}.post_attention_layernorm.weight`),
      matrix(`${prefix}.mlp.gate_proj.weight`, dFf, dModel),
      matrix(`${prefix}.mlp.up_proj.weight`, dFf, dModel),
      matrix(`${prefix}.mlp.down_proj.weight`, dModel, dFf),
    ];
  });
  const head: TensorSpec = { name: 'lm_head.weight', shape: [vocabSize, dModel], kind: 'head' };
  return [
    { name: 'model.embed_tokens.weight', shape: [vocabSize, dModel], kind: 'embedding' },
    ...layers.flat(),
    norm('model.norm.weight'),
    ...(tieEmbeddings ? [] : [head]),
  ];
}

export function sizeOf({ shape }: Pick<TensorSpec, 'shape'>): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function parameterCount(architecture: Architecture): number {
  return tensorsOf(architecture).reduce((sum, tensor) => sum + sizeOf(tensor), 0);
}
