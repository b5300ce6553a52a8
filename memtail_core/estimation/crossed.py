"""The mean of a table whose rows and columns are both samples: repeats × test examples.

A repeat's luck is in its whole row and a test example's own size in its whole column, so the
entries are not independent. With mean squares MS of rows, of columns and of what is left over, of a
table [R, n] without interaction beyond noise,

    Var(mean) = (MS_rows + MS_columns − MS_rest) / (R n)

(two-way random effects; Searle, Casella & McCulloch, "Variance components", 1992), with
Satterthwaite's degrees of freedom. Of few rows the estimate is noisy, so it is never less than
either alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class CrossedMean:
    """A mean and its 95% interval."""

    value: float
    low: float
    high: float


def crossed_mean(table: NDArray[np.float64], step: float = 0.0) -> CrossedMean:
    """Average a table of R ≥ 2 repeats of n ≥ 2 test examples, float64 [R, n].

    Args:
        table: the entries.
        step: the least they can differ by. Entries can agree exactly; they are then not known any
            better than to half of it.
    """
    repeats, n = table.shape
    if repeats < 2 or n < 2:
        raise ValueError("a mean over repeats and test examples needs two of each")
    value, rows, columns = table.mean(), table.mean(axis=1), table.mean(axis=0)
    rest = table - rows[:, None] - columns + value
    freedom = np.array([repeats - 1, n - 1, (repeats - 1) * (n - 1)])
    squares = (n * (rows - value) ** 2, repeats * (columns - value) ** 2, rest**2)
    of_rows, of_columns, of_rest = (
        float(each.sum() / f) for each, f in zip(squares, freedom, strict=True)
    )
    whole = max(of_rows + of_columns - of_rest, of_rows, of_columns, (step / 2) ** 2)
    if whole == 0:
        return CrossedMean(float(value), float(value), float(value))
    parts = np.square([of_rows, of_columns, of_rest]) / freedom
    degrees = max(min(repeats, n) - 1, whole**2 / max(float(parts.sum()), whole**2 / freedom[2]))
    half = stats.t.ppf(0.975, degrees) * (whole / table.size) ** 0.5
    return CrossedMean(float(value), float(value - half), float(value + half))
