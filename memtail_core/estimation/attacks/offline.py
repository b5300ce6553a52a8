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
    Floats,
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


OFFLINE = Attack("lira-offline", "LiRA, offline", _SOURCE, lambda _: _Own())
POOLED_OFFLINE = Attack(
    "lira-offline-pooled", "LiRA, offline, pooled", _SOURCE, lambda _: _Pooled()
)


def _standardized(tile: Tile, variance: Floats) -> Floats:
    return (tile.x - tile.outside.mean) / np.sqrt(variance)
