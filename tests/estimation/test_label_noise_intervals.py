"""Intervals of the probability that a label is wrong, where infinitely many models are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logit

from memtail_core.estimation.held_out_margins import HeldOutMargins
from memtail_core.estimation.label_noise import LabelNoise, label_noise
from memtail_core.estimation.label_noise_intervals import noise_rate, wrong_label_intervals
from tests.estimation.simulated_labels import CLASSES, GROUPS, Labels, held_out, missed


def some(trials: int, seed: int = 0) -> tuple[LabelNoise, np.ndarray, np.ndarray]:
    """Labels of which 8% are wrong, by models that each held 3 of 10 examples out."""
    rng = np.random.default_rng(seed)
    margin = Labels.random(rng, 0.08, 600).margins(rng, trials)
    judged = held_out(rng, trials, 600, round(0.3 * trials))
    p = np.where(judged, expit(margin), 0).sum(axis=0) / judged.sum(axis=0)
    return label_noise(p, CLASSES), margin, judged


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(1e-6, 1 - 1e-6)),
    st.integers(2, 20),
)
def test_bisection_finds_the_share_that_em_finds(p: np.ndarray, n_classes: int) -> None:
    def loss(rate: float) -> float:
        return -float(np.log((1 - rate) * p + rate * (1 - p) / (n_classes - 1)).sum())

    found = noise_rate(p, n_classes)
    assert (
        loss(min(max(found, 1e-12), 1 - 1e-12))
        <= loss(min(max(label_noise(p, n_classes).rate, 1e-12), 1 - 1e-12)) + 1e-6
    )


@pytest.mark.parametrize("trials", [20, 100])
def test_at_most_one_interval_in_twenty_misses(trials: int) -> None:
    found = [missed(seed, 0.08, trials) for seed in range(25)]
    for group in GROUPS:
        misses = np.array([each[group].mean() for each in found])
        assert misses.mean() - 3 * misses.std(ddof=1) / 5 <= 0.05
    assert np.mean([each["doubtful"].mean() for each in found]) > 0, "and they are not endless"


def test_intervals_hold_the_estimate_and_end_at_hundredths() -> None:
    noise, margin, judged = some(40)
    of = np.arange(600)
    low, high = wrong_label_intervals(noise, margin, judged, CLASSES, of)
    assert (low <= noise.probability).all()
    assert (noise.probability <= high).all()
    assert ((low >= 0) & (high <= 1)).all()
    for ends in (low, high):
        assert ends == pytest.approx(np.round(ends, 2), abs=1e-12)


def test_more_models_make_them_shorter() -> None:
    def width(trials: int) -> float:
        noise, margin, judged = some(trials)
        of = np.flatnonzero((noise.probability > 0.1) & (noise.probability < 0.9))
        low, high = wrong_label_intervals(noise, margin, judged, CLASSES, of)
        return float((high - low).mean())

    assert width(300) < 0.6 * width(30)


def test_each_example_is_judged_alike_in_any_order() -> None:
    noise, margin, judged = some(30)
    at = np.random.default_rng(1).permutation(600)
    of = np.arange(50)
    expected = wrong_label_intervals(noise, margin, judged, CLASSES, of)
    moved = LabelNoise(noise.rate, noise.probability[at])
    place = np.argsort(at)[of]
    found = wrong_label_intervals(moved, margin[:, at], judged[:, at], CLASSES, place)
    assert np.array(found) == pytest.approx(np.array(expected), abs=0.0101), "but for rounding"
    assert np.mean(np.array(found) == np.array(expected)) > 0.98


def test_labels_that_fewer_than_three_models_judge_have_none() -> None:
    noise, margin, judged = some(30)
    judged[:, 3] = False
    judged[:2, 3] = True
    judged[:, 4] = False
    low, high = wrong_label_intervals(noise, margin, judged, CLASSES, np.array([2, 3, 4]))
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, True]


def test_what_is_drawn_is_the_mean_probability_of_the_margins() -> None:
    """Of so many margins that nothing is left to chance: the mean of those of a skewed law."""
    rng = np.random.default_rng(0)
    mean = np.linspace(-5, 5, 30)
    luck = -(rng.gamma(20, size=(4000, 30)) - 20) / np.sqrt(20)
    margin = mean + 1.5 * luck
    fitted = HeldOutMargins.fit(margin, np.ones(margin.shape, np.bool_), np.arange(30))
    drawn = fitted.log_odds(np.full(1, 0.5), np.full(1, 0.5))[:, 0]
    assert drawn == pytest.approx(logit(expit(margin).mean(axis=0)), abs=0.06)
    assert fitted.skewness.mean() == pytest.approx(-2 / np.sqrt(20), abs=0.05)
