"""Every attack by its formula, one target and one example after the other."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma
from scipy.stats import norm, t

Array = np.ndarray


@dataclass(frozen=True)
class World:
    """margin float16 [T, n], subset bool [T, n], population float16 [T, Z]."""

    margin: Array
    subset: Array
    population: Array


def made(n_trials: int, n: int, n_population: int = 40, seed: int = 0) -> World:
    """Margins of examples of different levels, spreads and jumps; population ones of the same."""
    rng = np.random.default_rng(seed)
    subset = rng.random((n_trials, n)) < 0.6
    level, spread = rng.normal(1, 2, n), rng.uniform(0.5, 2, n)
    margin = rng.normal(level + rng.uniform(0, 3, n) * subset, spread)
    others = rng.normal(rng.normal(1, 2, n_population), 1, (n_trials, n_population))
    return World(margin.astype(np.float16), subset, others.astype(np.float16))


def probability(margin: Array) -> Array:
    return 1 / (1 + np.exp(-margin.astype(np.float64)))


@dataclass(frozen=True)
class Seen:
    """What one attacker has: references' margins by example, and the target's.

    inside, outside: for each example the margins of references in, and out; target: the target's;
    of_population: references' [R, Z]; target_population [Z].
    """

    inside: list[Array]
    outside: list[Array]
    target: Array
    of_population: Array
    target_population: Array

    @classmethod
    def without(cls, world: World, target: int, examples: Array) -> "Seen":
        rest = np.arange(len(world.margin)) != target
        return cls.of(world, rest, world.margin[target], world.population[target], examples)

    @classmethod
    def of(
        cls, world: World, rows: Array, target: Array, target_population: Array, examples: Array
    ) -> "Seen":
        x, subset = world.margin[rows].astype(np.float64), world.subset[rows]
        return cls(
            [x[subset[:, i], i] for i in examples],
            [x[~subset[:, i], i] for i in examples],
            target[examples].astype(np.float64),
            world.population[rows].astype(np.float64),
            target_population.astype(np.float64),
        )


def loss(seen: Seen) -> list[float]:
    return list(seen.target)


def lira(seen: Seen) -> list[float]:
    return [
        norm.logpdf(x, a.mean(), a.std(ddof=1)) - norm.logpdf(x, b.mean(), b.std(ddof=1))
        for x, a, b in zip(seen.target, seen.inside, seen.outside, strict=True)
    ]


def pooled_deviation(groups: list[Array]) -> float:
    squares = sum(((each - each.mean()) ** 2).sum() for each in groups)
    return float(np.sqrt(squares / sum(len(each) - 1 for each in groups)))


def lira_pooled(seen: Seen) -> list[float]:
    of_in, of_out = pooled_deviation(seen.inside), pooled_deviation(seen.outside)
    return [
        norm.logpdf(x, a.mean(), of_in) - norm.logpdf(x, b.mean(), of_out)
        for x, a, b in zip(seen.target, seen.inside, seen.outside, strict=True)
    ]


def lira_offline(seen: Seen) -> list[float]:
    """Λ = 1 − P[N(μ_out, σ_out) > φ], as the quantile that it is of a normal distribution."""
    return [
        quantile_of(x, b.mean(), b.std(ddof=1))
        for x, b in zip(seen.target, seen.outside, strict=True)
    ]


def lira_offline_pooled(seen: Seen) -> list[float]:
    deviation = pooled_deviation(seen.outside)
    return [
        quantile_of(x, b.mean(), deviation) for x, b in zip(seen.target, seen.outside, strict=True)
    ]


def quantile_of(x: float, mean: float, deviation: float) -> float:
    """Λ = 1 − P[Z > x], through the upper tail, which does not round to 1."""
    return float(norm.isf(norm.sf(x, mean, deviation)))


def _rmia(seen: Seen, of_x: list[float], of_z: list[float]) -> list[float]:
    """P_z[LR(x, z) ≥ 1], a loop over x and z; ties are broken by the ratio of x."""
    scores = []
    for x, p_x in zip(probability(seen.target), of_x, strict=True):
        n = 0
        for z, p_z in zip(probability(seen.target_population), of_z, strict=True):
            n += (x / p_x) / (z / p_z) >= 1
        scores.append(n - len(of_z) - 1 / (1 + x / p_x))
    return scores


def rmia(seen: Seen) -> list[float]:
    of_x = [
        (probability(a).mean() + probability(b).mean()) / 2
        for a, b in zip(seen.inside, seen.outside, strict=True)
    ]
    return _rmia(seen, of_x, [probability(each).mean() for each in seen.of_population.T])


def rmia_offline(seen: Seen) -> list[float]:
    of_in = np.array([probability(each).mean() for each in seen.inside])
    of_out = np.array([probability(each).mean() for each in seen.outside])
    slope = np.linalg.lstsq((1 - of_out)[:, None], 1 - of_in, rcond=None)[0][0]
    a = min(1.0, max(0.0, slope))
    of_z = [probability(each).mean() for each in seen.of_population.T]
    return _rmia(
        seen,
        [0.5 * ((1 + a) * each + (1 - a)) for each in of_out],
        [0.5 * ((1 + a) * each + (1 - a)) for each in of_z],
    )


def variance_prior(groups: list[Array]) -> tuple[float, float]:
    """ν₀ and s₀² of scaled F distributed variances, by Smyth's moments."""
    e, noise = [], []
    for each in groups:
        half = (len(each) - 1) / 2
        e.append(np.log(each.var(ddof=1)) - digamma(half) + np.log(half))
        noise.append(polygamma(1, half))
    excess = np.var(e, ddof=1) - np.mean(noise)
    if excess <= 0:
        freedom = 1e4
    else:
        freedom = min(1e4, 2 * brentq(lambda y: polygamma(1, y) - excess, 1e-6, 1e8))
    return freedom, float(np.exp(np.mean(e) + digamma(freedom / 2) - np.log(freedom / 2)))


