"""Chooses the examples that the page holds: all of them, or where they are too many a sample.

Numbers, names and texts of an example take some hundred bytes of the page, so that a page of a
million examples would take minutes to open. A sample has every example that the page speaks of, the
most memorized, and of each class examples from the least to the most memorized.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset

Indices = NDArray[np.int64]

PAGE = 15_000_000
"""The bytes that a page has at most."""

_AROUND = 1_800_000  # bytes of scripts, style, charts and what the page says without a script
_OF_TRAIN, _OF_TEST = 135, 107  # bytes of an example's numbers, in base64
_OF_ROW = 150  # bytes of a row of a table, or of a text's beginning, roughly
_MOST_PICTURED, _MOST_WORDS = 9_500_000, 12_500_000  # bytes of all examples, without pictures
_TRAIN, _TEST = 20_000, 10_000  # examples of a sample
_MOST_MEMORIZED = 5_000  # of them


@dataclass(frozen=True, eq=False)
class Shown:
    """The training and the test examples on a page, int64, ascending indices."""

    train: Indices
    test: Indices

    def part(self, dataset: Dataset) -> Dataset:
        """Return the dataset of these examples alone."""
        return dataset.selected(self.train, self.test)


@dataclass(frozen=True, eq=False)
class Spoken:
    """The examples that a page speaks of elsewhere; it has to hold them. int64 each."""

    train: Indices
    test: Indices


def shown_examples(
    dataset: Dataset,
    memorization: NDArray[np.float64],
    test_accuracy: NDArray[np.float64],
    spoken: Spoken,
) -> Shown | None:
    """Choose the examples that a page holds; None: all of them.

    Args:
        dataset: the study's data.
        memorization: float64 [n], NaN where missing.
        test_accuracy: float64 [n_test].
        spoken: what the page has to hold.
    """
    most = _MOST_PICTURED if dataset.modality.is_pictured else _MOST_WORDS
    if n_bytes(dataset) <= most:
        return None
    order = np.argsort(-memorization, kind="stable")[:_MOST_MEMORIZED]  # missing ones are last
    needed = np.concatenate([spoken.train, order])
    return Shown(
        _sample(needed, dataset.y_train, memorization, _TRAIN),
        _sample(spoken.test, dataset.y_test, test_accuracy, _TEST),
    )


def n_bytes(dataset: Dataset) -> int:
    """Estimate the bytes that all examples of a dataset take on a page, without their pictures."""
    n, n_test = len(dataset.y_train), len(dataset.y_test)
    words = 0 if dataset.modality.is_pictured else _OF_ROW * (n + n_test)
    names = _of_names(dataset.train_names) + _of_names(dataset.test_names)
    return _OF_TRAIN * n + _OF_TEST * n_test + words + names


def room_for_pictures(dataset: Dataset) -> int:
    """Return the bytes that the pictures of these examples may have; base64 adds a third."""
    return max(0, (PAGE - _AROUND - n_bytes(dataset)) * 3 // 4)


def _of_names(names: Sequence[str]) -> int:
    return sum(map(len, names)) + 3 * len(names)


def _sample(needed: Indices, y: Indices, values: NDArray[np.float64], size: int) -> Indices:
    """Add to the ``needed`` ones, up to ``size``: of every class, from the least value on."""
    needed = np.unique(needed)
    others = np.setdiff1d(np.arange(len(y)), needed, assume_unique=True)
    ordered = others[np.lexsort((values[others], y[others]))]
    more = min(max(0, size - len(needed)), len(ordered))
    evenly = np.linspace(0, len(ordered) - 1, more).round().astype(np.int64)
    return np.union1d(needed, ordered[evenly])
