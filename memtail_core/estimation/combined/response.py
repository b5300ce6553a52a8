"""From margins to being right: what influence on a margin does to the accuracy on a test example.

Over trials, the margin of a test example z is about normal, N(μ_z, σ_z²), and z is right where
it is positive. An example that moves the margin by u, and that a share r of the trials trained on,
makes the difference

    P(right | in) − P(right | out) = Φ((μ_z + (1 − r) u) / σ) − Φ((μ_z − r u) / σ)
    σ² = σ_z² − r (1 − r) u²,

the variance less what the example itself adds to it, and at least a quarter of it. The difference
is the paper's influence. With σ as it is at the estimate it grows with u: intervals of u become its
intervals, and signs stay. A margin that nothing moves across 0 has next to none, however far it
moves.

Intervals also allow for what T trials leave unknown of μ and σ, by the derivatives of the
difference f, a and b being the arguments of Φ (MOVER, as in ``calibrated.uncertainty``):

    Var f ≈ ((φ(a) − φ(b))² + (a φ(a) − b φ(b))² / 2) / T
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from memtail_core.estimation.combined.likelihood import moderated
from memtail_core.estimation.intervals import Z95

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_LEAST = 1e-3  # of σ: margins that never change
_LEAST_SHARE = 0.25  # of the variance is not one example's


@dataclass(frozen=True, eq=False)
class Response:
    """How accuracy follows the margin of each test example.

    Attributes:
        mean, spread: μ_z and σ_z, float64 [n_test].
        share: r, of the trials that trained on a training example.
        trials: T.
    """

    mean: Floats
    spread: Floats
    share: float
    trials: int

    @classmethod
    def of(cls, margins: NDArray[np.floating], share: float) -> "Response":
        """Learn it from the margins of T trials, [T, n_test]; σ is moderated (Smyth 2004)."""
        variance = moderated(margins.var(axis=0, ddof=1, dtype=np.float64), len(margins) - 1)
        spread = np.sqrt(np.maximum(variance, _LEAST**2))
        return cls(margins.mean(axis=0, dtype=np.float64), spread, share, len(margins))

    def influence(self, moved: NDArray[np.floating], test: Indices) -> Floats:
        """Return the influence on accuracy of what moves margins so far, float64 [a, b] or [P].

        Args:
            moved: u, [a, b] of ``test`` [b], or [P] of ``test`` [P].
            test: which test examples.
        """
        return _difference(self._arguments(moved, test, self._rest(moved, test)))

    def interval(
        self, moved: Floats, ends: tuple[Floats, Floats], test: Indices
    ) -> tuple[Floats, Floats]:
        """Return the interval of the influence on accuracy, float64 [P] each.

        Args:
            moved: u, float64 [P].
            ends: its interval.
            test: int64 [P].
        """
        rest = self._rest(moved, test)
        a, b = self._arguments(moved, test, rest)
        weights = _density(a), _density(b)
        by_mean = weights[0] - weights[1]
        by_spread = a * weights[0] - b * weights[1]
        own = Z95**2 * (by_mean**2 + by_spread**2 / 2) / self.trials
        at = _difference((a, b))
        low, high = (_difference(self._arguments(u, test, rest)) for u in ends)
        wide_low, wide_high = (
            at - np.sqrt((at - low) ** 2 + own),
            at + np.sqrt((high - at) ** 2 + own),
        )
        # The sign of the influence is that of u, whatever μ and σ are.
        return (
            np.where(low > 0, np.maximum(wide_low, 0), wide_low),
            np.where(high < 0, np.minimum(wide_high, 0), wide_high),
        )

    def _rest(self, moved: NDArray[np.floating], test: Indices) -> Floats:
        """σ: how margins spread besides what moves them so far."""
        variance = self.spread[test] ** 2
        rest = variance - self.share * (1 - self.share) * np.square(moved, dtype=np.float64)
        return np.asarray(np.sqrt(np.maximum(rest, _LEAST_SHARE * variance)))

    def _arguments(
        self, moved: NDArray[np.floating], test: Indices, rest: Floats
    ) -> tuple[Floats, Floats]:
        mean = self.mean[test]
        return (mean + (1 - self.share) * moved) / rest, (mean - self.share * moved) / rest


def _difference(arguments: tuple[Floats, Floats]) -> Floats:
    return np.asarray(ndtr(arguments[0]) - ndtr(arguments[1]))


def _density(x: Floats) -> Floats:
    return np.asarray(np.exp(-x * x / 2) / np.sqrt(2 * np.pi))
