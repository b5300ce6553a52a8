"""Near-duplicates of training examples: from ``memtail subgroups``, or from a quick search."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset, Selection, near_duplicates
from memtail_core.experiments.subgroups.result import Subgroups

Indices = NDArray[np.int64]

_QUICK = 3_000_000  # values (pixels or features) of all examples searched: some seconds
_QUICK_TEST_SET = 400_000_000  # values of the test set, which is only standardised
_ORDINARY = 300  # other examples searched: they show which distances are usual


@dataclass(frozen=True)
class NearDuplicates:
    """Near-duplicates of training examples.

    Attributes:
        is_known: whether a search was made; otherwise ``of`` is empty.
        of: the near-duplicate of a training example: whether it is a test example, and its index.
            After ``memtail subgroups`` for every example, else for some, within the test set.
    """

    is_known: bool
    of: Mapping[int, tuple[bool, int]]

    def are_pairs(self, train: Indices, test: Indices) -> NDArray[np.bool_]:
        """Tell which pairs are near-duplicates of each other, bool [P]."""
        are = [
            self.of.get(i) == (True, j) for i, j in zip(train.tolist(), test.tolist(), strict=True)
        ]
        return np.array(are, np.bool_)


UNKNOWN = NearDuplicates(False, {})


def of_subgroups(subgroups: Subgroups) -> NearDuplicates:
    """Read the result of ``memtail subgroups``."""
    of = {
        each.index: (each.duplicate_in == "test", each.duplicate_of)
        for each in subgroups.members
        if each.duplicate_of is not None
    }
    return NearDuplicates(True, of)


def in_test_set(
    dataset: Dataset, train: Indices, features: Dataset | None = None
) -> NearDuplicates:
    """Search the test set for near-duplicates of these training examples, if that is quick.

    The search includes other training examples (all, if there are few), because an example is a
    near-duplicate only if its distance is much smaller than usual. ``features``: of the same
    examples, by which they are compared too.
    """
    n, size = len(dataset.train), prod(dataset.shape)
    searched = np.arange(n)
    if n * size > _QUICK:
        searched = np.union1d(train, searched[:: max(1, n // _ORDINARY)])
    if len(searched) * size > _QUICK or dataset.test.size > _QUICK_TEST_SET:
        return UNKNOWN
    seen = None if features is None else _part(features, searched)
    nearest = near_duplicates.in_test_set(_part(dataset, searched), seen)
    of = {
        int(searched[row]): (True, int(nearest.partner[row]))
        for row in np.flatnonzero(nearest.is_duplicate)
    }
    return NearDuplicates(True, of)


def _part(dataset: Dataset, rows: Indices) -> Dataset:
    """The dataset with these training examples alone."""
    train = Selection(dataset.train, rows)
    return replace(dataset, train=train, y_train=dataset.y_train[rows], train_names=())
