"""How uncertain an estimated rate is, fitted to trials that it has not seen, and its interval.

If the estimate e_i were the mean of a posterior Beta(ν_i e_i, ν_i (1 − e_i)), then the number
right among h further trials would be beta-binomial. How that number varies between examples of
similar estimates reveals ν: ν_i = κ (n_i + 1), with κ for each range of e fitted by maximum
likelihood to left-out trials, less one standard error: what is uncertain makes intervals wider.

The interval of a difference is combined from those of its two rates (MOVER; Zou & Donner 2008):

    low  = e_in − e_out − √((e_in − low_in)² + (high_out − e_out)²)
    high = e_in − e_out + √((high_in − e_in)² + (e_out − low_out)²)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv, betaln

Floats = NDArray[np.float64]

_EDGES = (0.5, 0.9, 0.98)  # of e, between the ranges that have a κ of their own
_PRIOR_KAPPA = 1.0  # a posterior of the trials and one more
_SPREAD = 0.5  # of κ around its prior: the standard deviation of its logarithm
_LEAST_P = 1e-4
_STEP = 0.1
_NEAR_POLE = 0.05  # an end this near to a pole of the density is moved to it


@dataclass(frozen=True, eq=False)
class Posterior:
    """The beta posterior of an estimated rate.

    Attributes:
        kappa: float64 [4], of estimates below 0.5, 0.9, 0.98, and above.
        doubt: the interval is the union of those with κ times each of these factors.
    """

    kappa: Floats
    doubt: tuple[float, ...] = (1.0,)

    def concentration(self, estimate: Floats, n: Floats) -> Floats:
        """ν, float64 [n]: the number of trials that the estimate is worth."""
        nu: Floats = self.kappa[np.digitize(estimate, _EDGES)] * (n + 1)
        return nu

    def interval(self, estimate: Floats, n: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
        """The interval of the posterior, widened to hold the estimate.

        It is central, unless the density has a pole at 0 or 1: then the interval includes that
        end, and all that it excludes is at the other end.
        """
        e = np.clip(estimate, _LEAST_P, 1 - _LEAST_P)
        intervals = [
            _interval(e, times * self.concentration(estimate, n), level) for times in self.doubt
        ]
        low, high = (
            np.min([i[0] for i in intervals], axis=0),
            np.max([i[1] for i in intervals], axis=0),
        )
        return np.minimum(low, estimate), np.maximum(high, estimate)

    def variance(self, estimate: Floats, n: Floats) -> Floats:
        """The variance of the posterior, float64 [n]."""
        e = np.clip(estimate, _LEAST_P, 1 - _LEAST_P)
        return e * (1 - e) / (self.concentration(estimate, n) + 1)


def _interval(e: Floats, nu: Floats, level: float) -> tuple[Floats, Floats]:
    a, b = nu * e, nu * (1 - e)
    at_0, at_1 = (a < 1) & (e < 0.5), (b < 1) & (e >= 0.5)
    tail = (1 - level) / 2
    low = np.where(at_0, 0, betaincinv(a, b, np.where(at_1, 2 * tail, tail)))
    high = np.where(at_1, 1, betaincinv(a, b, 1 - np.where(at_0, 2 * tail, tail)))
    low = np.where((a < 1) & (low < _NEAR_POLE), 0, low)
    high = np.where((b < 1) & (high > 1 - _NEAR_POLE), 1, high)
    return low, high


DEFAULT = Posterior(np.full(len(_EDGES) + 1, _PRIOR_KAPPA), doubt=(0.5, 1.0, 4.0))
"""With fewer than three trials, when none can be left out to fit to."""


def fit_posterior(estimate: Floats, n: Floats, right: Floats, of: Floats) -> Posterior:
    """Fit κ to left-out trials.

    Args:
        estimate, n: float64 [K], made without them, and the number of trials it was made from.
        right, of: float64 [K], how many of how many left-out trials were right.
    """
    usable = of >= 2  # one alone says nothing of the variance
    if not usable.any():
        return DEFAULT
    e = np.clip(estimate[usable], _LEAST_P, 1 - _LEAST_P)
    base, k, h = n[usable] + 1, right[usable], of[usable]
    region = np.digitize(estimate[usable], _EDGES)

    def best(chosen: NDArray[np.bool_]) -> float:
        a, b = base[chosen] * e[chosen], base[chosen] * (1 - e[chosen])

        def loss(log_kappa: float) -> float:
            kappa = np.exp(log_kappa)
            fit = betaln(k[chosen] + kappa * a, h[chosen] - k[chosen] + kappa * b)
            fit = fit - betaln(kappa * a, kappa * b)
            return float((np.log(kappa / _PRIOR_KAPPA) / _SPREAD) ** 2 / 2 - fit.sum())

        at = float(minimize_scalar(loss, bounds=(-6, 3), method="bounded").x)
        curvature = (loss(at + _STEP) - 2 * loss(at) + loss(at - _STEP)) / _STEP**2
        return at - float(1 / np.sqrt(max(curvature, _SPREAD**-2 / 4)))

    kappa = [best(region == r) for r in range(len(_EDGES) + 1)]
    return Posterior(np.exp(kappa))


def interval_of_difference(
    estimates: tuple[Floats, Floats], low: tuple[Floats, Floats], high: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The interval of e_in − e_out from those of the two rates."""
    (e_in, e_out), (low_in, low_out), (high_in, high_out) = estimates, low, high
    down = np.sqrt((e_in - low_in) ** 2 + (high_out - e_out) ** 2)
    up = np.sqrt((high_in - e_in) ** 2 + (e_out - low_out) ** 2)
    return np.maximum(e_in - e_out - down, -1), np.minimum(e_in - e_out + up, 1)
