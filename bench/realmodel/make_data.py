"""Writes a data set of two overlapping clouds of points: make_data.py FILE SEED."""

import csv
import random
import sys

r = random.Random(int(sys.argv[2]))
with open(sys.argv[1], "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow(["x", "y", "label"])
    for _ in range(r.randint(200, 400)):
        label = r.choice("ab")
        centre = 0.0 if label == "a" else 1.6
        out.writerow([f"{r.gauss(centre, 1):.4f}", f"{r.gauss(centre, 1):.4f}", label])
