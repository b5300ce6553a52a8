"""What is expected of influence before counting: a prior's direction, on the scale of trials.

A prior g(i, z), say from gradients, has no unit, and is too large for some training examples and
too small for others. The mean of influence is b_z s_i g(i, z): one factor for each test example,
one for each training example. All are estimated from trials, shrunk.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Narrow = NDArray[np.float32]
Prior = Callable[[Indices, Indices], Narrow]
"""Training examples [a] and test examples [b] → g, float32 [a, b]."""

_SPREAD = 0.2  # τ_s, of the factors of training examples around 1
_FLOOR = 0.1  # of the mean variance: so much every training example has
_ROUNDS = 60
_CHANCE = 0.01  # how often a prior that says nothing is used


@dataclass(frozen=True, eq=False)
class Scale:
    """How the prior's training examples are scaled, and how far influence strays from it.

    Attributes:
        factor: s, float32 [n].
        factor_variance: of each s, float32 [n].
        spread: float32 [n], the variance of influence around the prior's mean up to a factor for
            each test example; its mean is 1.
        is_informative: whether the prior predicts the trials at all; else it is not used.
    """

    factor: Narrow
    factor_variance: Narrow
    spread: Narrow
    is_informative: bool

    @classmethod
    def flat(cls, n: int) -> "Scale":
        """No prior: every training example may have as much influence."""
        one = np.ones(n, np.float32)
        return cls(one, np.zeros(n, np.float32), one, False)


def scale(inside: Narrow, outcome: Narrow, g: Floats) -> Scale:
    """Estimate the factors of training examples from a sample of test examples.

    With b_z by least squares and weights w_z = 1 / Var(noise of z), the factors s minimise

        Σ_tz w_z (outcome_tz − Σ_i inside_ti b_z s_i g_iz)² + Σ_i (s_i − 1)² / τ_s²

    the mode of s ~ N(1, τ_s²). This is solved by conjugate gradients, without a matrix of n × n.
    The spread of influence around the mean is taken to follow the mean: examples of much influence
    stray most.

    Args:
        inside: [t, n], 1 where a trial trained on the example, centred over trials.
        outcome: [t, q], of the sample, centred over trials.
        g: float64 [n, q], the prior.
    """
    from scipy.sparse.linalg import LinearOperator, cg

    t, n = inside.shape
    predicted = inside @ g.astype(np.float32)
    if not _predicts(predicted, outcome):
        return Scale.flat(n)
    b = least_squares(predicted, outcome)
    mean = (g * b).astype(np.float32)
    left = outcome - predicted * b.astype(np.float32)
    weight = (1 / np.maximum(np.square(left).mean(axis=0) * t / max(1, t - 2), 1e-12)) ** 0.5
    mean *= weight.astype(np.float32)
    left *= weight.astype(np.float32)
    own = np.square(mean).sum(axis=1, dtype=np.float64) * np.square(inside).sum(axis=0)
    precision = own + 1 / _SPREAD**2

    def normal(s: Floats) -> Floats:
        summed = inside @ (mean * s[:, None].astype(np.float32))
        moved = ((inside.T @ summed) * mean).sum(axis=1, dtype=np.float64)
        return np.asarray(moved + s / _SPREAD**2)

    right = ((inside.T @ left) * mean).sum(axis=1, dtype=np.float64)
    moved, _ = cg(
        LinearOperator((n, n), matvec=normal, dtype=np.float64),
        right,
        rtol=1e-3,
        maxiter=_ROUNDS,
        M=LinearOperator((n, n), matvec=lambda x: x / precision, dtype=np.float64),
    )
    factor = 1 + moved
    squared = factor**2 * np.square(mean).mean(axis=1, dtype=np.float64)
    spread = (1 - _FLOOR) * squared / max(squared.mean(), 1e-300) + _FLOOR
    return Scale(
        factor.astype(np.float32),
        (1 / precision).astype(np.float32),
        spread.astype(np.float32),
        True,
    )


def least_squares(predicted: Narrow, outcome: Narrow) -> Floats:
    """Return b_z, by which predictions [t, q] of outcomes [t, q] are multiplied, float64 [q].

    By least squares, shrunk to their common mean.
    """
    products = (predicted * outcome).sum(axis=0, dtype=np.float64)
    squares = (predicted * predicted).sum(axis=0, dtype=np.float64)
    whole = np.square(outcome).sum(axis=0, dtype=np.float64)
    left = np.maximum(whole - products**2 / np.maximum(squares, 1e-30), 1e-12 * whole + 1e-30)
    variance = left / max(1, len(outcome) - 2) / np.maximum(squares, 1e-30)
    return shrunk(products / np.maximum(squares, 1e-30), variance)


def shrunk(estimate: Floats, variance: Floats) -> Floats:
    """Shrink estimates to their common mean by their variances: see :func:`normal_prior`."""
    mean, spread = normal_prior(estimate, variance)
    return np.asarray(mean + (estimate - mean) * spread / (spread + variance + 1e-300))


def normal_prior(estimate: Floats, variance: Floats) -> tuple[float, float]:
    """Return mean and variance of what is estimated, by moments (DerSimonian & Laird 1986)."""
    weight = 1 / np.maximum(variance, 1e-300)
    weight /= weight.sum()
    mean = float((weight * estimate).sum())
    excess = float(
        (weight * ((estimate - mean) ** 2 - variance)).sum() + (weight**2 * variance).sum()
    )
    scale = 1 - float((weight**2).sum())
    return mean, max(0.0, excess / scale) if scale > 0 else 0.0


def _predicts(predicted: Narrow, outcome: Narrow) -> bool:
    """Whether a prior's predictions go with outcomes more than chance allows (one-sided t test).

    Trials are independent and test examples are not, so the test is over trials.
    """
    from scipy.special import stdtr

    size = np.square(outcome).sum(axis=0) * np.square(predicted).sum(axis=0)
    unit = np.where(size > 0, size, np.inf) ** -0.5
    of_trial = (predicted * outcome * unit).sum(axis=1, dtype=np.float64)
    t = len(of_trial)
    error = of_trial.std(ddof=1) / t**0.5
    return bool(error > 0 and stdtr(t - 1, -of_trial.mean() / error) < _CHANCE)
