"""The bound on ε against exact enumeration, and against audits of mechanisms whose ε is known."""

from fractions import Fraction
from math import comb, exp, log

import numpy as np
import pytest
from scipy.stats import beta

from memtail_core.estimation.canaries import guess_coins, guess_pairs, pairs
from memtail_core.estimation.epsilon import epsilon_bound, p_value
from tests.estimation.audits import coin_audits, pair_audits


def enumerated(m: int, r: int, v: int, rate: Fraction, delta: Fraction) -> Fraction:
    """β + 2 m δ α by rational numbers: all ways in which r guesses can come out."""
    chance = [comb(r, k) * rate**k * (1 - rate) ** (r - k) for k in range(r + 1)]
    alpha = max((sum(chance[max(0, v - i) : v]) / Fraction(i) for i in range(1, m + 1)), default=0)
    return min(Fraction(1), sum(chance[v:]) + 2 * m * delta * alpha)


@pytest.mark.parametrize("delta", [Fraction(0), Fraction(1, 1000), Fraction(1, 10)])
@pytest.mark.parametrize(
    ("m", "r", "v"), [(1, 1, 1), (9, 6, 5), (12, 12, 12), (30, 20, 3), (8, 8, 0)]
)
def test_the_probability_is_that_of_enumeration(m: int, r: int, v: int, delta: Fraction) -> None:
    for odds in (Fraction(1), Fraction(3), Fraction(20)):  # e^ε
        expected = enumerated(m, r, v, odds / (1 + odds), delta)
        found = p_value(m, r, v, log(odds), float(delta))
        assert found == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(("r", "v"), [(10, 10), (100, 95), (300, 200), (5000, 5000)])
def test_without_delta_it_is_a_lower_bound_on_a_proportion(r: int, v: int) -> None:
    """Clopper & Pearson's, one-sided: e^ε / (1 + e^ε) of the bound."""
    low = beta.ppf(0.05, v, r - v + 1)
    assert epsilon_bound(2 * r, r, v) == pytest.approx(log(low / (1 - low)), abs=1e-8)


def test_delta_and_more_canaries_only_weaken_the_bound() -> None:
    bounds = [epsilon_bound(1000, 100, 98, delta) for delta in (0, 1e-6, 1e-5, 1e-4, 1e-2)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[-1] == 0
    assert epsilon_bound(10_000, 100, 98, 1e-5) < epsilon_bound(100, 100, 98, 1e-5)


def test_replacing_is_removing_and_adding() -> None:
    """Without δ the bound is half; with it, δ grows as group privacy says."""
    of_replacing = epsilon_bound(1000, 300, 299)
    assert epsilon_bound(1000, 300, 299, is_replaced=True) == pytest.approx(of_replacing / 2)
    bound = epsilon_bound(1000, 300, 299, 1e-5, is_replaced=True)
    assert bound < epsilon_bound(1000, 300, 299, 1e-5) / 2
    assert p_value(1000, 300, 299, 2 * bound, (1 + exp(bound)) * 1e-5) == pytest.approx(0.05)


def test_nothing_is_shown_by_luck() -> None:
    assert epsilon_bound(100, 100, 55) == 0
    assert epsilon_bound(0, 0, 0) == 0
    assert epsilon_bound(10, 4, 4) == 0, "1 in 16 comes of guessing"


@pytest.mark.parametrize("given", [(5, 6, 1), (5, 4, 5), (5, 4, -1)])
def test_counts_that_cannot_be_are_refused(given: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="guesses on"):
        p_value(*given, 1.0)
    with pytest.raises(ValueError, match="δ"):
        p_value(5, 4, 3, 1.0, 2.0)


@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_randomized_response_is_hardly_ever_called_less_private(epsilon: float) -> None:
    """At most 5% of audits of coins kept with probability e^ε / (1 + e^ε) exceed ε."""
    bounds = coin_audits(epsilon, 1000)
    assert np.mean(bounds > epsilon) <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5
    if epsilon:
        assert np.mean(bounds) > 0.6 * epsilon, "and the bound says something"


def test_delta_is_paid_for() -> None:
    """A mechanism that gives everything away with probability δ is (0, δ)-private."""
    bounds = coin_audits(0.0, 1000, delta=0.03)
    assert np.mean(bounds > 0) <= 0.05
    ignoring = coin_audits(0.0, 1000, delta=0.03, said_delta=0.0)
    assert np.mean(ignoring > 0) > 0.06, "which the bound would not survive without δ"


@pytest.mark.parametrize("ratio", [0.5, 0.7])
def test_pairs_of_a_subset_are_fair_coins(ratio: float) -> None:
    """Members told by randomized response with ε each: replacing one costs 2 ε."""
    bounds = pair_audits(1.0, ratio, 600)
    assert np.mean(bounds > 2.0) <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5
    assert np.mean(bounds) > 1.2
    nothing = pair_audits(0.0, ratio, 600)
    assert np.mean(nothing > 0) <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5


def test_single_examples_of_a_subset_are_no_fair_coins() -> None:
    """Of a subset of 70%, who says 'in' of everything is right too often, without any leak."""
    is_member = np.arange(1000) < 700
    guesses = guess_coins(np.ones(1000), is_member, 1.0)
    assert guesses.bound(0.0) > 0.5
    paired = pairs(np.zeros(1000))
    guesses = guess_pairs(np.ones(1000), np.random.default_rng(0).permuted(is_member), paired, 1.0)
    assert guesses.bound(0.0) == 0


def test_pairs_share_no_example_and_the_most_exposed_come_first() -> None:
    exposure = np.array([0.1, 3.0, -1.0, 2.0, 0.0])
    assert pairs(exposure).tolist() == [[1, 3], [0, 4]]


def test_the_clearest_guesses_are_made() -> None:
    scores = np.array([5.0, 0.0, 1.0, 0.5, 0.0, 9.0])
    members = np.array([True, False, False, True, True, True])
    paired = np.array([[0, 1], [2, 3], [4, 5]])  # split, split, not split
    one = guess_pairs(scores, members, paired, 0.5)
    assert (one.canaries, one.made, one.correct) == (2, 1, 1)
    both = guess_pairs(scores, members, paired, 1.0)
    assert (both.canaries, both.made, both.correct) == (2, 2, 1)
    assert exp(epsilon_bound(2, 2, 2)) == 1
