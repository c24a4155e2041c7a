/** A checkpoint and its tokenizer as one GGUF file that llama.cpp, and so this program, answers with. */
import { type Architecture, headSize, tensorsOf } from './architecture.ts';
import type { Model } from './checkpoint.ts';
import { type GgufTensor, type GgufValue, type TensorType, writeGguf } from './gguf.ts';
import { type Piece, type PieceKind, specialIds, type Vocabulary } from './tokenizer/pieces.ts';
import { TrainingError } from './trainingError.ts';

export interface ExportOptions {
  readonly name: string;
  readonly type: TensorType;
  readonly signal: AbortSignal;
}

/** `llama_ftype` of llama.cpp: what most tensors are. */
const fileTypes: Readonly<Record<TensorType, number>> = { f32: 0, f16: 1, q8_0: 7 };
const QUANTISATION_VERSION = 2;
const QUANT_BLOCK = 32;

/** llama.cpp's names for the kinds; normal, unknown and so on have SentencePiece's numbers. */
const tokenTypes: Readonly<Record<PieceKind, number>> = {
  normal: 1,
  unknown: 2,
  control: 3,
  'user-defined': 4,
  unused: 5,
  byte: 6,
};

/**
 * A model that was trained on plain text knows no roles: what is asked is what it goes on from.
 * https://huggingface.co/docs/transformers/chat_templating
 */
const PLAIN_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}";

/** @throws TrainingError when the tokenizer can't be carried over, or belongs to another model */
export async function exportGguf(
  { architecture, weights }: Model,
  vocabulary: Vocabulary,
  path: string,
  { name, type, signal }: ExportOptions,
): Promise<void> {
  if (vocabulary.algorithm === 'unigram') {
    throw new TrainingError(
      'expected a BPE tokenizer for a GGUF file, got a unigram one: llama.cpp reads such vocabularies only as those of T5, without their byte fallback, so that texts would get other ids; train a tokenizer with --type bpe and the model with it',
    );
  }
  if (vocabulary.pieces.length !== architecture.vocabSize) {
    throw new TrainingError(
      `expected the tokenizer that the model was trained with (${architecture.vocabSize} pieces), got one of ${vocabulary.pieces.length}`,
    );
  }
  if (vocabulary.normalizer.charsmap.length > 0 || vocabulary.treatWhitespaceAsSuffix) {
    throw new TrainingError(
      `expected a tokenizer that leaves characters as they are, got the normaliser ${vocabulary.normalizer.name || 'of its own'}: llama.cpp would not apply it`,
    );
  }
  const tensors = tensorsOf(architecture).map((spec): GgufTensor => {
    const data = weights.get(spec.name);
    if (data === undefined) throw new Error(`expected the tensor ${spec.name}, found none`);
    return {
      name: ggufName(spec.name),
      shape: spec.shape,
      type: typeFor(type, spec.shape),
      data,
    };
  });
  await writeGguf(
    path,
    { ...describe(architecture, name, type), ...tokenizerValues(vocabulary) },
    tensors,
    signal,
  );
}

/** Norms stay exact; a row that gives no whole blocks stays in 16 bits. */
function typeFor(wanted: TensorType, shape: readonly number[]): TensorType {
  if (shape.length < 2) return 'f32';
  return wanted === 'q8_0' && (shape.at(-1) ?? 0) % QUANT_BLOCK !== 0 ? 'f16' : wanted;
}

const layerNames: Readonly<Record<string, string>> = {
  'input_layernorm.weight': 'attn_norm.weight',
  'self_attn.q_proj.weight': 'attn_q.weight',
  'self_attn.k_proj.weight': 'attn_k.weight',
  'self_attn.v_proj.weight': 'attn_v.weight',
  'self_attn.o_proj.weight': 'attn_output.weight',
  'post_attention_layernorm.weight': 'ffn_norm.weight',
  'mlp.gate_proj.weight': 'ffn_gate.weight',
  'mlp.up_proj.weight': 'ffn_up.weight',
  'mlp.down_proj.weight': 'ffn_down.weight',
};

const outerNames: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

function ggufName(name: string): string {
  const [, layer = '', rest = ''] = /^model\.layers\.(\d+)\.(.+)$/.exec(name) ?? [];
  const found = outerNames[name] ?? (layerNames[rest] && `blk.${layer}.${layerNames[rest]}`);
  if (!found) throw new Error(`expected a tensor of a Llama, got ${name}`);
  return found;
}

type Values = Readonly<Record<string, GgufValue>>;

const uint32 = (value: number): GgufValue => ({ type: 'uint32', value });
const float32 = (value: number): GgufValue => ({ type: 'float32', value });
const text = (value: string): GgufValue => ({ type: 'string', value });
const flag = (value: boolean): GgufValue => ({ type: 'bool', value });

function describe(architecture: Architecture, name: string, type: TensorType): Values {
  return {
    'general.architecture': text('llama'),
    'general.name': text(name),
    'general.file_type': uint32(fileTypes[type]),
    'general.quantization_version': uint32(QUANTISATION_VERSION),
    'llama.context_length': uint32(architecture.seqLen),
    'llama.embedding_length': uint32(architecture.dModel),
    'llama.block_count': uint32(architecture.nLayers),
    'llama.feed_forward_length': uint32(architecture.dFf),
    'llama.attention.head_count': uint32(architecture.nHeads),
    'llama.attention.head_count_kv': uint32(architecture.nKvHeads),
    'llama.attention.layer_norm_rms_epsilon': float32(architecture.normEps),
    'llama.rope.freq_base': float32(architecture.ropeTheta),
    'llama.rope.dimension_count': uint32(headSize(architecture)),
    'llama.vocab_size': uint32(architecture.vocabSize),
  };
}

function tokenizerValues(vocabulary: Vocabulary): Values {
  const { pieces, normalizer } = vocabulary;
  const { unknown, begin, end } = specialIds(vocabulary);
  const all = <T>(read: (piece: Piece) => T) => pieces.map(read);
  return {
    'tokenizer.ggml.model': text('llama'),
    'tokenizer.ggml.tokens': { type: 'strings', value: all((piece) => piece.text) },
    'tokenizer.ggml.scores': { type: 'float32s', value: all((piece) => piece.score) },
    'tokenizer.ggml.token_type': { type: 'int32s', value: all(({ kind }) => tokenTypes[kind]) },
    'tokenizer.ggml.unknown_token_id': uint32(unknown),
    ...(begin !== undefined && { 'tokenizer.ggml.bos_token_id': uint32(begin) }),
    ...(end !== undefined && { 'tokenizer.ggml.eos_token_id': uint32(end) }),
    'tokenizer.ggml.add_bos_token': flag(begin !== undefined),
    'tokenizer.ggml.add_eos_token': flag(false),
    'tokenizer.ggml.add_space_prefix': flag(normalizer.addDummyPrefix),
    'tokenizer.ggml.remove_extra_whitespaces': flag(normalizer.removeExtraWhitespaces),
    'tokenizer.chat_template': text(PLAIN_TEMPLATE),
  };
}
