"""The solver of many logistic regressions, against scikit-learn and its own gradient in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from memtail_core.training.linear import hessian, regressions
from memtail_core.training.linear.regressions import Regressions


def problem(
    n: int = 200, d: int = 6, c: int = 3, spread: float = 1.0, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Clusters with ``spread`` between them, and a 1 at the end of each row."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(c), rng.integers(c, size=n - c)])
    x = spread * rng.standard_normal((c, d))[y] + rng.standard_normal((n, d))
    return torch.from_numpy(np.hstack([x, np.ones((n, 1))])).float(), torch.from_numpy(y)


def drawn(n: int, k: int, share: float = 0.7) -> torch.Tensor:
    rng = np.random.default_rng(1)
    return torch.from_numpy(rng.random((k, n)).argsort(1) < share * n)


def oracle(x: torch.Tensor, y: torch.Tensor, inside: torch.Tensor, l2: float) -> np.ndarray:
    """Log-probabilities [n, C] of scikit-learn's model; −∞ of a class that the subset lacks."""
    c = int(y.max()) + 1
    features, m = x[:, :-1].double().numpy(), int(inside.sum())
    model = LogisticRegression(C=1 / (l2 * m), tol=1e-10, solver="newton-cholesky")
    if len(torch.unique(y[inside])) == 2:
        # of two classes its penalty is that of one weight w = w_1 − w_0: ½ w² where ours is ¼ w²
        model.set_params(C=2 / (l2 * m))
    model.fit(features[inside], y[inside].numpy())
    found = np.full((len(x), c), -np.inf)
    found[:, model.classes_] = model.predict_log_proba(features)
    return found


CASES = {
    "ordinary": ({}, 1e-2),
    "two classes": ({"c": 2}, 1e-2),
    "ten classes": ({"n": 400, "c": 10}, 1e-3),
    "separable": ({"spread": 6.0}, 1e-4),
    "more features than examples": ({"n": 60, "d": 150}, 1e-2),
    "hardly a penalty": ({}, 1e-7),
    "all penalty": ({}, 1e3),
}


@pytest.mark.parametrize("name", CASES)
def test_probabilities_are_those_of_scikit_learn(name: str) -> None:
    arguments, l2 = CASES[name]
    x, y = problem(**arguments)  # type: ignore[arg-type]
    subsets = drawn(len(x), 3)
    c = int(y.max()) + 1
    weights = Regressions(x, y, c, l2, 1e-9).solved(subsets)
    for w, inside in zip(weights, subsets, strict=True):
        mine = (x.double() @ w.double().T).log_softmax(1).numpy()
        np.testing.assert_allclose(mine, oracle(x, y, inside, l2), atol=2e-3, rtol=2e-3)


def test_badly_conditioned_features() -> None:
    """Columns that nearly repeat, of scales four powers of ten apart."""
    x, y = problem()
    x[:, 1] = x[:, 0] + 1e-3 * x[:, 1]
    x[:, :-1] *= torch.logspace(-2, 2, 6)
    subsets = drawn(len(x), 3)
    weights = Regressions(x, y, 3, 1e-3, 1e-8).solved(subsets)
    for w, inside in zip(weights, subsets, strict=True):
        model = LogisticRegression(C=1 / (1e-3 * int(inside.sum())), tol=1e-12, max_iter=10_000,
                                   solver="newton-cholesky")  # fmt: skip
        model.fit(x[inside, :-1].double().numpy(), y[inside].numpy())
        mine = (x.double() @ w.double().T).softmax(1).numpy()
        np.testing.assert_allclose(mine, model.predict_proba(x[:, :-1].numpy()), atol=2e-3)


def gradient(
    x: torch.Tensor, y: torch.Tensor, w: torch.Tensor, inside: torch.Tensor, l2: float
) -> torch.Tensor:
    """As autograd has it, in float64, of the objective as it is written."""
    w = w.double().requires_grad_()
    loss = torch.nn.functional.cross_entropy(x[inside].double() @ w.T, y[inside])
    (found,) = torch.autograd.grad(loss + l2 / 2 * w[:, :-1].square().sum(), w)
    return found


Curve = Callable[..., hessian.Curvature]


@pytest.mark.parametrize("kind", ["_whole", "_blocks", "_product"])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_the_gradient_ends_below_the_tolerance_whatever_the_preconditioner(
    monkeypatch: pytest.MonkeyPatch, kind: str, tolerance: float
) -> None:
    monkeypatch.setattr(regressions, "at", getattr(hessian, kind))
    x, y = problem(n=300, d=8, c=4)
    subsets = drawn(300, 5)
    zero, everything = torch.zeros(4, 9), torch.ones(300, dtype=torch.bool)
    for l2 in (1e-1, 1e-4):
        solver = Regressions(x, y, 4, l2, tolerance)
        at_zero = float(gradient(x, y, zero, everything, l2).norm())
        for w, inside in zip(solver.solved(subsets), subsets, strict=True):
            start = float(gradient(x, y, solver._start[0], inside, l2).norm())
            left = float(gradient(x, y, w, inside, l2).norm())
            assert left <= min(tolerance * at_zero, 0.01 * start) * 1.05 + 2e-7 * at_zero


