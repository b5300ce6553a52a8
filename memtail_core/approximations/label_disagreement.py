"""How many of an example's nearest neighbours have another label.

The weight of a neighbour is 1 / its rank, so that few scores tie.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from memtail_core.approximations.method import Floats

_K = 20


def disagreement(x: NDArray[np.float32], y: NDArray[np.int64], k: int = _K) -> Floats:
    """The weighted share of the k nearest other rows of x that have another label: float64 [n].

    Args:
        x: float32 [n, d].
        y: labels, int64 [n].
        k: neighbours; at most n − 1.
    """
    neighbours = nearest(x, min(k, len(x) - 1))
    weights = 1 / np.arange(1, neighbours.shape[1] + 1)
    return np.asarray((y[neighbours] != y[:, None]) @ (weights / weights.sum()))


def nearest(x: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The k nearest other rows of each row of x [n, d], the nearest first: int64 [n, k]."""
    index = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(x)
    neighbours: NDArray[np.int64] = index.kneighbors(return_distance=False)
    return neighbours
