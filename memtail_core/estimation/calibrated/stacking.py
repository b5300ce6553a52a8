"""Weigh models by what they predicted of trials that they have not seen (Wolpert 1992).

    log-odds of being right = a + Σ_j b_j · log-odds of model j

Models that are regularised stay too near to what is usual. Where left-out trials say so, the b add
up to more than 1, and what is predicted to be rare is rarer still (Platt 1999). a and b are fitted
by maximum likelihood, with a normal prior around the mean of the models, a = 0 and b_j = 1 / J.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

_SPREAD = 0.25  # of a and of each b around its prior: the standard deviation
_STEPS = 25  # of Newton's method; ten are enough


@dataclass(frozen=True, eq=False)
class Stack:
    """The weights: a, and b of each model; float64 [1 + J]."""

    weights: Floats

    def of(self, log_odds: Floats) -> Floats:
        """The chance of being right, float64 [n], by the models' log-odds, float64 [n, J]."""
        chance: Floats = expit(_with_constant(log_odds) @ self.weights)
        return chance


def fit_stack(log_odds: Floats, was_correct: NDArray[np.bool_]) -> Stack:
    """Fit the weights to left-out trials, by Newton's method.

    Args:
        log_odds: float64 [K, J], by models that have not seen the trial nor the example.
        was_correct: bool [K], whether the trial was right.
    """
    x = _with_constant(log_odds)
    prior = np.array([0.0] + [1 / log_odds.shape[1]] * log_odds.shape[1])
    weights = prior.copy()
    for _ in range(_STEPS):
        p = expit(x @ weights)
        slope = x.T @ (was_correct - p) - (weights - prior) / _SPREAD**2
        curvature = (x * (p * (1 - p))[:, None]).T @ x + np.eye(len(prior)) / _SPREAD**2
        weights = weights + np.linalg.solve(curvature, slope)
    return Stack(weights)


def _with_constant(log_odds: Floats) -> Floats:
    return np.column_stack([np.ones(len(log_odds)), log_odds])
