"""Texts whose class anyone can tell, made up of words."""

import csv
from functools import lru_cache
from pathlib import Path

import numpy as np

from memtail_core.data import UNLABELLED, Dataset

_SUBJECTS = ("film", "plot", "cast", "score", "ending", "script", "camera", "sound", "story")
_GOOD = ("great", "lovely", "moving", "sharp", "funny", "warm", "brilliant", "fresh")
_BAD = ("dull", "awful", "tired", "clumsy", "boring", "flat", "hollow", "weak")
_REST = ("and", "the", "of", "with", "a", "but", "this", "its", "for", "in", "one", "very", "quite")


def reviews(n: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """n different texts of 6 to 18 words, and whether each praises, int64 [n]."""
    rng = np.random.default_rng(seed)
    texts: dict[str, int] = {}
    while len(texts) < n:
        praises = int(rng.integers(2))
        words = [
            *rng.choice(_SUBJECTS, 2),
            *rng.choice(_GOOD if praises else _BAD, 2),
            *rng.choice(_REST, rng.integers(2, 15)),
        ]
        texts[" ".join(rng.permutation(words)).capitalize() + "."] = praises
    return list(texts), np.array(list(texts.values()))


@lru_cache
def reviewed() -> Dataset:
    """250 training and 120 test texts, a twentieth of the training labels wrong."""
    texts, y = reviews(370)
    y[:12] = 1 - y[:12]
    return Dataset.from_arrays(
        texts[:250], y[:250], texts[250:], y[250:], classes=("pans", "praises")
    )


@lru_cache
def counting() -> Dataset:
    """250 training and 120 test documents of 8 tokens, each one more than the one before."""
    rng = np.random.default_rng(0)
    first = rng.integers(1, 31, (370, 1))
    return documents((first + np.arange(8) - 1) % 30 + 1, 250)


def documents(tokens: np.ndarray, n_train: int) -> Dataset:
    """Documents without labels, of the tokens [n, T]."""
    train, test = tokens[:n_train], tokens[n_train:]
    zeros = (np.zeros(len(each), np.int64) for each in (train, test))
    return Dataset.from_arrays(
        train, next(zeros), test, next(zeros), classes=UNLABELLED, modality="text"
    )


@lru_cache
def storied() -> Dataset:
    """60 training and 20 test documents without labels."""
    texts, _ = reviews(80)
    zeros = np.zeros(80, np.int64)
    return Dataset.from_arrays(
        *(texts[:60], zeros[:60], texts[60:], zeros[60:]), classes=UNLABELLED
    )


_TABLES = {
    "bag": """
label = "praises"
[dataset.tokens]
vocabulary = 300
length = 16
[training]
recipe = "bag"
buckets = 64
batch_size = 16
epochs = 20
""",
    "gpt": """
task = "language-modelling"
[dataset.tokens]
vocabulary = 300
length = 8
[training]
recipe = "gpt"
layers = 1
width = 8
heads = 2
hidden = 8
batch_size = 16
epochs = 6
""",
}


def study_file(recipe: str, folder: Path, trials: int) -> str:
    """Write 150 reviews into a folder; return a study file of them, "small", in shards of 3."""
    texts, y = reviews(150)
    path = folder / "reviews.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("text", "praises"), *zip(texts, y.tolist(), strict=True)])
    return f"""
[study]
name = "small"
trials = {trials}
shard_size = 3
[dataset]
source = "csv:{path}"
text = "text"{_TABLES[recipe]}precision = "float32"
"""
