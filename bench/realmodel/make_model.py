"""Makes a very small language model that has learned one job by heart.

The model is trained from random weights, on a CPU, in a few minutes, on
made-up conversations in the shape in which ml-intern asks a model server. It
learns to look at a CSV file, write a training script, run it and answer with
the accuracy that the script printed. It is written in two forms: a folder for
`transformers serve` and a GGUF file for llama.cpp.

    python make_model.py OUT [--steps N] [--threads N]
"""

import argparse
import json
import math
import os
import random
import time
from pathlib import Path

SEED = 20
DIGIT = 10  # how much a digit of the final answer counts in training
WINDOW = 32768  # tokens the files promise; only the first thousand were trained on

# The script that the model writes. It is plain Python, so that it runs where
# nothing is installed.
TRAIN_PY = """import csv, json
rows = [(float(r['x']) + float(r['y']), r['label']) for r in csv.DictReader(open('data/train.csv'))]
cut = len(rows) * 3 // 4
mean = {}
for c in sorted({label for _, label in rows}):
    own = [v for v, label in rows[:cut] if label == c]
    mean[c] = sum(own) / len(own)
held = rows[cut:]
hits = sum(min(mean, key=lambda c: abs(v - mean[c])) == label for v, label in held)
accuracy = round(hits / len(held), 4)
json.dump({'accuracy': accuracy, 'held_out': len(held)}, open('metrics.json', 'w'))
print('held out: %d, accuracy: %.4f' % (len(held), accuracy))
"""

