"""Small pictures for tests of sources: their bytes, and how a source reads them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from memtail_core.data import Dataset, load
from memtail_core.study import DatasetTable

N = 12
PICTURES = np.random.default_rng(5).integers(0, 256, (N, 6, 5, 3), dtype=np.uint8)
WORDS = ["ant", "bee", "cat"] * (N // 3)


def png(row: int) -> bytes:
    """Picture ``row`` as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(PICTURES[row]).save(buffer, "PNG")
    return buffer.getvalue()


def save(folder: Path, n: int = N) -> None:
    """Write 0.png, 1.png, …"""
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(n):
        (folder / f"{row}.png").write_bytes(png(row))


def read(source: str, **options: Any) -> Dataset:
    """Read a source, with a test set drawn from it."""
    return load(DatasetTable(source=source, **options))


def rows(dataset: Dataset) -> list[int]:
    """Which picture each training and test example is."""
    every = np.concatenate([dataset.train.whole(), dataset.test.whole()])
    return [int((x == PICTURES).all((1, 2, 3)).nonzero()[0][0]) for x in every]


def words(dataset: Dataset) -> list[str]:
    """The class of each training and test example."""
    return [dataset.classes[c] for c in [*dataset.y_train, *dataset.y_test]]
