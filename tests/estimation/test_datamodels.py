"""Datamodels in worlds that are sparse and linear, and the choice of their penalty."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Lasso

from memtail_core.estimation import datamodels as module
from memtail_core.estimation.datamodels import FOLDS, Fit, datamodels
from memtail_core.estimation.lasso import Inclusion
from memtail_core.estimation.lasso.problems import STEP

Floats = NDArray[np.float64]
N, TRIALS, TESTS, REAL = 200, 300, 10, 5


@pytest.fixture(scope="module")
def inside() -> NDArray[np.bool_]:
    return np.random.default_rng(0).random((TRIALS, N)) < 0.5


@pytest.fixture(scope="module")
def weights() -> Floats:
    """Each test example rests on five training examples, the last on none."""
    rng = np.random.default_rng(1)
    weights = np.zeros((TESTS, N))
    for row in weights[:-1]:
        row[rng.choice(N, REAL, replace=False)] = rng.choice([-1.0, 1.0], REAL)
    return weights


@pytest.fixture(scope="module")
def outcome(inside: NDArray[np.bool_], weights: Floats) -> Floats:
    noise = np.random.default_rng(2).normal(size=(TRIALS, TESTS))
    return np.asarray(inside @ weights.T + 0.5 * noise + 7)


def fitted(inside: NDArray[np.bool_], outcome: Floats, **given: object) -> list[Fit]:
    packed, block = np.packbits(inside, axis=1), np.arange(len(inside)) // 10
    return list(datamodels(packed, inside.shape[1], outcome, block, **given))  # type: ignore[arg-type]


def test_a_sparse_linear_world_is_recovered(
    inside: NDArray[np.bool_], weights: Floats, outcome: Floats
) -> None:
    (fit,) = fitted(inside, outcome)
    is_real = weights != 0
    assert fit.weights[is_real] == pytest.approx(weights[is_real], abs=0.35)
    assert np.abs(fit.weights[~is_real]).max() < 0.15
    largest = np.argsort(-np.abs(fit.weights[:-1]), axis=1)[:, :REAL]
    assert np.take_along_axis(is_real[:-1], largest, axis=1).all()
    assert (fit.weights[-1] != 0).sum() < 20
    fresh = np.random.default_rng(3).random((200, N)) < 0.5
    predicted = fit.predictions(Inclusion.of(np.packbits(fresh, axis=1), N))
    true = weights @ fresh.T + 7
    missed = ((predicted - true) ** 2).sum(axis=1)
    assert (missed[:-1] < 0.1 * ((true - 7) ** 2).sum(axis=1)[:-1]).all()


def test_the_penalty_predicts_held_out_blocks_best(
    inside: NDArray[np.bool_], outcome: Floats
) -> None:
    """Against scikit-learn on the same grid and the same folds."""
    (fit,) = fitted(inside, outcome)
    x, fold = inside.astype(float), np.arange(TRIALS) // 10 % FOLDS
    for z in range(3):
        y = outcome[:, z]
        largest = np.abs((x - x.mean(axis=0)).T @ (y - y.mean())).max() / TRIALS
        steps = np.log(fit.penalty[z] / largest) / np.log(STEP)
        assert steps == pytest.approx(round(steps), abs=1e-6), "on the grid"
        errors = {}
        for step in range(round(steps) - 2, round(steps) + 3):
            errors[step] = 0.0
            for k in range(FOLDS):
                lasso = Lasso(alpha=largest * STEP**step, tol=1e-8).fit(x[fold != k], y[fold != k])
                errors[step] += ((lasso.predict(x[fold == k]) - y[fold == k]) ** 2).sum()
        assert min(errors, key=errors.__getitem__) == round(steps)


def test_tiles_and_threads_change_nothing(
    inside: NDArray[np.bool_], outcome: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = fitted(inside, outcome)
    counted: list[int] = []
    monkeypatch.setattr(module, "_TILE_BYTES", 4 * 8 * N * module._COPIES)
    parts = fitted(inside, outcome, threads=2, progress=counted.append)
    assert [part.first for part in parts] == [0, 4, 8]
    assert counted == [4, 4, 2]
    joined = np.concatenate([part.weights for part in parts])
    np.testing.assert_allclose(joined, whole.weights, atol=1e-5)


def test_where_nothing_is_to_be_learned_the_mean_predicts() -> None:
    inside = np.random.default_rng(4).random((40, 30)) < 0.5
    outcome = np.full((40, 2), 3.0)
    (fit,) = fitted(inside, outcome)
    assert not fit.weights.any()
    np.testing.assert_array_equal(fit.intercept, 3.0)
    with pytest.raises(ValueError, match="at least two blocks"):
        fitted(inside[:10], outcome[:10])
