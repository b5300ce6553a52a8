"""Keeps numbers different that float32, with its 24 bits, would make equal."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HARMFUL = 0.1  # share of the different numbers that become equal to another one


@dataclass(frozen=True)
class Precise:
    """Numbers that survive float32.

    Attributes:
        values: float64 [n], less ``centre``.
        centre: what was subtracted, exactly, or None: the numbers are as they were.
        n_different, n_kept: different numbers before, and after conversion to float32; both 0 where
            float32 holds every number.
    """

    values: NDArray[np.float64]
    centre: float | int | None
    n_different: int
    n_kept: int

    @property
    def is_coarse(self) -> bool:
        """Whether many different numbers become equal even so."""
        return self.n_different - self.n_kept > _HARMFUL * self.n_different


def precise(values: NDArray[Any], is_known: NDArray[np.bool_], n_train: int) -> Precise:
    """Subtract the middle of a column if float32 keeps its numbers apart only then.

    That is so far from 0: the seconds of one hour of 2023, 1,700,000,000 and on, become 29 numbers.
    A column that loses no more than a tenth of its numbers, or loses as many around 0, stays.

    Args:
        values: [n], integers of any size or float64.
        is_known: bool [n], where a value is; the others count for nothing.
        n_train: the rows of the training table, which come first; their middle is subtracted.
    """
    doubles = values.astype(np.float64)
    if _is_exact(values, doubles):
        return Precise(doubles, None, 0, 0)
    different = np.unique(values[is_known])
    kept = _kept(different.astype(np.float64))
    plain = Precise(doubles, None, len(different), kept)
    lost = len(different) - kept
    if not lost > _HARMFUL * len(different):
        return plain
    train = values[:n_train][is_known[:n_train]]
    if not len(train):
        return plain
    low, high = train.min(), train.max()
    if values.dtype.kind == "f":
        centre: Any = low + (high - low) / 2
        kept_around_0 = _kept(different - centre)
        less = values - centre
    else:  # exact with Python's integers
        centre = int(low) + (int(high) - int(low)) // 2
        kept_around_0 = _kept((different.astype(object) - centre).astype(np.float64))
        less = (values.astype(object) - centre).astype(np.float64)
    if len(different) - kept_around_0 > lost / 2:
        return plain
    return Precise(less, centre, len(different), kept_around_0)


def _is_exact(values: NDArray[Any], doubles: NDArray[np.float64]) -> bool:
    """Whether float32 holds every number: nothing need be compared then, as in most tables."""
    if values.dtype.kind == "O" or (values.dtype.kind in "iu" and abs(doubles).max() >= 2**53):
        return False
    with np.errstate(over="ignore"):
        return bool((doubles.astype(np.float32) == doubles).all())


def _kept(different: NDArray[np.float64]) -> int:
    with np.errstate(over="ignore"):
        return len(np.unique(different.astype(np.float32)))