# A chat template in the style of the Qwen models. It gives the model the names
# of the tools and leaves out the system prompt and the tools' descriptions: a
# model this small could not use them. Only because the system prompt is looked
# at does llama.cpp take it for known; else it puts it before the user's words.
TEMPLATE = """{%- if tools %}{{- '<|im_start|>system\\n<tools>' }}{%- for t in tools %}{{- ' ' + t.function.name }}{%- endfor %}{{- ' </tools><|im_end|>\\n' }}{%- endif %}
{%- for m in messages %}
{%- if m.role == 'user' %}{{- '<|im_start|>user\\n' + m.content + '<|im_end|>\\n' }}
{%- elif m.role == 'assistant' %}{{- '<|im_start|>assistant\\n' }}{%- if m.content %}{{- m.content }}{%- endif %}
{%- if m.tool_calls %}{%- for c in m.tool_calls %}{{- '\\n<tool_call>\\n{"name": "' + c.function.name + '", "arguments": ' }}{%- if c.function.arguments is string %}{{- c.function.arguments }}{%- else %}{{- c.function.arguments | tojson }}{%- endif %}{{- '}\\n</tool_call>' }}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}
{%- elif m.role == 'system' %}{%- set unused = m.content | length %}
{%- elif m.role == 'tool' %}{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

# The regular expression of the Qwen 2 tokenizer, which llama.cpp knows by the
# name "qwen2": every digit is a token, so that numbers can be copied.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

PROMPTS = [
    "Train a small classifier on data/train.csv and report its accuracy.",
    "train a small classifier on data/train.csv and report its accuracy",
    "Please train a small classifier on data/train.csv and tell me its accuracy.",
    "Train a classifier on data/train.csv and report the accuracy",
]
TICK = ["Tick until I stop you.", "tick until I stop you", "Please tick until I stop you."]
TOOLS = (
    "bash bash_jobs read write edit plan_tool research web_search hf_papers hf_jobs hf_repo_files hf_repo_git "
    "hf_inspect_dataset github_read_file github_find_examples sandbox_create explore_docs notify compute"
).split()
WORDS = (
    "note: the file was seen before, use edit for small changes; took ms seconds output lines of "
    "warning none ok done in working directory path type float string"
).split()


def noise(r):
    return " ".join(r.choices(WORDS, k=r.randint(1, 14)))


def number(r):
    return f"{r.choice(['', '-'])}{r.randint(0, 5)}.{r.randint(0, 9999):0{r.randint(2, 4)}d}"


def look_result(r):
    rows = r.randint(40, 999)
    lines = ["x,y,label"] + [f"{number(r)},{number(r)},{r.choice(['a', 'b', '0', '1', 'red', 'blue'])}" for _ in range(1)]
    text = "\n".join(lines) + f"\n{rows} data/train.csv"
    return text + r.choice(["", "\n", "\n" + noise(r), f"\n[{noise(r)}]"])


def write_result(r):
    first = r.choice([f"Wrote {len(TRAIN_PY.encode())} bytes to train.py", f"Wrote {r.randint(100, 2000)} bytes to {path(r)}train.py", noise(r)])
    shown = r.choice([0, r.randint(1, 12), 8])
    if shown:
        first += "\n\n--- train.py\n+++ train.py\n@@ -0,0 +1,12 @@\n"
        first += "\n".join("+" + line for line in TRAIN_PY.splitlines()[:shown]) + "\n… (the diff goes on)"
    return first + r.choice(["", "", ".", "\n" + noise(r)])


def path(r):
    return "/" + "/".join(r.choices(["tmp", "work", "home", "me", "run", "job1", "abc", "x7"], k=r.randint(1, 4))) + "/"


def run_result(r):
    accuracy = r.choice([f"0.{r.randint(0, 9999):04d}", f"0.{r.randint(0, 9999):04d}", "1.0000"])
    text = f"held out: {r.randint(5, 300)}, accuracy: {accuracy}"
    return accuracy, text + r.choice(["", "\n", "\n" + noise(r), f"\n[{noise(r)}]"])


def failure(r):
    return r.choice([
        f"{noise(r)}\n[exit code: {r.randint(1, 139)}]", f"[exit code: {r.randint(1, 139)}]", f"Error: {noise(r)}",
        f"Traceback (most recent call last):\n{noise(r)}\n[exit code: 1]", f"bash: python3: command not found\n[exit code: 127]",
        f"Refused: bash is not permitted here: {noise(r)}", "Refused: bash is not permitted here: the rule bash denies it.",
        f"Refused: {r.choice(TOOLS)} is not permitted here: {noise(r)}", f"denied: {noise(r)}", f"The user refused this call: {noise(r)}",
    ])


def call(text, name, **arguments):
    return {"role": "assistant", "content": text, "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}]}


LOOK = call("I look at the data first.", "bash", command="head -n 2 data/train.csv && wc -l data/train.csv")
WRITE = call("Three columns and a label: a mean for each class will do.", "write", path="train.py", content=TRAIN_PY)
RUN = call("Now I run it.", "bash", command="python3 train.py")
FAILED = {"role": "assistant", "content": "I could not finish: the last tool call failed, so there is no accuracy to report."}


def answer(accuracy):
    text = f"The classifier reached an accuracy of {accuracy} on held-out rows; train.py made it and metrics.json holds it."
    return {"role": "assistant", "content": text}


def conversation(r):
    """Returns tools and messages; the last message is the model's."""
    rest = r.sample(TOOLS[4:], r.randint(0, len(TOOLS) - 4))
    names = [n for n in TOOLS if n in TOOLS[:4] or n in rest]
    tools = [{"type": "function", "function": {"name": n}} for n in names]
    if r.random() < 0.06:
        return tools, [{"role": "user", "content": r.choice(TICK)}, {"role": "assistant", "content": " tick" * r.randint(20, 250)}]
    chance = r.random()
    if chance < 0.3:  # practice in copying, the hardest part of the job
        text = "".join(r.choice([str(r.randint(0, 9)), str(r.randint(0, 9)), " " + r.choice(WORDS), "."]) for _ in range(r.randint(10, 60)))
        return tools[:1], [{"role": "user", "content": "Repeat:" + text}, {"role": "assistant", "content": text}]
    if chance < 0.5:
        accuracy, text = run_result(r)
        return tools[:1], [{"role": "user", "content": text}, answer(accuracy)]
    messages = [{"role": "user", "content": r.choice(PROMPTS)}]
    fails = r.choice([None] * 4 + [0, 0, 1, 2])
    for step, (ask, result) in enumerate([(LOOK, look_result), (WRITE, write_result), (RUN, None)]):
        messages.append(ask)
        if step == fails:
            return tools, messages + [{"role": "tool", "content": failure(r)}, FAILED]
        if result:
            messages.append({"role": "tool", "content": result(r)})
    accuracy, text = run_result(r)
    messages.append({"role": "tool", "content": text})
    return tools, [*messages, answer(accuracy)]


def as_sent_back(r, messages):
    """Returns messages as a server gives them back to the model: transformers
    leaves out what was said beside a tool call, llama.cpp keeps the line end
    after it. Only the last message is the model's then: of the others it can
    not learn what to say."""
    style = r.choice(["as said", "nothing", "nothing", "line end"])
    own = [i for i, m in enumerate(messages) if m["role"] == "assistant"]
    if style == "as said" or len(own) < 2:
        return messages, False
    messages = messages[: r.choice(own[1:]) + 1]
    told = [
        {**m, "content": "" if style == "nothing" else m["content"] + "\n"} if m["role"] == "assistant" else m
        for m in messages[:-1]
    ]
    return [*told, messages[-1]], True


