# /// script
# requires-python = ">=3.10"
# dependencies = ["trl", "datasets", "transformers"]
# ///
"""Supervised fine-tuning of acme/tiny-base on acme/toy-chat."""

from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

dataset = load_dataset("acme/toy-chat")

args = SFTConfig(
    output_dir="tiny-chat",
    num_train_epochs=3,
    per_device_train_batch_size=8,
    learning_rate=2e-4,
    lr_scheduler_type="cosine",
    warmup_ratio=0.03,
    max_length=256,
    packing=True,
    assistant_only_loss=True,
    chat_template_path="acme/tiny-gpt",
    eval_strategy="epoch",
    logging_steps=5,
    report_to="none",
)

trainer = SFTTrainer(
    model="acme/tiny-base",
    args=args,
    train_dataset=dataset["train"],
    eval_dataset=dataset["test"],
)
trainer.train()
trainer.save_model()
