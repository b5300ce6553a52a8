"""Linear worlds: outcomes are sums of known influences over a trial's subset, and noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memtail_core.estimation.combined import CombinedInfluence, Prior, combined_influence

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class World:
    """t trials of n training and n_test test examples, their influence, and a prior of it."""

    inside: NDArray[np.bool_]
    outcome: Floats
    influence: Floats
    direction: Floats

    @property
    def prior(self) -> Prior:
        return lambda train, test: self.direction[np.ix_(train, test)].astype(np.float32)

    def combined(self, *, with_prior: bool = True) -> CombinedInfluence:
        return combined_influence(self.inside, self.outcome, self.prior if with_prior else None)

    def every(self, found: CombinedInfluence) -> tuple[Floats, Floats]:
        n, n_test = self.influence.shape
        mean, error = found.moments(np.arange(n), np.arange(n_test))
        return mean.astype(np.float64), error.astype(np.float64)


def world(
    t: int,
    *,
    n: int = 120,
    signal: float = 1.0,
    stray: float = 0.5,
    noise: float = 1.0,
    seed: int = 0,
) -> World:
    """Influence is ``signal`` × a sparse direction, from which it strays by a normal part."""
    rng = np.random.default_rng([seed, t])
    n_test = 60
    size = rng.gamma(0.5, 2.0, n)
    direction = size[:, None] * rng.standard_t(4, (n, n_test))
    strays = stray * size[:, None] * rng.normal(size=(n, n_test))
    influence = 0.1 * signal * (direction + strays)
    inside = rng.random((t, n)) < 0.5
    outcome = inside @ influence + rng.normal(2, 1, n_test) + noise * rng.normal(size=(t, n_test))
    return World(inside, outcome, influence, 7.0 * direction)
