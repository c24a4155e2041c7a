"""Scores prompts with a router from PyPI by its own code: JSON texts on stdin, one a line; scores on stdout.

A score is what the peer decides by: LiteLLM's weighted complexity score, llm-routing's level of complexity.
Beside them stands how long one prompt took, as the median of all.
"""
import json
import os
import statistics
import sys
import time

# They would ask the network for lists of models and prices, which scoring needs none of.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


def litellm_complexity():
    from litellm.router_strategy.complexity_router.complexity_router import ComplexityRouter

    router = ComplexityRouter(model_name="auto", litellm_router_instance=None)
    return lambda prompt: router.classify(prompt)[1]


def llm_routing():
    from llm_router.classify import classify_signals
    from llm_router.types import Complexity

    levels = {level: number for number, level in enumerate(Complexity)}
    return lambda prompt: levels[classify_signals(prompt).complexity]


def minilm():
    """Embeds the prompt, which is what an embedding router does before it compares; `sys.argv[2]` holds the model."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    model = AutoModel.from_pretrained(sys.argv[2]).eval()

    def embed(prompt):
        with torch.inference_mode():
            tokens = tokenizer(prompt, truncation=True, max_length=256, return_tensors="pt")
            return float(model(**tokens).last_hidden_state.mean())

    return embed


PEERS = {"litellm": litellm_complexity, "llm-routing": llm_routing, "minilm": minilm}


def main():
    name = sys.argv[1]
    prompts = [json.loads(line) for line in sys.stdin if line.strip()]
    score = PEERS[name]()
    for prompt in prompts[:50]:
        score(prompt)
    scores, times = [], []
    for prompt in prompts:
        start = time.perf_counter()
        scores.append(float(score(prompt)))
        times.append((time.perf_counter() - start) * 1e6)
    print(json.dumps({"peer": name, "scores": scores, "microseconds": statistics.median(times)}), flush=True)


main()
