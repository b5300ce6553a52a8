"""LiRA with a prior that all examples share: few references of one example, many examples.

The variance of an example's margins has a scaled inverse χ² prior with ν₀ degrees of freedom around
s₀², for references in and for references out, by the moments of log s² over all examples (Smyth,
"Linear models and empirical Bayes methods for assessing differential expression in microarray
experiments", Statistical Applications in Genetics and Molecular Biology 3, 2004, section 6.2). The
mean of references out has a flat prior. That of references in is expected where the mean of the
references out predicts it, by least squares over all examples, with the error τ² of the prediction:

    μ_in ~ N(α + β μ̂_out, σ² / κ₀),   κ₀ = s₀² / τ²

The score is log t_in(φ) − log t_out(φ), the posterior predictive densities. With n references of
mean x̄ and squared deviations S (Gelman et al., "Bayesian Data Analysis", 3rd ed., section 3.3):

    κ = κ₀ + n,   μ = (κ₀ m + n x̄) / κ,   ν = ν₀ + n,
    ν σ² = ν₀ s₀² + S + κ₀ n (x̄ − m)² / κ,   φ ~ t_ν(μ, σ² (1 + 1/κ))

and with a flat prior of the mean κ = n, μ = x̄, ν = ν₀ + n − 1, ν σ² = ν₀ s₀² + S. The attack with
own variances is its limit for ν₀ → 0 and many references, that with pooled ones for ν₀ → ∞. BaVarIA
(arXiv 2603.11799) has the same idea. The prior's few numbers are fitted without each target.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.attacks.attack import (
    LEAST_VARIANCE,
    Attack,
    Floats,
    Group,
    Tile,
)

_MOST_FREEDOM = 1e4  # of a prior whose examples all have one variance
_STEPS = 15  # of Newton's method, which takes about 5


@dataclass(frozen=True, eq=False)
class VariancePrior:
    """``freedom`` ν₀ and ``variance`` s₀², float64 [K or 1]."""

    freedom: Floats
    variance: Floats


@dataclass(frozen=True, eq=False)
class MeanPrior:
    """μ_in = α + β μ̂_out ± τ of margins, float64 [K or 1]; ``error`` is τ²."""

    intercept: Floats
    slope: Floats
    error: Floats


P = TypeVar("P", VariancePrior, MeanPrior)


class _LogVariances:
    """Sums over examples, of which the moments of log s² are made."""

    def __init__(self) -> None:
        self._sums: Floats | None = None

    def add(self, group: Group) -> None:
        from scipy.special import digamma, polygamma

        freedom = group.n - 1
        of_n = np.arange(int(group.n.max()) + 1)
        half = np.maximum(of_n - 1, 1) / 2
        at = group.n.astype(np.intp)
        e = np.log(group.variance) - (digamma(half) - np.log(half))[at]
        is_usable = freedom >= 1
        parts = (np.ones_like(e), e, e**2, polygamma(1, half)[at])
        sums = np.stack([np.where(is_usable, part, 0).sum(axis=1) for part in parts])
        self._sums = sums if self._sums is None else self._sums + sums

    def prior(self) -> VariancePrior:
        from scipy.special import digamma

        assert self._sums is not None
        n, total, squares, noise = self._sums
        mean = total / n
        spread = (squares - n * mean**2) / np.maximum(n - 1, 1) - noise / n
        freedom = np.minimum(2 * trigamma_inverse(spread), _MOST_FREEDOM)
        variance = np.exp(mean + digamma(freedom / 2) - np.log(freedom / 2))
        return VariancePrior(freedom, np.maximum(variance, LEAST_VARIANCE))


class _Means:
    """Sums over examples, of which the regression of the means in on the means out is made."""

    def __init__(self) -> None:
        self._sums: Floats | None = None

    def add(self, tile: Tile) -> None:
        a, b = tile.outside.mean + tile.origin, tile.inside.mean + tile.origin
        one = np.broadcast_to(1.0, b.shape)
        parts = (one, a, b, a * a, a * b, b * b, 1 / tile.inside.n)
        sums = np.stack([np.broadcast_to(part, b.shape).sum(axis=1) for part in parts])
        self._sums = sums if self._sums is None else self._sums + sums

    def prior(self, variance: Floats) -> MeanPrior:
        """Return the line and its error, less the noise of the means in."""
        assert self._sums is not None
        n, a, b, aa, ab, bb, inverse = self._sums
        of_a, of_b, of_ab = aa - a * a / n, bb - b * b / n, ab - a * b / n
        slope = of_ab / np.maximum(of_a, LEAST_VARIANCE)
        residual = np.maximum(of_b - slope * of_ab, 0) / np.maximum(n - 2, 1)
        error = np.maximum(residual - variance * inverse / n, LEAST_VARIANCE)
        return MeanPrior((b - slope * a) / n, slope, error)


class _Fit:
    def __init__(self) -> None:
        self._variances = _LogVariances(), _LogVariances()
        self._means = _Means()
        self._priors: tuple[VariancePrior, VariancePrior, MeanPrior] | None = None

    def add(self, tile: Tile) -> None:
        for sums, group in zip(self._variances, (tile.inside, tile.outside), strict=True):
            sums.add(group)
        self._means.add(tile)

    def scores(self, tile: Tile) -> Floats:
        if self._priors is None:
            inside, outside = (sums.prior() for sums in self._variances)
            self._priors = inside, outside, self._means.prior(inside.variance)
        of_in, of_out, of_mean = self._priors
        inside, outside, mean = _columns(of_in), _columns(of_out), _columns(of_mean)
        group = tile.inside
        expected = mean.intercept + mean.slope * (tile.outside.mean + tile.origin) - tile.origin
        weight = inside.variance / mean.error
        kappa = weight + group.n
        squares = group.squares + weight * group.n * (group.mean - expected) ** 2 / kappa
        at = (weight * expected + group.n * group.mean) / kappa
        inside_density = _log_t(tile.x - at, inside, group.n, squares, 1 + 1 / kappa)
        group = tile.outside
        x = tile.x - group.mean
        return inside_density - _log_t(x, outside, group.n - 1, group.squares, 1 + 1 / group.n)


BAYESIAN = Attack(
    "bayes",
    "LiRA, shared prior",
    "Carlini et al. 2022 with a prior over examples, as BaVarIA (arXiv 2603.11799)",
    lambda _: _Fit(),
)


def trigamma_inverse(values: Floats) -> Floats:
    """Return y with ψ'(y) = values, by Newton's method on 1/ψ' (Smyth 2004, appendix).

    Where values are not above 0, which no y has, it returns ``_MOST_FREEDOM``.
    """
    from scipy.special import polygamma

    found = np.full(np.shape(values), _MOST_FREEDOM)
    is_above = np.asarray(values) > 1e-7
    value = np.asarray(values)[is_above]
    y = 0.5 + 1 / value
    for _ in range(_STEPS):
        trigamma = polygamma(1, y)
        y = y + trigamma * (1 - trigamma / value) / polygamma(2, y)
    found[is_above] = y
    return found


def _columns(prior: P) -> P:
    return type(prior)(*(each[:, None] for each in vars(prior).values()))


def _log_t(
    x: Floats, prior: VariancePrior, freedom: NDArray[np.float64], squares: Floats, widened: Floats
) -> Floats:
    """Return the log density at x of t with ν₀ + freedom degrees of freedom, up to a constant."""
    from scipy.special import gammaln

    nu = prior.freedom + np.arange(int(freedom.max()) + 1)  # [K, n]: one of each number of models
    constant = gammaln((nu + 1) / 2) - gammaln(nu / 2)
    at = np.broadcast_to(freedom.astype(np.intp), (len(constant), freedom.shape[1]))
    total = (prior.freedom * prior.variance + squares) * widened  # ν times the squared scale
    of = np.take_along_axis(constant, at, axis=1) - 0.5 * np.log(total)
    return np.asarray(of - (prior.freedom + freedom + 1) / 2 * np.log1p(x**2 / total))
