"""Each example's own mean margin, by empirical Bayes: what is like it says where to begin.

On each side, of trials that held an example in or out, its squashed margins are normal,

    u_ki ~ N(μ_i, σ²),    μ_i ~ N(f(z_i), τ²)

with f an additive regression on what else is known, z_i: neighbours, clues. So

    E[μ_i] = (n_i ū_i + κ f(z_i)) / (n_i + κ),    κ = σ² / τ²       (Efron & Morris 1975)

and Φ(E[μ_i] / √(σ² (1 + 1 / (n_i + κ)))) is the probability that the next trial gets it right. f is
fitted on other examples than those it is asked about. The held-out side is told of the held-in one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from memtail_core.estimation.calibrated.splines import curves, filled
from memtail_core.estimation.calibrated.sums import Sides, Tally

Floats = NDArray[np.float64]

_RIDGE = 10.0
_KNOTS = 4
_UNKNOWN = 1.0  # κ where one trial cannot tell: half of what is unexplained is the example's own


@dataclass(frozen=True, eq=False)
class Margin:
    """One side's margins.

    Attributes:
        expected: float64 [n], f(z_i).
        mean: float64 [n], E[μ_i].
        correct: float64 [n], the probability of a positive margin.
        spread: the standard deviation of ū_i − f(z_i) for one trial.
    """

    expected: Floats
    mean: Floats
    correct: Floats
    spread: float


def margins(sides: Sides, known: Floats, fold: NDArray[np.int64]) -> tuple[Margin, Margin]:
    """Estimate both sides' margins, held in and held out.

    Args:
        sides: the tallies.
        known: float64 [n, d], what else is known of each example, the z; NaN where missing.
        fold: int64 [n], f is fitted for each fold on all others.
    """
    between = [_between_trials(side) for side in (sides.held_in, sides.held_out)]
    can_tell = [value for value in between if value is not None]
    in_noise, out_noise = (
        value if value is not None else can_tell[0] if can_tell else None for value in between
    )
    held_in = _one_side(sides.held_in, known, fold, in_noise)
    beside = np.column_stack([known, held_in.mean])
    held_out = _one_side(sides.held_out, beside, fold, out_noise)
    if not can_tell:
        held_out = _told_by_the_other(sides, held_in, held_out)
    return held_in, held_out


def _between_trials(side: Tally) -> float | None:
    """σ², pooled over the examples; None if none has two trials."""
    several = side.n > 1
    if not several.any():
        return None
    return float(np.average(side.variance[several], weights=side.n[several] - 1))


def _one_side(side: Tally, known: Floats, fold: NDArray[np.int64], noise: float | None) -> Margin:
    seen = side.n > 0
    if not seen.any():
        nothing = np.zeros(len(seen))
        return Margin(nothing, nothing, nothing + 0.5, 1.0)
    own, weight = np.where(seen, side.mean_margin, 0.0), side.n
    expected = _expected(own, weight, known, fold)
    apart = (own - expected)[seen] ** 2
    spread = float(np.sqrt(np.average(apart, weights=weight[seen]))) or 1e-6
    if noise is None:
        kappa, noise = _UNKNOWN, spread**2 / 2
    else:
        own_share = np.average(apart - noise / weight[seen], weights=weight[seen])
        noise = max(noise, 1e-9)
        kappa = noise / max(1e-3 * noise, float(own_share))
    mean = (weight * own + kappa * expected) / (weight + kappa)
    correct = ndtr(mean / np.sqrt(noise * (1 + 1 / (weight + kappa))))
    return Margin(expected, mean, correct, spread)


def _expected(own: Floats, weight: Floats, known: Floats, fold: NDArray[np.int64]) -> Floats:
    """f(z_i): a ridge regression on splines of z, fitted for each fold on all others."""
    values = filled(known)
    values = values[:, values.std(axis=0) > 0]
    columns = [np.ones((len(own), 1))]
    if values.shape[1]:
        columns.append(curves(_KNOTS).fit_transform(values))
    basis = np.hstack(columns)
    weighted = basis * (weight / weight[weight > 0].mean())[:, None]
    folds = range(int(fold.max()) + 1)
    grams = [weighted[fold == f].T @ basis[fold == f] for f in folds]
    sums = [weighted[fold == f].T @ own[fold == f] for f in folds]
    gram, total = np.sum(grams, axis=0), np.sum(sums, axis=0)
    penalty = _RIDGE * np.eye(len(gram))
    penalty[0, 0] = 1e-6
    found = np.empty_like(own)
    for f in folds:
        slopes = np.linalg.solve(gram - grams[f] + penalty, total - sums[f])
        found[fold == f] = basis[fold == f] @ slopes
    return found


def _told_by_the_other(sides: Sides, held_in: Margin, held_out: Margin) -> Margin:
    """One trial alone shows no example from both sides: half of a surprise is taken to carry over.

    That half is an assumption. With two trials and more, the link is learned.
    """
    seen = (sides.held_in.n > 0) & (sides.held_out.n == 0)
    surprise = np.where(seen, sides.held_in.mean_margin - held_in.expected, 0.0) / held_in.spread
    mean = held_out.mean + 0.5 * surprise * held_out.spread
    left = held_out.spread * np.sqrt(0.75)
    return Margin(held_out.expected, mean, ndtr(mean / left), held_out.spread)