@settings(max_examples=25)
@given(
    n=st.integers(12, 60), d=st.integers(1, 30), c=st.integers(2, 5), seed=st.integers(0, 999),
    l2=st.sampled_from([1e-5, 1e-3, 1e-1, 10.0]), spread=st.sampled_from([0.0, 1.0, 8.0]),
    share=st.sampled_from([0.1, 0.5, 0.9]),
)  # fmt: skip
def test_any_problem_is_solved(
    n: int, d: int, c: int, seed: int, l2: float, spread: float, share: float
) -> None:
    """Subsets down to a single example, with classes missing."""
    x, y = problem(n, d, c, spread, seed)
    subsets = drawn(n, 4, share)
    at_zero = gradient(x, y, torch.zeros(c, d + 1), torch.ones(n, dtype=torch.bool), l2).norm()
    weights = Regressions(x, y, c, l2, 1e-4).solved(subsets)
    assert bool(weights.isfinite().all())
    for w, inside in zip(weights, subsets, strict=True):
        assert float(gradient(x, y, w, inside, l2).norm()) <= 1.1e-4 * float(at_zero)


def test_a_class_that_a_subset_lacks_is_impossible_and_the_others_as_without_it() -> None:
    x, y = problem(c=4)
    inside = (y != 2) & drawn(200, 1)[0]
    (weights,) = Regressions(x, y, 4, 1e-2, 1e-7).solved(inside[None])
    mine = (x.double() @ weights.double().T).log_softmax(1).numpy()
    theirs = oracle(x, y, inside, 1e-2)
    there = [0, 1, 3]
    np.testing.assert_allclose(mine[:, there], theirs[:, there], atol=2e-3, rtol=2e-3)
    assert mine[:, 2].max() < -1000


def test_groups_and_blocks_change_rounding_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = problem(n=300, c=4)
    subsets = drawn(300, 7)
    at_once = Regressions(x, y, 4, 1e-2, 1e-6).solved(subsets)
    monkeypatch.setattr(regressions, "_GROUP_BYTES", 8_000)
    monkeypatch.setattr(regressions, "_BLOCK", {"cpu": 200})
    monkeypatch.setattr(regressions, "_ROWS", {"cpu": 37})
    sizes = []
    original = Regressions._evaluated

    def evaluated(self: Regressions, x: torch.Tensor, w: torch.Tensor, i: torch.Tensor) -> object:
        sizes.append(len(w))
        return original(self, x, w, i)

    monkeypatch.setattr(Regressions, "_evaluated", evaluated)
    in_groups = Regressions(x, y, 4, 1e-2, 1e-6).solved(subsets)
    assert 1 < max(sizes) < 7
    torch.testing.assert_close(in_groups, at_once, atol=1e-4, rtol=1e-4)


def test_little_is_left_of_what_the_common_start_knew_of_held_out_labels() -> None:
    """The start saw all labels; models that stopped near it would know those held out."""
    x, y = problem(n=400, d=10, spread=0.5)
    subsets = drawn(400, 6)
    exact = Regressions(x, y, 3, 1e-3, 1e-9).solved(subsets)
    solver = Regressions(x, y, 3, 1e-3, 0.5)
    found = solver.solved(subsets)
    away = (solver._start - exact).flatten(1).norm(dim=1)
    assert bool(((found - exact).flatten(1).norm(dim=1) < 0.05 * away).all())


@pytest.mark.parametrize("kind", ["_whole", "_blocks", "_product"])
def test_the_curvature_is_the_hessian_where_it_claims_to_be(kind: str) -> None:
    """Whole: anywhere. A product: at 0. Blocks: those of each class."""
    x, _ = problem(n=50, d=3, c=3)
    w = torch.zeros(3, 4)
    if kind != "_product":
        w = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 4))).float()
    p = (x @ w.T).softmax(1).double()
    sigma = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    exact = torch.einsum("nab,nd,ne->adbe", sigma, x.double(), x.double()) / len(x)
    if kind == "_blocks":
        exact *= torch.eye(3, dtype=torch.float64)[:, None, :, None]
    g = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, 4)))
    penalties = torch.tensor([1, 1, 1, hessian._BIAS], dtype=torch.float64)
    matrix = exact.reshape(12, 12) + 0.1 * torch.diag(penalties.repeat(3))
    g -= g.mean(1, keepdim=True)  # what all classes share is no direction of softmax
    expected = torch.linalg.solve(matrix, g.flatten(1).T).T.view_as(g)
    found = getattr(hessian, kind)(x, w, 0.1).to(torch.float64).solved(g)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_many_features_are_preconditioned_by_their_scale_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hessian, "_DECOMPOSED", 5)
    x, y = problem()
    subsets = drawn(200, 3)
    monkeypatch.setattr(regressions, "at", hessian._product)
    mine = Regressions(x, y, 3, 1e-2, 1e-6).solved(subsets)
    monkeypatch.undo()
    expected = Regressions(x, y, 3, 1e-2, 1e-6).solved(subsets)
    torch.testing.assert_close(mine, expected, atol=1e-4, rtol=1e-3)
