"""How the mean probability of a label varies with the models that happened to be trained.

The probability p = E sigmoid(z) is a mean over models that hold the example out, z their margins. A
mean of few probabilities is skewed by orders of magnitude; margins are not. So they are modelled:

- z has the mean μ_i, the variance σ_i² and a skewness;
- the prior of σ_i² is an inverse χ² that is fitted to all examples, its mean as a function of the
  mean margin (Smyth, "Linear models and empirical Bayes methods", 2004); that of μ_i is flat;
- the skewness is that of examples of similar mean margin together.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma, expit, gammaincinv, gammaln, logit, ndtri, polygamma

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

FEWEST = 3  # models; fewer do not tell the shape of margins
_WINDOW, _SHARE = 20, 40  # examples of similar mean margin on either side: 20, or 1 in 40 of all
_MOST_DEGREES = 200.0
_LEAST_VARIANCE = 1e-8
_SKEWEST = 1.5
_LEAST_P = 1e-15
_NODES, _WEIGHTS = hermegauss(15)


@dataclass(frozen=True, eq=False)
class HeldOutMargins:
    """Margins of n examples: how many, their means, and what is known of their spread.

    Attributes:
        n, mean, squares, degrees, skewness: float64 [n]; σ² is ``squares`` / χ² of ``degrees``.
    """

    n: Floats
    mean: Floats
    squares: Floats
    degrees: Floats
    skewness: Floats

    @classmethod
    def fit(
        cls, margin: NDArray[np.floating], judged: NDArray[np.bool_], known: Indices
    ) -> "HeldOutMargins":
        """Fit the distributions of the margins of some examples.

        Args:
            margin: float [T, n], of each model and example.
            judged: bool [T, n], whether the model held the example out.
            known: int64, the examples, each of which at least 3 models held out.
        """
        n = judged.sum(axis=0)[known].astype(np.float64)
        total, squares, cubes = np.zeros((3, len(known)))
        for z, held_out in zip(margin, judged, strict=True):
            total += np.where(held_out, z, 0.0)[known]
        mean = total / n
        for z, held_out in zip(margin, judged, strict=True):
            deviation = np.where(held_out[known], z[known] - mean, 0.0)
            squares += deviation**2
            cubes += deviation**3
        own = n - 1
        variance = np.maximum(squares / own, _LEAST_VARIANCE)
        order = np.argsort(mean, kind="stable")
        log_variance = np.log(variance) - digamma(own / 2) + np.log(own / 2)  # unbiased
        trend = _smoothed(log_variance, order)
        scatter = np.mean((log_variance - trend) ** 2) - np.mean(polygamma(1, own / 2))
        prior = _degrees_of_freedom(float(scatter))
        usual = np.exp(trend + digamma(prior / 2) - np.log(prior / 2))
        third = _smoothed(cubes * n / (own * (n - 2)), order)
        excess = np.exp(1.5 * np.log(2 / own) + gammaln((own + 3) / 2) - gammaln(own / 2))
        scale = _smoothed(variance**1.5 / excess, order)  # of normal margins E s³ = σ³ · excess
        skewness = np.clip(third / scale, -_SKEWEST, _SKEWEST)
        return cls(n, mean, prior * usual + own * variance, prior + own, skewness)

    def rows(self, of: Indices) -> "HeldOutMargins":
        """Those of some examples."""
        each = (self.n, self.mean, self.squares, self.degrees, self.skewness)
        return HeldOutMargins(*(values[of] for values in each))

    def log_odds(self, of_mean: Floats, of_variance: Floats) -> Floats:
        """Draw logit p from its posterior, float64 [n, K].

        Args:
            of_mean, of_variance: float64 [K], K points in the unit square, the same for all.
        """
        squares, degrees, n = (x[:, None] for x in (self.squares, self.degrees, self.n))
        variance = squares / (2 * gammaincinv(degrees / 2, of_variance))
        mean = self.mean[:, None] + ndtri(of_mean) * np.sqrt(variance / n)
        g = self.skewness[:, None]
        p = np.zeros_like(mean)
        for x, weight in zip(_NODES, _WEIGHTS / _WEIGHTS.sum(), strict=True):
            skewed = (x + g / 6 * (x * x - 1)) / np.sqrt(1 + g * g / 18)  # Cornish & Fisher
            p += weight * expit(mean + np.sqrt(variance) * skewed)
        odds: Floats = logit(np.clip(p, _LEAST_P, 1 - _LEAST_P))
        return odds


def _degrees_of_freedom(scatter: float) -> float:
    """Those of a prior of variances whose logarithms scatter so much: trigamma(d / 2)."""
    most = _MOST_DEGREES / 2
    if scatter <= polygamma(1, most):
        return _MOST_DEGREES
    return 2 * float(brentq(lambda half: polygamma(1, half) - scatter, 1e-3, most))


def _smoothed(values: Floats, order: Indices) -> Floats:
    """The mean over those that are near in an order, float64 [n]."""
    n = len(values)
    reach = max(_WINDOW, n // _SHARE)
    sums = np.concatenate([[0.0], np.cumsum(values[order])])
    first = np.maximum(np.arange(n) - reach, 0)
    last = np.minimum(np.arange(n) + reach + 1, n)
    smooth = np.empty(n)
    smooth[order] = (sums[last] - sums[first]) / (last - first)
    return smooth
