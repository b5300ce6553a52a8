"""LiRA, the offline attack: is the margin high for a model that did not train on the example?

Its references never trained on the examples in question, so that one set of references serves for
all that will ever be asked. With mean and variance of their margins, the attack is a one-sided test
of φ ~ N(μ_out, σ²_out):

    Λ = 1 − P[Z > φ] = Φ((φ − μ_out) / σ_out)

(Carlini et al., IEEE S&P 2022, section VI-D, equation 4). The score here is (φ − μ_out) / σ_out:
the same order, and it does not round to 1.
"""

import numpy as np

from memtail_core.estimation.attacks.attack import (
    Attack,
    Fit,
    Floats,
    Population,
    Tile,
    Unfitted,
)
from memtail_core.estimation.attacks.likelihood_ratio import PooledVariance

_SOURCE = "Carlini, Chien, Nasr, Song, Terzis & Tramèr 2022"


class _Own(Unfitted):
    def scores(self, tile: Tile) -> Floats:
        return _standardized(tile, tile.outside.variance)


class _Pooled(PooledVariance):
    def scores(self, tile: Tile) -> Floats:
        return _standardized(tile, self.values[1][:, None])


class Offline:
    """The attack with each example's own variance."""

    word, name = "lira-offline", "LiRA, offline"
    source = _SOURCE
    needs_population = False

    def fit(self, population: Population | None) -> Fit:
        """See :class:`.attack.Attack`."""
        del population
        return _Own()


class PooledOffline:
    """The attack with a variance pooled over examples."""

    word, name = "lira-offline-pooled", "LiRA, offline, pooled"
    source = _SOURCE
    needs_population = False

    def fit(self, population: Population | None) -> Fit:
        """See :class:`.attack.Attack`."""
        del population
        return _Pooled()


OFFLINE: Attack = Offline()
POOLED_OFFLINE: Attack = PooledOffline()


def _standardized(tile: Tile, variance: Floats) -> Floats:
    return (tile.x - tile.outside.mean) / np.sqrt(variance)
