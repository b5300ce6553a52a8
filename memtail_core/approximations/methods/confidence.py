"""Confidence: the mean of an example's probability over the epochs of a training.

Swayamdipta et al., "Dataset cartography" (2020). Memorized examples have low confidence.
"""

from collections.abc import Sequence

import numpy as np

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod, mean_over
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset


class Confidence(PerRunMethod):
    """1 − the mean of p_y over epochs and runs."""

    name = "confidence"
    source = "Swayamdipta et al. 2020"

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        return _doubt_of(run)


def doubt(runs: Sequence[Run]) -> Floats:
    """1 − p_y, mean over epochs and runs: float64 [n]."""
    return mean_over(runs, _doubt_of)


def _doubt_of(run: Run) -> Floats:
    return np.asarray(1 - run.curves.probability.mean(0))
