"""A number for each training example: grouped by memorization, correlated with it, listed."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from memtail_core.estimation.intervals import reaches
from memtail_core.study.validation import Number

EDGES = (-1.0, 0.05, 0.25, 0.5, 0.75, 1.0)  # of groups by memorization
_DIGITS = 5

Floats = NDArray[np.float64]


def groups(memorization: Floats) -> Iterator[tuple[float, float, NDArray[np.bool_]]]:
    """Yield groups of examples by memorization: from, below, bool [n].

    The last group includes its end. Examples without a score are in no group.
    """
    for low, high in pairwise(EDGES):
        is_below = ~reaches(memorization, high) if high < EDGES[-1] else True
        yield low, high, reaches(memorization, low) & is_below


def rank_correlation(one: Floats, other: Floats) -> Number:
    """Return Spearman's correlation; None where either is constant. Missing values are left out."""
    known = ~np.isnan(one) & ~np.isnan(other)
    if known.sum() < 2 or np.ptp(one[known]) == 0 or np.ptp(other[known]) == 0:
        return None
    return float(spearmanr(one[known], other[known]).statistic)


def listed(values: Floats, digits: int = _DIGITS) -> list[Number]:
    """Return the values for JSON, rounded to some decimals; None where one is missing."""
    return [None if np.isnan(v) else round(float(v), digits) for v in values]
