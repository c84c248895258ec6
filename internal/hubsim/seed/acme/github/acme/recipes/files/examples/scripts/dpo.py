# /// script
# requires-python = ">=3.10"
# dependencies = ["trl", "datasets"]
# ///
"""Preference optimization of acme/tiny-gpt. The data set needs the columns
prompt, chosen and rejected."""

import sys

from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

pairs = load_dataset(sys.argv[1], split="train").train_test_split(test_size=0.1, seed=1)

trainer = DPOTrainer(
    model="acme/tiny-gpt",
    args=DPOConfig(output_dir="tiny-dpo", beta=0.1, learning_rate=5e-6, per_device_train_batch_size=16, num_train_epochs=1),
    train_dataset=pairs["train"],
    eval_dataset=pairs["test"],
)
trainer.train()
