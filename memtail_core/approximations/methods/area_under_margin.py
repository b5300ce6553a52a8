"""Area under the margin: the mean of z_y − max over c ≠ y of z_c over the epochs of a training.

Pleiss et al., "Identifying mislabeled data using the area under the margin ranking" (2020).
"""

import numpy as np

from memtail_core.approximations.method import Floats
from memtail_core.approximations.per_run import PerRunMethod
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset


class AreaUnderMargin(PerRunMethod):
    """The negative area under the margin, averaged over runs."""

    name = "area-under-margin"
    source = "Pleiss et al. 2020"

    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """See :class:`.PerRunMethod`."""
        del dataset
        return np.asarray(-run.curves.gap.astype(np.float64).mean(0))
