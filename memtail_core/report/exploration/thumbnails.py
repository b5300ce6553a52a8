"""Chooses which examples get a thumbnail, and how good it is, so that the page stays small."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Examples
from memtail_core.report.exploration.sprites import Look, Sheets, looks, sheet, sheets

Indices = NDArray[np.int64]

BUDGET = 7_000_000  # bytes; base64 adds a third, numbers and experiments take the rest of 15 MB
_SAMPLE = 512
_FEWER = 0.95  # of as many thumbnails, when they did not fit


@dataclass(frozen=True, eq=False)
class Ranking:
    """The order in which examples get a thumbnail.

    Attributes:
        first: int64, examples that the page shows by itself, the most important first.
        others: int64, all others; an even sample of them is taken, in this order.
    """

    first: Indices
    others: Indices

    @classmethod
    def of(cls, first: Indices, order: Indices) -> "Ranking":
        """Rank ``first``, without repetitions, before the rest of ``order``, all examples."""
        _, at = np.unique(first, return_index=True)
        once = first[np.sort(at)]
        return cls(once, order[~np.isin(order, once)])

    def __len__(self) -> int:
        return len(self.first) + len(self.others)

    def chosen(self, count: int) -> Indices:
        """Return so many examples, in ascending order."""
        more = min(max(0, count - len(self.first)), len(self.others))
        evenly = np.linspace(0, len(self.others) - 1, more).round().astype(np.int64)
        return np.sort(np.concatenate([self.first[:count], self.others[evenly]]))


def pictures(
    train: Examples, test: Examples, of_train: Ranking, of_test: Ranking, budget: int = BUDGET
) -> tuple[Sheets, Sheets]:
    """Make the thumbnails of training and test set, examples of shape [h, w, c], uint8.

    Uses the best look with which all training examples and the first test examples fit into
    ``budget`` bytes, then adds as many other test examples as fit. If even the cheapest look is too
    large, it takes as many as fit: the first of both sets, then a sample of training examples.
    """
    needed = len(of_train) + len(of_test.first)
    each: dict[Look, float] = {}
    for look in looks(*train.shape[:2]):
        each[look] = _bytes_of_one(train, look)
        if each[look] * needed > budget:
            continue
        made = _filled(train, test, of_train, of_test, look, each[look], budget)
        if made is not None:
            return made
    cheapest = min(each, key=lambda look: each[look])
    return _fewer(train, test, of_train, of_test, cheapest, each[cheapest], budget)


def _bytes_of_one(images: Examples, look: Look) -> float:
    """Estimate the size of one thumbnail from an even sample."""
    evenly = np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).round().astype(np.int64)
    return len(sheet(images.take(evenly), look)) / len(evenly)


def _filled(
    train: Examples,
    test: Examples,
    of_train: Ranking,
    of_test: Ranking,
    look: Look,
    each: float,
    budget: int,
) -> tuple[Sheets, Sheets] | None:
    """Make all training thumbnails and as many test thumbnails as fit; None if too few fit."""
    all_train = sheets(train, of_train.chosen(len(of_train)), look)
    room = budget - all_train.n_bytes
    if room < 0:
        return None
    some = _that_fit(test, of_test, look, room, int(room / each))
    if some.n_pictured < len(of_test.first):
        return None
    return all_train, some


def _fewer(
    train: Examples,
    test: Examples,
    of_train: Ranking,
    of_test: Ranking,
    look: Look,
    each: float,
    budget: int,
) -> tuple[Sheets, Sheets]:
    """Make as many as fit, those of the test set in at most half of the room."""
    most_test = min(len(of_test.first), int(budget / 2 / each))
    some_test = _that_fit(test, of_test, look, budget // 2, most_test)
    room = budget - some_test.n_bytes
    return _that_fit(train, of_train, look, room, int(room / each)), some_test


def _that_fit(images: Examples, ranking: Ranking, look: Look, room: int, count: int) -> Sheets:
    """Make up to ``count`` thumbnails, fewer if they do not fit into ``room`` bytes."""
    count = max(0, min(count, len(ranking)))
    made = sheets(images, ranking.chosen(count), look)
    while made.n_bytes > room and count:
        count = int(count * min(_FEWER, room / made.n_bytes))
        made = sheets(images, ranking.chosen(count), look)
    return made
