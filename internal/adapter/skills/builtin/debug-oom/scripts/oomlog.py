#!/usr/bin/env python3
"""Read the log of a run that ran out of memory and say what happened.

  python oomlog.py train.log
  some-command 2>&1 | python oomlog.py

It needs the standard library only. What it says is read from the log; where the log
says nothing, neither does it.
"""
import argparse
import json
import re
import sys

UNITS = {"B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40, "KB": 1e3, "MB": 1e6, "GB": 1e9}
SIZE = r"([0-9]+(?:\.[0-9]+)?) ?([KMGT]?i?B)"
# The last lines are what matters; logs may have gigabytes.
KEPT = 4 << 20

PHASES = [
    ("loading", r"from_pretrained|load_state_dict|_load_pretrained|safetensors"),
    ("saving", r"save_model|save_pretrained|_save_checkpoint|save_checkpoint|push_to_hub"),
    ("generation", r"\bgenerate\b|vllm|_generate"),
    ("evaluation", r"evaluation_loop|prediction_step|in evaluate\b|compute_metrics"),
    ("optimizer step", r"optimizer\.step|optimizer_step|adamw|in _init_group|bitsandbytes.optim"),
    ("backward pass", r"\.backward\(|in backward|autograd"),
    ("loss", r"cross_entropy|compute_loss|loss_function|logits\.float|lm_head"),
    ("forward pass", r"in forward\b|_call_impl|training_step"),
]


def size(text, unit):
    return float(text) * UNITS[unit.upper()]


def find(pattern, text):
    m = re.search(pattern, text)
    return size(*m.groups()[-2:]) if m else None


def gib(n):
    return f"{n / 2**30:.2f} GiB"


def sizes(message):
    """The numbers of torch's message."""
    return {
        "asked": find(r"Tried to allocate " + SIZE, message),
        "capacity": find(r"total capacity of " + SIZE, message),
        "free": find(r"of which " + SIZE + " is free", message),
        "allocated": find(SIZE + " is allocated by PyTorch", message),
        "reserved": find(SIZE + " is reserved by PyTorch but unallocated", message),
    }


def verdict(s):
    """What the sizes mean, and what to look at next."""
    asked, capacity = s["asked"], s["capacity"]
    if not asked or not capacity:
        return "", ""
    used = (s["allocated"] or 0) + (s["reserved"] or 0)
    others = capacity - (s["free"] or 0) - used if s["allocated"] is not None else 0
    if others > 0.1 * capacity and others > 2 * 2**30:
        return (
            f"about {gib(others)} of the GPU is held by something else than this process's tensors",
            "look at nvidia-smi: another process, a generator beside the trainer, or an old run",
        )
    if s["reserved"] and s["reserved"] >= asked and s["reserved"] > 0.05 * capacity:
        return (
            f"{gib(s['reserved'])} is reserved but not used: the memory is in pieces too small for {gib(asked)}",
            "set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True before anything else",
        )
    if asked > 0.2 * capacity:
        return (
            f"one tensor of {gib(asked)} was asked for",
            "logits (batch x length x vocabulary) or attention without Flash or SDPA (length x length): compute them in pieces",
        )
    return (
        f"it was full: {gib(asked)} more did not fit beside {gib(s['allocated'] or capacity)}",
        "smaller batch with more accumulation, then checkpointing; if the first optimizer step fails, fewer trained parameters",
    )


def phase(before):
    """What ran, by the innermost lines of the traceback."""
    for line in reversed(before.splitlines()[-80:]):
        for name, pattern in PHASES:
            if re.search(pattern, line):
                return name
    return ""


def read(text):
    out = {"kind": "", "phase": "", "verdict": "", "next": "", "steps_logged": 0, "sizes": {}}
    out["steps_logged"] = len(re.findall(r"\{[^{}]*'loss':", text))
    cuda = list(re.finditer(r"(?:CUDA|HIP) out of memory\.[^\n]*", text))
    if cuda:
        last = cuda[-1]
        out["kind"] = "GPU memory"
        out["sizes"] = {k: v for k, v in sizes(last.group(0)).items() if v is not None}
        out["verdict"], out["next"] = verdict(sizes(last.group(0)))
        start = text.rfind("Traceback (most recent call last)", 0, last.start())
        out["phase"] = phase(text[max(start, 0):last.start()])
        return out
    others = [
        ("vLLM's share of the GPU", r"No available memory for the cache blocks|KV cache is needed, which is larger than",
         "max_model_len down to what is used, then max_num_seqs down, then gpu_memory_utilization up"),
        ("shared memory of the machine", r"/dev/shm|Bus error|unable to open shared memory",
         "fewer data loader workers, or the file_system sharing strategy"),
        ("memory of the machine", r"is killed by signal: Killed|exit(?:ed with)? (?:code|status) 137|\bOOMKilled\b|(?m:^Killed$)|DefaultCPUAllocator: can't allocate memory|(?m:^MemoryError)",
         "fewer workers and processes, streaming data sets, a machine with more memory beside the GPU"),
        ("a disk", r"No space left on device", "a larger disk, caches elsewhere, fewer checkpoints"),
    ]
    for kind, pattern, then in others:
        if re.search(pattern, text):
            out["kind"], out["next"] = kind, then
            return out
    return out


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("log", nargs="?")
    p.add_argument("--json", action="store_true")
    a = p.parse_args(argv)
    if a.log:
        with open(a.log, "rb") as f:
            f.seek(0, 2)
            f.seek(max(0, f.tell() - KEPT))
            raw = f.read()
    else:
        raw = sys.stdin.buffer.read()[-KEPT:]
    r = read(raw.decode("utf-8", "replace").replace("\r", "\n"))
    if a.json:
        print(json.dumps(r))
        return 0 if r["kind"] else 1
    if not r["kind"]:
        print("nothing in this log says that memory ran out")
        return 1
    print("ran out: " + r["kind"])
    if r["phase"]:
        print("phase: " + r["phase"])
    for name, n in r["sizes"].items():
        print(f"  {name:10} {gib(n)}")
    if r["verdict"]:
        print("verdict: " + r["verdict"])
    print("next: " + (r["next"] or "read the traceback"))
    if r["steps_logged"]:
        print(f"it had logged {r['steps_logged']} losses before: test with the longest rows, and look for growth by step")
    return 0


if __name__ == "__main__":
    sys.exit(main())