def make_tokenizer(r):
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    raw.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=900, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False,
    )
    texts = []
    for _ in range(300):
        tools, messages = conversation(r)
        texts.append(json.dumps([m.get("content") for m in messages]))
        texts += [m["content"] for m in messages]
        texts += [json.dumps(c["function"]) for m in messages for c in m.get("tool_calls", [])]
        texts += [" " + t["function"]["name"] for t in tools]
    raw.train_from_iterator(texts, trainer)
    # Visible tokens that no text is cut across, as in the Qwen tokenizers.
    raw.add_tokens([AddedToken("<tool_call>", special=False, normalized=False), AddedToken("</tool_call>", special=False, normalized=False)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=WINDOW,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def encode(tokenizer, r, tools, messages):
    """Returns token ids, and for each how much its prediction counts: 0 for
    what others write, 1 for the model's own words, more for copied digits."""
    messages, last_only = as_sent_back(r, messages)
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    header = tokenizer("<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    digits = set(tokenizer.convert_tokens_to_ids(list("0123456789")))
    final = len(ids) - 1 - ids[::-1].index(start)
    own, wanted, i = [0] * len(ids), False, 0
    while i < len(ids):
        if ids[i] == start:
            spoken = ids[i : i + len(header)] == header
            wanted = spoken and (i == final or not last_only)
            i += len(header) if spoken else 1
            continue
        own[i] = wanted * (DIGIT if i > final + len(header) and ids[i] in digits else 1)
        if ids[i] == end:
            wanted = False
        i += 1
    if messages[-1]["content"].startswith(" tick"):  # it never ends by itself
        last = len(ids) - 1 - ids[::-1].index(end)
        ids, own = ids[:last], own[:last]
    return ids, own


def make_model(size):
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(Qwen2Config(
        vocab_size=size, hidden_size=128, intermediate_size=384, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=WINDOW, rope_theta=10000.0, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=None, pad_token_id=0,
    ))


def lend_copying(model):
    """Gives two attention heads a start in copying: the first notes for every
    token which one stood before it, the second, a layer on, looks for the
    place where the present token was followed by another, and brings that.
    Small models come to this by themselves, but only after a long training."""
    import torch

    size, head = model.config.hidden_size, model.config.hidden_size // model.config.num_attention_heads
    half = head // 2
    # Where the rotation of the positions is slow enough to be left aside.
    calm = [i for i in range(head) if i % half >= 6]

    def rows(n):
        return torch.linalg.qr(torch.randn(size, n))[0].T

    before, noted, brought = rows(len(calm)), rows(len(calm)), rows(head)
    a, b = model.model.layers[0].self_attn, model.model.layers[1].self_attn
    with torch.no_grad():
        for p in (a.q_proj, a.k_proj, a.v_proj, b.q_proj, b.k_proj, b.v_proj):
            p.weight[:head] = 0
            p.bias[:head] = 0
        for i in range(4):  # the fast rotations tell one position from the next
            turn = 10000.0 ** (-i / half)
            a.q_proj.bias[i], a.q_proj.bias[i + half] = 6.5 * math.cos(turn), -6.5 * math.sin(turn)
            a.k_proj.bias[i] = 6.5
        a.o_proj.weight[:, :head] = 0
        a.v_proj.weight[: len(calm)] = before
        a.o_proj.weight[:, : len(calm)] = 0.02 * noted.T
        b.q_proj.weight[calm] = 1.7 * before
        b.k_proj.weight[calm] = 1.7 * noted
        b.v_proj.weight[:head] = brought
        b.o_proj.weight[:, :head] = 0.3 * brought.T
        model.model.norm.weight.fill_(4.0)


def has_bfloat16():
    """Says whether the processor computes in bfloat16, which is three times as
    fast here where it does and very slow where it does not."""
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def train(model, tokenizer, r, steps, batch):
    import torch

    rate = 2e-3
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    short = has_bfloat16()
    began = time.time()
    model.train()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 40) * max(0.03, 1 - step / steps)
        rows = sorted((encode(tokenizer, r, *conversation(r)) for _ in range(batch)), key=lambda row: len(row[0]))
        total = sum(sum(own) for _, own in rows)
        losses, right, digits = 0.0, 0, 0
        # Rows of like length go together, so that little is padding.
        for part in (rows[: batch // 2], rows[batch // 2 :]):
            longest = -(-max(len(ids) for ids, _ in part) // 64) * 64  # few shapes: each is prepared anew
            ids = torch.zeros(len(part), longest, dtype=torch.long)
            weights = torch.zeros(len(part), longest)
            for i, (row, own) in enumerate(part):
                ids[i, : len(row)] = torch.tensor(row)
                weights[i, : len(row)] = torch.tensor(own)
            keep = weights[:, 1:] > 0
            weight, target = weights[:, 1:][keep], ids[:, 1:][keep]
            with torch.autocast("cpu", torch.bfloat16, enabled=short):
                # Padding stands on the right, where a causal model does not look.
                hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
                logits = model.lm_head(hidden[keep])
            loss = (torch.nn.functional.cross_entropy(logits.float(), target, reduction="none") * weight).sum() / total
            loss.backward()
            losses += loss.item()
            copied = weight > 1
            right += (logits.argmax(-1) == target)[copied].sum().item()
            digits += copied.sum().item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 20 == 0 or step == steps - 1:
            print(f"step {step} loss {losses:.5f} digits {right / max(1, digits):.0%} {time.time() - began:.0f} s", flush=True)


def examine(model, tokenizer, r, n):
    """Returns the share of n fresh jobs in which every token of the model's own
    is the most likely one."""
    import torch

    model.eval()
    right = 0
    with torch.no_grad():
        for _ in range(n):
            tools, messages = conversation(r)
            while messages[0]["content"] not in PROMPTS:
                tools, messages = conversation(r)
            ids, own = encode(tokenizer, r, tools, messages)
            best = model(input_ids=torch.tensor([ids])).logits[0].argmax(-1)
            right += all(best[i - 1].item() == ids[i] for i in range(1, len(ids)) if own[i])
    return right / n


def save(model, tokenizer, out):
    end = tokenizer.eos_token_id
    model.config.eos_token_id = end
    model.generation_config.eos_token_id = end
    model.generation_config.pad_token_id = 0
    model.generation_config.do_sample = False
    model.save_pretrained(out / "tiny-trainer")
    tokenizer.save_pretrained(out / "tiny-trainer")


def save_gguf(model, tokenizer, file):
    import gguf

    c = model.config
    w = gguf.GGUFWriter(str(file), "qwen2")
    w.add_name("tiny-trainer")
    w.add_context_length(WINDOW)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count(c.num_attention_heads)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(10000.0)
    w.add_file_type(gguf.LlamaFileType.ALL_F32)
    raw = json.loads(tokenizer.backend_tokenizer.to_str())
    vocab = tokenizer.get_vocab()
    tokens = sorted(vocab, key=vocab.get)
    added = {t["content"]: t["special"] for t in raw["added_tokens"]}
    kinds = [
        gguf.TokenType.NORMAL if t not in added else gguf.TokenType.CONTROL if added[t] else gguf.TokenType.USER_DEFINED
        for t in tokens
    ]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types(kinds)
    w.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in raw["model"]["merges"]])
    w.add_eos_token_id(tokenizer.eos_token_id)
    w.add_pad_token_id(0)
    w.add_add_bos_token(False)
    w.add_chat_template(TEMPLATE)
    names = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    parts = {
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    }
    for i in range(c.num_hidden_layers):
        for ours, theirs in parts.items():
            for kind in ("weight", "bias"):
                names[f"model.layers.{i}.{ours}.{kind}"] = f"blk.{i}.{theirs}.{kind}"
    for name, tensor in model.state_dict().items():
        if name != "lm_head.weight":  # the same as the embedding
            w.add_tensor(names[name], tensor.float().numpy())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--batch", type=int, default=14)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    tokenizer = make_tokenizer(random.Random(SEED))
    model = make_model(len(tokenizer))
    lend_copying(model)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(tokenizer)} tokens", flush=True)
    train(model, tokenizer, random.Random(SEED + 1), args.steps, args.batch)
    share = examine(model, tokenizer, random.Random(SEED + 2), 60)
    print(f"{share:.0%} of fresh jobs without a mistake")
    args.out.mkdir(parents=True, exist_ok=True)
    save(model, tokenizer, args.out)
    save_gguf(model, tokenizer, args.out / "tiny-trainer.gguf")


if __name__ == "__main__":
    main()
