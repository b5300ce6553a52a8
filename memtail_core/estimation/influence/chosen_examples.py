"""Tests and intervals of pairs whose training example the same trials chose, as memorized.

Good trials get both the training example i and the test example j right. An example that by luck
was in more of the good ones seems memorized, is chosen, and seems to have influence on every j. So
among chosen examples a pair's count x is not hypergeometric.

With cov and var of the two estimates, from within the trials that have i and within the others, let

    mem_i = W + β infl_ij        β = cov(mem_i, infl_ij) / var(infl_ij)

W does not correlate with infl_ij, however much i is memorized. Given W and β > 0, i is chosen if
its influence is at least infl_ij − (mem_i − θ) / β, that is if its count is at least some x₀. So

    p = P[X ≥ x] / P[X ≥ x₀]

is the probability of a count of x or more, among chosen examples, without influence (the polyhedral
lemma of Lee, Sun, Sun & Taylor, "Exact post-selection inference, with application to the lasso",
Annals of Statistics 44 (2016) 907–927). Where i is far above the threshold, or has little in common
with j, P[X ≥ x₀] is 1. For β ≤ 0 being chosen does not make x larger, and P[X ≥ x] is kept.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from memtail_core.compiled import compiled, ones
from memtail_core.estimation.influence.bits import Bits
from memtail_core.estimation.influence.evidence import Evidence
from memtail_core.estimation.influence.null_distribution import log_p_values
from memtail_core.estimation.influence.scan import CountedPairs
from memtail_core.estimation.intervals import SLACK

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

_SURE = 6.0  # standard errors: less than 1e-9 of all estimates are as far off
_HALVINGS = 40


def log_p_chosen(log_p: Floats, evidence: Evidence, found: CountedPairs, leeway: Floats) -> Floats:
    """Return ln (P[X ≥ x] / P[X ≥ x₀]), float64 [P].

    Args:
        log_p: float64 [P], ln P[X ≥ x].
        evidence, found: the trials, and the pairs.
        leeway: float64 [P], of :func:`leeway`.
    """
    least = _least_chosen(evidence, found, leeway)
    n_in, n_correct = evidence.n_in[found.train], evidence.n_correct[found.test]
    return log_p - log_p_values(least, n_in, n_correct, evidence.trials)


def chance_of_chosen(
    evidence: Evidence, found: CountedPairs, leeway: Floats, wanted: Counts
) -> Floats:
    """Return how probable a count of ``wanted``, int64 [P], or more is without influence.

    P[X ≥ wanted | X ≥ x₀], float64 [P]; see :func:`log_p_chosen`.
    """
    least = _least_chosen(evidence, found, leeway)
    n_in, n_correct = evidence.n_in[found.train], evidence.n_correct[found.test]
    log_chosen, log_both = (
        log_p_values(count, n_in, n_correct, evidence.trials)
        for count in (least, np.maximum(least, wanted))
    )
    return np.exp(log_both - log_chosen)


def low_of_chosen(
    centre: Floats, error: Floats, z: float | Floats, leeway: Floats, least: float = -1.0
) -> Floats:
    """Return the lower ends of intervals of the influence of chosen examples, float64 [P].

    The δ at which an estimate of ``centre`` or more is as improbable among chosen examples as one
    of z standard errors is among all:

        P[δ + N ≥ centre] / P[δ + N ≥ centre − leeway] = P[N ≥ z error]      N normal, sd ``error``

    Args:
        centre, error: float64 [P], the estimates.
        z: > 0, of all or of each.
        leeway: float64 [P], of :func:`leeway`.
        least: what influence can be at least.
    """
    wanted = np.full(len(centre), z)
    distance = wanted.copy()
    matters = np.flatnonzero(leeway < (wanted + _SURE) * error)
    step = leeway[matters] / error[matters]
    wanted = wanted[matters]
    low, high = wanted, np.maximum((centre[matters] - least) / error[matters], wanted)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_too_near = log_ndtr(-middle) - log_ndtr(step - middle) > log_ndtr(-wanted)
        low, high = np.where(is_too_near, middle, low), np.where(is_too_near, high, middle)
    distance[matters] = high
    return np.maximum(centre - distance * error, least)


def leeway(evidence: Evidence, own: Bits, above: Floats, found: CountedPairs) -> Floats:
    """Return by how much the influence could be less with the training example still chosen.

    That is (mem_i − θ) / β, float64 [P]; infinite where β ≤ 0.

    Args:
        evidence: the trials.
        own: which of them got each training example itself right.
        above: float64 [n], the memorization of each training example less the threshold.
        found: the pairs.
    """
    lengths = np.empty(len(found))
    _leeway(
        evidence.members.words,
        own.words,
        evidence.correct.words,
        (evidence.n_in, evidence.n_correct),
        evidence.trials,
        above,
        (found.train, found.test, found.in_correct),
        lengths,
    )
    return lengths


def _least_chosen(evidence: Evidence, found: CountedPairs, leeway: Floats) -> Counts:
    """Return x₀, int64 [P]; below the least possible count where every count would do."""
    n_in = evidence.n_in[found.train]
    per_count = evidence.trials / (n_in * (evidence.trials - n_in))
    fewer = np.floor(np.minimum(leeway, 2.0) / per_count + SLACK)
    return found.in_correct - fewer.astype(np.int64)


@compiled
def _leeway(
    members: NDArray[np.uint64],
    own: NDArray[np.uint64],
    correct: NDArray[np.uint64],
    sums: tuple[Counts, Counts],
    trials: int,
    above: Floats,
    found: tuple[Counts, Counts, Counts],
    lengths: Floats,
) -> None:
    train, test, in_correct = found
    for p in range(len(train)):
        i, j, x = train[p], test[p], in_correct[p]
        own_all = own_in = both = both_in = np.uint64(0)
        for w in range(members.shape[1]):
            right = own[i, w]
            own_all += ones(right)
            own_in += ones(right & members[i, w])
            both += ones(right & correct[j, w])
            both_in += ones(right & correct[j, w] & members[i, w])
        n_in, total = sums[0][i], sums[1][j]
        covariance = variance = 0.0
        for n, mine, theirs, common in (
            (n_in, np.int64(own_in), x, np.int64(both_in)),
            (trials - n_in, np.int64(own_all - own_in), total - x, np.int64(both - both_in)),
        ):
            if n > 1:
                covariance += (common / n - mine / n * theirs / n) / (n - 1)
                variance += theirs / n * (1 - theirs / n) / (n - 1)
        lengths[p] = max(above[i], 0.0) * variance / covariance if covariance > 0 else np.inf
