"""Prints the faults of a JSON Lines file."""

import argparse
import json

from .copies import exact, near


def read(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.strip()]


def text(row):
    return " ".join(str(v) for k, v in row.items() if isinstance(v, str) and k != "id")


parser = argparse.ArgumentParser()
parser.add_argument("file")
parser.add_argument("--against")
args = parser.parse_args()

rows = [text(r) for r in read(args.file)]
print("exact:", list(exact(rows)))
print("near:", list(near(rows)))
if args.against:
    other = [text(r) for r in read(args.against)]
    n = len(rows)
    both = rows + other
    print("leaks:", [(i, j - n) for i, j in near(both) if i < n <= j])
