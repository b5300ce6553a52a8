"""An interval for the difference of two means of outcomes that are not bits."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from memtail_core.estimation.mean_sums import Side
from memtail_core.estimation.measures import Measure

Floats = NDArray[np.float64]

LEVEL = 0.95
_FEW = 15  # trials of a side


def welch(
    held_in: Side, held_out: Side, measure: Measure, level: float = LEVEL
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the difference of the means, its standard error and its interval, float64 each.

        x̄_in − x̄_out ± t √( s²_in / n_in + s²_out / n_out )

    t is the quantile of Student's distribution with Welch's degrees of freedom (Welch, "The
    generalization of 'Student's' problem when several different population variances are involved",
    Biometrika 34 (1947) 28–35). NaN where a side has fewer than two trials.

    A side whose trials all say the same has a variance of 0, which says little when they are few.
    For the interval it is given two more trials, one of the least and one of the largest outcome,
    as Agresti & Caffo (2000) do with bits. The variance of fewer than 15 trials is often much too
    small where outcomes are skewed: it is taken to be at least that of both sides pooled.
    ``benchmarks/guarantees.py means`` simulates how often the interval holds.

    Args:
        held_in, held_out: the two sides.
        measure: the range of the outcomes.
        level: of the interval.
    """
    there = (held_in.n > 1) & (held_out.n > 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(there, held_in.mean - held_out.mean, np.nan)
        error = np.sqrt(held_in.variance / held_in.n + held_out.variance / held_out.n)
        reach, freedom = reach_and_freedom(held_in, held_out, (measure.low, measure.high))
        half = stdtrit(freedom, (1 + level) / 2) * reach
    low = np.maximum(difference - half, -measure.span)
    high = np.minimum(difference + half, measure.span)
    return difference, np.where(there, error, np.nan), low, high


def reach_and_freedom(
    held_in: Side, held_out: Side, possible: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return the standard error that intervals are made with, and the degrees of freedom.

    Args:
        held_in, held_out: the two sides, of at least two trials each.
        possible: the least and the largest outcome.
    """
    degrees = held_in.n + held_out.n - 2
    pooled = (held_in.variance * (held_in.n - 1) + held_out.variance * (held_out.n - 1)) / degrees
    mine, theirs = (_squared(side, pooled, *possible) for side in (held_in, held_out))
    freedom = (mine + theirs) ** 2 / (mine**2 / (held_in.n - 1) + theirs**2 / (held_out.n - 1))
    return np.sqrt(mine + theirs), freedom


def _squared(side: Side, pooled: Floats, low: float, high: float) -> Floats:
    """The squared standard error of a mean; with two more trials where all say the same."""
    more = side.n + 2
    mean = (side.n * side.mean + low + high) / more
    square = (side.n * side.mean**2 + low**2 + high**2) / more
    same = (square - mean**2) / more
    variance = np.where(side.n < _FEW, np.maximum(side.variance, pooled), side.variance)
    return np.where(side.variance > 0, variance / side.n, same)
