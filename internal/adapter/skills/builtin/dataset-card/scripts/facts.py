#!/usr/bin/env python3
"""Measure a data set in local files, for its card.

  python facts.py train=data/train.jsonl test=data/test.csv

A split may have several files (train=a.jsonl train=b.jsonl). JSON lines, JSON arrays of
objects, CSV and TSV are read; the standard library is enough. It prints Markdown: the
front matter that follows from the files, a table of splits, a table of columns, copies.
"""
import argparse
import csv
import hashlib
import json
import statistics
import sys
from pathlib import Path

# Distinct values are counted up to this many.
DISTINCT = 100_000


def rows(path):
    """The rows of a file, each an object."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        csv.field_size_limit(1 << 30)
        with open(path, encoding="utf-8-sig", newline="") as f:
            for row in csv.DictReader(f, delimiter="\t" if suffix == ".tsv" else ","):
                if None in row:
                    sys.exit(f"{path}: a row has more fields than the header")
                yield {name: typed(text) for name, text in row.items()}
        return
    if suffix == ".json":
        with open(path, encoding="utf-8-sig") as f:
            data = json.load(f)
        if not isinstance(data, list):
            sys.exit(f"{path}: it is no array of objects")
        yield from (checked(path, i, row) for i, row in enumerate(data, 1))
        return
    if suffix not in (".jsonl", ".ndjson"):
        sys.exit(f"{path}: only .jsonl, .ndjson, .json, .csv and .tsv are read")
    with open(path, encoding="utf-8-sig") as f:
        for i, line in enumerate(f, 1):
            if line.strip():
                try:
                    yield checked(path, i, json.loads(line))
                except ValueError as e:
                    sys.exit(f"{path}:{i}: {e}")


def typed(text):
    """A cell of a CSV file: a number where it is written like one."""
    for make in (int, float):
        try:
            if str(make(text)) == text:
                return make(text)
        except (TypeError, ValueError):
            pass
    return text


def checked(path, i, row):
    if not isinstance(row, dict):
        sys.exit(f"{path}:{i}: it is no object")
    return row


def kind(value):
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    return "list" if isinstance(value, list) else "object"


def key(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).digest()


class Column:
    def __init__(self):
        self.kinds, self.missing, self.seen, self.values, self.lengths = {}, 0, 0, {}, []

    def add(self, value):
        self.seen += 1
        if value is None or value == "":
            self.missing += 1
            return
        name = kind(value)
        self.kinds[name] = self.kinds.get(name, 0) + 1
        k = value if name in ("bool", "int") or name == "string" and len(value) <= 60 else key(value)
        if k in self.values or len(self.values) < DISTINCT:
            self.values[k] = self.values.get(k, 0) + 1
        if name in ("string", "list"):
            self.lengths.append(len(value))


def size_category(n):
    names = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B"]
    for i, name in enumerate(names):
        if n < 10 ** (3 + i):
            return name
    return "n>1B"


def measure(splits):
    columns, counts, copies, owners, bytes_ = {}, {}, {}, {}, {}
    for split, paths in splits.items():
        counts[split] = copies[split] = bytes_[split] = 0
        for path in paths:
            bytes_[split] += path.stat().st_size
            for row in rows(path):
                counts[split] += 1
                for name in columns:
                    if name not in row:
                        columns[name].add(None)
                for name, value in row.items():
                    if name not in columns:
                        columns[name] = Column()
                        for _ in range(sum(counts.values()) - 1):
                            columns[name].add(None)
                    columns[name].add(value)
                k = key(row)
                where = owners.setdefault(k, {})
                copies[split] += split in where
                where[split] = where.get(split, 0) + 1
    shared = {}
    for where in owners.values():
        names = sorted(where)
        for i, a in enumerate(names):
            for b in names[i + 1:]:
                shared[a, b] = shared.get((a, b), 0) + 1
    return columns, counts, copies, bytes_, shared


def pipe(text):
    """A text in a cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("`", "'")


def top(column):
    """The most frequent values, where there are few short ones."""
    if not column.values or len(column.values) > 20 or any(isinstance(v, bytes) for v in column.values):
        return ""
    ordered = sorted(column.values.items(), key=lambda item: (-item[1], str(item[0])))
    total = sum(column.values.values())
    return ", ".join(f"`{pipe(v)}` {100 * n / total:.1f} %" for v, n in ordered[:5])


def report(splits):
    columns, counts, copies, bytes_, shared = measure(splits)
    total = sum(counts.values())
    if not total:
        sys.exit("there are no rows")
    out = ["```yaml", "size_categories:", f"  - {size_category(total)}", "configs:", "  - config_name: default", "    data_files:"]
    for split, paths in splits.items():
        out.append(f"      - split: {split}")
        if len(paths) == 1:
            out.append(f"        path: {json.dumps(paths[0].as_posix())}")
        else:
            out.append("        path:")
            out += [f"          - {json.dumps(p.as_posix())}" for p in paths]
    out += ["```", "", "| Split | Rows | Share | Bytes | Exact copies within |", "|---|---|---|---|---|"]
    for split in splits:
        out.append(f"| {split} | {counts[split]:,} | {100 * counts[split] / total:.1f} % | {bytes_[split]:,} | {copies[split]:,} |")
    for (a, b), n in sorted(shared.items()):
        out.append(f"\n{n:,} different rows stand in both {a} and {b}: an evaluation on one of them is not clean.")
    out += ["", "| Column | Type | Missing | Distinct | Length (min, median, max) | Most frequent |", "|---|---|---|---|---|---|"]
    for name, c in columns.items():
        kinds = " or ".join(sorted(c.kinds, key=lambda k: -c.kinds[k])) or "empty"
        distinct = f"{len(c.values):,}" + ("+" if len(c.values) >= DISTINCT else "")
        lengths = f"{min(c.lengths)}, {statistics.median(c.lengths):g}, {max(c.lengths)}" if c.lengths else ""
        out.append(f"| `{pipe(name)}` | {kinds} | {100 * c.missing / c.seen:.1f} % | {distinct} | {lengths} | {top(c)} |")
    return "\n".join(out)


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+", metavar="SPLIT=FILE")
    splits = {}
    for text in p.parse_args(argv).files:
        split, sep, path = text.partition("=")
        if not sep or not split or not Path(path).is_file():
            p.error(f"{text}: it must be SPLIT=FILE, with a file that is there")
        splits.setdefault(split, []).append(Path(path))
    print(report(splits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
