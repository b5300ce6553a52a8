"""Cumulative sample loss: the loss of an example, summed over the epochs of a training.

    CSL_i = Σ over epochs e of −log p_{y_i}(x_i; θ_e)

Ravikumar et al., "Towards memorization estimation: fast, formal and free" (2025), bound
memorization by it: an example learned late, or forgotten often, has a high sum in the end.
"""

import numpy as np

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset


class CumulativeLoss(PerRunMethod):
    """Mean of the loss over epochs and runs, in nats."""

    name = "cumulative-loss"
    source = "CSL, Ravikumar et al. 2025"

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        return np.asarray(run.curves.loss.mean(0))
