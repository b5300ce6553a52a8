"""Which examples a report shows: every class from typical to odd, and the strongest pairs."""

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
    """A training example and the test examples that rest on it, by falling influence."""

    train_index: int
    pairs: tuple[int, ...]  # rows of Analysis.pairs
    n_more: int


def spread_by_class(analysis: Analysis) -> list[tuple[int, list[int]]]:
    """For each class (at most 20), 10 of its examples from least to most memorized.

    The positions are evenly spaced in rank up to the threshold and among the memorized, so that
    both the many typical and the few odd ones are seen.
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
    """The memorized training examples, the most memorized 48 of them."""
    memorization = analysis.scores.memorization
    memorized = np.flatnonzero(analysis.rule.is_memorized(memorization))
    order = np.argsort(-memorization[memorized], kind="stable")
    return [int(i) for i in memorized[order][:_MOST_MEMORIZED]]


def supporters(analysis: Analysis) -> list[Supporter]:
    """The training examples of the strongest pairs, each with the test examples it supports."""
    rows: dict[int, list[int]] = {}
    for row, train in enumerate(analysis.pairs.train_index.tolist()):
        rows.setdefault(train, []).append(row)
    first = list(rows.items())[:_MOST_SUPPORTERS]
    return [
        Supporter(train, tuple(found[:_MOST_SUPPORTED]), max(0, len(found) - _MOST_SUPPORTED))
        for train, found in first
    ]


def _evenly(ranked: "np.ndarray[tuple[int], np.dtype[np.int64]]", count: int) -> list[int]:
    if len(ranked) <= count:
        return [int(i) for i in ranked]
    positions = np.linspace(0, len(ranked) - 1, count).round().astype(int)
    return [int(i) for i in ranked[positions]] if count else []
