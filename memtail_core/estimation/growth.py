"""How agreement grows with the number of trials: laws fitted to what was measured, and read off."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_FITTED = 4  # sizes, the largest: a law that holds in the limit holds worst at the small ones
_B, _B_SPREAD = 0.5, 0.1  # of the exponent, before anything is measured
_LEAST_FITTED = 0.3  # agreement; where most of what is selected is noise, there is no law yet
_FEWEST_FITTED = 3  # a line through two points fits whatever they are


@dataclass(frozen=True)
class Reliability:
    """r(t) = t / (t + t₀): how scores of t trials correlate with those of t others.

    A score is its limit plus noise of a variance ∝ 1/t, independent of it on the other side; so the
    correlation is V / (V + σ²/t), with t₀ = σ²/V (Spearman 1910, Brown 1910).
    """

    t0: float

    def at(self, t: float) -> float:
        """Return r(t)."""
        return t / (t + self.t0)

    def trials(self, value: float) -> float | None:
        """Return the t with r(t) = ``value``; None: never."""
        return self.t0 * value / (1 - value) if 0 < value < 1 else None


@dataclass(frozen=True)
class PowerLaw:
    """s(t) = a t^(−b): how what is missing to agreement shrinks.

    Of sets cut at a threshold θ: the noise of a score has a standard deviation σ/√t, so examples
    within about that of θ are selected on one side and not on the other. With f the density of
    the scores at θ and P the share above it,

        |A Δ B| / n ≈ f(θ) E|ε₁ − ε₂| = 2 f(θ) σ / √(π t)        1 − J ≈ 2 f(θ) σ / (P √(π t))

    hence b = ½ where many examples lie on both sides of θ. It is fitted, for scores heap: b is
    larger where few lie at θ, and smaller where θ is near where they end, 0 or 1. But of few
    examples the fit would follow their noise, so b is drawn to ½ ± 0.1 as far as they leave it
    open.
    """

    a: float
    b: float

    def at(self, t: float) -> float:
        """Return s(t)."""
        return float(self.a * t**-self.b)

    def trials(self, value: float) -> float | None:
        """Return the t with s(t) = ``value``; None: never."""
        return float((self.a / value) ** (1 / self.b)) if value > 0 and self.b > 0 else None


@dataclass(frozen=True)
class Needed:
    """How many trials a whole study takes.

    Attributes:
        trials: rounded up.
        is_measured: whether halves of so many were compared; else a law says it.
    """

    trials: int
    is_measured: bool


@dataclass(frozen=True, eq=False)
class Curve:
    """How one figure of agreement changes with the trials of each side.

    Attributes:
        sizes: int64 [S], trials of each side; values: float64 [S], mean over the splits; NaN where
            nothing was selected or too much.
        law: what it follows beyond; None where too few sizes have a value, or it does not grow.
        is_difference: whether less is better: a mean absolute difference, not an agreement.
    """

    sizes: Indices
    values: Floats
    law: Reliability | PowerLaw | None
    is_difference: bool = False

    def expected(self, t: float) -> float | None:
        """Return what two studies of t trials each are expected to give; None if none can tell."""
        if self.law is None:
            return None
        if isinstance(self.law, PowerLaw) and not self.is_difference:
            return 1 - self.law.at(t)
        return self.law.at(t)

    def needed(self, value: float) -> Needed | None:
        """Return of how many trials two whole studies must be to agree that well.

        Between sizes that were measured it is interpolated, over log t, from where on all suffice;
        the smallest of them is returned where even that does. Beyond the largest the law says it.
        None: the law never gets there, or there is none.
        """
        sign = -1 if self.is_difference else 1
        known = np.flatnonzero(~np.isnan(self.values))
        too_few = np.flatnonzero(sign * self.values[known] < sign * value)
        first = int(too_few[-1]) + 1 if len(too_few) else 0
        if first < len(known):
            return Needed(self._interpolated(value, known[max(first - 1, 0) : first + 1]), True)
        if self.law is None:
            return None
        is_shortfall = isinstance(self.law, PowerLaw) and not self.is_difference
        found = self.law.trials(1 - value if is_shortfall else value)
        if found is None or not found < 2**53:
            return None
        return Needed(max(ceil(found), int(self.sizes[-1]) + 1), False)

    def _interpolated(self, value: float, around: Indices) -> int:
        if len(around) == 1:  # the smallest of all
            return int(self.sizes[around[0]])
        logs, values = np.log(self.sizes[around]), self.values[around]
        share = (value - values[0]) / (values[1] - values[0])
        return ceil(float(np.exp(logs[0] + share * (logs[1] - logs[0]))) - 1e-9)


def shared(sizes: Indices, values: Floats, n_selected: Floats) -> Curve:
    """How the agreement of two sets grows; of m each, 2 m (1 − J) / (1 + J) are in one alone.

    Args:
        sizes: int64 [S], trials of each side.
        values: float64 [S], Jaccard index J; NaN where nothing was selected.
        n_selected: float64 [S], how many a side selects.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        missing = 1 - np.where(values > _LEAST_FITTED, values, np.nan)
        counts = 2 * n_selected * missing / (2 - missing)
        return Curve(sizes, values, power_law(sizes, missing, counts))


def shrinking(size: int, value: float) -> PowerLaw | None:
    """The law of sets of which only one size was compared: its exponent is ½, as nothing else says.

    None where most of what they select is noise.
    """
    return PowerLaw((1 - value) * size**_B, _B) if value > _LEAST_FITTED else None


def reliability(sizes: Indices, values: Floats) -> Reliability | None:
    """Least squares over all splits, in log t₀: near the best of a grid, refined."""
    t = np.broadcast_to(sizes[:, None], values.shape)[~np.isnan(values)]
    r = values[~np.isnan(values)]
    if not len(r) or r.max() <= 0:
        return None

    def loss(log_t0: float) -> float:
        return float(((r - t / (t + np.exp(log_t0))) ** 2).sum())

    grid = np.linspace(np.log(1e-6 * t.min()), np.log(1e6 * t.max()), 200)
    best = min(grid, key=loss)
    step = grid[1] - grid[0]
    return Reliability(float(np.exp(minimize_scalar(loss, bounds=(best - step, best + step)).x)))


def power_law(sizes: Indices, values: Floats, counts: Floats | float) -> PowerLaw | None:
    """Weighted least squares of logs over the largest sizes with a value above 0; see the class.

    Args:
        sizes: int64 [S]; values: float64 [S], s(t).
        counts: float64 [S], how many examples make up s(t): the log of a count c has a variance of
            about 1 / c. To it comes 1 / t for what the law leaves out where trials are few.
    """
    known = np.flatnonzero(np.nan_to_num(values) > 0)[-_FITTED:]
    if len(known) < _FEWEST_FITTED:
        return None
    t, logs = sizes[known].astype(np.float64), np.log(values[known])
    weights = 1 / (1 / np.broadcast_to(counts, values.shape)[known] + 1 / t)
    x, y = (each - np.average(each, weights=weights) for each in (-np.log(t), logs))
    freedom = _B_SPREAD**-2
    b = float(((weights * x * y).sum() + freedom * _B) / ((weights * x * x).sum() + freedom))
    log_a = float(np.average(logs + b * np.log(t), weights=weights))
    return PowerLaw(float(np.exp(log_a)), b) if b > 0 else None
