"""Influence by likeness: the cosine of what the last layer is given of two examples.

Likeness alone finds the typical: most test examples are near many training examples, and rest on
none of them. So it can be weighted with how hard the training example was to learn, for only what
is memorized has much influence on anything.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.label_neighbours import FEATURES
from memtail_core.approximations.method import Block, Indices
from memtail_core.approximations.run import CURVES, Run
from memtail_core.approximations.training_dynamics import doubt
from memtail_core.data import Dataset


class RepresentationSimilarity:
    """Cosine similarity, averaged over runs."""

    name = "representation-similarity"
    source = "cosine of the last layer's inputs"
    trains = True
    reads: tuple[str, ...] = (FEATURES.name,)
    ends_linear = True

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        """See :class:`.InfluenceMethod`."""
        del dataset
        sides = [
            tuple(_unit(run.part(FEATURES)[side]) for side in ("train", "test")) for run in runs
        ]

        def block(train: Indices, test: Indices) -> NDArray[np.float32]:
            alike = [a[train] @ b[test].T for a, b in sides]
            return np.asarray(np.mean(alike, axis=0), np.float32)

        return block


class WeightedSimilarity(RepresentationSimilarity):
    """Cosine similarity × the training example's doubt: 1 − p_y, mean over epochs and runs."""

    name = "weighted-similarity"
    source = "cosine × (1 − confidence)"
    reads: tuple[str, ...] = (CURVES, FEATURES.name)

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        """See :class:`.InfluenceMethod`."""
        alike, weight = super().between(dataset, runs), doubt(runs).astype(np.float32)
        return lambda train, test: alike(train, test) * weight[train, None]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny))
