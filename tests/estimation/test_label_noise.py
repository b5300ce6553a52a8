"""The share of wrong labels and how likely each is, where the truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from memtail_core.estimation.label_noise import label_noise


def world(rate: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from known probabilities of 10 classes, a share replaced at random."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(10, 0.05), n)
    right = (probabilities.cumsum(1) > rng.random((n, 1))).argmax(1)
    is_wrong = rng.random(n) < rate
    label = np.where(is_wrong, (right + rng.integers(1, 10, n)) % 10, right)
    return probabilities[np.arange(n), label], is_wrong


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_the_share_of_wrong_labels_is_found(rate: float) -> None:
    found = [label_noise(world(rate, 5000, seed)[0], 10).rate for seed in range(10)]
    assert np.mean(found) == pytest.approx(rate, rel=0.15, abs=0.003)


def test_probabilities_are_calibrated() -> None:
    given_label, is_wrong = world(0.1, 60_000, 1)
    found = label_noise(given_label, 10).probability
    for low, high in ((0.02, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 0.97), (0.97, 1.01)):
        some = (found >= low) & (found < high)
        assert some.sum() > 50
        assert is_wrong[some].mean() == pytest.approx(found[some].mean(), abs=0.07)


@settings(max_examples=50, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(1e-6, 1 - 1e-6)),
    st.integers(2, 20),
)
def test_no_other_share_makes_the_labels_likelier(p: np.ndarray, n_classes: int) -> None:
    def likelihood(rate: float) -> float:
        return float(np.log((1 - rate) * p + rate * (1 - p) / (n_classes - 1)).sum())

    found = label_noise(p, n_classes)
    assert 0 <= found.rate <= 1
    best = max(likelihood(rate) for rate in np.linspace(0.001, 0.999, 400))
    assert likelihood(min(max(found.rate, 1e-12), 1 - 1e-12)) >= best - 1e-2


def test_an_impossible_label_is_wrong_and_a_certain_one_right() -> None:
    found = label_noise(np.array([0.0, *np.full(99, 1.0)]), 5)
    assert found.probability[0] == 1
    assert (found.probability[1:] == 0).all()
    assert found.rate == pytest.approx(0.01, abs=1e-4)


def test_examples_that_nobody_can_judge_stay_out_and_have_no_probability() -> None:
    judged = np.array([0.9, 0.99, 0.001, 0.8])
    with_one_more = label_noise(np.append(judged, np.nan), 4)
    assert with_one_more.rate == label_noise(judged, 4).rate
    assert np.isnan(with_one_more.probability[-1])
    assert label_noise(np.array([np.nan]), 4).rate == 0
