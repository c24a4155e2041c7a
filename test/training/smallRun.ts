/** A configuration of a net that trains in a blink. */
export function smallConfig(): Record<string, unknown> {
  return {
    tokenizer_path: 'none.model',
    train_glob: 'train_*.npz',
    val_glob: 'val_*.npz',
    save_dir: 'checkpoints',
    seq_len: 16,
    vocab_size: 64,
    n_layers: 2,
    n_heads: 4,
    n_kv_heads: 2,
    d_model: 32,
    d_ff: 48,
    tie_embeddings: false,
    lr: 0.01,
    warmup_steps: 2,
    max_steps: 8,
    save_every: 4,
    batch_size_tokens: 64,
    micro_batch_size: 2,
  };
}
