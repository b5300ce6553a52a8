"""How far an unbiased rate is drawn to its prediction, by how well each foretells left-out trials.

    estimate_i = (k_i + s · prediction_i) / (n_i + s)

k_i of n_i trials were right; s is the prior's strength in trials: the estimate is the mean of a
posterior whose beta prior has the mean prediction_i. s is the one that makes those trials most
likely that neither the prediction nor the rate has seen, for each range of predictions. And no
estimate leaves its unbiased rate by more than two of its standard errors, whatever the prediction
(limited translation; Efron & Morris 1971): with many trials the estimate is the rate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

_EDGES = (0.1, 0.5, 0.9, 0.98)  # of predictions, between the ranges that have an s of their own
_WEAKEST, _USUAL, _STRONGEST = 0.05, 10.0, 100.0  # trials
_FIRM = 1.0  # how far s strays: the standard deviation of its logarithm
_SURE = 1e-4
_FARTHEST = 2.0  # standard errors


@dataclass(frozen=True, eq=False)
class Strength:
    """The prior's strength, by what it predicts.

    Attributes:
        trials: float64 [5], s of predictions below 0.1, 0.5, 0.9, 0.98, and above.
    """

    trials: Floats

    def of(self, prediction: Floats) -> Floats:
        """s of each prediction, float64 [n]."""
        found: Floats = self.trials[np.digitize(prediction, _EDGES)]
        return found


def strength(
    prediction: Floats, correct: Floats, n: Floats, happened: NDArray[np.bool_]
) -> Strength:
    """Learn s from left-out trials.

    Args:
        prediction: float64 [K], made without the left-out trial.
        correct, n: float64 [K], the counts without it.
        happened: bool [K], whether it was right.
    """
    seen = n > 0
    p, k, of, y = prediction[seen], correct[seen], n[seen], happened[seen]
    sure = np.clip(p, _SURE, 1 - _SURE)
    region = np.digitize(p, _EDGES)

    def best(chosen: NDArray[np.bool_], towards: float) -> float:
        def unlikely(log_s: float) -> float:
            s = np.exp(log_s)
            next_right = (k[chosen] + s * sure[chosen]) / (of[chosen] + s)
            chance = np.where(y[chosen], next_right, 1 - next_right)
            return float(((log_s - towards) / _FIRM) ** 2 / 2 - np.log(chance).sum())

        bounds = (np.log(_WEAKEST), np.log(_STRONGEST))
        return float(minimize_scalar(unlikely, bounds=bounds, method="bounded").x)

    everywhere = best(np.ones(len(p), np.bool_), np.log(_USUAL))
    return Strength(np.exp([best(region == r, everywhere) for r in range(len(_EDGES) + 1)]))


def shrunk(prediction: Floats, correct: Floats, n: Floats, s: Floats) -> Floats:
    """Return the estimate, float64 [n]; the prediction where there is no trial."""
    estimate = (correct + s * prediction) / (n + s)
    smooth = (correct + 1) / (n + 2)
    reach = _FARTHEST * np.sqrt(smooth * (1 - smooth) / np.maximum(n, 1))
    rate = correct / np.maximum(n, 1)
    limited = np.clip(estimate, rate - reach, rate + reach)
    return np.clip(np.where(n > 0, limited, prediction), 0, 1)
