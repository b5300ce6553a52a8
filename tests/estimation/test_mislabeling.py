"""How likely labels are wrong, by networks and a kernel machine, where the truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from memtail_core.estimation.label_noise import LabelNoise
from memtail_core.estimation.mislabeling import mislabeling

CLASSES = 5


class World:
    """Labels of which a share is replaced at random, and two machines that see the inputs.

    How hard an example is decides on both: they err together, as networks and kernel machines do.
    """

    def __init__(self, rate: float, n: int = 4000, judges: int = 30, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.right = rng.integers(CLASSES, size=n)
        truth = np.eye(CLASSES)[self.right]
        ease = rng.gamma(2.0, 2.0, n)[:, None]
        seen = ease * truth + rng.normal(size=(n, CLASSES))
        self.is_wrong = rng.random(n) < rate
        moved = (self.right + rng.integers(1, CLASSES, n)) % CLASSES
        self.labels = np.where(self.is_wrong, moved, self.right)
        of_networks = softmax(seen + 0.7 * rng.normal(size=(n, CLASSES)), axis=1)
        self.p = of_networks[np.arange(n), self.labels]
        self.judges = np.full(n, judges)
        self.scores = np.tanh((seen + 0.7 * rng.normal(size=(n, CLASSES))) / 4)

    def found(self, seed: int = 0) -> LabelNoise:
        return mislabeling(self.p, self.judges, self.scores, self.labels, seed)


def rates(said: NDArray[np.bool_], is_wrong: NDArray[np.bool_]) -> tuple[float, float]:
    return float(is_wrong[said].mean()), float(said[is_wrong].mean())


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_the_share_of_wrong_labels_is_found(rate: float) -> None:
    found = [World(rate, seed=seed).found().rate for seed in range(3)]
    assert np.mean(found) == pytest.approx(rate, rel=0.25)


def test_probabilities_are_calibrated() -> None:
    world = World(0.1, 20_000)
    found = world.found().probability
    for low, high in ((0.05, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.97), (0.97, 1.01)):
        some = (found >= low) & (found < high)
        assert some.sum() > 50
        assert world.is_wrong[some].mean() == pytest.approx(found[some].mean(), abs=0.1)


def test_the_second_witness_tells_more_than_networks_alone() -> None:
    world = World(0.05, 8000)
    both = world.found()
    blind = mislabeling(world.p, world.judges, np.zeros_like(world.scores), world.labels)

    def area(probability: NDArray[np.float64]) -> float:
        order = np.argsort(-probability)
        return float(np.cumsum(world.is_wrong[order])[: world.is_wrong.sum()].mean())

    assert area(both.probability) > 1.02 * area(blind.probability)
    precision, recall = rates(both.probability >= 0.5, world.is_wrong)
    assert precision > 0.85
    assert recall > 0.6


def test_intervals_hold_what_more_networks_would_say() -> None:
    few, many = World(0.05, judges=5), World(0.05, judges=5)
    rng = np.random.default_rng(9)
    few.p = rng.beta(5 * many.p + 1e-2, 5 * (1 - many.p) + 1e-2)
    found = few.found()
    said = many.found().probability
    doubtful = found.high > 0.05
    holds = (found.low <= said) & (said <= found.high)
    assert holds[doubtful].mean() > 0.85
    assert (found.low <= found.probability).all()
    assert (found.probability <= found.high).all()
    sure = World(0.05, judges=10_000).found()
    assert (sure.high - sure.low).mean() < (found.high - found.low).mean()


def test_examples_that_nobody_can_judge_have_no_probability() -> None:
    world = World(0.05, 500)
    world.p[3] = np.nan
    found = world.found()
    assert np.isnan([found.probability[3], found.low[3], found.high[3]]).all()
    assert not np.isnan(np.delete(found.probability, 3)).any()
    assert (world.found().probability[4:] == found.probability[4:]).all(), "the same bits again"
    world.p[:] = np.nan
    assert world.found().rate == 0


def test_right_labels_are_left_alone() -> None:
    found = World(0.0).found()
    assert found.rate < 0.01
    assert (found.probability >= 0.5).mean() < 0.005
