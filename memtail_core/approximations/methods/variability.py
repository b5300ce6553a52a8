"""Variability: how much an example's probability varies over the epochs of a training.

Swayamdipta et al., "Dataset cartography" (2020).
"""

import numpy as np

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset


class Variability(PerRunMethod):
    """The standard deviation of p_y over epochs, averaged over runs."""

    name = "variability"
    source = "Swayamdipta et al. 2020"

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        return np.asarray(run.curves.probability.std(0))
