"""Learn which desk of the library a message belongs to.

Words and word pairs, multinomial logistic regression, plain SGD with weight
decay. Needs nothing but Python 3.8. The rows held out for the final judgement
take no part in training or in choosing the epoch.
"""
import argparse
import csv
import json
import math
import random
import re
import time
from collections import Counter, defaultdict

DATA = "data/messages.csv"
SEED = 20
VALIDATION, HELD_OUT = 0.15, 0.25  # shares of every desk's messages
RATE, DECAY = 0.4, 0.002
GROUP, NEAR = 5, 0.8  # near copies share this part of their groups of words


def words(text):
    return re.findall(r"[a-z0-9']+", text.lower())


def terms(text):
    """The words of a message and its pairs of neighbours."""
    w = words(text)
    return w + [a + " " + b for a, b in zip(w, w[1:])]


def read_rows(path, limit=0):
    with open(path, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    return rows[:limit] if limit else rows


def groups(text):
    """The groups of neighbouring words in a message."""
    w = words(text)
    return {tuple(w[i:i + GROUP]) for i in range(max(1, len(w) - GROUP + 1))}


def near(a, b):
    """Whether two sets of groups are of near copies."""
    return not a.isdisjoint(b) and len(a & b) >= NEAR * len(a | b)


def clean(rows):
    """Drop what would mislead: empty rows, copies, near copies."""
    dropped = Counter()
    by_text = defaultdict(list)
    for row in rows:
        if not words(row["text"]):  # "???" says nothing either
            dropped["empty"] += 1
            continue
        by_text[" ".join(row["text"].lower().split())].append(row)
    kept, known = [], []
    for copies in by_text.values():
        if len({row["desk"] for row in copies}) > 1:
            dropped["contradictory"] += len(copies)
            continue
        dropped["duplicate"] += len(copies) - 1
        found = groups(copies[0]["text"])
        if any(near(found, other) for other in known):
            dropped["near"] += 1
            continue
        known.append(found)
        kept.append(copies[0])
    return kept, dropped


def split(rows, rng):
    """Divide each desk's messages by the same shares."""
    by_desk = defaultdict(list)
    for row in rows:
        by_desk[row["desk"]].append(row)
    train, validation, held_out = [], [], []
    for desk in sorted(by_desk):
        group = by_desk[desk]
        rng.shuffle(group)
        v = round(len(group) * VALIDATION)
        h = round(len(group) * HELD_OUT)
        validation += group[:v]
        held_out += group[v:v + h]
        train += group[v + h:]
    return train, validation, held_out


def features(text, vocabulary):
    """Known terms with their weight; longer messages do not weigh more."""
    found = terms(text)
    scale = 1 / math.sqrt(len(found))
    counts = Counter(vocabulary[t] for t in found if t in vocabulary)
    return [(i, n * scale) for i, n in counts.items()]


def probabilities(x, weights, bias):
    scores = [b + sum(w[i] * v for i, v in x) for w, b in zip(weights, bias)]
    top = max(scores)
    exps = [math.exp(s - top) for s in scores]
    total = sum(exps)
    return [e / total for e in exps]


def judge(examples, weights, bias):
    """Mean loss and accuracy."""
    loss, right = 0.0, 0
    for x, y in examples:
        p = probabilities(x, weights, bias)
        loss -= math.log(max(p[y], 1e-12))
        right += p.index(max(p)) == y
    return loss / len(examples), right / len(examples)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rows", type=int, default=0, help="use only the first rows and save nothing")
    args = parser.parse_args()
    start = time.time()
    rng = random.Random(SEED)

    rows = read_rows(args.data, args.rows)
    kept, dropped = clean(rows)
    print("rows=%d kept=%d empty=%d duplicate=%d near=%d contradictory=%d"
          % (len(rows), len(kept), dropped["empty"], dropped["duplicate"], dropped["near"], dropped["contradictory"]))
    train, validation, held_out = split(kept, rng)
    print("train=%d validation=%d held_out=%d" % (len(train), len(validation), len(held_out)))

    desks = sorted({row["desk"] for row in train})
    seen = Counter(t for row in train for t in set(terms(row["text"])))
    vocabulary = {t: i for i, t in enumerate(sorted(t for t, n in seen.items() if n > 1))}
    print("desks=%d terms=%d" % (len(desks), len(vocabulary)))

    def examples(part):
        return [(features(row["text"], vocabulary), desks.index(row["desk"])) for row in part]

    learn, check = examples(train), examples(validation)
    weights = [[0.0] * len(vocabulary) for _ in desks]
    bias = [0.0] * len(desks)
    history, best = [], None
    for epoch in range(1, args.epochs + 1):
        rng.shuffle(learn)
        rate = RATE / (1 + 0.1 * (epoch - 1))
        for x, y in learn:
            p = probabilities(x, weights, bias)
            for k, w in enumerate(weights):
                step = rate * (p[k] - (k == y))
                bias[k] -= step
                for i, v in x:
                    w[i] -= step * v
        weights = [[w * (1 - DECAY) for w in row] for row in weights]
        loss, accuracy = judge(learn, weights, bias)
        val_loss, val_accuracy = judge(check, weights, bias)
        history.append({"epoch": epoch, "loss": loss, "accuracy": accuracy,
                        "val_loss": val_loss, "val_accuracy": val_accuracy})
        print("epoch=%d loss=%.4f accuracy=%.4f val_loss=%.4f val_accuracy=%.4f"
              % (epoch, loss, accuracy, val_loss, val_accuracy))
        if best is None or val_loss < best[0]:
            best = (val_loss, epoch, [row[:] for row in weights], bias[:])

    print("best_epoch=%d seconds=%.1f" % (best[1], time.time() - start))
    if args.rows:
        print("trial run: nothing saved")
        return
    with open("model.json", "w", encoding="utf-8") as f:
        json.dump({"desks": desks, "vocabulary": vocabulary, "epoch": best[1],
                   "weights": [[round(w, 6) for w in row] for row in best[2]], "bias": best[3],
                   "held_out": [row["id"] for row in held_out]}, f)
    with open("history.json", "w", encoding="utf-8") as f:
        json.dump({"rows": len(rows), "kept": len(kept), "dropped": dropped,
                   "train": len(train), "validation": len(validation), "best_epoch": best[1],
                   "seed": SEED, "epochs": history}, f, indent=1)
    print("saved model.json history.json")


if __name__ == "__main__":
    main()
