"""How much each training example is memorized, with its error.

    mem_i = mean over trials with i in  of 1[h_k(x_i) = y_i]
          − mean over trials with i out of 1[h_k(x_i) = y_i]       Feldman & Zhang 2020, section 2

Every number is a ratio of integer counts, so that it is the same bits in whatever order, and by
however many workers, the trials were trained.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.intervals import agresti_caffo, difference_of_proportions

_CHUNK = 64  # trials unpacked at a time


@dataclass(frozen=True, eq=False)
class Memorization:
    """Estimates for n training examples; NaN where one was never in or never out.

    Attributes:
        memorization: float64 [n], in [−1, 1].
        standard_error: float64 [n]; 0 says only that all trials agreed, so read the interval.
        ci_low, ci_high: float64 [n], a 95% interval (Agresti & Caffo 2000).
        n_in, n_out: int64 [n], trials that did and did not train on the example.
        accuracy_in, accuracy_out: float64 [n], how often those got it right.
    """

    memorization: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    ci_low: NDArray[np.float64]
    ci_high: NDArray[np.float64]
    n_in: NDArray[np.int64]
    n_out: NDArray[np.int64]
    accuracy_in: NDArray[np.float64]
    accuracy_out: NDArray[np.float64]


def memorization(
    subset: NDArray[np.uint8], train_correct: NDArray[np.uint8] | None, n: int
) -> Memorization:
    """Estimate memorization from packed bits.

    Args:
        subset: uint8 [T, ⌈n/8⌉], which examples each trial trained on (numpy.packbits).
        train_correct: uint8 [T, ⌈n/8⌉], which it classified correctly; None where nobody knows,
            so that every estimate is missing.
        n: the number of training examples.

    Example:
        Four trials of two examples; the second one is right exactly where it was trained on.

        >>> import numpy as np
        >>> subset = np.packbits([[1, 1], [1, 0], [0, 1], [0, 0]], axis=1)
        >>> correct = np.packbits([[1, 1], [1, 0], [1, 1], [1, 0]], axis=1)
        >>> memorization(subset, correct, n=2).memorization.tolist()
        [0.0, 1.0]
    """
    n_in = column_sums(subset, n)
    if train_correct is None:
        nan = np.full(n, np.nan)
        return Memorization(nan, nan, nan, nan, n_in, len(subset) - n_in, nan, nan)
    correct = column_sums(train_correct, n)
    in_correct = column_sums(subset & train_correct, n)
    n_out, out_correct = len(subset) - n_in, correct - in_correct
    estimate, error = difference_of_proportions(in_correct, n_in, out_correct, n_out)
    low, high = agresti_caffo(in_correct, n_in, out_correct, n_out)
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracy_in, accuracy_out = in_correct / n_in, out_correct / n_out
    return Memorization(estimate, error, low, high, n_in, n_out, accuracy_in, accuracy_out)


def column_sums(packed: NDArray[np.uint8], n: int) -> NDArray[np.int64]:
    """Return the sums over the rows of packed bits [T, ⌈n/8⌉], int64 [n]."""
    sums = np.zeros(n, dtype=np.int64)
    for start in range(0, len(packed), _CHUNK):
        bits = np.unpackbits(packed[start : start + _CHUNK], axis=1, count=n)
        sums += bits.sum(axis=0, dtype=np.uint8)  # at most 64, and eight times as fast
    return sums
