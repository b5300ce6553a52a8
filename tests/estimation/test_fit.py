import numpy as np
import pytest

from memtail_core.estimation import Memorization, fit, memorization


def scores(p_in_hard: float, p_in: float = 1.0, n_hard: int = 40, n: int = 2000) -> Memorization:
    """n examples of which n_hard are wrong when held out; trained by coin tosses."""
    rng = np.random.default_rng(0)
    subset = rng.random((100, n)) < 0.7
    hard = np.arange(n) < n_hard
    probability = np.where(
        subset, np.where(hard, p_in_hard, p_in), np.where(hard, 0.05, min(p_in, 0.98))
    )
    correct = rng.random((100, n)) < probability
    return memorization(np.packbits(subset, axis=1), np.packbits(correct, axis=1), n)


def test_models_that_fit_raise_no_warning() -> None:
    found = fit(scores(p_in_hard=0.99))
    assert found.warning is None
    assert found.n_hard == 40
    assert found.held_in_hard == pytest.approx(0.99, abs=0.01)


def test_models_that_fit_all_but_the_hard_examples_are_found_out() -> None:
    """99% held-in accuracy, and yet not one odd example fitted: overall accuracy hides it."""
    found = fit(scores(p_in_hard=0.07))
    assert found.held_in > 0.97
    assert found.warning is not None
    assert "of the 40 hard examples" in found.warning
    assert "7%" in found.warning


def test_models_that_fit_badly_altogether_are_warned_of() -> None:
    found = fit(scores(p_in_hard=0.8, p_in=0.8))
    assert found.warning is not None
    assert found.warning.startswith("held-in accuracy is only 8")


def test_too_few_hard_examples_say_nothing_about_them() -> None:
    found = fit(scores(p_in_hard=0.1, n_hard=4))
    assert found.held_in_hard is None
    assert found.warning is None


def test_examples_never_in_do_not_count() -> None:
    subset = np.array([[1, 1, 0], [0, 1, 0]], bool)
    correct = np.array([[1, 1, 0], [1, 0, 0]], bool)
    found = fit(memorization(np.packbits(subset, axis=1), np.packbits(correct, axis=1), 3))
    assert found.held_in == pytest.approx(2 / 3)
