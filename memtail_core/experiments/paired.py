"""Differences between arms that were trained together, repeat by repeat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import stats

from memtail_core.experiments.results import Number


class Difference(BaseModel):
    """A mean of paired differences, its standard deviation, and its 95% interval."""

    model_config = ConfigDict(frozen=True)

    mean: float
    sd: Number
    low: Number
    high: Number


def difference(values: NDArray[np.float64]) -> Difference:
    """Average paired differences [R ≥ 2]: Student's interval, mean ± t₍R−1₎ sd / √R."""
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * sd / np.sqrt(len(values))
    return Difference(mean=mean, sd=sd, low=mean - half, high=mean + half)


def p_of_none(values: NDArray[np.float64]) -> float:
    """Return the two-sided p-value of a mean of 0 (paired t-test); 1 where all are 0."""
    if not values.any():
        return 1.0
    error = values.std(ddof=1) / np.sqrt(len(values))
    if error == 0:
        return 0.0
    return float(2 * stats.t.sf(abs(values.mean() / error), len(values) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of a single false finding is held (Holm 1979)."""
    p = np.array(p_values)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    found = np.empty_like(p)
    found[order] = adjusted
    return [float(value) for value in found]
