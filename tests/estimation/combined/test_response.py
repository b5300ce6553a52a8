"""From margins to accuracy: against counting in simulated worlds."""

import numpy as np
import pytest
from scipy.stats import norm

from memtail_core.estimation.combined import Response, combined_influence, discoveries
from memtail_core.estimation.influence.families import Family


def test_it_is_the_difference_of_two_normal_probabilities() -> None:
    response = Response(np.array([0.5, -1.0]), np.array([2.0, 0.5]), share=0.7, trials=40)
    moved = np.array([[0.0, 0.3], [-1.0, 2.0]])
    for i, z in np.ndindex(2, 2):
        variance = response.spread[z] ** 2
        rest = max(variance - 0.21 * moved[i, z] ** 2, variance / 4)
        at = norm(response.mean[z], np.sqrt(rest))
        by_hand = at.sf(-0.3 * moved[i, z]) - at.sf(0.7 * moved[i, z])
        found = response.influence(moved, np.array([0, 1]))[i, z]
        assert found == pytest.approx(by_hand, abs=1e-12)


def test_it_is_what_counting_converges_to() -> None:
    """Half a million trials of one test example, and one training example that moves it by 1.5."""
    rng = np.random.default_rng(0)
    inside = rng.random(500_000) < 0.7
    margin = rng.normal(0.4, 1.1, len(inside)) + 1.5 * (inside - 0.7)
    correct = margin > 0
    counted = correct[inside].mean() - correct[~inside].mean()
    response = Response.of(margin[:, None], share=0.7)
    assert response.influence(np.array([1.5]), np.array([0]))[0] == pytest.approx(
        counted, abs=0.003
    )


def test_signs_stay_and_more_is_more() -> None:
    response = Response(np.zeros(1), np.ones(1), share=0.5, trials=20)
    moved = np.linspace(-3, 3, 101)
    found = response.influence(moved, np.zeros(101, np.int64))
    assert (np.diff(found) > 0).all()
    assert (np.sign(found) == np.sign(np.round(moved, 9))).all()
    low, high = response.interval(moved, (moved - 0.1, moved + 0.1), np.zeros(101, np.int64))
    assert (low <= found).all()
    assert (found <= high).all()
    assert (low[moved > 0.11] >= 0).all()
    assert (high[moved < -0.11] <= 0).all()


def test_an_interval_is_that_of_margins_at_the_estimates_spread() -> None:
    """Far from 0 the difference would fall again with a spread of each end's own."""
    response = Response(np.array([3.0]), np.array([1.0]), share=0.7, trials=10**9)
    (low,), (high,) = response.interval(
        np.array([1.5]), (np.array([1.0]), np.array([2.0])), np.array([0])
    )
    at = norm(3, np.sqrt(1 - 0.21 * 1.5**2))
    by_hand = [at.sf(-0.3 * u) - at.sf(0.7 * u) for u in (1.0, 1.5, 2.0)]
    assert (low, high) == pytest.approx((by_hand[0], by_hand[2]), abs=1e-6)
    assert response.influence(np.array([1.5]), np.array([0])) == pytest.approx(by_hand[1])
    assert by_hand == sorted(by_hand)


def test_margins_that_never_change_give_numbers() -> None:
    response = Response.of(np.full((20, 3), 4.0), share=0.5)
    found = response.influence(np.array([[0.5, -2.0, 9.0]]), np.arange(3))
    np.testing.assert_allclose(found[0, :2], 0, atol=1e-9)
    assert found[0, 2] == pytest.approx(1)  # moved by 9, it crosses 0 for sure


@pytest.mark.parametrize("t", [30, 100])
def test_intervals_on_accuracy_cover_and_estimates_are_as_large_as_the_truth(t: int) -> None:
    """The truth is counted in 20,000 more trials; influence is 0.1 and more for one in 25 pairs."""
    rng = np.random.default_rng(t)
    n, n_test = 80, 60
    direction = rng.gamma(0.5, 2.0, (n, 1)) * rng.standard_t(4, (n, n_test))
    moved = 0.15 * (direction + 0.3 * rng.normal(size=(n, n_test)) * np.abs(direction))
    constant = rng.normal(0.5, 1, n_test)

    def trials(number: int) -> tuple[np.ndarray, np.ndarray]:
        inside = rng.random((number, n)) < 0.5
        noise = rng.normal(size=(number, n_test))
        return inside, (inside - 0.5) @ moved + constant + noise

    inside, margin = trials(t)
    combined = combined_influence(
        inside, margin, lambda i, z: direction[np.ix_(i, z)].astype(np.float32)
    )
    everyone = Family.of(np.arange(n), np.arange(n_test))
    found = discoveries(combined, everyone, 0.0, response=Response.of(margin, 0.5))
    many, of_many = trials(20_000)
    right = (of_many > 0).astype(np.float32)
    weight = many / many.sum(0) - ~many / (~many).sum(0)
    truth = (weight.T.astype(np.float32) @ right)[found.train, found.test]
    holds = (found.ci_low - 0.01 <= truth) & (truth <= found.ci_high + 0.01)
    assert holds.mean() >= 0.95
    strong = found.influence >= 0.1
    assert strong.sum() > 50
    assert holds[strong].mean() >= 0.9
    assert found.influence[strong].mean() == pytest.approx(truth[strong].mean(), rel=0.12)
