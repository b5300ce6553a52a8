"""Predictions whose odds are those of left-out trials.

Models that learn from a few dozen wrong answers are held back (penalties, few leaves), and the mean
of two models' log-odds is nearer to 0 than it should be. So their predictions are too close to the
usual rate, and strongly memorized examples seem less memorized. Two numbers mend that:

    logit q = a + b logit p          (Cox 1958; Platt 1999)

is fitted to predictions p of trials and examples that the models have not seen, by maximum
likelihood with the priors a ~ N(0, 1) and ln b ~ N(0, 0.5²): without evidence q is p.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Floats = NDArray[np.float64]

_LEAST_P = 1e-4
_SPREADS = np.array([1.0, 0.5])  # of a, and of ln b
_STEEPEST = 2.0  # ln b


@dataclass(frozen=True)
class Recalibration:
    """The line on which the log-odds are mapped: its ``shift`` a and its ``slope`` b."""

    shift: float = 0.0
    slope: float = 1.0

    def of(self, prediction: Floats) -> Floats:
        """Return q of each prediction p, float64 of its shape."""
        q: Floats = expit(self.shift + self.slope * _log_odds(prediction))
        return q


def fit_recalibration(prediction: Floats, was_correct: NDArray[np.bool_]) -> Recalibration:
    """Fit the line.

    Args:
        prediction: float64 [K], of models that saw neither the trial nor the example.
        was_correct: bool [K], whether the left-out trial was right.
    """
    odds, sign = _log_odds(prediction), np.where(was_correct, 1.0, -1.0)

    def loss(at: Floats) -> tuple[float, Floats]:
        slope = np.exp(at[1])
        found = sign * (at[0] + slope * odds)
        pull = -sign * expit(-found)
        gradient = np.array([pull.sum(), slope * (pull * odds).sum()])
        prior = at / _SPREADS**2
        return float((at * prior).sum() / 2 - log_expit(found).sum()), gradient + prior

    bounds = [(-_STEEPEST, _STEEPEST), (-_STEEPEST, _STEEPEST)]
    shift, slope = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Recalibration(float(shift), float(np.exp(slope)))


def _log_odds(prediction: Floats) -> Floats:
    p = np.clip(prediction, _LEAST_P, 1 - _LEAST_P)
    odds: Floats = np.log(p) - np.log1p(-p)
    return odds
