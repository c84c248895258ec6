"""Exact and near copies of texts."""

import itertools
import re
import unicodedata


def normal(text):
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).lower()).strip()


def exact(texts):
    """Yields pairs of equal texts."""
    seen = {}
    for i, t in enumerate(map(normal, texts)):
        if t in seen:
            yield seen[t], i
        seen.setdefault(t, i)


def shingles(text, n=5):
    words = normal(text).split()
    if len(words) < n:
        return set(words)
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def near(texts, threshold=0.8):
    """Yields pairs whose shingles overlap; quadratic, for small files."""
    sets = [shingles(t) for t in texts]
    for (i, a), (j, b) in itertools.combinations(enumerate(sets), 2):
        if a and b and len(a & b) / len(a | b) >= threshold:
            yield i, j
