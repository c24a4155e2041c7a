"""Scores prompts with two routers from PyPI by their own code: JSON texts on stdin, one a line; scores on stdout.

A score is what the peer decides by: LiteLLM's weighted complexity score, llm-routing's level of complexity.
The last line of each peer says how long one prompt took, as the median of all.
"""
import json
import os
import statistics
import sys
import time

# Both would ask the network for lists of models and prices, which scoring needs none of.
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


def main():
    prompts = [json.loads(line) for line in sys.stdin if line.strip()]
    for name, make in (("litellm", litellm_complexity), ("llm-routing", llm_routing)):
        score = make()
        for prompt in prompts[:50]:
            score(prompt)
        scores, times = [], []
        for prompt in prompts:
            start = time.perf_counter()
            scores.append(float(score(prompt)))
            times.append((time.perf_counter() - start) * 1e6)
        print(json.dumps({"peer": name, "scores": scores, "microseconds": statistics.median(times)}), flush=True)


main()
