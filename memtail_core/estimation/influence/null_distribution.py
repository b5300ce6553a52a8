"""What happens without any influence: the exact distribution of a pair's count.

If training example i does not matter to test example j, the trials that contain i are as good as
drawn at random: of the K trials that got j right, the number x that contain i is hypergeometric,

    P[x] = C(K, x) C(T − K, n_in − x) / C(T, n_in)

This is Fisher's exact test of the 2 × 2 table in/out × right/wrong, one-sided for x too large.
"""

import math

import numpy as np
from numpy.typing import NDArray

from memtail_core.compiled import compiled
from memtail_core.estimation.influence.families import Census

NEVER = 2**30  # no count reaches it


def log_p_values(
    in_correct: NDArray[np.int64],
    n_in: NDArray[np.int64],
    n_correct: NDArray[np.int64],
    trials: int,
) -> NDArray[np.float64]:
    """Return ln P[x ≥ in_correct] without influence, float64 [P], of int64 [P] each.

    In logarithms, for p-values of real influence are far below the least float.
    """
    found = np.empty(len(in_correct))
    _log_tails(in_correct, n_in, n_correct, trials, _log_factorials(trials), found)
    return found


def least_counts(
    sizes: NDArray[np.int64], totals: NDArray[np.int64], trials: int, log_p: float
) -> NDArray[np.int64]:
    """Return the least in_correct with ln p ≤ ``log_p``, int64 [S, K], of n_in and n_correct.

    ``totals``, of n_correct, ascend. NEVER where no count has so small a p-value.
    """
    found = np.empty((len(sizes), len(totals)), np.int64)
    _least(sizes, totals, trials, log_p, _log_factorials(trials), found)
    return found


def expected_pairs(census: Census, least: NDArray[np.int64], trials: int) -> float:
    """Return how many pairs of a census reach ``least``, int64 [S, K], if there is no influence.

    The sum of exact probabilities, whatever the dependence of the pairs.
    """
    at = np.nonzero((census.pairs > 0) & (least < NEVER))
    log_p = log_p_values(least[at], census.sizes[at[0]], census.totals[at[1]], trials)
    return float((np.exp(log_p) * census.pairs[at]).sum())


def _log_factorials(trials: int) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, trials + 1)))])


@compiled
def _log_tail(x: int, n_in: int, total: int, trials: int, factorials: NDArray[np.float64]) -> float:
    """ln P[at least x], summed from the side on which it is short."""
    low, high = max(0, n_in + total - trials), min(n_in, total)
    if x <= low:
        return 0.0
    if x > high:
        return -np.inf
    upper = x * trials > n_in * total
    y = x if upper else x - 1
    wrong = trials - total
    log_first = (
        factorials[total] - factorials[y] - factorials[total - y]
        + factorials[wrong] - factorials[n_in - y] - factorials[wrong - n_in + y]
        - factorials[trials] + factorials[n_in] + factorials[trials - n_in]
    )  # fmt: skip
    term, sum_ = 1.0, 1.0
    if upper:
        while y < high and term > 1e-17 * sum_:
            term *= (total - y) * (n_in - y) / ((y + 1.0) * (wrong - n_in + y + 1.0))
            sum_ += term
            y += 1
        return float(min(0.0, log_first + math.log(sum_)))
    while y > low and term > 1e-17 * sum_:
        term *= y * (wrong - n_in + y) / ((total - y + 1.0) * (n_in - y + 1.0))
        sum_ += term
        y -= 1
    return math.log1p(-min(1.0, math.exp(log_first) * sum_))


@compiled
def _log_tails(
    in_correct: NDArray[np.int64],
    n_in: NDArray[np.int64],
    n_correct: NDArray[np.int64],
    trials: int,
    factorials: NDArray[np.float64],
    found: NDArray[np.float64],
) -> None:
    for p in range(len(in_correct)):
        found[p] = _log_tail(in_correct[p], n_in[p], n_correct[p], trials, factorials)


@compiled
def _least(
    sizes: NDArray[np.int64],
    totals: NDArray[np.int64],
    trials: int,
    log_p: float,
    factorials: NDArray[np.float64],
    found: NDArray[np.int64],
) -> None:
    for s in range(len(sizes)):
        before, total_before = 0 if log_p >= 0 else 1, 0  # of no right trial
        for k in range(len(totals)):
            # one more right trial moves the least count by one, or not at all
            low = before
            high = min(before + totals[k] - total_before, min(sizes[s], totals[k]) + 1)
            while low < high:
                middle = (low + high) // 2
                if _log_tail(middle, sizes[s], totals[k], trials, factorials) <= log_p:
                    high = middle
                else:
                    low = middle + 1
            before, total_before = low, totals[k]
            found[s, k] = low if low <= min(sizes[s], totals[k]) else NEVER
