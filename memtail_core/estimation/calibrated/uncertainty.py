"""How sure an estimated rate is, learned from trials it has not seen, and its interval.

Were the estimate e_i the mean of a posterior Beta(ν_i e_i, ν_i (1 − e_i)), then of h further trials
a beta-binomial number would be right. How that number scatters between examples of like estimates
shows ν: ν_i = κ (n_i + 1), with κ for each range of e, the one that makes the left-out trials most
likely, less one of its standard errors: what is not known for certain makes intervals wider.

The interval of a difference comes from those of its two rates (MOVER; Zou & Donner 2008):

    low = e_in − e_out − √((e_in − low_in)² + (high_out − e_out)²), high likewise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv, betaln

Floats = NDArray[np.float64]

_EDGES = (0.5, 0.9, 0.98)  # of e, between the ranges that have a κ of their own
_USUAL = 1.0  # κ, before anything is known: a posterior of the trials and one more
_FIRM = 0.5  # how far it strays: the standard deviation of its logarithm
_SURE = 1e-4
_STEP = 0.1
_BESIDE = 0.05  # so near to a pole an end is drawn to it


@dataclass(frozen=True, eq=False)
class Reliability:
    """How much an estimated rate can be relied upon.

    Attributes:
        kappa: float64 [4], of estimates below 0.5, 0.9, 0.98, and above.
        doubt: the interval is that of every one of these multiples of κ, put together.
    """

    kappa: Floats
    doubt: tuple[float, ...] = (1.0,)

    def concentration(self, estimate: Floats, n: Floats) -> Floats:
        """ν, float64 [n]: as many trials' worth the estimate is."""
        found: Floats = self.kappa[np.digitize(estimate, _EDGES)] * (n + 1)
        return found

    def interval(self, estimate: Floats, n: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
        """The interval of the posterior, widened to hold the estimate.

        It is central, unless the density has a pole at 0 or 1: an end there is part of it, and
        what is left out is left out at the other end.
        """
        e = np.clip(estimate, _SURE, 1 - _SURE)
        found = [
            _interval(e, times * self.concentration(estimate, n), level) for times in self.doubt
        ]
        low, high = np.min([f[0] for f in found], axis=0), np.max([f[1] for f in found], axis=0)
        return np.minimum(low, estimate), np.maximum(high, estimate)

    def variance(self, estimate: Floats, n: Floats) -> Floats:
        """The variance of the posterior, float64 [n]."""
        e = np.clip(estimate, _SURE, 1 - _SURE)
        return e * (1 - e) / (self.concentration(estimate, n) + 1)


def _interval(e: Floats, nu: Floats, level: float) -> tuple[Floats, Floats]:
    a, b = nu * e, nu * (1 - e)
    at_0, at_1 = (a < 1) & (e < 0.5), (b < 1) & (e >= 0.5)
    tail = (1 - level) / 2
    low = np.where(at_0, 0, betaincinv(a, b, np.where(at_1, 2 * tail, tail)))
    high = np.where(at_1, 1, betaincinv(a, b, 1 - np.where(at_0, 2 * tail, tail)))
    low = np.where((a < 1) & (low < _BESIDE), 0, low)
    high = np.where((b < 1) & (high > 1 - _BESIDE), 1, high)
    return low, high


UNKNOWN = Reliability(np.full(len(_EDGES) + 1, _USUAL), doubt=(0.5, 1.0, 4.0))
"""Where nothing was left out to learn from: with fewer than three trials."""


def reliability(estimate: Floats, n: Floats, right: Floats, of: Floats) -> Reliability:
    """Learn κ from left-out trials.

    Args:
        estimate, n: float64 [K], made without them, and the trials it was made from.
        right, of: float64 [K], how many of how many left-out trials were right.
    """
    tells = of >= 2  # one alone tells the mean
    if not tells.any():
        return UNKNOWN
    e = np.clip(estimate[tells], _SURE, 1 - _SURE)
    base, k, h = n[tells] + 1, right[tells], of[tells]
    region = np.digitize(estimate[tells], _EDGES)

    def best(chosen: NDArray[np.bool_]) -> float:
        a, b = base[chosen] * e[chosen], base[chosen] * (1 - e[chosen])

        def unlikely(log_kappa: float) -> float:
            kappa = np.exp(log_kappa)
            fit = betaln(k[chosen] + kappa * a, h[chosen] - k[chosen] + kappa * b)
            fit = fit - betaln(kappa * a, kappa * b)
            return float((np.log(kappa / _USUAL) / _FIRM) ** 2 / 2 - fit.sum())

        at = float(minimize_scalar(unlikely, bounds=(-6, 3), method="bounded").x)
        curvature = (unlikely(at + _STEP) - 2 * unlikely(at) + unlikely(at - _STEP)) / _STEP**2
        return at - float(1 / np.sqrt(max(curvature, _FIRM**-2 / 4)))

    kappa = [best(region == r) for r in range(len(_EDGES) + 1)]
    return Reliability(np.exp(kappa))


def difference(
    estimates: tuple[Floats, Floats], low: tuple[Floats, Floats], high: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The interval of e_in − e_out from those of the two rates."""
    (e_in, e_out), (low_in, low_out), (high_in, high_out) = estimates, low, high
    down = np.sqrt((e_in - low_in) ** 2 + (high_out - e_out) ** 2)
    up = np.sqrt((high_in - e_in) ** 2 + (e_out - low_out) ** 2)
    return np.maximum(e_in - e_out - down, -1), np.minimum(e_in - e_out + up, 1)
