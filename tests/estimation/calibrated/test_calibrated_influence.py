"""Calibrated influence, where the truth is known: better with few trials, the same with many."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.special import ndtri
from sklearn.metrics import roc_auc_score

from memtail_core.estimation.calibrated import CalibratedPairs
from memtail_core.estimation.calibrated.mean_differences import differences, differences_of_bits
from tests.estimation.calibrated.planted_pairs import Planted, planted


@lru_cache
def of(n_trials: int, effect: float = 2.0) -> tuple[Planted, CalibratedPairs]:
    trials = planted(n_trials, effect)
    return trials, trials.estimate()


def area(trials: Planted, estimate: np.ndarray) -> float:
    """Under the ROC of pairs with an influence of 0.15."""
    return float(roc_auc_score(trials.truth >= 0.15, np.nan_to_num(estimate)))


def precision(trials: Planted, estimate: np.ndarray) -> float:
    """How many of as many highest have an influence of 0.15."""
    is_strong = trials.truth >= 0.15
    return float(is_strong[np.argsort(-estimate)[: is_strong.sum()]].mean())


def error(trials: Planted, estimate: np.ndarray) -> float:
    return float(np.sqrt(((np.nan_to_num(estimate) - trials.truth) ** 2).mean()))


@pytest.mark.parametrize("with_margins", [True, False])
@pytest.mark.slow
def test_it_finds_far_more_than_counting(with_margins: bool) -> None:
    trials, found = of(20)
    if not with_margins:
        found = trials.estimate(margin=None)
    assert 1 - area(trials, found.influence) < 0.3 * (1 - area(trials, found.unbiased))
    assert error(trials, found.influence) < 0.5 * error(trials, found.unbiased)


def test_the_scale_is_that_of_correctness() -> None:
    trials, found = of(80)
    strong = trials.truth >= 0.3
    slope = (found.influence[strong] @ trials.truth[strong]) / (trials.truth[strong] ** 2).sum()
    assert slope == pytest.approx(1, abs=0.2)


def test_the_papers_estimate_stands_beside_it() -> None:
    trials, found = of(20)
    np.testing.assert_allclose(found.unbiased, trials.counted(), atol=1e-6)


def test_with_many_trials_it_is_the_papers_estimate() -> None:
    """No further from it than chance takes one of 24,000: 4.1 standard errors, which go to 0."""
    farthest = -ndtri(0.5 / 24_000)
    assert farthest == pytest.approx(4.1, abs=0.01)
    for n_trials in (20, 1500):
        trials, found = of(n_trials)
        correct = trials.margin > 0
        variance = np.zeros(len(trials.train))
        for held in (trials.inside, ~trials.inside):
            n = held.sum(axis=0)[trials.train]
            k = (held.T.astype(int) @ correct.astype(int))[trials.train, trials.test]
            p = (k + 1) / (n + 2)
            variance += p * (1 - p) / n
        apart = np.abs(found.influence - found.unbiased)
        assert (apart <= farthest * np.sqrt(variance) + 1e-6).all()
    strong = trials.truth >= 0.15
    assert apart[strong].max() < 0.05
    assert error(trials, found.influence) < error(trials, found.unbiased)


def test_nothing_comes_of_nothing() -> None:
    _, found = of(40, effect=0.0)
    assert (found.unbiased >= 0.15).mean() > 0.05
    assert (found.influence >= 0.15).mean() < 0.001
    assert np.abs(found.influence).mean() < 0.02


@pytest.mark.slow
def test_a_likeness_that_says_nothing_does_no_harm() -> None:
    trials, _ = of(40)
    mixed = np.random.default_rng(0).permutation(trials.likeness)
    found = trials.estimate(likeness=mixed)
    probability = 1 / (1 + np.exp(-trials.margin))
    alone = differences(trials.inside, probability, trials.train, trials.test)
    assert precision(trials, found.influence) > precision(trials, alone) - 0.05
    assert error(trials, found.influence) < error(trials, alone)


def test_the_order_of_trials_does_not_matter() -> None:
    trials, found = of(20)
    again = trials.reordered(np.random.default_rng(1).permutation(20)).estimate()
    np.testing.assert_array_equal(again.influence, found.influence)


def test_what_was_never_held_out_is_predicted() -> None:
    trials = planted(12, seed=3)
    trials.inside[:, :5] = True
    found = trials.estimate()
    never = trials.train < 5
    assert np.isnan(found.unbiased[never]).all()
    assert np.isfinite(found.influence).all()
    np.testing.assert_array_equal(found.influence[never], np.clip(found.prediction, -1, 1)[never])


@pytest.mark.parametrize("n_trials", [1, 2, 3])
def test_too_few_trials_to_learn_from_say_nothing(n_trials: int) -> None:
    found = planted(n_trials).estimate()
    assert np.isfinite(found.influence).all()
    assert (found.influence < 0.15).all()


def test_no_pairs_are_no_error() -> None:
    trials = planted(8)
    nothing = np.zeros(0, np.int64)
    found = replace(trials, train=nothing, test=nothing).estimate(likeness=np.zeros(0, np.float32))
    assert len(found.influence) == len(found.unbiased) == 0


def test_pairs_in_any_order_and_number_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = planted(15)
    order = np.random.default_rng(2).permutation(len(trials.train))[:5000]
    pairs = trials.train[order], trials.test[order]
    module = "memtail_core.estimation.calibrated.mean_differences._CHUNK"
    monkeypatch.setattr(module, 700)
    found = differences_of_bits(trials.inside, trials.margin > 0, *pairs)
    np.testing.assert_allclose(found.mean, trials.counted()[order], atol=1e-6)
