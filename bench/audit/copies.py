# Exact and near copies among chat rows, the straightforward way: datasets for
# the rows, datasketch for MinHash and LSH, and the real Jaccard similarity of
# every candidate. Prints its times; the pairs go to a file.
import json, os, re, sys, time, unicodedata

import datasets
from datasketch import MinHash, MinHashLSH

path, out, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
BANDS, ROWS, WIDTH, THRESHOLD = 32, 4, 5, 0.8
SCHEME = "affine32"  # datasketch's own choice, and its fastest
HAN = "\u2e80-\u2fff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
WORD = re.compile(f"[{HAN}]|[^\\s{HAN}]+")
datasets.disable_progress_bars()


def normal(row):
    text = " ".join(m["content"] for m in row["messages"])
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def shingles(text):
    words = WORD.findall(text)
    if len(words) < WIDTH:
        return set(words)
    return {" ".join(words[i : i + WIDTH]) for i in range(len(words) - WIDTH + 1)}


def sign(row):
    text = normal(row)
    m = MinHash(num_perm=BANDS * ROWS, scheme=SCHEME)
    m.update_batch([s.encode() for s in shingles(text)])
    return {"text": text, "signature": m.hashvalues}


if __name__ == "__main__":
    begun = time.monotonic()
    rows = datasets.load_dataset("json", data_files=path, split="train")
    loaded = time.monotonic()
    rows = rows.map(sign, num_proc=workers, remove_columns=rows.column_names)
    signed = time.monotonic()

    texts, first, copies = [], {}, []
    lsh = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    near = []
    for i, row in enumerate(rows.with_format("numpy")):
        text = str(row["text"])
        if text in first:
            copies.append((first[text], i))
            continue
        first[text] = i
        m = MinHash(num_perm=BANDS * ROWS, hashvalues=row["signature"], scheme=SCHEME)
        candidates = lsh.query(m)
        lsh.insert(i, m)
        if candidates:
            mine = shingles(text)
            for c in candidates:
                other = shingles(rows[c]["text"])
                if len(mine & other) / len(mine | other) >= THRESHOLD:
                    near.append((c, i))
    ended = time.monotonic()

    with open(out, "w") as f:
        for a, b in sorted(copies):
            f.write(f"exact {a} {b}\n")
        for a, b in sorted(near):
            f.write(f"near {a} {b}\n")
    print(json.dumps({
        "Seconds": ended - begun, "Load": loaded - begun, "Sign": signed - loaded, "Search": ended - signed,
        "Rows": len(rows), "Exact": len(copies), "Near": len(near), "CPUs": os.cpu_count(),
    }))
