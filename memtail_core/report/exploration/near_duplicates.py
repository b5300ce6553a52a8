"""Which training examples nearly equal another example, as far as it is known or quickly found."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset, Selection, near_duplicates
from memtail_core.experiments.subgroups.result import Subgroups

Indices = NDArray[np.int64]

_QUICK = 3_000_000  # pixels, or columns, of all examples that are looked at: some seconds
_QUICK_TEST_SET = 400_000_000  # likewise of the test set, which is only prepared
_ORDINARY = 300  # examples looked at beside those in question: they show what distances are usual


@dataclass(frozen=True)
class NearDuplicates:
    """Near-duplicates of training examples.

    Attributes:
        is_known: whether they were looked for; otherwise ``of`` is empty.
        of: the near-duplicate of a training example: whether it is a test example, and its index.
            Of every example where ``memtail subgroups`` was run, else of some in the test set.
    """

    is_known: bool
    of: Mapping[int, tuple[bool, int]]

    def are_pairs(self, train: Indices, test: Indices) -> NDArray[np.bool_]:
        """Tell which pairs are near-duplicates of each other, bool [P]."""
        found = [
            self.of.get(i) == (True, j) for i, j in zip(train.tolist(), test.tolist(), strict=True)
        ]
        return np.array(found, np.bool_)


UNKNOWN = NearDuplicates(False, {})


def of_subgroups(found: Subgroups) -> NearDuplicates:
    """Read what ``memtail subgroups`` has kept."""
    of = {
        each.index: (each.duplicate_in == "test", each.duplicate_of)
        for each in found.members
        if each.duplicate_of is not None
    }
    return NearDuplicates(True, of)


def in_test_set(dataset: Dataset, train: Indices) -> NearDuplicates:
    """Look for near-duplicates of these training examples in the test set, if that is quick.

    A few ordinary ones are looked at too, for near is what is nearer than usual; of a small
    training set all.
    """
    n, size = len(dataset.train), prod(dataset.shape)
    looked_at = np.arange(n)
    if n * size > _QUICK:
        looked_at = np.union1d(train, looked_at[:: max(1, n // _ORDINARY)])
    if len(looked_at) * size > _QUICK or dataset.test.size > _QUICK_TEST_SET:
        return UNKNOWN
    part = replace(
        dataset,
        train=Selection(dataset.train, looked_at),
        y_train=dataset.y_train[looked_at],
        train_names=(),
    )
    nearest = near_duplicates.in_test_set(part)
    of = {
        int(looked_at[row]): (True, int(nearest.partner[row]))
        for row in np.flatnonzero(nearest.is_duplicate)
    }
    return NearDuplicates(True, of)
