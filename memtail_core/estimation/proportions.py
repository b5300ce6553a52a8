"""Exact intervals of a proportion: of independent draws, and of draws in clusters."""

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.intervals import Z95

Floats = NDArray[np.float64]


def clopper_pearson(k: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a proportion of which k of n draws were seen.

    Those p with P[B(n, p) ≥ k] and P[B(n, p) ≤ k] at least (1 − confidence) / 2 (Clopper & Pearson,
    "The use of confidence or fiducial limits", Biometrika 26, 1934), by quantiles of the Beta
    distribution, which also take counts that are not whole. Of no draws it is [0, 1].

    >>> [round(end, 4) for end in clopper_pearson(0, 10)]
    [0.0, 0.3085]
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = float(betaincinv(k, n - k + 1, tail)) if k > 0 else 0.0
    high = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    return low, high


def effective_draws(k: float, n: float, variance: float, clusters: int) -> float:
    """Return how many independent draws tell as much of a proportion as n draws in clusters.

    For intervals of Clopper and Pearson in clusters (Korn & Graubard, "Confidence intervals for
    proportions with small expected number of positive counts estimated from survey data", Survey
    Methodology 24, 1998):

        n* = min(n, p (1 − p) / variance · (z / t)²),   p = k / n

    with the 97.5% quantiles z of the normal and t of Student's distribution with clusters − 1
    degrees of freedom. Without any success, or without any failure, clusters cannot be told to
    differ, and n* is n.

    Args:
        k, n: successes and draws.
        variance: of k / n, as the clusters show it.
        clusters: how many.
    """
    from scipy.special import stdtrit

    p = k / n if n else 0.0
    if not (0 < p < 1 and variance > 0 and clusters > 1):
        return n
    shrunk = (Z95 / float(stdtrit(clusters - 1, 0.975))) ** 2
    return min(n, p * (1 - p) / variance * shrunk)


def clustered_clopper_pearson(
    k: float, n: float, variance: float, clusters: int
) -> tuple[float, float]:
    """Return the 95% interval of a proportion of which k of n draws, in clusters, were seen."""
    effective = effective_draws(k, n, variance, clusters)
    return clopper_pearson(k / n * effective if n else 0.0, effective)
