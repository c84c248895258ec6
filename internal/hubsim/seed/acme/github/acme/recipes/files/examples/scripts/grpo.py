# /// script
# requires-python = ">=3.10"
# dependencies = ["trl", "datasets"]
# ///
"""Group-relative optimization with two rewards that a program can verify."""

import random

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer


def questions(n, seed):
    rng = random.Random(seed)
    for _ in range(n):
        a, b = rng.randint(2, 30), rng.randint(2, 30)
        yield {"prompt": [{"role": "user", "content": f"What is {a} + {b}?"}], "answer": str(a + b)}


def right(completions, answer, **kwargs):
    return [1.0 if c[0]["content"].strip() == a else 0.0 for c, a in zip(completions, answer)]


def short(completions, **kwargs):
    return [0.2 if c[0]["content"].strip().isdigit() else 0.0 for c in completions]


trainer = GRPOTrainer(
    model="acme/tiny-gpt",
    reward_funcs=[right, short],
    args=GRPOConfig(
        output_dir="tiny-grpo",
        num_generations=8,
        max_completion_length=32,
        learning_rate=1e-6,
        temperature=0.9,
        beta=0.02,
        max_steps=300,
    ),
    train_dataset=Dataset.from_list(list(questions(2000, 1))),
)
trainer.train()
