"""Each signal against a slow, obvious or exact version of it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier
from torch.nn import functional

from memtail_core.approximations import Run
from memtail_core.approximations.curves import Curves
from memtail_core.approximations.label_disagreement import disagreement
from memtail_core.approximations.last_features import FEATURES
from memtail_core.approximations.methods.area_under_margin import AreaUnderMargin
from memtail_core.approximations.methods.confidence import Confidence
from memtail_core.approximations.methods.cumulative_loss import CumulativeLoss
from memtail_core.approximations.methods.forgetting import forgetting_events
from memtail_core.approximations.methods.gradient_norm import GRADIENTS
from memtail_core.approximations.methods.input_curvature import CURVATURE, curvature
from memtail_core.approximations.methods.last_layer_gradient import LastLayerGradient
from memtail_core.approximations.methods.variability import Variability
from memtail_core.approximations.per_run import levelled
from memtail_core.data import Dataset
from memtail_core.data.neighbours import nearest
from memtail_core.training.gradient.representation import last_linear


@given(arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(1, 5))))
def test_forgetting_events_are_counted(correct: np.ndarray) -> None:
    found = forgetting_events(correct)
    for example, of in enumerate(correct.T):
        events = 0
        for before, after in pairwise(of):
            if before and not after:
                events += 1
        assert found[example] == (events if any(of) else len(of))


def of_margins(margin: np.ndarray, gap: np.ndarray) -> Run:
    curves = Curves(margin.astype(np.float16), gap.astype(np.float16), margin > 0, margin * 0, None)
    everything = np.ones(margin.shape[1], bool)
    return Run(everything, curves, None, "key", {})  # type: ignore[arg-type]


def test_dynamics_by_hand(dataset: Dataset) -> None:
    p = np.array([[0.5, 0.9, 0.1], [0.25, 0.9, 0.3]])
    gap = np.array([[0.5, 3.0, -2.0], [-1.5, 3.0, -1.0]])
    run = of_margins(np.log(p / (1 - p)), gap)
    near = pytest.approx
    assert Confidence().scores(dataset, [run]) == near([0.625, 0.1, 0.8], abs=1e-3)
    assert Variability().scores(dataset, [run]) == near([0.125, 0, 0.1], abs=1e-3)
    assert AreaUnderMargin().scores(dataset, [run]) == near([0.5, -3, 1.5], abs=1e-3)
    assert CumulativeLoss().scores(dataset, [run]) == near(-np.log(p).mean(0), abs=1e-3)
    sure = of_margins(np.full((1, 1), 100.0), gap[:1, :1])
    assert CumulativeLoss().scores(dataset, [sure])[0] == near(np.exp(-100), rel=1e-6)


def test_several_runs_are_averaged(dataset: Dataset) -> None:
    ones, twos = (of_margins(np.zeros((2, 3)), np.full((2, 3), value)) for value in (1.0, 2.0))
    assert (AreaUnderMargin().scores(dataset, [ones, twos]) == -1.5).all()


def test_the_last_layers_gradient_is_autograds(dataset: Dataset, runs: Sequence[Run]) -> None:
    run = runs[0]
    norms = []
    for number in range(len(run.networks)):
        network = run.networks.at(number)
        last = last_linear(network)
        assert last is not None
        data = run.networks.setting.data
        norms.append([])
        for i in range(40):
            loss = functional.cross_entropy(network(data.x_train[i : i + 1]), data.y_train[i, None])
            gradients = torch.autograd.grad(loss, [last.weight, last.bias])
            norms[-1].append(torch.cat([g.flatten() for g in gradients]).norm().item())
    curves = run.curves
    epochs = np.array([10, 20, 30, 40]) - 1
    assert curves.features is not None
    found = (curves.error.astype(float) * curves.features)[epochs, :40]
    np.testing.assert_allclose(found, norms, rtol=0.01, atol=2e-3)
    whole = of_everything(run)
    expected = (curves.error.astype(float) * curves.features).mean(0)
    np.testing.assert_allclose(LastLayerGradient().scores(dataset, [whole]), expected)


def of_everything(run: Run) -> Run:
    return Run(np.ones_like(run.subset), run.curves, run.networks, run.key, run.seconds)


def test_gradient_norms_are_those_of_all_weights(dataset: Dataset, runs: Sequence[Run]) -> None:
    found = runs[0].part(GRADIENTS)["norm"]
    assert found.shape == (4, 300)
    data, network = runs[0].networks.setting.data, runs[0].networks.at(2).double()
    x = data.x_train.double()
    for i in range(30):
        loss = functional.cross_entropy(network(x[i : i + 1]), data.y_train[i, None])
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        exact = torch.cat([g.flatten() for g in gradients]).norm().item()
        assert found[2, i] == pytest.approx(exact, rel=1e-3, abs=1e-6)


def test_the_curvature_of_a_quadratic_is_that_of_its_matrix() -> None:
    """‖H‖² = E ‖H v‖², over random signs; for each row its own H."""
    random = torch.Generator().manual_seed(0)
    roots = torch.randn(5, 6, 6, generator=random).double()
    hessians = roots + roots.mT
    x = torch.randn(5, 6, generator=random).double()
    signs = (torch.randint(2, (1000, 5, 6), generator=random) * 2 - 1).double()

    def loss(at: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bi,bij,bj->b", at, hessians, at) / 2 + at.sum(1)

    exact = hessians.square().sum((1, 2)).sqrt()
    torch.testing.assert_close(curvature(loss, x, signs), exact, rtol=0.1, atol=0)
    one = torch.einsum("bij,bj->bi", hessians, signs[0]).norm(dim=1)
    torch.testing.assert_close(curvature(loss, x, signs[:1]), one, rtol=1e-6, atol=0)
    flat = curvature(lambda at: at.sum(1), x, signs[:3])
    assert (flat < 1e-9).all()


def test_input_curvature_is_that_of_the_networks(runs: Sequence[Run]) -> None:
    """Beside tr H² from second derivatives, where no ReLU switches within a step."""
    found = runs[0].part(CURVATURE)["curvature"]
    network, data = runs[0].networks.at(3), runs[0].networks.setting.data
    exact = []
    for i in range(40):

        def loss(x: torch.Tensor, i: int = i) -> torch.Tensor:
            return functional.cross_entropy(network(x[None]), data.y_train[i, None])

        hessian = torch.autograd.functional.hessian(loss, data.x_train[i])
        exact.append(hessian.square().sum().sqrt().item())
    assert stats.spearmanr(found[3, :40], exact).statistic > 0.9
    assert np.median(found[3, :40] / np.array(exact)) == pytest.approx(1, abs=0.35)


def test_neighbours_disagree_as_scikit_learn_has_it() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    y = rng.integers(3, size=60)
    k = 7
    found = nearest(x, k).index
    assert found.shape == (60, k)
    weights = 1 / np.arange(1, k + 1)
    for i in range(60):
        rest = np.delete(np.arange(60), i)
        knn = KNeighborsClassifier(k).fit(x[rest], y[rest])
        far, which = knn.kneighbors(x[i : i + 1])
        assert (np.diff(far) >= 0).all()
        assert (found[i] == rest[which[0]]).all()
        expected = (weights * (y[rest[which[0]]] != y[i])).sum() / weights.sum()
        assert disagreement(x, y, k)[i] == pytest.approx(expected)


def test_features_are_what_the_logits_are_linear_in(runs: Sequence[Run]) -> None:
    part, data = runs[0].part(FEATURES), runs[0].networks.setting.data
    network = runs[0].networks.at(-1)
    last = last_linear(network)
    assert last is not None
    for name, x in (("train", data.x_train), ("test", data.x_test)):
        with torch.no_grad():
            torch.testing.assert_close(last(torch.from_numpy(part[name])), network(x))
    lengths = np.sqrt(np.square(part["train"]).sum(1) + 1)
    assert runs[0].curves.features is not None
    np.testing.assert_allclose(runs[0].curves.features[-1], lengths, rtol=1e-4)


def test_held_out_examples_get_the_values_of_the_same_ranks() -> None:
    subset = np.array([True] * 5 + [False] * 3)
    found = levelled(np.array([1.0, 5.0, 2.0, 4.0, 3.0, 70.0, 90.0, 80.0]), subset)
    assert (found[:5] == [1, 5, 2, 4, 3]).all()
    np.testing.assert_allclose(found[5:], np.quantile([1, 2, 3, 4, 5], [1 / 6, 5 / 6, 1 / 2]))
    tied = levelled(np.array([0.0, 0, 0, 1, 1, 7, 7, 9]), subset)
    assert tied[5] == tied[6] <= tied[7]
    everything = np.array([3.0, 1.0])
    assert (levelled(everything, np.ones(2, bool)) == everything).all()


def test_levelling_makes_two_samples_of_one_distribution_alike() -> None:
    rng = np.random.default_rng(0)
    hardness = rng.exponential(size=4000)
    subset = rng.random(4000) < 0.7
    seen = np.where(subset, hardness, 10 + hardness**2)  # another scale, the same order
    found = levelled(seen, subset)
    within = hardness < np.quantile(hardness, 0.95)  # beyond, quantiles are of few examples
    np.testing.assert_allclose(found[within], hardness[within], rtol=0.1, atol=0.02)
    assert np.abs(found - hardness).mean() < 0.05
