"""Writes test/fixtures/training/: small Llama nets, and what PyTorch makes of them.

Of each net the weights (as transformers saves them), the loss and every gradient of one batch, and the losses of twelve steps
of AdamW with clipping, warm-up and cosine. The tests of the embedded engine are held against these files.

Run with torch, transformers, safetensors and numpy installed: python test/training/reference/makeReference.py
The versions that made the files are written into them.
"""

import json
import math
from pathlib import Path

import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

OUT = Path(__file__).resolve().parents[2] / "fixtures" / "training"

# Sizes that no vector divides, so that every kernel's tail is walked.
SHAPE = dict(
    vocab_size=53,
    hidden_size=24,
    intermediate_size=37,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    max_position_embeddings=59,
    rms_norm_eps=1e-5,
    attention_bias=False,
    mlp_bias=False,
)
RECIPE = dict(
    lr=0.01, min_lr=0.002, warmup_steps=3, max_steps=12, weight_decay=0.1, beta1=0.9, beta2=0.95, adam_eps=1e-8, grad_clip=0.5
)


def learning_rate(step):
    if step < RECIPE["warmup_steps"]:
        return RECIPE["lr"] * (step + 1) / RECIPE["warmup_steps"]
    share = (step - RECIPE["warmup_steps"]) / (RECIPE["max_steps"] - RECIPE["warmup_steps"])
    return RECIPE["min_lr"] + 0.5 * (1 + math.cos(math.pi * share)) * (RECIPE["lr"] - RECIPE["min_lr"])


def loss_of(model, ids, targets):
    logits = model(input_ids=ids).logits
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def reference(name, tied, theta):
    torch.manual_seed(7)
    config = LlamaConfig(
        **SHAPE, tie_word_embeddings=tied, rope_parameters={"rope_type": "default", "rope_theta": theta}
    )
    model = LlamaForCausalLM(config).float()
    with torch.no_grad():
        for weight in model.parameters():
            # Far from where training begins, so that no gradient is small for want of signal.
            weight.copy_(torch.randn_like(weight) * 0.2 + (1 if weight.dim() == 1 else 0))
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    length = SHAPE["max_position_embeddings"]
    ids = torch.randint(0, SHAPE["vocab_size"], (RECIPE["max_steps"], 3, length))
    targets = torch.randint(0, SHAPE["vocab_size"], (RECIPE["max_steps"], 3, length))
    loss = loss_of(model, ids[0], targets[0])
    loss.backward()
    save_file({key: weight.grad.contiguous() for key, weight in model.named_parameters()}, folder / "gradients.safetensors")

    decayed = [w for key, w in model.named_parameters() if w.dim() == 2 and "embed" not in key]
    others = [w for key, w in model.named_parameters() if w.dim() == 1 or "embed" in key]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": RECIPE["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
        lr=RECIPE["lr"],
        betas=(RECIPE["beta1"], RECIPE["beta2"]),
        eps=RECIPE["adam_eps"],
    )
    losses, norms = [], []
    for step in range(RECIPE["max_steps"]):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        step_loss = loss_of(model, ids[step], targets[step])
        step_loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), RECIPE["grad_clip"]).item())
        optimizer.step()
        losses.append(step_loss.item())
    values = {
        "made_by": {
            "script": "test/training/reference/makeReference.py",
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "safetensors": safetensors.__version__,
        },
        "recipe": RECIPE,
        "ids": ids.tolist(),
        "targets": targets.tolist(),
        "loss": loss.item(),
        "losses": losses,
        "gradient_norms": norms,
    }
    (folder / "reference.json").write_text(json.dumps(values) + "\n")


torch.set_num_threads(1)
reference("untied", tied=False, theta=10_000.0)
reference("tied", tied=True, theta=500.0)
