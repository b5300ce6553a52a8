"""The noise ceiling: the highest linear datamodeling score that any attribution can reach.

Two models of one subset differ by chance. Let u be the rank of an outcome among the m models. No
function of the subset correlates with u more than √s with s = Var E[u | S] / Var u, and with models
trained again on the subsets by other seeds, Cov(u, u′) is Var E[u | S].
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from memtail_core.estimation.datamodeling import DatamodelingScore, Mean

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Share:
    """The share of the ceiling that a score reaches, and its 95% interval; None: without an end."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Ceiling(Mean):
    """The mean ceiling over test examples.

    Attributes:
        variance: of the mean, from the subsets that were trained on again alone.
        added: float64 [n_test], what each test example adds to the mean; NaN without a score.
        subsets: K, how many were trained on again.
    """

    variance: float = 0.0
    added: Floats = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)
    subsets: int = 0

    def share(self, score: DatamodelingScore) -> Share | None:
        """Return the share of the ceiling that a mean score reaches; None if either has no value.

        The interval is of a ratio of two means (Fieller, "Some problems in interval estimation",
        JRSS B 16, 1954): both vary with the test examples, together, the score with the models and
        the ceiling with the subsets that were trained on again. Where the ceiling itself may be 0,
        the interval has no end.
        """
        known = score.known & ~np.isnan(self.added)
        n = int(known.sum())
        if n < 2 or len(score.added) < 2 or self.value <= 0:
            return None
        mean = float(score.rho[known].mean())
        of_examples = np.cov(score.rho[known], self.added[known]) / n
        of_score = float(of_examples[0, 0]) + score.variance_of_models(known)
        of_both, of_self = float(of_examples[0, 1]), float(of_examples[1, 1]) + self.variance
        t2 = float(stats.t.ppf(0.975, min(len(score.added), n, self.subsets) - 1)) ** 2
        square = self.value**2 - t2 * of_self
        middle = mean * self.value - t2 * of_both
        root = middle**2 - square * (mean**2 - t2 * of_score)
        if square <= 0 or root < 0:
            return Share(mean / self.value, None, None)
        low, high = ((middle + sign * root**0.5) / square for sign in (-1, 1))
        return Share(mean / self.value, low, high)


def ceiling(
    outcome: NDArray[Any], subsets: NDArray[np.int64], again: NDArray[Any]
) -> Ceiling | None:
    """Return the highest mean LDS that an attribution can reach, from models trained again.

    The mean of √s over test examples comes from the mean of s, which has no bias, and to second
    order from its variance over test examples, less what is noise:

        mean √s ≈ √s̄ − Var s / (8 s̄^{3/2})

    Args:
        outcome: [m, n_test], of the models that judge.
        subsets: int64 [K], the rows of ``outcome`` whose subsets were trained on again.
        again: [K, n_test], the outcomes of the models trained again.

    Returns:
        The ceiling with a 95% interval over subsets, by the jackknife, and test examples; None if
        every test example has the same outcome in all models.
    """
    k = len(subsets)
    if again.shape != (k, outcome.shape[1]) or k < 3:
        raise ValueError("models trained again on at least 3 subsets have the shape [K, n_test]")
    m, n_test = outcome.shape
    shares = np.full((n_test, k + 1), np.nan)
    for z in range(n_test):
        ascending = np.sort(outcome[:, z])
        if ascending[0] == ascending[-1]:
            continue
        first, second = (
            (np.searchsorted(ascending, x, "left") + np.searchsorted(ascending, x, "right"))
            / (2 * m)
            for x in (outcome[subsets, z], again[:, z])
        )
        shares[z] = _covariances(first, second) / (stats.rankdata(ascending) / m).var()
    known = ~np.isnan(shares[:, 0])
    if not known.any():
        return None
    share, without = shares[known, 0], shares[known, 1:]
    error = _jackknife(without.mean(axis=0)) ** 0.5
    spread = max(0.0, share.var() - _jackknife(without.T).mean())
    half = np.inf
    if len(share) > 1:
        both = error**2 + share.var(ddof=1) / len(share)
        half = stats.t.ppf(0.975, min(k, len(share)) - 1) * both**0.5
    value, low, high = (_mean_root(share.mean() + step, spread) for step in (0.0, -half, half))
    slope = _slope(share.mean(), spread)
    return Ceiling(
        value, low, high, len(share),
        variance=float((slope * error) ** 2),
        added=slope * (shares[:, 0] - share.mean()),
        subsets=k,
    )  # fmt: skip


def _mean_root(mean: float, variance: float) -> float:
    """Return the mean root of shares of this mean and variance, to second order."""
    if mean <= 0:
        return 0.0
    root = min(mean, 1.0) ** 0.5
    return float(max(0.0, root - variance / (8 * root**3)))


def _slope(mean: float, variance: float) -> float:
    """Return the derivative of :func:`_mean_root` by the mean."""
    if mean <= 0:
        return 0.0
    root = min(mean, 1.0) ** 0.5
    return float(1 / (2 * root) + 3 * variance / (16 * root**5))


def _jackknife(without: Floats) -> Floats:
    """Return the variance of an estimate from its values without each of K parts, [K, …]."""
    k = len(without)
    squares = (without - without.mean(axis=0)) ** 2
    return np.asarray((k - 1) / k * squares.sum(axis=0))


def _covariances(x: Floats, y: Floats) -> Floats:
    """Return the covariance of K pairs, and those without each of them, float64 [1 + K]."""
    k, dx, dy = len(x), x - x.mean(), y - y.mean()
    products = dx * dy
    total = products.sum()
    covariances = np.empty(k + 1)
    covariances[0] = total / (k - 1)
    covariances[1:] = (total - products * k / (k - 1)) / (k - 2)
    return covariances
