"""Scores of examples that a network was trained on and of those it was not, on one scale.

A network's loss on what it never saw is higher than on what it learned, however easy that is. But
its subset is random: both groups are samples of the same examples, and have the same distribution
of memorization. So an example that was held out is given the value that the same rank has among
those trained on.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from memtail_core.approximations.run import Run

Floats = NDArray[np.float64]


def levelled(values: Floats, subset: NDArray[np.bool_]) -> Floats:
    """Give examples held out the quantiles of those trained on; tied values stay tied.

    Args:
        values: float64 [n].
        subset: bool [n], which were trained on.
    """
    inside, outside = values[subset], values[~subset]
    if not len(inside) or not len(outside):
        return values
    found = values.copy()
    found[~subset] = np.quantile(inside, (rankdata(outside) - 0.5) / len(outside))
    return found


def mean_over(runs: Sequence[Run], of_run: Callable[[Run], Floats]) -> Floats:
    """Average what each run says, levelled: float64 [n]."""
    return np.asarray(np.mean([levelled(of_run(run), run.subset) for run in runs], axis=0))
