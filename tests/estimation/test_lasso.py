"""The lasso against scikit-learn's, at the same penalty."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Lasso

from memtail_core.estimation.lasso import Inclusion, Problems, problems

Floats = NDArray[np.float64]
N, TRIALS, TESTS = 150, 80, 12


@pytest.fixture(scope="module")
def inside() -> NDArray[np.bool_]:
    """Example 3 is in all trials, example 4 in none, examples 5 and 6 in the same ones."""
    inside = np.random.default_rng(0).random((TRIALS, N)) < 0.7
    inside[:, 3], inside[:, 4], inside[:, 6] = True, False, inside[:, 5]
    return inside


@pytest.fixture(scope="module")
def outcome(inside: NDArray[np.bool_]) -> Floats:
    """The last test example has the same outcome everywhere."""
    rng = np.random.default_rng(1)
    weights = np.where(rng.random((TESTS, N)) < 0.1, rng.normal(size=(TESTS, N)), 0)
    outcome = weights @ inside.T + rng.normal(size=(TESTS, TRIALS)) + 3
    outcome[-1] = 2.5
    return np.asarray(outcome)


def objective(x: Floats, y: Floats, w: Floats, b: float, alpha: float) -> float:
    return float(((y - b - x @ w) ** 2).sum() / (2 * len(y)) + alpha * np.abs(w).sum())


@pytest.mark.parametrize("share", [0.6, 0.2, 0.05])
@pytest.mark.parametrize("threads", [1, 3])
def test_solutions_are_scikit_learns(
    inside: NDArray[np.bool_], outcome: Floats, share: float, threads: int
) -> None:
    solved = Problems(Inclusion.of(np.packbits(inside, axis=1), N), outcome, threads)
    alpha = solved.alpha * share
    solved.descend_to(alpha, tolerance=1e-9)
    x, apart = inside.astype(float), np.setdiff1d(np.arange(N), [5, 6])
    for z in range(TESTS - 1):
        lasso = Lasso(alpha=alpha[z], tol=1e-12, max_iter=200_000).fit(x, outcome[z])
        w = solved.weights[z]
        np.testing.assert_allclose(w[apart], lasso.coef_[apart], atol=1e-6)
        assert w[[5, 6]].sum() == pytest.approx(lasso.coef_[[5, 6]].sum(), abs=1e-6)
        assert solved.intercept[z] == pytest.approx(lasso.intercept_, abs=1e-5)
        ours = objective(x, outcome[z], w, solved.intercept[z], alpha[z])
        theirs = objective(x, outcome[z], lasso.coef_, lasso.intercept_, alpha[z])
        assert ours == pytest.approx(theirs, rel=1e-9)
    assert not solved.weights[-1].any()
    assert solved.intercept[-1] == 2.5


def test_paths_begin_where_all_weights_are_0(inside: NDArray[np.bool_], outcome: Floats) -> None:
    inclusion = Inclusion.of(np.packbits(inside, axis=1), N)
    above, below = (Problems(inclusion, outcome) for _ in range(2))
    above.advance(above.alpha * 1.0001)
    below.advance(below.alpha * 0.9999)
    assert not above.weights.any()
    assert (below.weights[:-1] != 0).any(axis=1).all()


def test_regressors_left_out_wrongly_come_back(
    inside: NDArray[np.bool_], outcome: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one step from no weight to many, hardly any regressor is foreseen."""
    inclusion = Inclusion.of(np.packbits(inside, axis=1), N)
    monkeypatch.setattr(problems, "_AHEAD", 0.0)
    at_once, by_steps = (Problems(inclusion, outcome[:-1]) for _ in range(2))
    alpha = at_once.alpha * 0.1
    at_once.advance(alpha, tolerance=1e-9)
    by_steps.descend_to(alpha, tolerance=1e-9)
    np.testing.assert_allclose(
        at_once.predictions(inclusion, np.arange(TESTS - 1)),
        by_steps.predictions(inclusion, np.arange(TESTS - 1)),
        atol=1e-6,
    )


def test_chosen_problems_alone_advance(inside: NDArray[np.bool_], outcome: Floats) -> None:
    solved = Problems(Inclusion.of(np.packbits(inside, axis=1), N), outcome)
    before = solved.alpha.copy()
    solved.advance(before / 2, np.array([2, 5]))
    moved = np.flatnonzero(solved.weights.any(axis=1))
    assert moved.tolist() == [2, 5]
    np.testing.assert_array_equal(solved.alpha[[0, 1, 3]], before[[0, 1, 3]])


def test_products_of_many_examples_come_in_parts(inside: NDArray[np.bool_]) -> None:
    many = np.tile(inside, 40)
    inclusion = Inclusion.of(np.packbits(many, axis=1), many.shape[1])
    rows = np.random.default_rng(2).normal(size=(3, TRIALS))
    np.testing.assert_allclose(inclusion.sums(rows), rows @ many, atol=1e-10)
    weights = np.random.default_rng(3).normal(size=(3, many.shape[1]))
    np.testing.assert_allclose(inclusion.predictions(weights), weights @ many.T, atol=1e-9)
