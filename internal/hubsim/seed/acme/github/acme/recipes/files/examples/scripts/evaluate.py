# /// script
# requires-python = ">=3.10"
# dependencies = ["transformers", "torch", "datasets"]
# ///
"""Accuracy on acme/mini-bench: the answer with the highest likelihood counts."""

import sys

import torch
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

name = sys.argv[1] if len(sys.argv) > 1 else "acme/tiny-gpt"
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name).eval()


def likelihood(question, answer):
    prompt = tokenizer(question + " ", return_tensors="pt").input_ids
    whole = tokenizer(question + " " + answer, return_tensors="pt").input_ids
    with torch.no_grad():
        logp = model(whole).logits.log_softmax(-1)
    picked = logp[0, :-1].gather(1, whole[0, 1:, None]).squeeze(1)
    return picked[prompt.shape[1] - 1 :].mean().item()


rows = load_dataset("acme/mini-bench", split="test")
hits = 0
for row in rows:
    scores = [likelihood(row["question"], c) for c in row["choices"]]
    hits += scores.index(max(scores)) == row["answer"]
print(f"{name}: {100 * hits / len(rows):.1f} % of {len(rows)}")
