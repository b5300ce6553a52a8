"""Influence that grows faster or slower than its prior is found to, and strong pairs are right."""

import numpy as np
import pytest

from memtail_core.estimation.combined import CombinedInfluence, combined_influence
from memtail_core.estimation.combined.power import Power
from memtail_core.estimation.combined.prior import Prior
from tests.estimation.combined.worlds import World, world


def bent(p: float, t: int, seed: int = 0) -> World:
    """A world whose influence is its prior's direction to a power."""
    plain = world(t, stray=0.0, seed=seed)
    size = np.abs(plain.direction) / np.sqrt((plain.direction**2).mean())
    influence = 0.2 * np.sign(plain.direction) * size**p
    rng = np.random.default_rng([seed, t, 1])
    outcome = plain.inside @ influence + rng.normal(size=plain.outcome.shape)
    return World(plain.inside, outcome, influence, plain.direction)


def error_of_strong(some: World, found: CombinedInfluence) -> float:
    """The root mean squared error of the pairs estimated highest, in units of what they are."""
    mean, _ = some.every(found)
    strong = mean > np.quantile(mean, 0.995)
    apart = mean[strong] - some.influence[strong]
    return float(np.sqrt(np.square(apart).mean()) / some.influence[strong].mean())


@pytest.mark.parametrize("p", [0.8, 1.0, 1.2, 1.4])
def test_the_power_of_a_world_is_found(p: float) -> None:
    for seed in range(3):
        assert bent(p, 100, seed).combined().power.p == pytest.approx(p, abs=0.11)


def test_strong_pairs_are_nearer_to_what_they_are() -> None:
    for seed in range(4):
        some = bent(1.4, 60, seed)
        assert error_of_strong(some, some.combined()) < 0.5 * error_of_strong(some, _linear(some))


def _linear(some: World) -> CombinedInfluence:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Power, "fitted", lambda *_: Power(1.0, 1.0))
        return some.combined()


def test_a_power_has_no_unit_and_keeps_signs() -> None:
    g = np.array([[-4.0, 0.0, 1.0, 3.0]], np.float32)
    at = Power(1.5, 2.0).of(g)
    np.testing.assert_allclose(at, [[-(2.0**1.5), 0.0, 0.5**1.5, 1.5**1.5]], rtol=1e-6)
    np.testing.assert_allclose(Power(1.5, 2e-12).of(1e-12 * g), at, rtol=1e-5)
    np.testing.assert_allclose(Power(1.0, 2.0).of(g), g / 2)


def test_the_doubt_of_a_power_is_what_another_power_changes() -> None:
    g = np.array([[-4.0, 0.5, 1.0, 30.0]], np.float32)
    one, other = Power(1.2, 2.0, error=0.01, centre=0.3), Power(1.21, 2.0)
    changed = other.of(g) / one.of(g) / np.exp(0.3 * 0.01) - 1
    np.testing.assert_allclose(one.doubt(one.of(g)), changed, atol=1e-3)
    assert Power(1.2, 2.0, error=0.1).doubt(np.zeros((1, 1), np.float32)).shape == (1, 1)


def test_trials_that_say_nothing_leave_the_prior_as_it_is() -> None:
    """Of all powers that are as good, the one nearest to 1: here all are."""
    some = world(8, signal=0.0)
    flat = np.zeros_like(some.direction)
    prior: Prior = lambda train, test: flat[np.ix_(train, test)].astype(np.float32)  # noqa: E731
    assert combined_influence(some.inside, some.outcome, prior).power.p == 1
