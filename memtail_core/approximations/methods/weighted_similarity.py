"""Influence by weighted similarity: similar examples, of which one was hard to learn.

Similarity alone finds typical examples: most test examples are close to many training examples and
depend on none of them. So it is multiplied by how uncertain the networks were about the training
example, because only memorized examples have much influence.
"""

from collections.abc import Sequence

import numpy as np

from memtail_core.approximations.last_features import FEATURES
from memtail_core.approximations.method import Block, Floats
from memtail_core.approximations.methods.confidence import doubt
from memtail_core.approximations.methods.representation_similarity import RepresentationSimilarity
from memtail_core.approximations.run import CURVES, Run
from memtail_core.data import Dataset


class WeightedSimilarity(RepresentationSimilarity):
    """Cosine similarity × (1 − p_y) of the training example, the mean over epochs and runs."""

    name = "weighted-similarity"
    source = "cosine × (1 − confidence)"
    reads: tuple[str, ...] = (CURVES, FEATURES.name)

    def between(self, dataset: Dataset, runs: Sequence[Run]) -> Block:
        """See :class:`.InfluenceMethod`."""
        similarity, weight = super().between(dataset, runs), doubt(runs).astype(np.float32)
        return lambda train, test: similarity(train, test) * weight[train, None]

    def itself(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.KnowsItself`: the cosine is 1, so only 1 − p_y is left."""
        del dataset
        return doubt(runs)
