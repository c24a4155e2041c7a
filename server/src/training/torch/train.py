"""Trains a Llama from shards by a configuration, on one device or, under torchrun, on many.

python train.py --config configs/15m.json [--resume] [--from CHECKPOINT]
torchrun --nproc_per_node 2 train.py --config configs/125m.json

Every rank works on its own part of each batch, so that more ranks are faster and compute the same gradients.
"""

import argparse
import json
import math
import os
import signal
import sys
import time

import torch
import torch.distributed as distributed
import torch.nn.functional as functional
from torch.nn.parallel import DistributedDataParallel
from transformers import LlamaConfig, LlamaForCausalLM

import checkpoint
from run_config import TrainingError, check_tokenizer, llama_config, read_config
from shards import Shards, TrainingOrder

STOPPED = 130


class Ranks:
    """Where this process stands among those that train together."""

    def __init__(self, device):
        self.rank = int(os.environ.get("RANK", 0))
        self.world = int(os.environ.get("WORLD_SIZE", 1))
        local = int(os.environ.get("LOCAL_RANK", 0))
        cuda = torch.cuda.is_available() if device == "auto" else device == "cuda"
        self.device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(self.device)
        if "RANK" in os.environ:
            distributed.init_process_group("nccl" if cuda else "gloo")

    @property
    def first(self):
        return self.rank == 0

    def sum(self, values):
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        if distributed.is_initialized():
            distributed.all_reduce(tensor)
        return tensor.tolist()


class Reporter:
    """Lines for a person, or one JSON object a line for the program that started this one. Only the first rank speaks."""

    def __init__(self, events, first):
        self.events = events
        self.first = first

    def tell(self, kind, text, **facts):
        if self.first:
            print(json.dumps({"type": kind, "text": text, **facts}) if self.events else text, flush=True)


def fresh_model(config, device):
    model = LlamaForCausalLM(LlamaConfig(**llama_config(config)))
    generator = torch.Generator().manual_seed(config.seed)
    with torch.no_grad():
        for name, parameter in checkpoint.trained_parameters(model).items():
            if parameter.dim() == 1:
                parameter.fill_(1)
                continue
            residual = name.endswith(("o_proj.weight", "down_proj.weight"))
            deviation = config.init_std / (math.sqrt(2 * config.n_layers) if residual else 1)
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * deviation)
    return model.to(device)


def make_optimizer(model, config, device):
    """Norms and embeddings do not decay."""
    parameters = checkpoint.trained_parameters(model)
    still = [value for name, value in parameters.items() if value.dim() == 1 or "embed_tokens" in name]
    decaying = [value for name, value in parameters.items() if value.dim() > 1 and "embed_tokens" not in name]
    return torch.optim.AdamW(
        [
            {"params": decaying, "weight_decay": config.weight_decay},
            {"params": still, "weight_decay": 0.0},
        ],
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        eps=config.adam_eps,
        fused=device.type == "cuda",
    )


def learning_rate(config, step):
    """Of optimizer step `step`, counted from 1: a linear rise, then half a cosine, as the embedded engine (schedule.ts)."""
    if step <= config.warmup_steps:
        return config.lr * step / config.warmup_steps
    share = (step - 1 - config.warmup_steps) / max(1, config.max_steps - config.warmup_steps)
    return config.final_lr + 0.5 * (config.lr - config.final_lr) * (1 + math.cos(math.pi * share))


def tensors_of(sequences, device):
    x = torch.stack([torch.from_numpy(x.astype("int64")) for x, _ in sequences])
    y = torch.stack([torch.from_numpy(y.astype("int64")) for _, y in sequences])
    return x.to(device, non_blocking=True), y.to(device, non_blocking=True)


def loss_of(model, x, y, reduction="mean"):
    logits = model(input_ids=x, use_cache=False).logits.float()
    return functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction=reduction)


@torch.no_grad()
def validation_loss(model, sequences, config, ranks):
    """Mean over all tokens, in 32 bits; each rank scores every n-th sequence."""
    mine = sequences[ranks.rank :: ranks.world]
    total = 0.0
    model.eval()
    for at in range(0, len(mine), config.micro_batch_size):
        x, y = tensors_of(mine[at : at + config.micro_batch_size], ranks.device)
        total += loss_of(model, x, y, "sum").item()
    model.train()
    total, tokens = ranks.sum([total, len(mine) * config.seq_len])
    return total / tokens


