#!/usr/bin/env python3
"""Say how good one set of scores is, or whether two differ, row by row.

  python compare.py scores.jsonl
  python compare.py base.jsonl tuned.jsonl --id id --score score

Files are JSON lines, one row each, with an id and a score (a number, or true and
false). Rows that only one file has are left out and counted. It needs the standard
library only; the bootstrap is seeded, so the same files give the same numbers.
"""
import argparse
import json
import math
import random
import sys

Z = 1.959963984540054  # of a two-sided interval of 95 %


def read(path, key, field):
    """Scores by id."""
    scores = {}
    with open(path, encoding="utf-8") as f:
        for i, line in enumerate(f, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                name, value = str(row[key]), row[field]
                value = float(value)
            except (ValueError, TypeError, KeyError) as e:
                sys.exit(f"{path}:{i}: no {key} or no {field} that is a number ({e})")
            if not math.isfinite(value):
                sys.exit(f"{path}:{i}: {field} is {value}")
            if name in scores:
                sys.exit(f"{path}:{i}: the {key} {name} is there twice")
            scores[name] = value
    if not scores:
        sys.exit(f"{path}: there are no rows")
    return scores


def mean(values):
    return math.fsum(values) / len(values)


def wilson(right, n):
    """The interval of a share."""
    p, z2 = right / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(values, rounds, seed):
    """The interval of a mean: the middle 95 % of resampled means."""
    rng, n = random.Random(seed), len(values)
    means = sorted(mean(rng.choices(values, k=n)) for _ in range(rounds))
    return means[int(0.025 * rounds)], means[min(rounds - 1, int(0.975 * rounds))]


def mcnemar(gained, lost):
    """Exact two-sided p that rows change in both directions equally often."""
    n, k = gained + lost, min(gained, lost)
    if n == 0:
        return 1.0
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n)


def binary(values):
    return all(v in (0.0, 1.0) for v in values)


def summary(values, rounds, seed):
    low, high = wilson(sum(values), len(values)) if binary(values) else bootstrap(values, rounds, seed)
    return {"rows": len(values), "mean": mean(values), "low": low, "high": high}


def compare(a, b, rounds=2000, seed=0):
    ids = sorted(set(a) & set(b))
    if not ids:
        sys.exit("the two files have no row in common")
    first, second = [a[i] for i in ids], [b[i] for i in ids]
    diff = [y - x for x, y in zip(first, second)]
    low, high = bootstrap(diff, rounds, seed)
    m = mean(diff)
    n = len(diff)
    spread = math.sqrt(math.fsum((d - m) ** 2 for d in diff) / (n - 1)) if n > 1 else 0.0
    out = {
        "first": summary(first, rounds, seed), "second": summary(second, rounds, seed),
        "difference": m, "low": low, "high": high,
        "better": sum(d > 0 for d in diff), "worse": sum(d < 0 for d in diff), "same": sum(d == 0 for d in diff),
        # With a power of 80 %: what a test at 5 % would have found four times in five.
        "detectable": (Z + 0.8416212335729143) * spread / math.sqrt(n),
        "left_out": len(a) + len(b) - 2 * n,
    }
    if binary(first) and binary(second):
        out["mcnemar_p"] = mcnemar(out["better"], out["worse"])
    return out


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("first")
    p.add_argument("second", nargs="?")
    p.add_argument("--id", default="id")
    p.add_argument("--score", default="score")
    p.add_argument("--rounds", type=int, default=2000)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--json", action="store_true")
    a = p.parse_args(argv)
    if a.rounds < 100:
        p.error("--rounds is at least 100")
    first = read(a.first, a.id, a.score)
    if not a.second:
        s = summary(list(first.values()), a.rounds, a.seed)
        print(json.dumps(s) if a.json else f"{s['rows']} rows: {s['mean']:.4f} (95 %: {s['low']:.4f} to {s['high']:.4f})")
        return 0
    r = compare(first, read(a.second, a.id, a.score), a.rounds, a.seed)
    if a.json:
        print(json.dumps(r))
        return 0
    for name, s in ((a.first, r["first"]), (a.second, r["second"])):
        print(f"{name}: {s['mean']:.4f} (95 %: {s['low']:.4f} to {s['high']:.4f})")
    print(f"difference over {r['first']['rows']} rows: {r['difference']:+.4f} (95 %: {r['low']:+.4f} to {r['high']:+.4f})")
    print(f"rows: {r['better']} better, {r['worse']} worse, {r['same']} the same; {r['left_out']} only in one file")
    if "mcnemar_p" in r:
        print(f"McNemar's exact test: p = {r['mcnemar_p']:.4g}")
    print(f"these rows would show a difference of {r['detectable']:.4f} four times in five")
    if r["low"] > 0 or r["high"] < 0:
        print("the interval does not hold 0: they differ")
    else:
        print("the interval holds 0: no difference found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
