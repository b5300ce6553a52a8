"""Trials with known influence, of which some are better than others on everything.

A trial gets an example right with exactly the probability given, but trials have a quality of their
own (a Gaussian copula with one factor), so that what one gets right of one example tells much of
what it gets right of the others.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from memtail_core.estimation import memorization
from memtail_core.estimation.influence import Evidence, Family, Pairs, PairsRule
from memtail_core.plan import designs
from tests.estimation.influence.oracle import Bools, evidence, packed
from tests.plan.test_designs import study

N, N_TEST, REPLICATIONS = 200, 150, 100
EVERY_PAIR = Family.of(np.arange(N), np.arange(N_TEST))


@dataclass(frozen=True, eq=False)
class World:
    """influence: float64 [n, n_test], P[right | in] − P[right | out]."""

    subset: Bools
    train_correct: Bools
    correct: Bools
    influence: NDArray[np.float64]

    @property
    def evidence(self) -> Evidence:
        return evidence(self.subset, self.correct, self.train_correct)

    @property
    def family(self) -> Family:
        """Every pair of the examples that these trials call memorized."""
        both = packed(self.subset), packed(self.train_correct)
        labels = np.zeros(N, np.int64), np.zeros(N_TEST, np.int64)
        return PairsRule().family(memorization(*both, N).memorization, *labels)


@dataclass(frozen=True)
class Setting:
    """What is simulated.

    trials, design: the plan; planted: the sizes of influence, of one training example on each of
    half of the test examples; shared: how much of what a trial gets right is its quality, 0 to 1;
    memorized: the share of training examples that are; others: the memorization of the others;
    qualities: how many a trial has, each of the examples depends on one of them; duplicated: the
    share of test examples that are nearly a training example, so that hardly a trial gets one
    right and the other wrong.
    """

    trials: int = 200
    design: str = "balanced"
    planted: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5)
    shared: float = 0.3
    memorized: float = 0.3
    others: float = 0.1
    qualities: int = 1
    duplicated: float = 0.0

    def worlds(self, replications: int = REPLICATIONS) -> Iterator[World]:
        for seed in range(replications):
            yield self._world(seed)

    def _world(self, seed: int) -> World:
        rng = np.random.default_rng(seed)
        subset = designs.subsets(study(N, 0.7, self.design, seed), range(self.trials))
        is_memorized = np.arange(N) < self.memorized * N
        out = np.where(is_memorized, rng.uniform(0.1, 0.6, N), rng.uniform(0.5, 0.87, N))
        inside = np.where(is_memorized, 0.97, out + self.others)
        effects = np.zeros((N, N_TEST))
        if self.planted:
            rests_on = np.flatnonzero(rng.random(N_TEST) < 0.5)
            on = rng.choice(np.flatnonzero(is_memorized), len(rests_on))
            effects[on, rests_on] = rng.choice(self.planted, len(rests_on))
        probability = rng.uniform(0.2, 0.45, N_TEST) + subset @ effects
        quality = np.sqrt(self.shared) * rng.standard_normal((self.trials, self.qualities))
        own = [rng.standard_normal((self.trials, n)) for n in (N, N_TEST)]
        of = [np.arange(n) % self.qualities for n in (N, N_TEST)]
        copies = np.flatnonzero(np.arange(N_TEST) < self.duplicated * N_TEST)
        own[1][:, copies] = np.sqrt(0.9) * own[0][:, copies] + np.sqrt(0.1) * own[1][:, copies]
        of[1][copies] = of[0][copies]
        luck = [quality[:, q] + np.sqrt(1 - self.shared) * e for q, e in zip(of, own, strict=True)]
        # with i in, any other example is in a little less often: of n − 1, m − 1 and not m
        others = (effects.sum(axis=0) - effects) / (N - 1)
        train_correct = luck[0] < np.where(subset, ndtri(inside), ndtri(out))
        return World(subset, train_correct, luck[1] < ndtri(probability), effects - others)


_NULL = Setting(planted=(), shared=0.6, memorized=0)
NULLS: dict[str, Setting] = {
    "no memorization": replace(_NULL, others=0.0),
    "hardly any memorization": _NULL,
    "five qualities": replace(_NULL, qualities=5),
    "duplicated examples": replace(_NULL, duplicated=0.5),
    "duplicated examples, equal trials": replace(_NULL, duplicated=0.5, shared=0.0),
    "memorization without influence": replace(_NULL, memorized=0.3),
    "memorization without influence, duplicated examples": replace(
        _NULL, memorized=0.3, duplicated=0.5
    ),
}
"""Trials in which nothing has any influence."""


@dataclass(frozen=True)
class Measured:
    """A mean over replications, and its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, values: list[float]) -> "Measured":
        return cls(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))

    def is_at_most(self, nominal: float) -> bool:
        """Not more than simulation error above it."""
        return self.mean - 3 * self.error <= nominal

    def is_above(self, nominal: float) -> bool:
        return self.mean - 3 * self.error > nominal


def share(of: NDArray[np.bool_]) -> float:
    """Of none, none."""
    return float(of.mean()) if len(of) else 0.0


def false_discoveries(
    setting: Setting, found_in: Callable[[World], Pairs], replications: int = REPLICATIONS
) -> tuple[Measured, dict[float, float]]:
    """The false discovery rate, and for each planted size the share that is found."""
    false, powers = [], []
    for world in setting.worlds(replications):
        found = found_in(world)
        true = world.influence[found.train_index, found.test_index]
        false.append(share(true <= 0))
        planted = {size: abs(world.influence - size) < 0.05 for size in setting.planted}
        powers.append(
            [
                is_it[found.train_index, found.test_index].sum() / is_it.sum()
                for is_it in planted.values()
            ]
        )
    return Measured.of(false), dict(zip(setting.planted, np.mean(powers, axis=0), strict=True))
