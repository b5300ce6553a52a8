"""How far an unbiased rate is drawn to its prediction, by how well each foretells left-out trials.

    estimate_i = (k_i + s · prediction_i) / (n_i + s)

k_i of n_i trials were right; s is the prior's strength in trials: the estimate is the mean of a
posterior whose beta prior has the mean prediction_i. s is the one with the least squared error on
trials that neither the prediction nor the rate has seen. And no estimate leaves its unbiased rate
by more than two of its standard errors, whatever the prediction (limited translation; Efron &
Morris 1971): with many trials the estimate is the rate.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]

_STRONGEST = 100.0
_FARTHEST = 2.0  # standard errors


def strength(prediction: Floats, correct: Floats, n: Floats, happened: NDArray[np.bool_]) -> float:
    """Return s, from left-out trials.

    Args:
        prediction: float64 [K], made without the left-out trial.
        correct, n: float64 [K], the counts without it.
        happened: bool [K], whether it was right.
    """
    seen = n > 0
    if not seen.any():
        return _STRONGEST
    p, k, of, y = prediction[seen], correct[seen], n[seen], happened[seen]

    def error(log_strength: float) -> float:
        s = np.exp(log_strength)
        return float((((k + s * p) / (of + s) - y) ** 2).mean())

    found = minimize_scalar(error, bounds=(-3, np.log(_STRONGEST)), method="bounded")
    return float(np.exp(found.x))


def shrunk(prediction: Floats, correct: Floats, n: Floats, s: float) -> Floats:
    """Return the estimate, float64 [n]; the prediction where there is no trial."""
    estimate = (correct + s * prediction) / (n + s)
    smooth = (correct + 1) / (n + 2)
    reach = _FARTHEST * np.sqrt(smooth * (1 - smooth) / np.maximum(n, 1))
    rate = correct / np.maximum(n, 1)
    limited = np.clip(estimate, rate - reach, rate + reach)
    return np.clip(np.where(n > 0, limited, prediction), 0, 1)
