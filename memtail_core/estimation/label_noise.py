"""How likely each label is wrong, by what networks that held the example out make of it.

Suppose the right label is y with the probability p_y that held-out networks give it, and that with
probability ε it was replaced by one of the other C − 1 at random. Then

    P(label y is wrong) = ε (1 − p_y) / (C − 1)  /  ( ε (1 − p_y) / (C − 1) + (1 − ε) p_y )

and ε, the share of wrong labels, is what makes the labels at hand most likely: the mean of these
probabilities (EM; Dempster, Laird & Rubin 1977), of which there is only one, since the likelihood
is concave. The average of many networks is much better calibrated than one (Lakshminarayanan et al.
2017), which is what this rests on; labels confused for a reason, and not at random, look more
plausible than they are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STEPS = 10_000
_SETTLED = 1e-9


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """How many labels are wrong, and which.

    Attributes:
        rate: ε, the estimated share of wrong labels.
        probability: float64 [n], that each example's label is wrong; NaN where nothing is known.
    """

    rate: float
    probability: NDArray[np.float64]


def label_noise(label_probability: NDArray[np.float64], n_classes: int) -> LabelNoise:
    """Estimate the share of wrong labels, and how likely each is.

    Args:
        label_probability: float64 [n], p_y of each example's label, by networks that held it out;
            NaN where none can tell: then neither can this.
        n_classes: C.
    """
    is_known = ~np.isnan(label_probability)
    probability = np.full(len(label_probability), np.nan)
    if not is_known.any():
        return LabelNoise(0.0, probability)
    right = label_probability[is_known]
    wrong = (1 - right) / max(1, n_classes - 1)
    rate, found = 0.5, np.zeros_like(right)
    for _ in range(_STEPS):
        found = rate * wrong / np.maximum(rate * wrong + (1 - rate) * right, 1e-300)
        before, rate = rate, float(found.mean())
        if abs(rate - before) < _SETTLED:
            break
    probability[is_known] = found
    return LabelNoise(rate, probability)
