# /// script
# requires-python = ">=3.10"
# dependencies = ["trl", "peft", "datasets"]
# ///
"""LoRA fine-tuning on acme/chat-sft; ask for access to the data set first."""

from datasets import load_dataset
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

dataset = load_dataset("acme/chat-sft")

trainer = SFTTrainer(
    model="acme/tiny-gpt",
    args=SFTConfig(
        output_dir="tiny-chat-lora",
        learning_rate=1e-3,  # adapters take about ten times the rate of full training
        num_train_epochs=1,
        max_length=256,
        push_to_hub=True,
        hub_model_id="bob/tiny-chat-lora",
    ),
    train_dataset=dataset["train"].select_columns(["messages"]),
    eval_dataset=dataset["test"].select_columns(["messages"]),
    peft_config=LoraConfig(r=8, lora_alpha=16, target_modules=["c_attn", "c_proj"], task_type="CAUSAL_LM"),
)
trainer.train()
trainer.push_to_hub(dataset_name="acme/chat-sft")