def split(config, ranks):
    """Sequences of one step that each rank works on, and how many at a time."""
    mine, rest = divmod(config.sequences_per_step, ranks.world)
    micro = min(config.micro_batch_size, mine)
    if rest != 0 or mine % max(micro, 1) != 0 or mine == 0:
        raise TrainingError(
            f"expected batch_size_tokens to give each of {ranks.world} ranks whole micro-batches, got "
            f"{config.sequences_per_step} sequences a step in micro-batches of {config.micro_batch_size}"
        )
    return mine, micro


class Curve:
    """curve.jsonl in save_dir, as the embedded engine writes it; lines after the point of resuming are dropped."""

    def __init__(self, config, step, first):
        self.path = os.path.join(config.save_dir, "curve.jsonl") if first else None
        if not first:
            return
        os.makedirs(config.save_dir, exist_ok=True)
        kept = []
        if step > 0 and os.path.exists(self.path):
            with open(self.path, encoding="utf8") as file:
                kept = [line for line in file if line.strip() and json.loads(line).get("step", 0) <= step]
        with open(self.path, "w", encoding="utf8") as file:
            file.writelines(kept)

    def add(self, **facts):
        if self.path is None:
            return
        with open(self.path, "a", encoding="utf8") as file:
            file.write(json.dumps(facts) + "\n")


