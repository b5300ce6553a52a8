"""TRAK on a model that is linear, against leaving every example out and training again."""

import numpy as np
from scipy import stats

from memtail_core.approximations.methods.projected_gradients import preconditioned

RNG = np.random.default_rng(0)
N, D = 150, 5
X = RNG.normal(size=(N, D))
TRUTH = 0.5 * RNG.normal(size=D)
Y = (X @ TRUTH + RNG.logistic(size=N) > 0).astype(int)
X_TEST = RNG.normal(size=(30, D))
Y_TEST = (X_TEST @ TRUTH + RNG.logistic(size=30) > 0).astype(int)


def weights(without: int | None = None) -> np.ndarray:
    """Of the logistic regression without one example, by Newton's method to the minimum."""
    rows = np.delete(np.arange(N), [] if without is None else [without])
    x, y, w = X[rows], Y[rows], np.zeros(D)
    for _ in range(20):
        p = 1 / (1 + np.exp(-x @ w))
        w += np.linalg.solve((x.T * (p * (1 - p))) @ x, x.T @ (y - p))
    assert np.abs(x.T @ (y - 1 / (1 + np.exp(-x @ w)))).max() < 1e-9
    return w


def test_it_is_leaving_one_out_up_to_scale() -> None:
    """The gradient of a linear model's margin is ± x: nothing is projected, nothing linearised."""
    phi = ((2 * Y - 1)[:, None] * X).astype(np.float32)
    phi_test = ((2 * Y_TEST - 1)[:, None] * X_TEST).astype(np.float32)
    whole = weights()
    doubt = 1 / (1 + np.exp((2 * Y - 1) * (X @ whole)))
    scores = preconditioned(phi, np.ones(N, bool), ridge=0) @ phi_test.T * doubt[:, None]
    exact = np.stack([phi_test @ (whole - weights(without=i)) for i in range(N)])
    assert np.corrcoef(scores.ravel(), exact.ravel())[0, 1] > 0.9
    each = [stats.spearmanr(scores[:, j], exact[:, j]).statistic for j in range(30)]
    assert min(each) > 0.8
    by_likeness = [stats.spearmanr(phi @ phi_test[j], exact[:, j]).statistic for j in range(30)]
    assert np.mean(each) > np.mean(by_likeness) + 0.03, "the curvature and the doubt matter"


def test_only_what_was_trained_on_makes_the_curvature() -> None:
    phi = RNG.normal(size=(20, 4)).astype(np.float32)
    subset = np.arange(20) < 12
    found = preconditioned(phi, subset, ridge=0.5)
    inside = phi[subset].astype(np.float64)
    moments = inside.T @ inside
    moments += 0.5 * np.trace(moments) / 4 * np.eye(4)
    np.testing.assert_allclose(found, phi @ np.linalg.inv(moments), rtol=1e-4)
