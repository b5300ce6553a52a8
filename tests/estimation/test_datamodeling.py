"""The linear datamodeling score against scipy, in worlds where the right answer is known."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from memtail_core.estimation.datamodeling import datamodeling_score
from memtail_core.estimation.noise_ceiling import ceiling

Floats = NDArray[np.float64]


@pytest.mark.parametrize("has_ties", [False, True])
def test_it_is_spearmans_correlation(has_ties: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 300))
    y = x + rng.normal(size=x.shape)
    if has_ties:
        x, y = x.round(), (y > 0).astype(np.float32)
    rho = datamodeling_score(x, y).rho
    expected = [spearmanr(x[:, z], y[:, z]).statistic for z in range(300)]
    np.testing.assert_allclose(rho, expected, atol=1e-12)


@pytest.mark.parametrize("has_ties", [False, True])
def test_what_a_model_adds_is_what_is_lost_without_it(has_ties: bool) -> None:
    """The influence function is the jackknife's, to the order of 1/m."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 3))
    y = (x + rng.normal(size=x.shape) > 0) if has_ties else x + rng.normal(size=x.shape)
    whole = datamodeling_score(x, y)
    lost = [
        79 * (whole.rho - datamodeling_score(np.delete(x, j, 0), np.delete(y, j, 0)).rho)
        for j in range(80)
    ]
    assert np.corrcoef(whole.added.ravel(), np.ravel(lost))[0, 1] > 0.999
    np.testing.assert_allclose(whole.added.std(), np.std(lost), rtol=0.05)
    np.testing.assert_allclose(whole.added.sum(axis=0), 0, atol=1e-4)