def bayes(seen: Seen) -> list[float]:
    """Posterior predictive t densities, the mean in expected where a line puts it."""
    nu_in, s_in = variance_prior(seen.inside)
    nu_out, s_out = variance_prior(seen.outside)
    means = np.array([[a.mean(), b.mean()] for a, b in zip(seen.inside, seen.outside, strict=True)])
    slope, intercept = np.polyfit(means[:, 1], means[:, 0], 1)
    residual = means[:, 0] - intercept - slope * means[:, 1]
    noise = np.mean([s_in / len(each) for each in seen.inside])
    tau = max(1e-6, (residual**2).sum() / (len(residual) - 2) - noise)
    kappa_0, scores = s_in / tau, []
    for x, a, b in zip(seen.target, seen.inside, seen.outside, strict=True):
        n, expected = len(a), intercept + slope * b.mean()
        kappa, nu = kappa_0 + n, nu_in + n
        mu = (kappa_0 * expected + n * a.mean()) / kappa
        squares = nu_in * s_in + ((a - a.mean()) ** 2).sum()
        squares += kappa_0 * n / kappa * (a.mean() - expected) ** 2
        of_in = t.logpdf(x, nu, mu, np.sqrt(squares / nu * (1 + 1 / kappa)))
        n, nu = len(b), nu_out + len(b) - 1
        squares = nu_out * s_out + ((b - b.mean()) ** 2).sum()
        of_out = t.logpdf(x, nu, b.mean(), np.sqrt(squares / nu * (1 + 1 / n)))
        scores.append(of_in - of_out)
    return scores


ORACLES = {
    "lira": lira,
    "lira-pooled": lira_pooled,
    "loss": loss,
    "lira-offline": lira_offline,
    "lira-offline-pooled": lira_offline_pooled,
    "rmia": rmia,
    "rmia-offline": rmia_offline,
    "bayes": bayes,
}
