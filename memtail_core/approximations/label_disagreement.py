"""How many of an example's nearest neighbours have another label.

The weight of a neighbour is 1 / its rank, so that few scores tie.
"""

import numpy as np
from numpy.typing import NDArray

from memtail_core.approximations.method import Floats
from memtail_core.data.neighbours import nearest

_K = 20


def disagreement(x: NDArray[np.float32], y: NDArray[np.int64], k: int = _K) -> Floats:
    """The weighted share of the k nearest other rows of x that have another label: float64 [n].

    Args:
        x: float32 [n, d].
        y: labels, int64 [n].
        k: the number of neighbours; n − 1 if there are fewer.
    """
    neighbours = nearest(x, k).index
    weights = 1 / np.arange(1, neighbours.shape[1] + 1)
    return np.asarray((y[neighbours] != y[:, None]) @ (weights / weights.sum()))
