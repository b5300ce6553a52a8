"""Means of a measure over the trials that trained on each example, and over the others.

What a value is worth is looked up by the pattern of its 16 bits, and added in float64, one block of
examples at a time: nothing of trials × examples is made.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled
from memtail_core.estimation.measures import Measure

_EXAMPLES = 2048  # at a time, so that their sums stay in the nearest caches; a multiple of 8
_SAME = 1e-10  # of the mean square: a variance below it is rounding

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Side:
    """What the trials with each of n examples say of it, or those without.

    Attributes:
        n: int64 [n], how many trials.
        mean: float64 [n], of the measure; NaN where there is no trial.
        variance: float64 [n], between trials, unbiased; 0 where all say the same, NaN with fewer
            than two trials.
    """

    n: NDArray[np.int64]
    mean: Floats
    variance: Floats


def sides(
    subset: NDArray[np.uint8], values: NDArray[np.float16], measure: Measure
) -> tuple[Side, Side]:
    """Return what the trials with each example say of it, and what those without say.

    Args:
        subset: uint8 [T, ⌈n/8⌉], which examples each trial trained on (numpy.packbits).
        values: float16 [T, n], of every trial and example.
        measure: what is averaged.

    Trials are added in an order that depends on their subsets alone, so that the same trials give
    the same bits in any order.
    """
    n = values.shape[1]
    order = np.array(sorted(range(len(subset)), key=lambda k: subset[k].tobytes()), np.int64)
    table, patterns = measure.table(), values.view(np.uint16)
    first = table[patterns[order[0]]].astype(np.float64)
    sums = np.zeros((6, n))
    for start in range(0, n, _EXAMPLES):
        part = slice(start, start + _EXAMPLES)
        packed = subset[:, start // 8 : (start + _EXAMPLES) // 8]
        _add(order, packed, patterns[:, part], table, first[part], sums[:, part])
    return _side(sums[:3], first), _side(sums[3:], first)


def _side(sums: Floats, first: Floats) -> Side:
    """Of trials, sums and sums of squares about the first trial's."""
    n, total, square = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        left = square / n - mean**2
        left = np.where(left > _SAME * (square / n), left, 0.0)
        variance = np.where(n > 1, left * n / (n - 1), np.nan)
        return Side(n.astype(np.int64), np.where(n > 0, first + mean, np.nan), variance)


@compiled
def _add(
    order: NDArray[np.int64],
    subset: NDArray[np.uint8],
    patterns: NDArray[np.uint16],
    table: NDArray[np.float32],
    first: Floats,
    sums: Floats,
) -> None:
    """Add to sums [6, b]: trials with, their sum and sum of squares; the same of those without."""
    for k in order:
        row, packed = patterns[k], subset[k]
        for i in range(len(row)):
            value = np.float64(table[row[i]]) - first[i]
            inside = np.float64((packed[i >> 3] >> np.uint8(7 - (i & 7))) & 1)
            outside = 1.0 - inside
            square = value * value
            sums[0, i] += inside
            sums[1, i] += inside * value
            sums[2, i] += inside * square
            sums[3, i] += outside
            sums[4, i] += outside * value
            sums[5, i] += outside * square
