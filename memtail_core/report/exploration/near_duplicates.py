"""Which training examples nearly equal another example, as far as it is known or quickly found."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.experiments import duplicates
from memtail_core.experiments.subgroups_found import SubgroupsFound

Indices = NDArray[np.int64]

_QUICK = 2 * 10**7  # pairs of images that are compared in a few seconds
_ORDINARY = 1000  # examples looked at beside those in question: they show what distances are usual


@dataclass(frozen=True)
class NearDuplicates:
    """Near-duplicates of training examples.

    Attributes:
        is_known: whether they were looked for; otherwise ``of`` is empty.
        of: the near-duplicate of a training example: whether it is a test example, and its index.
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


def of_subgroups(found: SubgroupsFound) -> NearDuplicates:
    """Read what ``memtail subgroups`` has kept."""
    of = {
        each.index: (each.duplicate_in == "test", each.duplicate_of)
        for each in found.members
        if each.duplicate_of is not None
    }
    return NearDuplicates(True, of)


def in_test_set(dataset: Dataset, train: Indices) -> NearDuplicates:
    """Look for near-duplicates of these training examples in the test set, if that is quick."""
    n, n_test = len(dataset.x_train), len(dataset.x_test)
    looked_at = np.arange(n)
    if n * n_test > _QUICK:
        step = max(1, n // _ORDINARY)
        looked_at = np.union1d(train, looked_at[::step])
    if len(looked_at) * n_test > _QUICK:
        return UNKNOWN
    part = dataset
    if len(looked_at) < n:
        x, y = dataset.x_train[looked_at], dataset.y_train[looked_at]
        part = replace(dataset, x_train=x, y_train=y, train_names=())
    nearest = duplicates.in_test_set(part)
    return NearDuplicates(
        True,
        {
            int(looked_at[row]): (True, int(nearest.partner[row]))
            for row in np.flatnonzero(nearest.is_duplicate)
        },
    )
