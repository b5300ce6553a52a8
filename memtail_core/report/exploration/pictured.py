"""Which examples get a thumbnail, and how good: as many and as good as the page has room for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Examples
from memtail_core.report.exploration.sprites import Look, Sheets, looks, sheet, sheets

Indices = NDArray[np.int64]

BUDGET = 7_000_000  # bytes; base64 adds a third, numbers and experiments take the rest of 15 MB
_SAMPLE = 512
_FEWER = 0.95  # as many, where more did not fit


@dataclass(frozen=True, eq=False)
class Wanted:
    """Examples in question for a picture.

    Attributes:
        first: int64, without which something on the page would be blank, the most needed first.
        others: int64, all others, in the order in which an even sample is taken.
    """

    first: Indices
    others: Indices

    @classmethod
    def of(cls, first: Indices, order: Indices) -> "Wanted":
        """Read ``first``, in which examples may recur; ``order`` holds every example once."""
        _, at = np.unique(first, return_index=True)
        once = first[np.sort(at)]
        return cls(once, order[~np.isin(order, once)])

    def __len__(self) -> int:
        return len(self.first) + len(self.others)

    def chosen(self, count: int) -> Indices:
        """Return that many of them, ascending."""
        more = min(max(0, count - len(self.first)), len(self.others))
        evenly = np.linspace(0, len(self.others) - 1, more).round().astype(np.int64)
        return np.sort(np.concatenate([self.first[:count], self.others[evenly]]))


def pictures(
    train: Examples, test: Examples, of_train: Wanted, of_test: Wanted, budget: int = BUDGET
) -> tuple[Sheets, Sheets]:
    """Make the thumbnails of training and test set, examples of shape [h, w, c], uint8.

    The best look at which all training examples and the wanted test examples fit into ``budget``
    bytes, and as many others of the test set as there is room for. If not even the cheapest will
    do, as many as fit: first the wanted of both sets, then an even sample of the training set.
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
    """Estimate from an even sample."""
    evenly = np.linspace(0, len(images) - 1, min(_SAMPLE, len(images))).round().astype(np.int64)
    return len(sheet(images.take(evenly), look)) / len(evenly)


def _filled(
    train: Examples,
    test: Examples,
    of_train: Wanted,
    of_test: Wanted,
    look: Look,
    each: float,
    budget: int,
) -> tuple[Sheets, Sheets] | None:
    """All of the training set, and of the test set as many as fit; None if too few do."""
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
    of_train: Wanted,
    of_test: Wanted,
    look: Look,
    each: float,
    budget: int,
) -> tuple[Sheets, Sheets]:
    """As many as fit, the test set's in up to half of the room."""
    most_test = min(len(of_test.first), int(budget / 2 / each))
    some_test = _that_fit(test, of_test, look, budget // 2, most_test)
    room = budget - some_test.n_bytes
    return _that_fit(train, of_train, look, room, int(room / each)), some_test


def _that_fit(images: Examples, wanted: Wanted, look: Look, room: int, count: int) -> Sheets:
    """Up to ``count`` thumbnails, fewer if they do not fit into ``room`` bytes."""
    count = max(0, min(count, len(wanted)))
    made = sheets(images, wanted.chosen(count), look)
    while made.n_bytes > room and count:
        count = int(count * min(_FEWER, room / made.n_bytes))
        made = sheets(images, wanted.chosen(count), look)
    return made
