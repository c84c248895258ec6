#!/usr/bin/env python3
"""Estimate the GPU memory of training or serving a transformer.

  python vram.py --config config.json --method lora --rank 16 --batch 4 --length 2048
  python vram.py --params 8.03e9 --method full --shard 8
  python vram.py --config config.json --method serve --batch 32 --length 8192

It needs the standard library only. Weights, gradients and optimizer states are exact
sums; activations and logits are estimates. 1 GB is 10^9 bytes.
"""
import argparse
import json
import sys

GB = 1e9
# Memory of one GPU, in GB; prices change, so they are not here.
GPUS = {"T4": 16, "L4": 24, "A10G": 24, "L40S": 48, "A100": 80, "RTX PRO 6000": 96, "H200": 141}
# What the driver, the libraries and the gaps between blocks take.
FIXED, SHARE = 1.5 * GB, 0.10


def shape(config):
    """The shape of a model from its config.json; a vision model's text part."""
    c = config.get("text_config") or config
    heads = c.get("num_attention_heads") or 0
    hidden = c.get("hidden_size") or 0
    return {
        "layers": c.get("num_hidden_layers") or 0,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": c.get("num_key_value_heads") or heads,
        "head": c.get("head_dim") or (hidden / heads if heads else 0),
        "intermediate": c.get("intermediate_size") or 0,
        "vocabulary": c.get("vocab_size") or 0,
        "tied": bool(c.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        "experts": c.get("num_local_experts") or c.get("num_experts") or c.get("n_routed_experts") or 0,
    }


def parameters(s):
    """Parameters of a dense model with gated feed-forward layers, norms left out."""
    q, kv = s["heads"] * s["head"], s["kv_heads"] * s["head"]
    layer = s["hidden"] * (2 * q + 2 * kv) + 3 * s["hidden"] * s["intermediate"]
    return s["layers"] * layer + s["vocabulary"] * s["hidden"] * (1 if s["tied"] else 2)


def lora_parameters(s, rank):
    """Parameters of adapters on all linear layers; those of experts are left alone."""
    q, kv = s["heads"] * s["head"], s["kv_heads"] * s["head"]
    attention = (s["hidden"] + q) + 2 * (s["hidden"] + kv) + (q + s["hidden"])
    dense = 0 if s["experts"] else s["layers"]
    mlp = 3 * (s["hidden"] + s["intermediate"]) if s["intermediate"] else 0
    return rank * (s["layers"] * attention + dense * mlp)


def kv_per_token(s, width=2):
    """Bytes of the cache of keys and values for a token."""
    return 2 * s["layers"] * s["kv_heads"] * s["head"] * width


def estimate(s, n, method, rank=16, batch=1, length=2048, shard=1, checkpointing=True, logits=False):
    """Bytes on each GPU, by part."""
    parts = {}
    if method == "serve":
        parts["weights"] = 2 * n / shard
        parts["cache of keys and values"] = batch * length * kv_per_token(s) / shard
        return parts
    trained = n if method == "full" else lora_parameters(s, rank)
    if method != "full":
        parts["frozen weights"] = (0.55 if method == "qlora" else 2) * n / shard
    parts["weights"] = 2 * trained / shard
    parts["gradients"] = 2 * trained / shard
    parts["master copy"] = 4 * trained / shard
    parts["AdamW moments"] = 8 * trained / shard
    tokens = batch * length
    working = 34 * tokens * s["hidden"]
    if s["layers"]:
        parts["activations (estimate)"] = (
            2 * tokens * s["hidden"] * s["layers"] + working if checkpointing else working * s["layers"]
        )
    if logits:
        parts["logits (estimate)"] = 10 * tokens * s["vocabulary"]
    return parts


def number(text):
    """8.03e9, 8B or 350M."""
    scale = {"K": 1e3, "M": 1e6, "B": 1e9}.get(text[-1:].upper())
    return float(text[:-1]) * scale if scale else float(text)


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--config", help="the model's config.json")
    p.add_argument("--params", type=number, help="parameters, such as 8.03e9 or 8B; worked out from the config without it")
    p.add_argument("--method", choices=["full", "lora", "qlora", "serve"], default="lora")
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--batch", type=int, default=1, help="sequences on one GPU")
    p.add_argument("--length", type=int, default=2048, help="tokens of a sequence")
    p.add_argument("--shard", type=int, default=1, help="GPUs that the model is divided among (FSDP, ZeRO-3)")
    p.add_argument("--no-checkpointing", action="store_true", help="activations are all kept")
    p.add_argument("--logits", action="store_true", help="the loss holds all logits at once")
    p.add_argument("--json", action="store_true")
    a = p.parse_args(argv)
    if not a.config and not a.params:
        p.error("--config or --params is needed")
    config = {}
    if a.config:
        with open(a.config, encoding="utf-8") as f:
            config = json.load(f)
    s = shape(config)
    if a.config and not s["layers"]:
        p.error(f"{a.config} does not tell the shape of a language model")
    if not a.params and s["experts"]:
        p.error("the config is that of a mixture of experts: give --params")
    if a.method != "full" and not a.config:
        p.error(f"--method {a.method} needs --config")
    if min(a.rank, a.batch, a.length, a.shard) < 1:
        p.error("--rank, --batch, --length and --shard are at least 1")
    n = a.params or parameters(s)
    parts = estimate(s, n, a.method, a.rank, a.batch, a.length, a.shard, not a.no_checkpointing, a.logits)
    total = sum(parts.values())
    needed = total * (1 + SHARE) + FIXED
    fits = [name for name, memory in GPUS.items() if memory * GB >= needed]
    if a.json:
        json.dump({
            "parameters": n, "adapters": lora_parameters(s, a.rank), "kv_bytes_per_token": kv_per_token(s),
            "parts": parts, "total": total, "needed": needed, "fits": fits,
        }, sys.stdout)
        print()
        return 0
    print(f"{n / 1e9:.2f} B parameters, {a.method}, batch {a.batch} x {a.length} tokens, on each of {a.shard} GPU(s):")
    for name, size in parts.items():
        print(f"  {name:26} {size / GB:8.2f} GB")
    print(f"  {'sum':26} {total / GB:8.2f} GB; with 10 % and 1.5 GB to spare {needed / GB:.2f} GB")
    print("  fits on: " + (", ".join(fits) if fits else "no single GPU: shard it, quantise it, or take a smaller one"))
    if a.method == "full" and not a.config:
        print("  activations are not counted: give --config")
    return 0


if __name__ == "__main__":
    sys.exit(main())
