"""Judge model.json once on the held-out messages and write metrics.json."""
import json
import math

from train import DATA, clean, features, groups, near, probabilities, read_rows


def wilson(right, n, z=1.959964):
    """The 95% confidence interval of a share, after Wilson."""
    p = right / n
    middle = p + z * z / (2 * n)
    reach = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - reach) / (1 + z * z / n), (middle + reach) / (1 + z * z / n)


def main():
    with open("model.json", encoding="utf-8") as f:
        model = json.load(f)
    desks = model["desks"]
    kept, _ = clean(read_rows(DATA))
    held_out_ids = set(model["held_out"])
    held_out = [row for row in kept if row["id"] in held_out_ids]
    known = [groups(row["text"]) for row in kept if row["id"] not in held_out_ids]
    leaked = sum(any(near(groups(row["text"]), other) for other in known) for row in held_out)

    matrix = [[0] * len(desks) for _ in desks]  # [true][predicted]
    mistakes = []
    for row in held_out:
        p = probabilities(features(row["text"], model["vocabulary"]), model["weights"], model["bias"])
        guess, truth = p.index(max(p)), desks.index(row["desk"])
        matrix[truth][guess] += 1
        if guess != truth:
            mistakes.append({"id": row["id"], "text": row["text"], "desk": desks[truth],
                             "predicted": desks[guess], "probability": max(p)})
    mistakes.sort(key=lambda m: -m["probability"])

    n = len(held_out)
    right = sum(matrix[k][k] for k in range(len(desks)))
    low, high = wilson(right, n)
    per_desk = {}
    for k, desk in enumerate(desks):
        said, true = sum(row[k] for row in matrix), sum(matrix[k])
        precision = matrix[k][k] / said if said else 0.0
        recall = matrix[k][k] / true if true else 0.0
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        per_desk[desk] = {"held_out": true, "precision": precision, "recall": recall, "f1": f1}
    metrics = {
        "held_out": n, "right": right, "accuracy": right / n, "interval": [low, high],
        "baseline": max(sum(row) for row in matrix) / n,  # always the biggest desk
        "macro_f1": sum(d["f1"] for d in per_desk.values()) / len(desks),
        "leaked": leaked, "desks": desks, "per_desk": per_desk, "confusion": matrix,
        "epoch": model["epoch"], "mistakes": mistakes,
    }
    with open("metrics.json", "w", encoding="utf-8") as f:
        json.dump(metrics, f, indent=1, ensure_ascii=False)

    print("held_out=%d right=%d leaked=%d" % (n, right, leaked))
    print("accuracy=%.1f%% interval=%.1f%%..%.1f%%" % (100 * right / n, 100 * low, 100 * high))
    print("baseline=%.1f%% macro_f1=%.3f" % (100 * metrics["baseline"], metrics["macro_f1"]))
    weakest = min(desks, key=lambda d: per_desk[d]["f1"])
    for desk in desks:
        d = per_desk[desk]
        print("%-9s held_out=%-3d precision=%.3f recall=%.3f f1=%.3f"
              % (desk, d["held_out"], d["precision"], d["recall"], d["f1"]))
    print("weakest=%s weakest_f1=%.3f" % (weakest, per_desk[weakest]["f1"]))


if __name__ == "__main__":
    main()
