"""Curves from a histogram, against scikit-learn's from sorted scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

from memtail_core.estimation.roc import Histogram, Roc, auc_interval, auc_of_columns, keys

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def made(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Scores of as many bits as a margin is kept with, some of them tied."""
    rng = np.random.default_rng(0)
    is_member = rng.random(n) < 0.6
    scores = rng.normal(is_member * 1.0, 1).astype(np.float16).astype(np.float32)
    return scores, is_member


def roc_of(scores: np.ndarray, is_member: np.ndarray) -> Roc:
    histogram = Histogram()
    for part in np.array_split(np.arange(len(scores)), 3):
        histogram.add(scores[part], is_member[part])
    return histogram.roc()


def test_the_curve_is_that_of_scikit_learn() -> None:
    scores, is_member = made()
    found = roc_of(scores, is_member)
    fpr, tpr, _ = roc_curve(is_member, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.fpr, fpr[1:], rtol=1e-12)
    np.testing.assert_allclose(found.tpr, tpr[1:], rtol=1e-12)
    assert found.auc == pytest.approx(roc_auc_score(is_member, scores), abs=1e-12)
    assert (found.n_members, found.n_others) == (is_member.sum(), (~is_member).sum())
    best = max(balanced_accuracy_score(is_member, scores >= t) for t in np.unique(scores)[::20])
    assert best <= found.balanced_accuracy + 1e-12
    assert found.balanced_accuracy == pytest.approx(best, abs=0.003)


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2])
def test_a_rate_is_never_exceeded_and_as_well_used_as_can_be(rate: float) -> None:
    scores, is_member = made()
    found = roc_of(scores, is_member)
    tpr, threshold = found.at(rate)
    called = keys(scores) >= threshold
    assert called[~is_member].mean() <= rate
    assert called[is_member].mean() == pytest.approx(tpr)
    better = [t for t in np.unique(scores) if (scores >= t)[~is_member].mean() <= rate]
    assert tpr == max((scores >= t)[is_member].mean() for t in better)


def test_nobody_is_called_a_member_where_the_highest_scores_are_others() -> None:
    found = roc_of(np.array([3.0, 2.0, 1.0], np.float32), np.array([False, True, True]))
    tpr, threshold = found.at(0.01)
    assert tpr == 0
    assert (keys(np.array([3.0, 3e38], np.float32)) < threshold).all()


@given(st.lists(FLOATS, min_size=2, max_size=50))
def test_bins_are_in_the_order_of_scores(values: list[float]) -> None:
    scores = np.sort(np.array(values, np.float32))
    found = keys(scores)
    assert (np.diff(found) >= 0).all()
    far = np.diff(scores.astype(np.float64)) > 0.002 * np.abs(scores[1:].astype(np.float64))
    far &= np.abs(scores[1:]) > 1e-37
    far &= np.abs(scores[:-1]) > 1e-37
    apart = far & (np.sign(scores[1:]) == np.sign(scores[:-1])) & (scores[1:] > 0)
    assert (np.diff(found)[apart] > 0).all()


def test_the_slope_is_the_curves() -> None:
    """Of t = √f it is 1 / (2 √f)."""
    fpr = np.linspace(0.0001, 1, 10_000)
    threshold = np.arange(10_000, 0, -1, dtype=np.int32)
    found = Roc(threshold, fpr, np.sqrt(fpr), 10, 10)
    assert found.slope(0.01) == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize("apart", [0.0, 1.0, 3.0])
def test_the_interval_of_an_area_covers(apart: float) -> None:
    rng, covered = np.random.default_rng(4), []
    truth = float(norm.cdf(apart / 2**0.5))
    is_member = np.arange(220) < 20
    for _ in range(300):
        area = auc_of_columns(rng.normal(size=(220, 1)) + apart * is_member[:, None],
                              is_member[:, None])  # fmt: skip
        low, high = auc_interval(float(area[0]), 20, 200)
        covered.append(low <= truth <= high)
    assert np.mean(covered) >= 0.92


def test_an_area_of_1_has_an_interval_too() -> None:
    low, high = auc_interval(1.0, 20, 280)
    assert high == 1
    assert 0.9 < low < 0.97
    assert auc_interval(0.0, 20, 280) == pytest.approx((0, 1 - low))
