"""Influence by similarity: the cosine between the last layer's inputs for two examples."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.last_features import FEATURES
from memtail_core.approximations.method import Block, Indices
from memtail_core.approximations.run import Run
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
            similarities = [a[train] @ b[test].T for a, b in sides]
            return np.asarray(np.mean(similarities, axis=0), np.float32)

        return block


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny))
