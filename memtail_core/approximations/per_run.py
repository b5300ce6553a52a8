"""Methods that score each run by itself and average over runs, on one scale.

A network's loss on examples it was not trained on is higher than on those it was, however easy the
examples are. But its subset is random: both groups are samples of the same examples and have the
same distribution of memorization. So a held-out example gets the value that the same rank has among
the examples trained on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from memtail_core.approximations.method import Floats
from memtail_core.approximations.run import CURVES, Run
from memtail_core.data import Dataset


class PerRunMethod(ABC):
    """Base of the methods that read the curves of one run at a time; attributes as in Method."""

    name: str
    source: str
    trains = True
    reads: tuple[str, ...] = (CURVES,)
    ends_linear = False

    @abstractmethod
    def of_run(self, run: Run, dataset: Dataset) -> Floats:
        """Return the scores from one run, float64 [n]."""

    def scores(self, dataset: Dataset, runs: Sequence[Run]) -> Floats:
        """Return the mean over runs; see :class:`.Method`."""
        return mean_over(runs, lambda run: self.of_run(run, dataset))


def mean_over(runs: Sequence[Run], of_run: Callable[[Run], Floats]) -> Floats:
    """Average the scores of each run, levelled: float64 [n]."""
    return np.asarray(np.mean([levelled(of_run(run), run.subset) for run in runs], axis=0))


def levelled(values: Floats, subset: NDArray[np.bool_]) -> Floats:
    """Give held-out examples the quantiles of those trained on; tied values stay tied.

    Args:
        values: float64 [n].
        subset: bool [n], which examples were trained on.
    """
    inside, outside = values[subset], values[~subset]
    if not len(inside) or not len(outside):
        return values
    result = values.copy()
    result[~subset] = np.quantile(inside, (rankdata(outside) - 0.5) / len(outside))
    return result
