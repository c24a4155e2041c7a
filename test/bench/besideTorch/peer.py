"""The same net and the same batches in PyTorch on one CPU thread.

Reads "N" on a line: trains N steps, and answers with one line of JSON: the CPU seconds they took and their losses.
Arguments: folder of a checkpoint, npz file with x and y of [steps * sequences, length], JSON of the recipe.
"""

import json
import math
import sys
import time

import numpy
import torch
from transformers import LlamaForCausalLM

torch.set_num_threads(1)
torch.set_num_interop_threads(1)
folder, batches, recipe = sys.argv[1], numpy.load(sys.argv[2]), json.loads(sys.argv[3])
x = torch.from_numpy(batches["x"].astype("int64"))
y = torch.from_numpy(batches["y"].astype("int64"))
model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
model.train()
decayed = [w for name, w in model.named_parameters() if w.dim() == 2 and "embed" not in name]
others = [w for name, w in model.named_parameters() if w.dim() == 1 or "embed" in name]
optimizer = torch.optim.AdamW(
    [{"params": decayed, "weight_decay": recipe["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
    lr=recipe["lr"],
    betas=(recipe["beta1"], recipe["beta2"]),
    eps=recipe["adam_eps"],
)
sequences = recipe["sequences"]


def learning_rate(step):
    warmup, last = recipe["warmup_steps"], recipe["max_steps"]
    if step < warmup:
        return recipe["lr"] * (step + 1) / warmup
    share = (step - warmup) / (last - warmup)
    return recipe["min_lr"] + 0.5 * (1 + math.cos(math.pi * share)) * (recipe["lr"] - recipe["min_lr"])


def train(step):
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step)
    rows = slice(step * sequences, (step + 1) * sequences)
    optimizer.zero_grad()
    logits = model(input_ids=x[rows], use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y[rows].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["grad_clip"])
    optimizer.step()
    return loss.item()


print(json.dumps({"versions": f"torch {torch.__version__}, {torch.get_num_threads()} thread"}), flush=True)
done = 0
for line in sys.stdin:
    began = time.process_time()
    losses = [train(done + step) for step in range(int(line))]
    done += len(losses)
    print(json.dumps({"cpu_s": time.process_time() - began, "losses": losses}), flush=True)
