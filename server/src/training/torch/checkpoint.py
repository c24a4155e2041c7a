"""Checkpoints as the embedded engine writes them (checkpoint.ts), so that either goes on where the other stopped."""

import json
import os
import shutil

import torch
from safetensors.torch import load_file, save_file

from run_config import TrainingError, llama_config

SHAPE_FIELDS = [
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "tie_word_embeddings",
]


def trained_parameters(model):
    """By name; a head that is the embedding itself appears once."""
    return {name: parameter for name, parameter in model.named_parameters()}


def checkpoint_folder(path):
    if os.path.isfile(path) and os.path.basename(path) == "latest":
        with open(path, encoding="utf8") as file:
            return os.path.join(os.path.dirname(path), file.read().strip())
    if os.path.isdir(path):
        if os.path.exists(os.path.join(path, "config.json")):
            return path
        if os.path.exists(os.path.join(path, "latest")):
            return checkpoint_folder(os.path.join(path, "latest"))
    raise TrainingError(f"expected a checkpoint at {path} (a folder with config.json), found none")


def read_json(path):
    try:
        with open(path, encoding="utf8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise TrainingError(f"expected to read {path}, got {error}") from error


def load_weights(model, folder, config):
    stored = read_json(os.path.join(folder, "config.json"))
    wanted = llama_config(config)
    stored.setdefault("num_key_value_heads", stored.get("num_attention_heads"))
    differs = [f"{name} {stored.get(name)}" for name in SHAPE_FIELDS if stored.get(name) != wanted[name]]
    if stored.get("model_type") != "llama":
        differs.insert(0, f"model_type {stored.get('model_type')}")
    if differs:
        raise TrainingError(
            f"expected the checkpoint {folder} to have the architecture of the configuration, got {', '.join(differs)}"
        )
    tensors = read_tensors(os.path.join(folder, "model.safetensors"))
    with torch.no_grad():
        for name, parameter in trained_parameters(model).items():
            copy_into(parameter, tensors, name, folder)


def load_trainer(model, optimizer, folder):
    """Moments and position; returns the content of trainer.json."""
    state = read_json(os.path.join(folder, "trainer.json"))
    tensors = read_tensors(os.path.join(folder, "optimizer.safetensors"))
    step = float(state["step"])
    for name, parameter in trained_parameters(model).items():
        moments = {}
        for moment in ["exp_avg", "exp_avg_sq"]:
            value = torch.empty_like(parameter, dtype=torch.float32)
            copy_into(value, tensors, f"{moment}.{name}", folder)
            moments[moment] = value
        # Where fused kernels run, the count of steps lies beside the parameters.
        fused = optimizer.defaults.get("fused")
        moments["step"] = torch.tensor(step, device=parameter.device if fused else "cpu")
        optimizer.state[parameter] = moments
    return state


def read_tensors(path):
    try:
        return load_file(path)
    except Exception as error:
        raise TrainingError(f"expected tensors in {path}, got {error}") from error


def copy_into(target, tensors, name, folder):
    value = tensors.get(name)
    if value is None or value.shape != target.shape:
        got = "none" if value is None else " x ".join(map(str, value.shape))
        wanted = " x ".join(map(str, target.shape))
        raise TrainingError(f"expected {name} of {wanted} in {folder}, got {got}; it belongs to another architecture")
    target.copy_(value)


def save(model, optimizer, config, state):
    """Writes save_dir/step-NNNNNN whole or not at all, points `latest` at it, and removes older ones."""
    name = f"step-{state['step']:06d}"
    folder = os.path.join(config.save_dir, name)
    temporary = os.path.join(config.save_dir, f".{name}.{os.getpid()}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        os.makedirs(temporary)
        parameters = trained_parameters(model)
        plain = lambda tensor: tensor.detach().to("cpu", torch.float32).contiguous()
        save_file({key: plain(value) for key, value in parameters.items()}, os.path.join(temporary, "model.safetensors"))
        moments = {}
        for key, parameter in parameters.items():
            kept = optimizer.state.get(parameter, {})
            for moment in ["exp_avg", "exp_avg_sq"]:
                moments[f"{moment}.{key}"] = plain(kept.get(moment, torch.zeros_like(parameter)))
        save_file(moments, os.path.join(temporary, "optimizer.safetensors"))
        write_json(os.path.join(temporary, "config.json"), llama_config(config))
        write_json(os.path.join(temporary, "trainer.json"), state)
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(temporary, folder)
        pointer = os.path.join(config.save_dir, f".latest.{os.getpid()}.part")
        with open(pointer, "w", encoding="utf8") as file:
            file.write(f"{name}\n")
        os.replace(pointer, os.path.join(config.save_dir, "latest"))
    except Exception as error:
        shutil.rmtree(temporary, ignore_errors=True)
        full = isinstance(error, OSError) and error.errno == 28 or "No space left" in str(error)
        if not full:
            raise
        raise TrainingError(
            f"expected room for the checkpoint {folder}, got a full disk; the checkpoints before it are whole"
        ) from error
    remove_old(config, state)
    return folder


def remove_old(config, state):
    names = sorted(name for name in os.listdir(config.save_dir) if name.startswith("step-"))
    best = f"step-{state['best_step']:06d}" if state["best_step"] is not None else None
    for name in names[: -config.keep_checkpoints]:
        if name != best:
            shutil.rmtree(os.path.join(config.save_dir, name), ignore_errors=True)


def write_json(path, value):
    with open(path, "w", encoding="utf8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
