"""The posterior of influence, given a prior and the outcomes of trials.

For a test example z, with X [t, n] the trials' subsets and m_z their outcomes,

    m_z = μ_z + X u_z + ε,   u_z ~ N(b_z s∘g_z, τ_z² diag v),   ε ~ N(0, σ_z² I)

(Bayesian linear regression; its posterior mean without a prior is the ridge datamodel of Saunshi et
al. 2023). g is what the prior says, to a power that fits (``power``). v is the same for every z, so
one eigendecomposition of the t × t matrix X diag(v) Xᵀ serves all test examples. With e its
eigenvalues, ρ_z = σ_z² / τ_z² and everything turned into its eigenvectors, the posterior mean is

    b_z s∘g_z + v∘Xᵀ (X diag(v) Xᵀ + ρ_z I)⁻¹ (m_z − b_z X (s∘g_z))

ρ_z comes from the restricted marginal likelihood on a grid, with weights for its values that are
estimated from all test examples together (empirical Bayes, Kiefer & Wolfowitz 1956); b_z from
generalised least squares, shrunk to its mean over test examples. The fewer the trials, the nearer
to the prior; with many it is the regression of outcomes on inclusion, which is counted influence.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.combined.likelihood import GRID, fitted, likelihood, shares
from memtail_core.estimation.combined.posterior import CombinedInfluence
from memtail_core.estimation.combined.power import Power
from memtail_core.estimation.combined.prior import Floats, Indices, Narrow, Prior, Scale, scale

FEWEST_TRIALS = 4
_SAMPLE = 512  # test examples from which what is common to all of them is estimated
_PAIRS = 2**22  # of a prior's block at a time


def combined_influence(
    inside: NDArray[np.bool_],
    outcome: NDArray[np.floating],
    prior: Prior | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> CombinedInfluence:
    """Estimate the influence of n training examples on n_test test examples.

    Passes once over the prior, which is asked for some million pairs at a time. Memory: that of
    ``inside`` and ``outcome`` as float32, three times; nothing of n × n_test.

    Args:
        inside: bool [t, n], which examples each trial trained on.
        outcome: [t, n_test], what each trial says of each test example, as a margin.
        prior: g, of any scale; without one, influence is expected to be 0.
        progress: called with training examples whose prior was read.

    Raises:
        EstimationError: there are fewer than ``FEWEST_TRIALS``, or an outcome is not finite.
    """
    t, n = inside.shape
    if t < FEWEST_TRIALS:
        raise EstimationError(
            f"{t} models: influence is combined from at least {FEWEST_TRIALS} (memtail run)"
        )
    if not np.isfinite(outcome).all():
        raise EstimationError("a model's outcome is not finite")
    x, m = inside.astype(np.float32), outcome.astype(np.float32)
    if prior is None:
        return _posterior(_centred(x), _centred(m), None, Scale.flat(n))
    n_test, everyone = m.shape[1], np.arange(n)
    some = np.unique(np.linspace(0, n_test - 1, min(n_test, _SAMPLE)).astype(np.int64))
    sample = _read(prior, everyone, some)
    power = Power.fitted(_centred(x), _centred(m[:, some]), sample)
    prior, sample = power.prior(prior), power.of(sample)
    scaled = scale(_centred(x), _centred(m[:, some]), sample.astype(np.float64))
    if not scaled.is_informative:
        return _posterior(_centred(x), _centred(m), None, scaled)
    crossed = _crossed(x, m[:, some], sample)
    found = _posterior(_centred(x), _centred(m), prior, scaled, crossed, progress)
    return replace(found, power=power)


@dataclass(frozen=True, eq=False)
class _Crossed:
    """What one half of the trials says given the factors of the other half, and the reverse.

    The same half would not do: its factors follow its noise, and too little seems left.

    Attributes:
        dispersion: κ.
        share: of the values of ρ, float64 [grid].
        log_noise: the mean of ln σ_z².
    """

    dispersion: float
    share: Floats
    log_noise: float


def _crossed(x: Narrow, m: Narrow, g: Narrow) -> _Crossed | None:
    """Cross two halves of the trials on a sample of test examples; None if they are too few."""
    t, everyone = len(x), (np.arange(len(g)), np.arange(g.shape[1]))
    if t < 2 * FEWEST_TRIALS:
        return None
    halves, likelihoods = [], []
    for mine, theirs in ((slice(t // 2), slice(t // 2, t)), (slice(t // 2, t), slice(t // 2))):
        scaled = scale(_centred(x[theirs]), _centred(m[theirs]), g.astype(np.float64))
        if not scaled.is_informative:
            return None
        turned = _Turned.of(_centred(x[mine]), _centred(m[mine]), scaled)
        expected = turned.subsets @ (g * scaled.factor[:, None])
        likelihoods.append(likelihood(turned.e, turned.outcome, expected.astype(np.float64)))
        halves.append(_estimated(turned, expected, _held_in_memory(g), scaled, None))
    return _Crossed(
        float(np.mean([half.excess(*everyone) for half in halves])),
        shares(np.concatenate(likelihoods)),
        float(np.mean([_log_noise(half.noise) for half in halves])),
    )


@dataclass(frozen=True, eq=False)
class _Turned:
    """Trials turned into the eigenvectors of their kernel, without the constant one.

    Attributes:
        e: float64 [t − 1], the eigenvalues of X diag(v) Xᵀ / unit; their mean is 1.
        turn: float32 [t, t − 1], the eigenvectors.
        inside, subsets: X [t, n], and the same turned.
        outcome: float64 [t − 1, n_test], turned.
    """

    e: Floats
    unit: float
    turn: Narrow
    inside: Narrow
    subsets: Narrow
    outcome: Floats

    @classmethod
    def of(cls, x: Narrow, m: Narrow, scaled: Scale) -> "_Turned":
        kernel = ((x * scaled.spread) @ x.T).astype(np.float64)
        unit = float(np.trace(kernel)) / (len(x) - 1)
        if not unit > 0:
            raise EstimationError(
                "all models were trained on the same examples: nothing is to compare"
            )
        e, vectors = np.linalg.eigh(kernel / unit - 1 / len(x))  # the value of a constant is −1
        turn = vectors[:, 1:].astype(np.float32)
        return cls(np.maximum(e[1:], 0), unit, turn, x, turn.T @ x, (turn.T @ m).astype(np.float64))


def _posterior(
    x: Narrow,
    m: Narrow,
    prior: Prior | None,
    scaled: Scale,
    crossed: _Crossed | None = None,
    progress: Callable[[int], None] | None = None,
) -> CombinedInfluence:
    """The posterior from centred subsets and outcomes."""
    turned, n_test = _Turned.of(x, m, scaled), m.shape[1]
    expected = np.zeros(turned.outcome.shape, np.float32)
    if prior is not None:
        step = max(1, _PAIRS // n_test)
        for start in range(0, x.shape[1], step):
            rows = np.arange(start, min(start + step, x.shape[1]))
            g = prior(rows, np.arange(n_test)) * scaled.factor[rows, None]
            expected += turned.subsets[:, rows] @ g
            if progress is not None:
                progress(len(rows))
    return _estimated(turned, expected, prior, scaled, crossed)


def _estimated(
    turned: _Turned,
    expected: Narrow,
    prior: Prior | None,
    scaled: Scale,
    crossed: _Crossed | None,
) -> CombinedInfluence:
    e, unit, turn = turned.e, turned.unit, turned.turn
    share = None if crossed is None else crossed.share
    fit = fitted(e, turned.outcome, expected.astype(np.float64), share)
    noise = np.sqrt(fit.variance * fit.ratio)
    more = 1.0 if crossed is None else np.exp(max(0.0, crossed.log_noise - _log_noise(noise)))
    weight = (1 / (unit * (e[:, None] + fit.ratio))).astype(np.float32)
    left = turned.outcome - expected * fit.factor
    return CombinedInfluence(
        factor=fit.factor,
        noise_ratio=fit.ratio * unit,
        noise=noise * more**0.5,
        dispersion=0.0 if crossed is None else crossed.dispersion,
        scale=scaled,
        _prior=prior,
        _inside=turned.inside,
        _of_outcome=turn @ (weight * left).astype(np.float32),
        _of_prior=turn @ (weight * expected),
        _ratios=GRID * unit,
        _held=(turned.subsets**2).T @ (1 / (unit * (e[:, None] + GRID))).astype(np.float32),
        _factor_variance=fit.factor_variance * more,
    )


def _log_noise(noise: Floats) -> float:
    """The mean of ln σ² over test examples that vary."""
    known = noise > 0
    return float(2 * np.log(noise[known]).mean()) if known.any() else -np.inf


def _held_in_memory(g: Narrow) -> Prior:
    return lambda train, test: g[np.ix_(train, test)]


def _centred(values: Narrow) -> Narrow:
    return np.asarray(values - values.mean(axis=0), dtype=np.float32)


def _read(prior: Prior, train: Indices, test: Indices) -> Narrow:
    step = max(1, _PAIRS // max(1, len(test)))
    parts = [prior(train[k : k + step], test) for k in range(0, len(train), step)]
    return np.concatenate(parts)
