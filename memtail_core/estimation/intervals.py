"""An interval for the difference of two proportions that holds with a handful of trials."""

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""The 97.5% quantile of the normal distribution: of two-sided 95% intervals."""

SLACK = 1e-9
"""A ratio of counts that equals a threshold may fall short of it by less, by rounding."""

Counts = NDArray[np.integer]
Floats = NDArray[np.float64]


def agresti_caffo(
    in_correct: Counts, n_in: Counts, out_correct: Counts, n_out: Counts, z: float = Z95
) -> tuple[Floats, Floats]:
    """Return the interval [low, high] of p_in − p_out, float64 of the counts' shape.

    a successes and a failures are added to each group: with p̃ = (k + a) / (n + 2a),

        p̃_in − p̃_out ± z √( p̃_in (1 − p̃_in) / (n_in + 2a) + p̃_out (1 − p̃_out) / (n_out + 2a) )

    cut to [−1, 1]. At 95% a = 1, of the source: Agresti & Caffo, "Simple and effective confidence
    intervals for proportions and differences of proportions", The American Statistician 54 (2000)
    280–288. Of the closed forms and the score interval, this one holds best where memorization
    lives: held-in accuracy near 1, few held-out trials (``tests/estimation/test_intervals.py``
    shows coverage). Wider intervals have a = z² / 4, of which 1 is the round value at 95%, as
    Agresti & Coull (1998) have it for one proportion; with a = 1 they would hold too rarely.

    Where a count n is 0 the interval is missing (NaN): there is nothing to be said.
    """
    centre, error = centre_and_error(in_correct, n_in, out_correct, n_out, z)
    return np.maximum(centre - z * error, -1), np.minimum(centre + z * error, 1)


def centre_and_error(
    in_correct: Counts, n_in: Counts, out_correct: Counts, n_out: Counts, z: float
) -> tuple[Floats, Floats]:
    """Return p̃_in − p̃_out and its standard error, of which :func:`agresti_caffo` is made."""
    added = max(1.0, z * z / 4)
    of_in, of_out = n_in + 2 * added, n_out + 2 * added
    p_in, p_out = (in_correct + added) / of_in, (out_correct + added) / of_out
    error = np.sqrt(p_in * (1 - p_in) / of_in + p_out * (1 - p_out) / of_out)
    is_missing = (np.asarray(n_in) == 0) | (np.asarray(n_out) == 0)
    return np.where(is_missing, np.nan, p_in - p_out), error


def difference_of_proportions(
    in_correct: Counts, n_in: Counts, out_correct: Counts, n_out: Counts
) -> tuple[Floats, Floats]:
    """Return p_in − p_out and its standard error √(p_in q_in / n_in + p_out q_out / n_out).

    float64 of the counts' shape; NaN where either group is empty. This is the paper's estimator
    and the plug-in error of a difference of two independent proportions.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        p_in = np.divide(in_correct, n_in, dtype=np.float64)
        p_out = np.divide(out_correct, n_out, dtype=np.float64)
        error = np.sqrt(p_in * (1 - p_in) / n_in + p_out * (1 - p_out) / n_out)
    return p_in - p_out, error


def reaches(values: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Tell which values are at least ``threshold``; a missing one is not.

    Differences of proportions often equal a threshold exactly, 0.7 − 0.45 = 0.25, but not in
    floating point; two that differ, differ by far more than ``SLACK``.

    >>> reaches(np.array([0.7 - 0.45, 0.24, np.nan]), 0.25).tolist()
    [True, False, False]
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(np.asarray(values) >= threshold - SLACK)


def is_between(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    """Tell which values are in [low, high), or in [low, 1] if ``high`` is 1; a missing one is not.

    >>> is_between(np.array([0.7 - 0.45, 0.5, 1.0]), 0.25, 0.5).tolist()
    [True, False, False]
    """
    return reaches(values, low) & (~reaches(values, high) | (high == 1))
