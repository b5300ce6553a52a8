"""Trials whose outcomes are real, with known influence, of which some are better on everything.

An outcome has the quantiles of a given distribution, at a rank that training on an example raises
(a Gaussian copula): shapes are those outcomes really have.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import beta

from memtail_core.estimation.averaged import Averaged
from memtail_core.estimation.estimator import Observations
from memtail_core.estimation.influence import Family, PairsRule
from memtail_core.estimation.mean_influence import MeanEvidence
from memtail_core.estimation.measures import ACCURACY
from memtail_core.plan import designs
from tests.plan.test_designs import study

N, N_TEST = 200, 150
Floats = NDArray[np.float64]

SHAPES: dict[str, Callable[[Floats], Floats]] = {
    "beta": lambda u: beta.ppf(u, 4, 4),
    "skewed": lambda u: beta.ppf(u, 6, 0.6),
    "tied": lambda u: np.round(10 * beta.ppf(u, 3, 2)) / 10,
    "nearly always 1": lambda u: np.where(u < 0.1, 8 * u + 0.1, 1.0),
}
"""Quantile functions of outcomes in [0, 1]."""


@dataclass(frozen=True)
class MeanSetting:
    """What is simulated.

    trials, design: the plan; shape: one of ``SHAPES``; shared: how much of an outcome is the
    trial's quality, 0 to 1; raised: by how many standard deviations training on an example raises
    its own rank, for ``memorized`` of the examples; planted: by how many it raises that of a test
    example, one training example for each of half of them; 0: nothing has any influence.
    """

    trials: int = 100
    design: str = "balanced"
    shape: str = "beta"
    shared: float = 0.5
    memorized: float = 0.3
    raised: float = 1.5
    planted: float = 0.0

    def worlds(self, replications: int) -> Iterator["MeanWorld"]:
        for seed in range(replications):
            yield self._world(seed)

    def _world(self, seed: int) -> "MeanWorld":
        rng = np.random.default_rng(seed)
        subset = designs.subsets(study(N, 0.7, self.design, seed), range(self.trials))
        quality = np.sqrt(self.shared) * rng.standard_normal((self.trials, 1))
        own, test = (
            quality + np.sqrt(1 - self.shared) * rng.standard_normal((self.trials, n))
            for n in (N, N_TEST)
        )
        own += self.raised * subset * (np.arange(N) < self.memorized * N)
        effects = np.zeros((N, N_TEST), bool)
        if self.planted:
            rests_on = np.flatnonzero(rng.random(N_TEST) < 0.5)
            effects[rng.integers(max(1, int(self.memorized * N)), size=len(rests_on)), rests_on] = 1
            test += self.planted * (subset @ effects)
        shape = SHAPES[self.shape]
        outcomes = [shape(ndtr(each)).astype(np.float16) for each in (own, test)]
        return MeanWorld(subset, outcomes[0], outcomes[1], effects)


@dataclass(frozen=True, eq=False)
class MeanWorld:
    """Subsets, outcomes of training and test examples, and which pairs have influence."""

    subset: NDArray[np.bool_]
    own: NDArray[np.float16]
    test: NDArray[np.float16]
    effects: NDArray[np.bool_]

    def evidence(self, *, ignoring: bool = False) -> MeanEvidence:
        """Without the training examples' own outcomes if their choice is to be ignored."""
        own = None if ignoring else self.own
        return MeanEvidence.of(np.packbits(self.subset, axis=1), self.test, N, ACCURACY, own)

    @property
    def family(self) -> Family:
        """Every pair of the examples that these trials call memorized."""
        packed = np.packbits(self.subset, axis=1)
        seen = Observations(packed, packed, N, np.zeros(N, np.int64), self.own)
        scores = Averaged(ACCURACY).memorization(seen).memorization
        labels = np.zeros(N, np.int64), np.zeros(N_TEST, np.int64)
        return PairsRule(theta_mem=0.1).family(scores, *labels)
