"""Training dynamics: mean and spread of an example's probability, and its mean margin, over epochs.

Swayamdipta et al., "Dataset cartography" (2020): confidence is the mean of p_y over the epochs,
variability its standard deviation; what is memorized has low confidence. Pleiss et al.,
"Identifying mislabeled data using the area under the margin ranking" (2020): the mean over the
epochs of z_y − max over c ≠ y of z_c.
"""

from collections.abc import Sequence

import numpy as np

from memtail_core.approximations.levelling import Floats, mean_over
from memtail_core.approximations.run import CURVES, Run
from memtail_core.data import Dataset


def doubt(runs: Sequence[Run]) -> Floats:
    """1 − p_y, mean over epochs and runs: float64 [n]."""
    return mean_over(runs, lambda run: 1 - run.curves.probability.mean(0))


class _OfCurves:
    trains = True
    reads: tuple[str, ...] = (CURVES,)
    ends_linear = False


class Confidence(_OfCurves):
    """1 − the mean of p_y over epochs and runs."""

    name = "confidence"
    source = "Swayamdipta et al. 2020"

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset
        return doubt(runs)


class Variability(_OfCurves):
    """The standard deviation of p_y over epochs, averaged over runs."""

    name = "variability"
    source = "Swayamdipta et al. 2020"

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset
        return mean_over(runs, lambda run: run.curves.probability.std(0))


class AreaUnderMargin(_OfCurves):
    """Less the area under the margin, averaged over runs."""

    name = "area-under-margin"
    source = "Pleiss et al. 2020"

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """See :class:`.Method`."""
        del dataset
        return mean_over(runs, lambda run: -run.curves.gap.astype(np.float64).mean(0))
