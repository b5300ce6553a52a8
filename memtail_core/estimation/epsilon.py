"""A lower bound on the ε of differential privacy from guesses on who was in the training set.

m examples, canaries, are put into the training set or left out by independent fair coins, one
model is trained, and an auditor guesses the coins of r of them (Steinke, Nasr & Jagielski, "Privacy
Auditing with One (1) Training Run", NeurIPS 2023). If training is (ε, δ)-differentially private,
the number W of right guesses is hardly larger than with randomized response (their theorem 5.2):

    P[W ≥ v] ≤ β + 2 m δ α,   β = P[B ≥ v],   α = max_i P[v > B ≥ v − i] / i,
    B ~ Binomial(r, e^ε / (1 + e^ε))

ε at which that is no longer below 1 − confidence is a lower bound on the true ε. Guesses on several
models, each with coins of its own, count like guesses on one: a coin changes the training set of
one model alone, so that all models together are as private as one.
"""

from math import exp

import numpy as np
from numpy.typing import NDArray

_STEPS = 60  # halvings of an interval
_MOST = 256.0  # ε at which e^ε / (1 + e^ε) is 1


def p_value(canaries: int, guesses: int, correct: int, epsilon: float, delta: float = 0.0) -> float:
    """Return the largest probability of as many right guesses if training is (ε, δ)-private.

    Args:
        canaries: m, those that no guess was made on among them.
        guesses: r, fixed before the guesses were made.
        correct: v, how many were right.
        epsilon, delta: what is claimed.

    Raises:
        ValueError: not 0 ≤ v ≤ r ≤ m, or ε or δ is out of range.
    """
    from scipy.special import betainc

    if not 0 <= correct <= guesses <= canaries:
        raise ValueError(f"{correct} of {guesses} guesses on {canaries} canaries")
    if epsilon < 0 or not 0 <= delta <= 1:
        raise ValueError(f"ε is {epsilon}, δ is {delta}")
    rate = 1 / (1 + exp(-epsilon))
    if not correct:
        return 1.0
    beta = float(betainc(correct, guesses - correct + 1, rate))  # P[B ≥ v], as a quick function
    if not delta:
        return beta
    below = np.cumsum(_binomial(np.arange(correct - 1, -1, -1), guesses, rate))
    alpha = float((below / np.arange(1, correct + 1)).max())
    return min(1.0, beta + 2 * canaries * delta * alpha)


def of_replacing(epsilon: float, delta: float) -> tuple[float, float]:
    """Return the (ε, δ) of replacing one example, given that of adding or removing one.

    Two steps, of group privacy: (2 ε, (1 + e^ε) δ) (Dwork & Roth, "The Algorithmic Foundations of
    Differential Privacy", 2014, theorem 2.2 and its proof for δ).
    """
    return 2 * epsilon, min(1.0, (1 + exp(epsilon)) * delta)


def _binomial(k: NDArray[np.int64], n: int, rate: float) -> NDArray[np.float64]:
    """Return P[B(n, rate) = k]."""
    from scipy.special import gammaln, xlog1py, xlogy

    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.asarray(np.exp(ways + xlogy(k, rate) + xlog1py(n - k, -rate)))


def epsilon_bound(
    canaries: int,
    guesses: int,
    correct: int,
    delta: float = 0.0,
    confidence: float = 0.95,
    *,
    is_replaced: bool = False,
) -> float:
    """Return a lower bound on ε that holds with this confidence; 0 where nothing is shown.

    Args:
        canaries, guesses, correct: see :func:`p_value`.
        delta: of (ε, δ).
        confidence: how often the bound is below the true ε, at least.
        is_replaced: whether a coin replaces one example by another, and ε and δ are of adding or
            removing one.

    >>> round(epsilon_bound(1000, 100, 95), 2)
    2.19
    """
    alpha = 1 - confidence

    def is_refuted(epsilon: float) -> bool:
        of = of_replacing(epsilon, delta) if is_replaced else (epsilon, delta)
        return p_value(canaries, guesses, correct, *of) < alpha

    if not is_refuted(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while high < _MOST and is_refuted(high):
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_refuted(middle) else (low, middle)
    return low
