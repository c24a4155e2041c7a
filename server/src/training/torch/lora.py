"""Fine-tunes an existing model by low-rank adapters on a person's own kept answers.

python lora.py --base FOLDER --data answers.jsonl --out FOLDER [--tok MODEL] [--merge]

The data is one JSON object a line: {"prompt": ..., "answer": ...}. The loss counts the answer alone. Out comes `adapter/`
(loadable by peft) and, with --merge, `merged/`: a whole model in Hugging Face's layout.
"""

import argparse
import json
import math
import os
import random
import shutil
import sys

import torch
import torch.nn.functional as functional
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from run_config import TrainingError
from train import Reporter

LEAST_EXAMPLES = 2
IGNORED = -100


class SentencePieceText:
    """The tokenizer of a model that was trained here: a SentencePiece model file and no chat template."""

    def __init__(self, path):
        import sentencepiece

        self.processor = sentencepiece.SentencePieceProcessor(model_file=path)

    def example(self, prompt, answer):
        begin = [self.processor.bos_id()] if self.processor.bos_id() >= 0 else []
        end = [self.processor.eos_id()] if self.processor.eos_id() >= 0 else []
        question = begin + self.processor.encode(prompt + "\n")
        return question, self.processor.encode(answer) + end


class HuggingFaceText:
    """The tokenizer that lies beside a base model, with its chat template where it has one."""

    def __init__(self, base):
        self.tokenizer = AutoTokenizer.from_pretrained(base)

    def example(self, prompt, answer):
        end = [self.tokenizer.eos_token_id] if self.tokenizer.eos_token_id is not None else []
        if self.tokenizer.chat_template is None:
            question = self.tokenizer(prompt + "\n")["input_ids"]
        else:
            turns = [{"role": "user", "content": prompt}]
            text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
            question = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return question, self.tokenizer(answer, add_special_tokens=False)["input_ids"] + end


