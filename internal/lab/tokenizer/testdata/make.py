"""Make the tokenizers of the tests, and what the tokenizers library counts.

    pip install tokenizers && python3 make.py

Each is small and trained on the sentences below, but has the steps of a family
of models. texts.json holds the texts, counts.json their number of tokens.
"""
import json, pathlib, random

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
WORDS = ("the model trains on small batches and the loss falls while evaluation stays flat learning rate of "
         "schedule warmup cosine gradient norm clipped tokens per second measured on one card it's we'll don't "
         "they've batch size accumulates over steps data set audit duplicates leakage split held out rows label").split()
OTHER = ["Größe und Länge der Sätze", "la pérdida baja después del calentamiento", "损失在预热之后下降，验证集没有变化。",
         "学習率はコサインで減衰する", "Потери падают медленно", "الخسارة تنخفض ببطء", "손실이 감소한다", "naïve café Zürich",
         "🙂 emoji 👩‍🔬 and flags 🇪🇺", "ﬁne ﬂow ① Ａｂｃ ½"]
SPECIAL = ["<|im_start|>", "<|im_end|>", "<s>", "</s>"]


def corpus():
    rng = random.Random(7)
    lines = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(4, 14))).capitalize() + "." for _ in range(600)]
    return lines + OTHER * 20


def texts():
    rng = random.Random(11)
    out = ["", " ", "   ", "\n", " \n \n", "a", "A.", "hello world", "  two  spaces   here ", "tab\tand\nnewline\r\nend", "x" * 300,
           "def f(x):\n    return x ** 2  # squared\n", "https://example.org/a?b=c&d=1", "1234567 12 3.14 0x1f", "IT'S DON'T we'll",
           "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant", "no\u00a0break\u2003em\u3000ideographic \u200b zero",
           "e\u0301 combining", "\ufffd\x07 control", "a\n\n\nb", "trailing blanks   \n", "MixedCase_snake-kebab", "((nested))[brackets]{}",
           "deduplicate" * 40, "損失" * 50]
    out += OTHER
    for _ in range(60):
        parts = [rng.choice(WORDS + OTHER + SPECIAL + ["  ", "\n", "!?", "42", "'s", "…"]) for _ in range(rng.randint(1, 25))]
        out.append(rng.choice([" ", ""]).join(parts))
    return out


def bpe(**kw):
    return Tokenizer(models.BPE(**kw))


def build():
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t = bpe()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    yield "gpt2", t, trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet)
    t = bpe(ignore_merges=True)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    yield "llama3", t, trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet)
    t = bpe()
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN), "isolated"),
                                               pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    yield "qwen", t, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet)
    fallback = ["<0x%02X>" % b for b in range(256)]
    t = bpe(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    yield "llama2", t, trainers.BpeTrainer(vocab_size=800, special_tokens=["<unk>"] + fallback, limit_alphabet=60, max_token_length=12)
    t = bpe(byte_fallback=True, unk_token="<unk>")
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    yield "gemma", t, trainers.BpeTrainer(vocab_size=800, special_tokens=["<unk>"] + fallback, limit_alphabet=60, max_token_length=12)
    t = bpe(unk_token="[UNK]", end_of_word_suffix="</w>")
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    yield "clip", t, trainers.BpeTrainer(vocab_size=500, special_tokens=["[UNK]"], end_of_word_suffix="</w>")
    t = bpe(unk_token="[UNK]", fuse_unk=True)
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous"),
                                               pre_tokenizers.Digits(individual_digits=False)])
    yield "plain", t, trainers.BpeTrainer(vocab_size=300, special_tokens=["[UNK]"], limit_alphabet=30)
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    yield "bert", t, trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[UNK]"])
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Punctuation("merged_with_next"), pre_tokenizers.Whitespace()])
    yield "bert-cased", t, trainers.WordPieceTrainer(vocab_size=500, special_tokens=["[UNK]"])
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    yield "xlmr", t, trainers.UnigramTrainer(vocab_size=500, special_tokens=["<unk>"], unk_token="<unk>")
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    yield "t5", t, trainers.UnigramTrainer(vocab_size=300, special_tokens=["<unk>"] + fallback, unk_token="<unk>")


def main():
    all_texts, counts = texts(), {}
    for name, t, trainer in build():
        trainer.show_progress = False
        t.train_from_iterator(corpus(), trainer)
        if name == "t5":
            raw = json.loads(t.to_str())
            raw["model"]["byte_fallback"] = True
            t = Tokenizer.from_str(json.dumps(raw))
        t.add_special_tokens(SPECIAL)
        saved = json.loads(t.to_str())
        (HERE / (name + ".json")).write_text(json.dumps(saved, ensure_ascii=False, separators=(",", ":")) + "\n")
        counts[name] = [len(t.encode(text, add_special_tokens=False).ids) for text in all_texts]
    (HERE / "texts.json").write_text(json.dumps(all_texts, ensure_ascii=False, indent=0) + "\n")
    (HERE / "counts.json").write_text(json.dumps(counts) + "\n")


main()