def test_models_drawn_together_are_one_observation() -> None:
    """Each model twice: the same score, and the interval of half as many models."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(2, 50, 40))
    once = datamodeling_score(x, y).mean()
    twice = datamodeling_score(np.r_[x, x], np.r_[y, y], np.r_[0:50, 0:50]).mean()
    naive = datamodeling_score(np.r_[x, x], np.r_[y, y]).mean()
    assert once is not None and twice is not None and naive is not None
    assert twice.value == pytest.approx(once.value, abs=1e-3)
    assert twice.high - twice.low == pytest.approx(once.high - once.low, rel=0.03)
    assert naive.high - naive.low < 0.9 * (twice.high - twice.low)


def test_what_cannot_be_ranked() -> None:
    """The same outcome everywhere: no score. The same prediction everywhere: 0, it says nothing."""
    y = np.array([[0, 1, 0], [0, 2, 1], [0, 3, 0], [0, 4, 1]])
    x = np.array([[1, 5, 5], [2, 5, 6], [3, 5, 5], [4, 5, 6]])
    score = datamodeling_score(x, y)
    np.testing.assert_array_equal(score.rho, [np.nan, 0, 1])
    mean = score.mean()
    assert mean is not None
    assert (mean.value, mean.examples) == (0.5, 2)
    assert score.mean(np.array([True, False, False])) is None


def test_numbers_that_are_none_are_refused() -> None:
    y = np.zeros((4, 2))
    with pytest.raises(ValueError, match="not finite"):
        datamodeling_score(np.full((4, 2), np.inf), y)
    with pytest.raises(ValueError, match="one shape"):
        datamodeling_score(np.zeros((4, 3)), y)
    with pytest.raises(ValueError, match="at least 3"):
        datamodeling_score(np.zeros((2, 2)), np.zeros((2, 2)))


class LinearWorld:
    """Outcomes that are sums over the subset, plus noise; scores that are the weights, plus errors.

    Inclusion is a fair coin, so the correlation of both sums is known:
    r = Σθτ / √(Σθ² + 4σ²) / √Στ², and Spearman's is 6/π asin(r/2) for the many summands here.
    """

    def __init__(self, n_test: int, rng: np.random.Generator, n: int = 150) -> None:
        self.weight = rng.normal(size=(n, n_test)) * rng.gamma(2, 0.5, (n, 1))
        noise = np.linalg.norm(self.weight, axis=0) / 2
        self.sigma = noise * rng.uniform(0.3, 2, n_test)
        self.scores = self.weight + rng.normal(size=self.weight.shape) * rng.uniform(0, 2, n_test)

    def truth(self, scores: Floats) -> float:
        """The mean score over models without number."""
        of_outcome = np.sqrt((self.weight**2).sum(axis=0) + 4 * self.sigma**2)
        of_scores = np.sqrt((scores**2).sum(axis=0))
        r = (self.weight * scores).sum(axis=0) / of_outcome / of_scores
        return float((6 / np.pi * np.arcsin(r / 2)).mean())

    def outcomes(self, inside: NDArray[Any], rng: np.random.Generator) -> Floats:
        """Train, as it were."""
        noise = rng.normal(size=(len(inside), len(self.sigma))) * self.sigma
        return np.asarray(inside.astype(float) @ self.weight + noise)


def test_the_intervals_of_a_score_and_of_a_lead_cover() -> None:
    """Measured once over 2,000 worlds: 96.5% of the scores, and 96.9% of the leads."""
    rng = np.random.default_rng(3)
    population = LinearWorld(4_000, rng)
    truth = population.truth(population.scores)
    lead = population.truth(population.weight) - truth
    covered, widths = [], []
    for _ in range(250):
        world = LinearWorld(30, rng)
        inside = (rng.random((60, len(world.weight))) < 0.5).astype(float)
        outcome = world.outcomes(inside, rng)
        score, best = (
            datamodeling_score(inside @ scores, outcome) for scores in (world.scores, world.weight)
        )
        of_score, of_lead = score.mean(), best.lead_over(score).mean()
        assert of_score is not None and of_lead is not None
        covered.append(
            (of_score.low <= truth <= of_score.high, of_lead.low <= lead <= of_lead.high)
        )
        widths.append((of_score.high - of_score.low, of_lead.high - of_lead.low))
    assert (np.mean(covered, axis=0) >= 0.93).all()
    assert (np.mean(covered, axis=0) <= 0.995).all()
    assert (np.mean(widths, axis=0) < 0.3).all()


def test_a_random_score_gets_0_and_the_truth_of_a_linear_world_the_ceiling() -> None:
    rng = np.random.default_rng(4)
    world = LinearWorld(300, rng)
    inside = rng.random((300, len(world.weight))) < 0.5
    outcome = world.outcomes(inside, rng)
    chance = datamodeling_score(inside @ rng.normal(size=world.weight.shape), outcome).mean()
    best = datamodeling_score(inside @ world.weight, outcome).mean()
    rows = np.arange(0, 300, 3)
    top = ceiling(outcome, rows, world.outcomes(inside[rows], rng))
    assert chance is not None and best is not None and top is not None
    assert chance.low < 0 < chance.high
    assert abs(chance.value) < 0.03
    assert top.low <= best.value <= top.high
    assert top.high - top.low < 0.1
    assert top.value == pytest.approx(best.value, abs=0.015)


def test_the_ceiling_is_right_where_it_is_known() -> None:
    """Var E[u|S] / Var u of ranks u is 6/π asin(r²/2) for normal outcomes; noise alone has 0."""
    rng = np.random.default_rng(5)
    signal, r2 = rng.normal(size=(400, 500)), 0.6
    first, second = (
        np.sqrt(r2) * signal + np.sqrt(1 - r2) * rng.normal(size=signal.shape) for _ in range(2)
    )
    top = ceiling(first, np.arange(200), second[:200])
    assert top is not None
    assert top.value == pytest.approx(np.sqrt(6 / np.pi * np.arcsin(r2 / 2)), abs=0.02)
    noise = ceiling(rng.normal(size=(400, 500)), np.arange(200), signal[:200])
    assert noise is not None
    assert noise.low == 0
    assert noise.value < 0.1
    assert ceiling(np.ones((5, 2)), np.arange(3), np.ones((3, 2))) is None


def test_the_interval_of_the_share_of_the_ceiling_covers() -> None:
    """Measured once over 200 worlds: 99.5% of the shares, and 97% of the ceilings."""
    rng = np.random.default_rng(6)
    population = LinearWorld(4_000, rng)
    signal = (population.weight**2).sum(axis=0)
    r2 = signal / (signal + 4 * population.sigma**2)
    top = float(np.sqrt(6 / np.pi * np.arcsin(r2 / 2)).mean())
    truth = population.truth(population.scores) / top
    covered, widths = [], []
    for _ in range(80):
        world = LinearWorld(30, rng)
        inside = (rng.random((60, len(world.weight))) < 0.5).astype(float)
        outcome, rows = world.outcomes(inside, rng), np.sort(rng.permutation(60)[:20])
        best = ceiling(outcome, rows, world.outcomes(inside[rows], rng))
        assert best is not None
        share = best.share(datamodeling_score(inside @ world.scores, outcome))
        assert share is not None and share.low is not None and share.high is not None
        covered.append((share.low <= truth <= share.high, best.low <= top <= best.high))
        widths.append(share.high - share.low)
    assert (np.mean(covered, axis=0) >= 0.93).all()
    assert np.mean(widths) < 0.4


def test_the_share_of_a_ceiling_that_may_be_0_has_no_end() -> None:
    outcome = np.random.default_rng(7).normal(size=(40, 20))
    score, same = datamodeling_score(outcome, outcome), ceiling(outcome, np.arange(40), outcome)
    assert same is not None
    exact = same.share(score)
    assert exact is not None and exact.low is not None and exact.high is not None
    assert exact.low < 1 < exact.high
    assert exact.high - exact.low < 0.1
    unknown = replace(same, variance=1.0).share(score)
    assert unknown is not None
    assert (unknown.value, unknown.low, unknown.high) == (exact.value, None, None)
    assert replace(same, value=0.0).share(score) is None
