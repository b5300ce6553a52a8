"""Influence as a difference of means, of bits or of probabilities, for chosen pairs.

value(pair) = mean of the test example's values in trials that trained on the training example
              − mean in those that did not                       (Feldman & Zhang 2020, section 2)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.integer]

_CHUNK = 1 << 18  # pairs at once; in an order by class and training example their matrix is full


@dataclass(frozen=True, eq=False)
class Differences:
    """Of P pairs.

    Attributes:
        mean: float32 [P], in − out; NaN where no trial was on one side.
        reach: float32 [P], its standard error if the values are bits, never 0:
            √(Σ p (1 − p) / n) over both sides with p = (k + 1) / (n + 2). NaN like ``mean``.
        standard_error: float32 [P], the same with p = k / n.
    """

    mean: NDArray[np.float32]
    reach: NDArray[np.float32]
    standard_error: NDArray[np.float32]


def differences(
    inside: NDArray[np.bool_], values: NDArray[np.generic], train: Indices, test: Indices
) -> NDArray[np.float32]:
    """Return in − out of every pair, float32 [P]; NaN where no trial was on one side.

    Args:
        inside: bool [T, n], which examples each trial trained on.
        values: [T, n_test], of every trial and test example.
        train, test: int [P], the pairs; quickest where neighbours in the list share examples.
    """
    found = np.empty(len(train), np.float32)
    for rows, held_in, n_in, total in _sums(inside, values, train, test):
        found[rows] = held_in / n_in - (total - held_in) / (len(inside) - n_in)
    return found


def differences_of_bits(
    inside: NDArray[np.bool_], correct: NDArray[np.bool_], train: Indices, test: Indices
) -> Differences:
    """Return influence by the paper's estimator, and how sure it is; arguments as above."""
    found = np.empty((3, len(train)), np.float32)
    for rows, held_in, n_in, total in _sums(inside, correct, train, test):
        variance = np.zeros((2, len(n_in)))
        rates = []
        for k, n in ((held_in, n_in), (total - held_in, len(inside) - n_in)):
            rates.append(k / n)
            for row, p in enumerate(((k + 1) / (n + 2), k / n)):
                variance[row] += p * (1 - p) / n
        found[0, rows] = rates[0] - rates[1]
        found[1:, rows] = np.sqrt(variance)
    return Differences(*found)


def _sums(
    inside: NDArray[np.bool_], values: NDArray[np.generic], train: Indices, test: Indices
) -> Iterator[tuple[slice, Floats, Floats, Floats]]:
    """Some pairs, their sums of values with the training example, trials with it, all values.

    Trials with it are NaN if they are all, or none.
    """
    counted = inside.sum(axis=0)
    n_in = np.where((counted > 0) & (counted < len(inside)), counted, np.nan)
    total = values.sum(axis=0, dtype=np.float64)
    for start in range(0, len(train), _CHUNK):
        rows = slice(start, start + _CHUNK)
        left, i = np.unique(train[rows], return_inverse=True)
        right, j = np.unique(test[rows], return_inverse=True)
        product = inside[:, left].T.astype(np.float32) @ values[:, right].astype(np.float32)
        held_in = product[i, j].astype(np.float64)
        yield rows, held_in, n_in[train[rows]], total[test[rows]]
