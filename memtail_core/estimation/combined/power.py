"""How influence grows with its prior: the power of the prior that predicts trials best.

Gradients say what a small change does. Where an example moves a network far, it often moves it
further than they say, and of the many pairs with next to no influence they say too much. So the
prior g becomes, in units of its root mean square,

    sign(g) |g|^p

with one p for all pairs. Powers are good if their predictions of the outcomes are worse than the
best's by at most one standard error; p is the good one nearest to 1 (Breiman et al. 1984, section
3.4.3). The standard error is over trials, which are independent; test examples are not. How far the
good powers are from p is the error of p, which pairs of much influence depend on most.
"""

from dataclasses import dataclass

import numpy as np

from memtail_core.estimation.combined.prior import Floats, Indices, Narrow, Prior, least_squares

LEAST, MOST, STEP = 0.7, 1.6, 0.1


@dataclass(frozen=True)
class Power:
    """p, its error, and the unit in which it is taken.

    Attributes:
        p: the power.
        unit: the root mean square of the prior.
        error: of p.
        centre: ln |g| in units, the mean by g^2p; where the factors of test examples make up for an
            error of p.
    """

    p: float
    unit: float
    error: float = 0.0
    centre: float = 0.0

    @classmethod
    def fitted(cls, inside: Narrow, outcome: Narrow, g: Narrow) -> "Power":
        """Choose p.

        Args:
            inside: [t, n], centred over trials.
            outcome: [t, q], of a sample of test examples, centred over trials.
            g: float32 [n, q], the prior.
        """
        unit = float(np.sqrt(np.square(g, dtype=np.float64).mean())) or 1.0
        powers = np.round(np.arange(LEAST, MOST + STEP / 2, STEP), 10)
        losses = np.array([_losses(inside, outcome, cls(p, unit).of(g)) for p in powers])
        best = losses.mean(axis=1).argmin()
        beyond = losses - losses[best]
        error = beyond.std(axis=1, ddof=1) / len(inside) ** 0.5
        good = powers[beyond.mean(axis=1) <= error]
        p = float(good[np.abs(good - 1).argmin()])
        apart = float(np.sqrt(np.square(good - p).mean() + STEP**2 / 12))
        size = np.abs(g[g != 0], dtype=np.float64) / unit
        weight = size ** (2 * p)
        centre = float((weight * np.log(size)).sum() / max(weight.sum(), 1e-300))
        return cls(p, unit, apart, centre)

    def of(self, g: Narrow) -> Narrow:
        """Return the prior's values to this power, float32 of the same shape."""
        size = np.abs(g) / np.float32(self.unit)
        return np.asarray(np.sign(g) * size ** np.float32(self.p), dtype=np.float32)

    def doubt(self, bent: Narrow) -> Narrow:
        """Return the relative error of values of the prior to this power, float32, of p's error."""
        size = np.log(np.maximum(np.abs(bent), np.float32(1e-30))) / np.float32(self.p)
        return np.asarray(np.float32(self.error) * (size - np.float32(self.centre)))

    def prior(self, prior: Prior) -> Prior:
        """Return the prior to this power."""

        def bent(train: Indices, test: Indices) -> Narrow:
            return self.of(prior(train, test))

        return bent


LINEAR = Power(1.0, 1.0)


def _losses(inside: Narrow, outcome: Narrow, g: Narrow) -> Floats:
    """Each trial's squared error of prediction, in units of the outcomes' variance, float64 [t]."""
    predicted = inside @ g
    left = outcome - predicted * least_squares(predicted, outcome).astype(np.float32)
    unit = np.square(outcome).mean(axis=0, dtype=np.float64)
    varies = unit > 0
    return np.asarray((np.square(left)[:, varies] / unit[varies]).mean(axis=1))
