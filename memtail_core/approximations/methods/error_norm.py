"""EL2N: the norm of an example's error p − e_y early in training.

Paul, Ganguli & Dziugaite, "Deep learning on a data diet" (2021).
"""

import numpy as np

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset

_EARLY = 0.1  # of the epochs; in the paper, EL2N is as good there as later


class ErrorNorm(PerRunMethod):
    """‖p − e_y‖ after a tenth of the epochs, averaged over runs."""

    name = "error-norm"
    source = "EL2N, Paul et al. 2021"

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        errors = run.curves.error
        early = max(1, round(_EARLY * len(errors)))
        return np.asarray(errors[early - 1], np.float64)
