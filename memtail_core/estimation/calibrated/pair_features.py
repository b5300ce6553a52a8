"""All that is known of pairs from some of the trials: what influence is foretold from."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.calibrated.mean_differences import differences

Features = NDArray[np.float32]
Indices = NDArray[np.integer]

_SMALL = 0.02  # probability, beside the spread that a difference is measured in


def features_of(
    inside: NDArray[np.bool_],
    correct: NDArray[np.bool_],
    values: NDArray[np.float32] | None,
    train: Indices,
    test: Indices,
    beside: Sequence[NDArray[np.floating]],
) -> Features:
    """What is known of pairs from these trials, float32 [P, d]; NaN where nothing is.

    The difference of bits and that of probabilities (if there are any), the latter in standard
    errors, the mean and the spread of the test example's probability, and what is given ``beside``.
    In standard errors, because half the trials teach what is asked of all.
    """
    bits = differences(inside, correct, train, test)
    soft = bits if values is None else differences(inside, values, train, test)
    of_test = correct if values is None else values
    mean = of_test.mean(axis=0, dtype=np.float64)
    spread = of_test.std(axis=0, dtype=np.float64)
    n_in = inside.sum(axis=0)
    with np.errstate(divide="ignore"):
        scale = np.sqrt(1 / n_in + 1 / (len(inside) - n_in))
    z = soft / ((spread + _SMALL)[test] * scale[train])
    own = [bits, *([] if values is None else [soft]), z, mean[test], spread[test]]
    found = np.empty((len(train), len(own) + len(beside)), np.float32)
    for column, each in enumerate([*own, *beside]):
        found[:, column] = each
    return found


def ranked(test: Indices, likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many others of its test example's pairs are more alike, float32 [P]."""
    order = np.lexsort((-likeness, test))
    ordered = test[order]
    first = np.searchsorted(ordered, ordered)
    found = np.empty(len(test), np.float32)
    found[order] = np.arange(len(test)) - first
    return found


def probability(margin: NDArray[np.floating]) -> NDArray[np.float32]:
    """The probability of the right answer, float32, 1 / (1 + e^−margin)."""
    from scipy.special import expit

    found: NDArray[np.float32] = expit(margin.astype(np.float32))
    return found
