"""Receiver operating characteristics of very many scores, from a histogram.

Scores are float32, rounded to eleven significant bits: the curve is that of the rounded scores,
exactly, in memory that does not grow with their number. A margin kept as float16 has just so many.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from memtail_core.estimation.intervals import Z95

Floats = NDArray[np.float64]

_DROPPED = 13  # bits of float32's 24 significant ones
_BINS = 2 ** (32 - _DROPPED)
_NEAR = 1e-9  # another area, not to be told apart


def keys(scores: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the bin of each score, int32 of its shape, in the order of the scores."""
    bits = (np.asarray(scores, np.float32) + np.float32(0)).view(np.int32)  # no −0
    ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    found: NDArray[np.int32] = (ordered >> _DROPPED) + _BINS // 2
    return found


class Histogram:
    """Counts of the scores of members and of others, to which more are added."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, _BINS), np.int64)

    def add(self, scores: NDArray[np.float32], is_member: NDArray[np.bool_]) -> None:
        """Add scores, of one shape with ``is_member``."""
        found = keys(scores)
        for row, chosen in enumerate((is_member, ~is_member)):
            self._counts[row] += np.bincount(found[chosen], minlength=_BINS)

    def roc(self) -> "Roc":
        """Return the curve over every score that occurs, the highest first."""
        at = np.flatnonzero(self._counts.any(axis=0))[::-1]
        members, others = self._counts[:, at].cumsum(axis=1)
        return Roc(
            threshold=at.astype(np.int32),
            fpr=others / max(1, others[-1]),
            tpr=members / max(1, members[-1]),
            n_members=int(members[-1]),
            n_others=int(others[-1]),
        )


@dataclass(frozen=True, eq=False)
class Roc:
    """True-positive over false-positive rates.

    Attributes:
        threshold: int32 [K], descending: whoever's key (see :func:`keys`) is at least that is
            called a member.
        fpr, tpr: float64 [K], ascending; the point (0, 0) is left out.
        n_members, n_others: how many scores there were.
    """

    threshold: NDArray[np.int32]
    fpr: Floats
    tpr: Floats
    n_members: int
    n_others: int

    @property
    def auc(self) -> float:
        """The area below: the probability that a member scores higher, ties counting half."""
        return float(np.trapezoid(np.r_[0, self.tpr], np.r_[0, self.fpr]))

    @property
    def balanced_accuracy(self) -> float:
        """The largest mean of the true-positive and the true-negative rate."""
        return float(0.5 + (self.tpr - self.fpr).max(initial=0) / 2)

    def at(self, fpr: float) -> tuple[float, int]:
        """Return the true-positive rate, and the threshold, with at most this false-positive rate.

        Nobody is called a member, at a threshold that no score reaches, where even the highest
        score has more.
        """
        last = int(np.searchsorted(self.fpr, fpr * (1 + 1e-12), side="right")) - 1
        if last < 0:
            return 0.0, _BINS
        return float(self.tpr[last]), int(self.threshold[last])

    def slope(self, fpr: float) -> float:
        """Return the derivative of the curve at a false-positive rate, over a factor of 1.5."""
        low, high = fpr / 1.5, min(1.0, fpr * 1.5)
        points = np.interp([low, high], np.r_[0, self.fpr], np.r_[0, self.tpr])
        return float((points[1] - points[0]) / (high - low))


def auc_of_columns(scores: Floats, is_member: NDArray[np.bool_]) -> Floats:
    """Return the area under the curve of each column, float64 [c] of [T, c]; NaN without either.

    The probability that a member scores higher, ties counting half, from ranks (Mann & Whitney
    1947). Of few scores it is exact; :class:`Histogram` takes any number of them, rounded.

    >>> scores = np.array([[0.1], [0.4], [0.4], [0.8]])
    >>> auc_of_columns(scores, np.array([[False], [False], [True], [True]])).tolist()
    [0.875]
    """
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=0)
    n_in = is_member.sum(axis=0)
    pairs = n_in * (len(scores) - n_in)
    above = np.where(is_member, ranks, 0).sum(axis=0) - n_in * (n_in + 1) / 2
    area: Floats = np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return area


def auc_interval(auc: float, n_members: int, n_others: int) -> tuple[float, float]:
    """Return the 95% interval of an area under the curve, from the area and the counts alone.

    Those areas θ with |θ − auc| ≤ z √V(θ), where for m members and n others

        V(θ) = θ (1 − θ) (1 + N (1 − θ) / (2 − θ) + N θ / (1 + θ)) / (m n),  N = (m + n) / 2 − 1

    (Newcombe, "Confidence intervals for an effect size measure based on the Mann–Whitney
    statistic", Statistics in Medicine 25, 2006, method 5). It also holds at an area of 1.
    """
    half_sum = (n_members + n_others) / 2 - 1

    def excess(area: float) -> float:
        shape = 1 + half_sum * ((1 - area) / (2 - area) + area / (1 + area))
        variance = area * (1 - area) * shape / (n_members * n_others)
        return float((area - auc) ** 2 - Z95**2 * variance)

    # just beside the area itself it is always below 0, also at 0 and 1, where V is 0
    low = float(brentq(excess, 0.0, auc - _NEAR)) if auc > _NEAR else 0.0
    high = float(brentq(excess, auc + _NEAR, 1.0)) if auc < 1 - _NEAR else 1.0
    return low, high
