"""The first figure of the page: a histogram of memorization made of example images."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.analysis.analysis import Analysis

_COLUMNS = 16  # the paper's threshold, 0.25, is where the fifth begins
_TALLEST = 5

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """One bar of the histogram.

    Attributes:
        low, high: memorization from ``low`` to below ``high``; the last column includes 1.
        n: how many training examples it counts.
        shown: indices of some of them; their number grows with the logarithm of ``n``.
    """

    low: float
    high: float
    n: int
    shown: tuple[int, ...]


def spectrum(analysis: Analysis) -> list[Column]:
    """Return columns by rising memorization; negative scores count as 0, missing ones do not."""
    memorization = analysis.scores.memorization
    edges = np.linspace(0, 1, _COLUMNS + 1)
    # an estimate that ties with an edge is, in floating point, a little less
    column = np.clip(np.searchsorted(edges, memorization + 1e-9, "right") - 1, 0, _COLUMNS - 1)
    members = [np.flatnonzero(~np.isnan(memorization) & (column == c)) for c in range(_COLUMNS)]
    most = max(map(len, members))
    return [
        Column(
            low=float(edges[c]),
            high=float(edges[c + 1]),
            n=len(some),
            shown=_picked(analysis, some, most),
        )
        for c, some in enumerate(members)
    ]


def _picked(analysis: Analysis, members: Indices, most: int) -> tuple[int, ...]:
    """Choose examples of all classes, always the same ones."""
    if len(members) == 0:
        return ()
    height = 1 + round((_TALLEST - 1) * math.log(len(members)) / math.log(max(most, 2)))
    by_class = members[np.argsort(analysis.dataset.y_train[members], kind="stable")]
    positions = (np.arange(height) + 0.5) * len(members) / height
    return tuple(by_class[positions.astype(int)].tolist())