def run(arguments, reporter_events):
    config = read_config(arguments.config)
    if arguments.max_steps is not None:
        config.max_steps = arguments.max_steps
        config.warmup_steps = min(config.warmup_steps, arguments.max_steps)
    if arguments.save_dir is not None:
        config.save_dir = arguments.save_dir
    ranks = Ranks(arguments.device)
    reporter = Reporter(reporter_events, ranks.first)
    mine, micro = split(config, ranks)
    tokenizer_sha256 = check_tokenizer(config)
    order = TrainingOrder(Shards(config.train_glob, config), config.seed)
    validation = Shards(config.val_glob, config).first(config.eval_sequences)

    model = fresh_model(config, ranks.device)
    optimizer = make_optimizer(model, config, ranks.device)
    state = {"step": 0, "sequences": 0, "train_loss": None, "val_loss": None, "best_val_loss": None, "best_step": None}
    source = arguments.source or (config.save_dir if arguments.resume else None)
    if source is not None:
        folder = checkpoint.checkpoint_folder(source)
        checkpoint.load_weights(model, folder, config)
        stored = checkpoint.load_trainer(model, optimizer, folder)
        state = {key: stored.get(key) for key in state}
    parameters = sum(value.numel() for value in checkpoint.trained_parameters(model).values())
    memory = parameters * 16 / 1e9
    reporter.tell(
        "started",
        f"{parameters} parameters on {ranks.world} x {ranks.device.type}; weights, gradients and moments take {memory:.2f} GB a rank; from step {state['step']} of {config.max_steps}",
        parameters=parameters,
        world=ranks.world,
        device=ranks.device.type,
        step=state["step"],
        max_steps=config.max_steps,
        memory_bytes=parameters * 16,
    )
    curve = Curve(config, state["step"], ranks.first)
    network = model
    if distributed.is_initialized():
        ids = [ranks.device.index] if ranks.device.type == "cuda" else None
        network = DistributedDataParallel(model, device_ids=ids)
    autocast = torch.autocast("cuda", dtype=torch.bfloat16, enabled=config.bf16 and ranks.device.type == "cuda")
    if config.bf16 and ranks.device.type == "cuda":
        torch.set_float32_matmul_precision("high")

    stopping = []
    for name in [signal.SIGINT, signal.SIGTERM]:
        signal.signal(name, lambda number, frame: stopping.append(number))

    def trainer_state():
        return {
            "format": 1,
            "engine": "torch",
            "step": state["step"],
            "sequences": state["sequences"],
            "random": {"generator": "mulberry32", "seed": config.seed},
            "config": {**config.raw, "max_steps": config.max_steps, "warmup_steps": config.warmup_steps, "save_dir": config.save_dir},
            "tokenizer_sha256": tokenizer_sha256,
            "train_loss": state["train_loss"],
            "val_loss": state["val_loss"],
            "best_val_loss": state["best_val_loss"],
            "best_step": state["best_step"],
        }

    def validate():
        state["val_loss"] = validation_loss(model, validation, config, ranks)
        if state["best_val_loss"] is None or state["val_loss"] < state["best_val_loss"]:
            state["best_val_loss"], state["best_step"] = state["val_loss"], state["step"]

    def save():
        if ranks.first:
            folder = checkpoint.save(model, optimizer, config, trainer_state())
            reporter.tell("saved", f"saved {folder}", folder=folder, step=state["step"])
        if distributed.is_initialized():
            distributed.barrier()

    if state["step"] == 0 or arguments.validate_first:
        validate()
        curve.add(step=state["step"], val_loss=state["val_loss"])
        reporter.tell("validated", f"step {state['step']}: validation loss {state['val_loss']:.4f}", step=state["step"], val_loss=state["val_loss"])
    began, began_step = time.perf_counter(), state["step"]
    eval_every = config.eval_every or config.save_every
    saved_step = state["step"]
    while state["step"] < config.max_steps:
        step = state["step"] + 1
        rate = learning_rate(config, step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)
        summed = 0.0
        base = state["sequences"] + ranks.rank * mine
        for at in range(0, mine, micro):
            sequences = [order.at(base + at + offset) for offset in range(micro)]
            x, y = tensors_of(sequences, ranks.device)
            last = at + micro == mine
            # Gradients travel between ranks once a step.
            quiet = network.no_sync() if distributed.is_initialized() and not last else None
            if quiet is not None:
                quiet.__enter__()
            with autocast:
                loss = loss_of(network, x, y)
            (loss * (micro / mine)).backward()
            if quiet is not None:
                quiet.__exit__(None, None, None)
            summed += loss.item() * micro
        total, count, stop = ranks.sum([summed, mine, float(bool(stopping))])
        train_loss = total / count
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip or math.inf).item()
        if not math.isfinite(train_loss) or not math.isfinite(norm):
            raise TrainingError(
                f"expected a finite loss, got loss {train_loss} and gradient norm {norm} at step {step}; the last good "
                f"checkpoint is that of step {saved_step}: lower lr and go on with --resume"
            )
        optimizer.step()
        state["step"], state["train_loss"] = step, train_loss
        state["sequences"] += config.sequences_per_step
        facts = {}
        end = step == config.max_steps
        if step % eval_every == 0 or end:
            validate()
            facts["val_loss"] = state["val_loss"]
        if step % config.log_every == 0 or facts or end:
            seconds = time.perf_counter() - began
            speed = (step - began_step) * config.batch_size_tokens / seconds
            left = (config.max_steps - step) * config.batch_size_tokens / speed
            curve.add(step=step, loss=train_loss, lr=rate, grad_norm=norm, tokens_per_s=speed)
            if facts:
                curve.add(step=step, **facts)
            text = f"step {step}/{config.max_steps}: loss {train_loss:.4f}, lr {rate:.2e}, {speed:.0f} tokens/s, {left:.0f} s left"
            if facts:
                text += f", validation loss {state['val_loss']:.4f}"
            reporter.tell("step", text, step=step, max_steps=config.max_steps, loss=train_loss, lr=rate, grad_norm=norm, tokens_per_second=speed, seconds_left=left, **facts)
        if step % config.save_every == 0 or end or stop > 0:
            save()
            saved_step = step
        if stop > 0:
            reporter.tell("stopped", f"stopped after step {step}; go on with --resume", step=step)
            return STOPPED
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--resume", action="store_true", help="go on from the latest checkpoint of save_dir")
    parser.add_argument("--from", dest="source", help="go on from this checkpoint, of either engine")
    parser.add_argument("--validate-first", action="store_true", help="tell the validation loss before the first step")
    parser.add_argument("--max-steps", type=int, help="in place of max_steps")
    parser.add_argument("--save-dir", help="in place of save_dir")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--events", action="store_true", help="print JSON objects, one a line")
    arguments = parser.parse_args()
    reporter = Reporter(arguments.events, int(os.environ.get("RANK", 0)) == 0)
    try:
        return run(arguments, arguments.events)
    except TrainingError as error:
        reporter.tell("failed", f"error: {error}", message=str(error))
        return 2
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
