"""Chooses the examples that a report shows: of every class, and of the strongest pairs."""

from dataclasses import dataclass

import numpy as np

from memtail_core.analysis.analysis import Analysis

_MOST_CLASSES = 20
_PER_CLASS = 10
_MOST_MEMORIZED = 48
_MOST_SUPPORTERS = 30  # training examples in the list of pairs
_MOST_SUPPORTED = 8  # test examples of each


@dataclass(frozen=True)
class Supporter:
    """A training example and the test examples that rest on it, the strongest influence first."""

    train_index: int
    pairs: tuple[int, ...]  # rows of Analysis.pairs
    n_more: int


def spread_by_class(analysis: Analysis) -> list[tuple[int, list[int]]]:
    """Choose 10 examples of each class (at most 20 classes), from least to most memorized.

    Half of them are memorized, where there are that many; otherwise the few memorized examples
    would not show. Within each half they are evenly spaced by rank.
    """
    memorization = analysis.scores.memorization
    shown = []
    for label in range(len(analysis.dataset.classes))[:_MOST_CLASSES]:
        members = np.flatnonzero((analysis.dataset.y_train == label) & ~np.isnan(memorization))
        if len(members) == 0:
            continue
        ranked = members[np.argsort(memorization[members], kind="stable")]
        is_memorized = analysis.rule.is_memorized(memorization[ranked])
        typical, memorized = ranked[~is_memorized], ranked[is_memorized]
        n_memorized = min(len(memorized), max(_PER_CLASS // 2, _PER_CLASS - len(typical)))
        picks = [*_evenly(typical, _PER_CLASS - n_memorized), *_evenly(memorized, n_memorized)]
        shown.append((label, picks))
    return shown


def most_memorized(analysis: Analysis) -> list[int]:
    """Return the 48 most memorized training examples, those below the threshold left out."""
    memorization = analysis.scores.memorization
    memorized = np.flatnonzero(analysis.rule.is_memorized(memorization))
    order = np.argsort(-memorization[memorized], kind="stable")
    return [int(i) for i in memorized[order][:_MOST_MEMORIZED]]


def supporters(analysis: Analysis) -> list[Supporter]:
    """Return the training examples of the strongest pairs with the test examples they support."""
    rows: dict[int, list[int]] = {}
    for row, train in enumerate(analysis.pairs.train_index.tolist()):
        rows.setdefault(train, []).append(row)
    first = list(rows.items())[:_MOST_SUPPORTERS]
    return [
        Supporter(train, tuple(pairs[:_MOST_SUPPORTED]), max(0, len(pairs) - _MOST_SUPPORTED))
        for train, pairs in first
    ]


def _evenly(ranked: "np.ndarray[tuple[int], np.dtype[np.int64]]", count: int) -> list[int]:
    if len(ranked) <= count:
        return [int(i) for i in ranked]
    positions = np.linspace(0, len(ranked) - 1, count).round().astype(int)
    return [int(i) for i in ranked[positions]] if count else []