def read_examples(path, text, longest):
    examples = []
    try:
        with open(path, encoding="utf8") as file:
            lines = [line for line in file if line.strip()]
    except OSError as error:
        raise TrainingError(f"expected examples in {path}, got {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            prompt, answer = row["prompt"], row["answer"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(f'expected {{"prompt", "answer"}} in line {number} of {path}, got {error}') from error
        question, reply = text.example(prompt, answer)
        # What is too long loses the beginning of the question, never the answer's.
        room = max(0, longest - len(reply))
        ids = (question[-room:] if room else []) + reply[:longest]
        examples.append((ids, len(ids) - len(reply[:longest])))
    if len(examples) < LEAST_EXAMPLES:
        raise TrainingError(f"expected at least {LEAST_EXAMPLES} kept answers to learn from, got {len(examples)}")
    return examples


def batch_loss(model, examples, device):
    longest = max(len(ids) for ids, _ in examples)
    inputs = torch.zeros(len(examples), longest, dtype=torch.long)
    mask = torch.zeros_like(inputs)
    labels = torch.full_like(inputs, IGNORED)
    for row, (ids, answer_at) in enumerate(examples):
        inputs[row, : len(ids)] = torch.tensor(ids)
        mask[row, : len(ids)] = 1
        labels[row, answer_at : len(ids)] = torch.tensor(ids[answer_at:])
    logits = model(input_ids=inputs.to(device), attention_mask=mask.to(device), use_cache=False).logits.float()
    targets = labels[:, 1:].to(device)
    return functional.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


@torch.no_grad()
def mean_loss(model, examples, device):
    model.eval()
    losses = [batch_loss(model, [one], device).item() for one in examples]
    model.train()
    return sum(losses) / len(losses)


def run(arguments):
    reporter = Reporter(arguments.events, True)
    random.seed(arguments.seed)
    torch.manual_seed(arguments.seed)
    cuda = torch.cuda.is_available() if arguments.device == "auto" else arguments.device == "cuda"
    device = torch.device("cuda" if cuda else "cpu")
    try:
        text = SentencePieceText(arguments.tok) if arguments.tok else HuggingFaceText(arguments.base)
        model = AutoModelForCausalLM.from_pretrained(arguments.base, dtype=torch.float32)
    except (OSError, ValueError, RuntimeError) as error:
        raise TrainingError(
            f"expected a model and its tokenizer in Hugging Face's layout at {arguments.base} "
            f"(--tok names the tokenizer of a model that was trained here), got {error}"
        ) from error
    longest = min(arguments.seq_len, getattr(model.config, "max_position_embeddings", arguments.seq_len))
    examples = read_examples(arguments.data, text, longest)
    random.shuffle(examples)
    held_out = max(1, len(examples) // 10)
    validation, training = examples[:held_out], examples[held_out:]
    model = get_peft_model(
        model,
        LoraConfig(
            r=arguments.rank,
            lora_alpha=2 * arguments.rank,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    ).to(device)
    trained = [value for value in model.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=arguments.lr, weight_decay=0.0)
    steps = arguments.epochs * math.ceil(len(training) / arguments.batch)
    before = mean_loss(model, validation, device)
    reporter.tell(
        "started",
        f"{sum(value.numel() for value in trained)} trained of {sum(value.numel() for value in model.parameters())} parameters on {device.type}; {len(training)} answers to learn from, {held_out} held out with loss {before:.4f}",
        examples=len(training),
        held_out=held_out,
        val_loss=before,
        max_steps=steps,
    )
    step = 0
    for _ in range(arguments.epochs):
        random.shuffle(training)
        for at in range(0, len(training), arguments.batch):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = arguments.lr * min(1, step / max(1, steps // 20)) * (1 - (step - 1) / steps)
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=cuda):
                loss = batch_loss(model, training[at : at + arguments.batch], device)
            if not math.isfinite(loss.item()):
                raise TrainingError(f"expected a finite loss, got {loss.item()} at step {step}; lower --lr")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            reporter.tell("step", f"step {step}/{steps}: loss {loss.item():.4f}", step=step, max_steps=steps, loss=loss.item())
    after = mean_loss(model, validation, device)
    reporter.tell("validated", f"held-out loss {before:.4f} before, {after:.4f} after", step=step, val_loss=after, before=before)
    save(model, arguments, reporter)
    return 0


def save(model, arguments, reporter):
    os.makedirs(arguments.out, exist_ok=True)
    folder = os.path.join(arguments.out, "adapter")
    model.save_pretrained(folder)
    reporter.tell("saved", f"saved {folder}", folder=folder)
    if not arguments.merge:
        return
    folder = os.path.join(arguments.out, "merged")
    merged = model.merge_and_unload()
    merged.save_pretrained(folder, max_shard_size="1000GB")
    if arguments.tok:
        shutil.copyfile(arguments.tok, os.path.join(folder, "tokenizer.model"))
    else:
        AutoTokenizer.from_pretrained(arguments.base).save_pretrained(folder)
        # Newer libraries leave it out, and the export to GGUF reads it.
        spm = os.path.join(arguments.base, "tokenizer.model")
        if os.path.exists(spm):
            shutil.copyfile(spm, os.path.join(folder, "tokenizer.model"))
    reporter.tell("saved", f"saved {folder}", folder=folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--tok", help="a SentencePiece model file, where the base has no tokenizer beside it")
    parser.add_argument("--merge", action="store_true", help="write the merged model, too")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seq-len", type=int, default=2048)
    parser.add_argument("--seed", type=int, default=1337)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--events", action="store_true", help="print JSON objects, one a line")
    arguments = parser.parse_args()
    try:
        return run(arguments)
    except TrainingError as error:
        Reporter(arguments.events, True).tell("failed", f"error: {error}", message=str(error))
        return 2


if __name__ == "__main__":
    sys.exit(main())
