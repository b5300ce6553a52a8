"""The variances of influence and of noise, by the marginal likelihood of trials.

Per test example, turned into the eigenvectors of the kernel, outcomes are independent with the
variances τ² (e + ρ). The restricted likelihood of ρ, with b and τ² at their best, is taken on a
grid; weights for the grid's values are estimated from all test examples together.
"""

from dataclasses import dataclass

import numpy as np

from memtail_core.estimation.combined.prior import Floats, normal_prior

GRID = np.geomspace(1e-3, 1e6, 28)  # of ρ, where the mean eigenvalue is 1
_ROUNDS = 50
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Fit:
    """Float64 [n_test] each: ρ, b, the variance of b, and τ² with the mean eigenvalue 1."""

    ratio: Floats
    factor: Floats
    factor_variance: Floats
    variance: Floats


def likelihood(e: Floats, m: Floats, h: Floats) -> Floats:
    """Return the restricted likelihood of every ρ of the grid, float64 [n_test, grid], at most 1.

    Args:
        e: float64 [t − 1], the eigenvalues; their mean is 1.
        m: float64 [t − 1, n_test], outcomes.
        h: float64 [t − 1, n_test], what b multiplies; 0 without a prior.
    """
    freedom = _freedom(m, h)
    found = np.empty((m.shape[1], len(GRID)))
    for k, ratio in enumerate(GRID):
        weight = 1 / (e + ratio)
        squares, _, information = _squares(weight[:, None], m, h)
        found[:, k] = np.log(weight).sum() / 2 - freedom / 2 * np.log(np.maximum(squares, _TINY))
        if h.any():
            found[:, k] -= np.log(np.maximum(information, _TINY)) / 2
    return np.asarray(np.exp(found - found.max(axis=1, keepdims=True)))


def shares(likelihoods: Floats) -> Floats:
    """Return how many test examples have each ρ, float64 [grid] (EM; Kiefer & Wolfowitz 1956).

    It begins where 1 / (1 + ρ), the part of the variance that is influence, is anything between 0
    and 1 alike, and stays there if the trials are too few to tell influence from noise.
    """
    share = GRID / (1 + GRID) ** 2
    share /= share.sum()
    for _ in range(_ROUNDS):
        belief = likelihoods * share
        share = (belief / belief.sum(axis=1, keepdims=True)).mean(axis=0)
    return share


def fitted(e: Floats, m: Floats, h: Floats, share: Floats | None = None) -> Fit:
    """Estimate ρ_z, b_z and τ_z²; arguments as of :func:`likelihood` and :func:`shares`."""
    likelihoods = likelihood(e, m, h)
    belief = likelihoods * np.maximum(shares(likelihoods) if share is None else share, 1e-9)
    belief /= np.maximum(belief.sum(axis=1, keepdims=True), _TINY)
    ratio, freedom = np.exp(belief @ np.log(GRID)), _freedom(m, h)
    weight = 1 / (e[:, None] + ratio)
    squares, b, information = _squares(weight, m, h)
    if not h.any():
        nothing = np.zeros(m.shape[1])
        return Fit(ratio, nothing, nothing, moderated(squares / freedom, freedom))
    error = squares / freedom / np.maximum(information, _TINY)
    mean, spread = normal_prior(b, error)
    own = spread / (spread + error + _TINY)
    factor = mean + own * (b - mean)
    of_mean = 1 / (1 / np.maximum(error + spread, _TINY)).sum()
    left = m - h * factor
    variance = moderated((weight * left * left).sum(axis=0) / freedom, freedom)
    return Fit(ratio, factor, own * error + (1 - own) ** 2 * of_mean, variance)


def moderated(variance: Floats, freedom: int) -> Floats:
    """Shrink variances, of ``freedom`` degrees each, to a common one (Smyth 2004, section 6.2).

    True variances are taken to be scaled inverse χ² with d₀ degrees; d₀ comes from how much the
    logarithms of the estimates vary beyond what ``freedom`` explains.
    """
    from scipy.special import digamma, polygamma

    known = variance > 0
    if known.sum() < 2:
        return variance
    half = freedom / 2
    logs = np.log(variance[known]) - digamma(half) + np.log(half)
    beyond = float(logs.var(ddof=1) - polygamma(1, half))
    grid = np.geomspace(0.05, 1e5, 2000)  # of d₀ / 2
    d = grid[np.argmin(np.abs(polygamma(1, grid) - beyond))]  # large if nothing is beyond
    common = np.exp(logs.mean() + digamma(d) - np.log(d))
    return np.asarray(np.where(known, (d * common + half * variance) / (d + half), variance))


def _freedom(m: Floats, h: Floats) -> int:
    return max(1, len(m) - bool(h.any()))


def _squares(weight: Floats, m: Floats, h: Floats) -> tuple[Floats, Floats, Floats]:
    """Weighted squares that the best b leaves, that b, and its information, [n_test] each."""
    information = (weight * h * h).sum(axis=0)
    product = (weight * h * m).sum(axis=0)
    b = product / np.maximum(information, _TINY)
    return (weight * m * m).sum(axis=0) - b * product, b, information
