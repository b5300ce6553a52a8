"""What a pair has to reach to be listed, as the least count of trials that does.

For given n_in and n_correct both influence and its p-value are monotone in the count of trials that
trained on the one and got the other right. So every criterion is a table of integers, and the pass
over all pairs compares integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.influence.null_distribution import NEVER, least_counts
from memtail_core.estimation.intervals import SLACK


class CountThreshold(Protocol):
    """A criterion."""

    def least(
        self, sizes: NDArray[np.int64], totals: NDArray[np.int64], trials: int
    ) -> NDArray[np.int64]:
        """Return the least count that passes, int64 [S, K], of n_in [S] and n_correct [K]."""


@dataclass(frozen=True)
class InfluenceThreshold:
    """Influence of at least ``theta``: x ≥ n_in (n_correct + θ n_out) / T."""

    theta: float

    def least(
        self, sizes: NDArray[np.int64], totals: NDArray[np.int64], trials: int
    ) -> NDArray[np.int64]:
        """See :class:`CountThreshold`; values that equal the threshold pass, despite rounding."""
        n_in = sizes[:, None]
        wanted = n_in * (totals + self.theta * (trials - n_in)) / trials
        found = np.ceil(wanted - SLACK).astype(np.int64)
        return np.where((n_in == 0) | (n_in == trials), NEVER, found)


@dataclass(frozen=True)
class PValueThreshold:
    """A p-value of at most exp(``log_p``)."""

    log_p: float

    def least(
        self, sizes: NDArray[np.int64], totals: NDArray[np.int64], trials: int
    ) -> NDArray[np.int64]:
        """See :class:`CountThreshold`."""
        return least_counts(sizes, totals, trials, self.log_p)


@dataclass(frozen=True)
class AllOf:
    """Every one of several criteria."""

    thresholds: Sequence[CountThreshold]

    def least(
        self, sizes: NDArray[np.int64], totals: NDArray[np.int64], trials: int
    ) -> NDArray[np.int64]:
        """See :class:`CountThreshold`."""
        found = [threshold.least(sizes, totals, trials) for threshold in self.thresholds]
        return np.asarray(np.maximum.reduce(found))


@dataclass(frozen=True)
class AnyOf:
    """At least one of several criteria."""

    thresholds: Sequence[CountThreshold]

    def least(
        self, sizes: NDArray[np.int64], totals: NDArray[np.int64], trials: int
    ) -> NDArray[np.int64]:
        """See :class:`CountThreshold`."""
        found = [threshold.least(sizes, totals, trials) for threshold in self.thresholds]
        return np.asarray(np.minimum.reduce(found))
