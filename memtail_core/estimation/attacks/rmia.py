"""RMIA: is the example likelier under the target than other examples are, all against references?

    score(x) = P_z[ LR(x, z) ≥ γ ],   LR(x, z) = (p(x | θ) / p(x)) / (p(z | θ) / p(z))

(Zarifzadeh, Liu & Shokri, "Low-Cost High-Power Membership Inference Attacks", ICML 2024, equations
1 to 4). θ is the target, z examples of the population: here the study's test examples, on which no
model trained. p(x) is the mean probability of the label over references. Online, it is the mean of
those that trained on x and those that did not:

    p(x) = (p_in(x) + p_out(x)) / 2

Offline, only references without x are at hand, and p_in is extrapolated as a p_out + (1 − a):

    p(x) = ((1 + a) p_out(x) + (1 − a)) / 2

(their appendix B.2.2), for x and z alike. Online, p(z) is the mean over all references. The
attacker knows a from models of its own: here it is the least-squares fit of 1 − p_in to
a (1 − p_out) over all examples, in [0, 1]. γ is 1.

The score here is minus the number of z with LR(x, z) < γ, less 1 / (1 + r) with
r = p(x | θ) / p(x). The number has the order of the paper's score, and is exact where few z are
left, which low rates of false positives are about. The fraction orders examples that the z at hand
do not tell apart: for each target, the paper's score never falls as r rises.
"""

import numpy as np

from memtail_core.estimation.attacks.attack import Attack, Floats, Population, Tile, Unfitted

GAMMA = 1.0
_LEAST = 1e-30  # a probability that is divided by
_SOURCE = "Zarifzadeh, Liu & Shokri 2024"


class _Online(Unfitted):
    def __init__(self, population: Population | None) -> None:
        assert population is not None
        self._of_population = np.sort(_over(population.target, population.reference), axis=1)

    def scores(self, tile: Tile) -> Floats:
        mean = (tile.inside.probability + tile.outside.probability) / 2
        return _score(_over(tile.probability, mean), self._of_population)


class _Offline:
    def __init__(self, population: Population | None) -> None:
        assert population is not None
        self._population = population
        self._sorted: Floats | None = None
        self._product: Floats | float = 0.0
        self._square: Floats | float = 0.0

    def add(self, tile: Tile) -> None:
        wrong_in, wrong_out = 1 - tile.inside.probability, 1 - tile.outside.probability
        self._product = self._product + (wrong_in * wrong_out).sum(axis=1)
        self._square = self._square + (wrong_out**2).sum(axis=1)

    @property
    def scale(self) -> Floats:
        """The extrapolation a, float64 [K or 1, 1]."""
        scale = np.asarray(self._product) / np.maximum(self._square, _LEAST)
        return np.asarray(np.clip(scale, 0, 1)[:, None])

    def scores(self, tile: Tile) -> Floats:
        a = self.scale
        if self._sorted is None:
            mean = ((1 + a) * self._population.reference + 1 - a) / 2
            self._sorted = np.sort(_over(self._population.target, mean), axis=1)
        mean = ((1 + a) * tile.outside.probability + 1 - a) / 2
        return _score(_over(tile.probability, mean), self._sorted)


RMIA = Attack("rmia", "RMIA", _SOURCE, _Online, needs_population=True)
RMIA_OFFLINE = Attack("rmia-offline", "RMIA, offline", _SOURCE, _Offline, needs_population=True)


def _over(probability: Floats, mean: Floats) -> Floats:
    return np.asarray(probability / np.maximum(mean, _LEAST))


def _score(ratio: Floats, of_population: Floats) -> Floats:
    """Score ratios r of x, [K, c], against those of z, [K, Z], ascending."""
    counts = np.empty(ratio.shape)
    for row, (mine, theirs) in enumerate(zip(ratio / GAMMA, of_population, strict=True)):
        counts[row] = np.searchsorted(theirs, mine, side="right")
    return np.asarray(counts - of_population.shape[1] - 1 / (1 + ratio))
