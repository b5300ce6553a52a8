"""Differences between arms that were trained together, repeat by repeat."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from memtail_core.study.validation import Number


class Difference(BaseModel):
    """A mean of paired differences, its standard deviation, and its 95% interval."""

    model_config = ConfigDict(frozen=True)

    mean: float
    sd: Number
    low: Number
    high: Number


def paired_difference(values: NDArray[np.float64], step: float) -> Difference:
    """Average paired differences [R ≥ 2]: Student's interval, mean ± t₍R−1₎ sd / √R.

    Args:
        values: differences in accuracy.
        step: the least they can differ by, one over the number of test examples. A few repeats can
            agree exactly; they are then not known any better than to half of it.
    """
    from scipy import stats  # slow to import, and listing the commands needs only Difference

    mean, error = float(values.mean()), _error(values, step)
    half = float(stats.t.ppf(0.975, len(values) - 1)) * error
    sd = float(values.std(ddof=1))
    return Difference(mean=mean, sd=sd, low=mean - half, high=mean + half)


def p_of_none(values: NDArray[np.float64], step: float) -> float:
    """Return the two-sided p-value of a mean of 0 (paired t-test); ``step`` as above."""
    from scipy import stats

    t = abs(float(values.mean())) / _error(values, step)
    return float(2 * stats.t.sf(t, len(values) - 1))


def _error(values: NDArray[np.float64], step: float) -> float:
    return max(float(values.std(ddof=1)), step / 2) / float(np.sqrt(len(values)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of a single false finding is held (Holm 1979)."""
    p = np.array(p_values)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    found = np.empty_like(p)
    found[order] = adjusted
    return [float(value) for value in found]
