"""How likely labels are wrong, by networks and a kernel machine, where the truth is known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from memtail_core.estimation import mislabeling as module
from memtail_core.estimation.mislabeling import mislabeling
from tests.estimation.doubtful_labels import World


@pytest.fixture(autouse=True)
def _few_bootstrap_samples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are tested where they are asked for."""
    if "interval" not in request.node.name:
        monkeypatch.setattr(module, "_RESAMPLED", 2)


def rates(said: NDArray[np.bool_], is_wrong: NDArray[np.bool_]) -> tuple[float, float]:
    return float(is_wrong[said].mean()), float(said[is_wrong].mean())


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_the_share_of_wrong_labels_is_found(rate: float) -> None:
    found = [World(rate, seed=seed).found().rate for seed in range(2)]
    assert np.mean(found) == pytest.approx(rate, rel=0.25)


def test_probabilities_are_calibrated() -> None:
    world = World(0.1, 10_000)
    found = world.found().probability
    for low, high in ((0.05, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.97), (0.97, 1.01)):
        some = (found >= low) & (found < high)
        assert some.sum() > 30
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
    few, many = World(0.05), World(0.05)
    few.draw(5)
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
