"""The training configuration (configs/*.json), with the fields, defaults and checks of the embedded engine."""

import hashlib
import json
import os
import sys
from dataclasses import dataclass, field, fields


class TrainingError(Exception):
    """What a person can mend. The message says what was expected, what came and what to do."""


@dataclass
class RunConfig:
    tokenizer_path: str
    train_glob: str
    val_glob: str
    save_dir: str
    seq_len: int
    vocab_size: int
    n_layers: int
    n_heads: int
    d_model: int
    d_ff: int
    lr: float
    warmup_steps: int
    max_steps: int
    save_every: int
    batch_size_tokens: int
    micro_batch_size: int
    dropout: float = 0.0
    weight_decay: float = 0.1
    log_every: int = 10
    grad_accum_steps: int | None = None
    bf16: bool = False
    grad_clip: float = 1.0
    n_kv_heads: int | None = None
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    tie_embeddings: bool = False
    min_lr: float | None = None
    beta1: float = 0.9
    beta2: float = 0.95
    adam_eps: float = 1e-8
    init_std: float = 0.02
    eval_every: int | None = None
    eval_sequences: int = 64
    keep_checkpoints: int = 3
    seed: int = 1337
    raw: dict = field(default_factory=dict, repr=False)

    @property
    def kv_heads(self):
        return self.n_kv_heads or self.n_heads

    @property
    def final_lr(self):
        return self.lr / 10 if self.min_lr is None else self.min_lr

    @property
    def sequences_per_step(self):
        return self.batch_size_tokens // self.seq_len


def read_config(path):
    try:
        with open(path, encoding="utf8") as file:
            raw = json.load(file)
    except (OSError, ValueError) as error:
        raise TrainingError(f"expected a training configuration in {path}, got {error}") from error
    known = {one.name for one in fields(RunConfig)} - {"raw"}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise TrainingError(f"{path}: expected known fields, got {', '.join(unknown)}")
    try:
        config = RunConfig(**raw, raw=raw)
    except TypeError as error:
        raise TrainingError(f"{path}: {error}") from error
    check(config, path)
    return config


def check(config, path):
    def refuse(name, expected):
        raise TrainingError(f"{path}: {name}: expected {expected}, got {getattr(config, name)}")

    if config.dropout != 0:
        refuse("dropout", "0")
    if config.d_model % (2 * config.n_heads) != 0:
        refuse("d_model", f"a multiple of 2 * n_heads ({2 * config.n_heads})")
    if config.n_heads % config.kv_heads != 0:
        refuse("n_kv_heads", f"a divisor of n_heads ({config.n_heads})")
    micro = config.micro_batch_size * config.seq_len
    if config.batch_size_tokens % micro != 0:
        refuse("batch_size_tokens", f"a multiple of micro_batch_size * seq_len ({micro})")
    if config.warmup_steps > config.max_steps:
        refuse("warmup_steps", f"at most max_steps ({config.max_steps})")


def llama_config(config):
    """As `config.json` of a checkpoint has it, for Hugging Face and for the embedded engine."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.d_model // config.n_heads,
        "max_position_embeddings": config.seq_len,
        "rms_norm_eps": config.norm_eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0,
        "tie_word_embeddings": config.tie_embeddings,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "torch_dtype": "float32",
        "bos_token_id": 1,
        "eos_token_id": 2,
    }


def check_tokenizer(config):
    """The sha256 of the tokenizer's file, or None where it is not at hand. A vocabulary of another size is refused."""
    if not os.path.exists(config.tokenizer_path):
        return None
    try:
        import sentencepiece
    except ImportError:
        print("sentencepiece is not installed, so the tokenizer is not compared with vocab_size", file=sys.stderr)
        return sha256_of(config.tokenizer_path)
    try:
        pieces = sentencepiece.SentencePieceProcessor(model_file=config.tokenizer_path).vocab_size()
    except (RuntimeError, OSError) as error:
        raise TrainingError(f"expected a SentencePiece model in {config.tokenizer_path}, got {error}") from error
    if pieces != config.vocab_size:
        raise TrainingError(
            f"expected vocab_size to be that of the tokenizer {config.tokenizer_path} ({pieces}), got {config.vocab_size}"
        )
    return sha256_of(config.tokenizer_path)


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
