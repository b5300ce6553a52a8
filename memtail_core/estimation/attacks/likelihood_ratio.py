"""LiRA, the online attack: is the margin likelier of a model trained with the example?

With φ the margin log p_y − log(1 − p_y) that a target gives example i, the score is

    Λ = log N(φ; μ_in, σ²_in) − log N(φ; μ_out, σ²_out)

with mean and variance of the margins that references trained with, and without, the example give it
(Carlini, Chien, Nasr, Song, Terzis & Tramèr, "Membership Inference Attacks From First Principles",
IEEE S&P 2022, algorithm 1). Variances are each example's own or, "fixed" as their section VI calls
it, pooled over all examples, which is better where references are few.
"""

import numpy as np

from memtail_core.estimation.attacks.attack import (
    LEAST_VARIANCE,
    Attack,
    Floats,
    Tile,
    Unfitted,
)

_SOURCE = "Carlini, Chien, Nasr, Song, Terzis & Tramèr 2022"


class PooledVariance:
    """The variance of margins around each example's mean, pooled over examples."""

    def __init__(self) -> None:
        self._squares: list[Floats | float] = [0.0, 0.0]
        self._freedom: list[Floats | float] = [0.0, 0.0]

    def add(self, tile: Tile) -> None:
        """Sum up."""
        for row, group in enumerate((tile.inside, tile.outside)):
            self._squares[row] = self._squares[row] + group.squares.sum(axis=1)
            self._freedom[row] = self._freedom[row] + (group.n - 1).sum(axis=1)

    @property
    def values(self) -> Floats:
        """Of references in and out, float64 [2, K or 1]."""
        squares, freedom = np.array(self._squares), np.array(self._freedom)
        return np.asarray(np.maximum(squares / np.maximum(freedom, 1), LEAST_VARIANCE))


class _Own(Unfitted):
    def scores(self, tile: Tile) -> Floats:
        return _ratio(tile, tile.inside.variance, tile.outside.variance)


class _Pooled(PooledVariance):
    def scores(self, tile: Tile) -> Floats:
        inside, outside = self.values
        return _ratio(tile, inside[:, None], outside[:, None])


OWN = Attack("lira", "likelihood ratio", _SOURCE, lambda _: _Own())
POOLED = Attack("lira-pooled", "likelihood ratio, pooled variance", _SOURCE, lambda _: _Pooled())


def log_density(x: Floats, mean: Floats, variance: Floats) -> Floats:
    """Return that of a normal distribution, up to a constant."""
    return np.asarray(-0.5 * (np.log(variance) + (x - mean) ** 2 / variance))


def _ratio(tile: Tile, inside: Floats, outside: Floats) -> Floats:
    of_in = log_density(tile.x, tile.inside.mean, inside)
    return of_in - log_density(tile.x, tile.outside.mean, outside)
