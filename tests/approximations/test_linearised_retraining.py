"""Linearised retraining: exact where the model is linear, and its gradients where they fit."""

import numpy as np
import torch

from memtail_core.approximations.methods.linearised_retraining import narrowed, removed
from tests.approximations.test_projected_gradients import X_TEST, Y_TEST, N, X, Y, weights


def test_it_is_leaving_one_out() -> None:
    """Of a logistic regression, on its scale: the gradient of a linear model's margin is ± x."""
    phi, phi_test = (2 * Y - 1)[:, None] * X, (2 * Y_TEST - 1)[:, None] * X_TEST
    whole = weights()
    doubt = 1 / (1 + np.exp(phi @ whole))
    found = removed(phi, np.ones(N, bool), doubt * (1 - doubt)) @ phi_test.T * doubt[:, None]
    exact = np.stack([phi_test @ (whole - weights(without=i)) for i in range(N)])
    assert np.corrcoef(found.ravel(), exact.ravel())[0, 1] > 0.999
    slope = (found * exact).sum() / (exact**2).sum()
    assert 0.9 < slope < 1.01, "the ridge holds one example's share of 150"


def test_it_is_the_effect_of_adding_what_was_left_out() -> None:
    """An example outside the subset has the same effect as when it is inside and is removed."""
    rng = np.random.default_rng(0)
    phi, v = rng.normal(size=(60, 4)), rng.uniform(0.05, 0.25, 60)
    subset = np.arange(60) < 59
    without = removed(phi, subset, v)[59]
    inside = removed(phi, np.ones(60, bool), v)[59]
    np.testing.assert_allclose(without, inside, rtol=0.05)


def test_gradients_that_fit_are_not_projected() -> None:
    random = torch.Generator().manual_seed(0)
    shapes = ((1, 6, 5), (3, 4, 2))  # positions, inputs, outputs
    layers = [
        (torch.randn(8, p, i, generator=random), torch.randn(8, p, o, generator=random))
        for p, i, o in shapes
    ]
    whole = torch.cat([(d.transpose(1, 2) @ a).flatten(1) for a, d in layers], 1)
    torch.testing.assert_close(narrowed(layers, 80), whole)


def test_projected_gradients_keep_inner_products_on_average() -> None:
    random = torch.Generator().manual_seed(0)
    layers = [(torch.randn(5, 1, 40, generator=random), torch.randn(5, 1, 30, generator=random))]
    (a, delta), k = layers[0], 64
    whole = (delta.transpose(1, 2) @ a).flatten(1)
    products = [(p := narrowed(layers, k, seed)) @ p.T for seed in range(300)]
    assert narrowed(layers, k).shape[1] <= k
    mean, error = torch.stack(products).mean(0), torch.stack(products).std(0) / 300**0.5
    assert ((mean - whole @ whole.T).abs() < 4 * error + 1e-3).all()
