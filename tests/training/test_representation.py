"""What layers see, against forward passes written out here."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.errors import OutOfMemoryError, TrainingError
from memtail_core.study import DatasetTable
from memtail_core.training import Tuning
from memtail_core.training.gradient import representation
from memtail_core.training.gradient.engine import GradientEngine
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.networks import CNN, MLP, ResNet9, TorchvisionNetwork
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.representation import Representation, representations

SMALL = {"epochs": 2, "batch_size": 8}


def trained(recipe: GradientRecipe, dataset: Dataset, seed: int) -> tuple[nn.Module, torch.Tensor]:
    """The same network, by the engine alone, and the training inputs it is given."""
    engine = GradientEngine(recipe, "cpu", Tuning())
    everything = np.ones((1, len(dataset.y_train)), bool)
    networks, data = engine.train_stack(dataset, everything, np.array([seed]))
    return networks.network.eval().network, data.inputs(data.x_train)  # type: ignore[return-value]


def near(found: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-5, rtol=1e-5)


def test_an_mlps_layers_are_its_forward_pass(dataset: Dataset) -> None:
    recipe = MLP(widths=(9, 7), **SMALL)  # type: ignore[arg-type]
    found = representations(recipe, dataset, "cpu", seed=4)
    network, x = trained(recipe, dataset, 4)
    assert list(found) == ["input", "block 1", "last"]
    near(found["input"].train, x.flatten(1))
    (w1, b1), (w2, b2), (w3, b3) = (
        (layer.weight, layer.bias)
        for layer in network.modules()
        if isinstance(layer, nn.Linear)
    )  # fmt: skip
    one = (x.flatten(1) @ w1.T + b1).relu()
    two = (one @ w2.T + b2).relu()
    near(found["block 1"].train, one)
    near(found["last"].train, two)
    logits = torch.from_numpy(found["last"].train) @ w3.T + b3
    near(logits.detach().numpy(), network(x))
    expected = (logits.argmax(1).numpy() == dataset.y_train).mean()
    assert found["last"].accuracy.train == pytest.approx(expected)
    assert found["last"].test.shape == (13, 7)
    assert found["last"].test.dtype == np.float32


def test_a_cnns_layers_are_its_forward_pass(dataset: Dataset) -> None:
    recipe = CNN(channels=(3, 5), hidden=6, **SMALL)  # type: ignore[arg-type]
    found = representations(recipe, dataset, "cpu", seed=4)
    network, x = trained(recipe, dataset, 4)
    one, two = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    hidden, last = (layer for layer in network.modules() if isinstance(layer, nn.Linear))

    def convolved(layer: nn.Conv2d, maps: torch.Tensor) -> torch.Tensor:
        maps = functional.conv2d(maps, layer.weight, layer.bias, padding=1)
        return functional.max_pool2d(maps, 2, ceil_mode=True).relu()

    first = convolved(one, x)
    flat = convolved(two, first).flatten(1)
    assert list(found) == ["input", "block 1", "block 2", "last"]
    assert first.shape[1:] == (3, 3, 2), "small enough not to be averaged"
    near(found["block 1"].train, first.flatten(1))
    near(found["block 2"].train, flat)
    near(found["last"].train, (flat @ hidden.weight.T + hidden.bias).relu())
    near(network(x).detach().numpy(), torch.from_numpy(found["last"].train) @ last.weight.T
         + last.bias)  # fmt: skip


def test_larger_maps_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(representation, "_MOST_FEATURES", 32)
    x = torch.arange(2 * 64.0).view(1, 2, 8, 8)
    expected = torch.stack(
        [x[0, c, i : i + 2, j : j + 2].mean() for c in range(2) for i in (0, 2, 4, 6)
         for j in (0, 2, 4, 6)]
    )  # fmt: skip
    assert torch.equal(representation._flat(x)[0], expected)


@pytest.fixture
def coloured() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(36, 16, 16, 3), dtype=np.uint8)
    return Dataset.from_arrays(x[:24], np.arange(24) % 3, x[24:], np.arange(12) % 3)


def widths(found: dict[str, Representation], n: int, n_test: int) -> dict[str, int]:
    for each in found.values():
        assert len(each.train) == n
        assert len(each.test) == n_test
        assert each.train.dtype == np.float32
    return {name: each.train.shape[1] for name, each in found.items()}


def test_a_resnet9_has_a_block_for_each_layer(coloured: Dataset) -> None:
    found = representations(ResNet9(width=4, epochs=1, batch_size=8), coloured, "cpu", seed=0)
    assert widths(found, 24, 12) == {
        "input": 3 * 256, "block 1": 4 * 256, "block 2": 8 * 64, "block 3": 8 * 64,
        "block 4": 16 * 16, "block 5": 32 * 4, "last": 32,
    }  # fmt: skip


def test_torchvisions_networks_are_looked_into(coloured: Dataset) -> None:
    recipe = TorchvisionNetwork(recipe="torchvision:resnet18", epochs=1, batch_size=24)
    found = representations(recipe, coloured, "cpu", seed=0)
    assert widths(found, 24, 12) == {
        "input": 3 * 256, "block 1": 64 * 16, "block 2": 64 * 16, "block 3": 64 * 16,
        "block 4": 128 * 4, "block 5": 256 * 4, "last": 512,
    }  # fmt: skip


def test_a_network_of_one_layer_sees_its_input() -> None:
    wine = load(DatasetTable(source="sklearn:wine"))
    found = representations(MLP(widths=(), epochs=30), wine, "cpu", seed=0)
    assert list(found) == ["input", "last"]
    deviation = wine.train.whole().std(0)
    expected = (wine.train.whole() - wine.train.whole().mean(0)) / deviation
    np.testing.assert_allclose(found["last"].train, expected, atol=1e-4)
    assert found["last"].train.tobytes() == found["input"].train.tobytes()
    assert found["last"].accuracy.train > 0.95
    assert found["last"].accuracy.test > 0.9


def test_batches_are_no_part_of_it_and_again_is_the_same_bits(
    coloured: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inference mode: normalisation by what training saw, not by the batch."""
    recipe = ResNet9(width=4, epochs=1, batch_size=8)
    first, again = (representations(recipe, coloured, "cpu", seed=1) for _ in range(2))
    sizes = []
    original = NetworkStack.logits
    monkeypatch.setattr(
        NetworkStack, "logits", lambda self, rows: sizes.append(len(rows)) or original(self, rows)
    )
    monkeypatch.setattr(representation, "_ROWS", 5)
    few = representations(recipe, coloured, "cpu", seed=1)
    assert sizes.count(5) == 4 + 2
    for name in first:
        assert first[name].train.tobytes() == again[name].train.tobytes()
        assert first[name].test.tobytes() == again[name].test.tobytes()
        np.testing.assert_allclose(few[name].train, first[name].train, atol=1e-4, rtol=1e-4)
    other = representations(recipe, coloured, "cpu", seed=2)
    assert not np.allclose(other["last"].train, first["last"].train)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"recipe": "linear"}, "'linear' is not a network and has no last layer: use 'mlp'"),
        ({"recipe": "sklearn:svm.SVC"}, "'sklearn:svm.SVC' is not a network"),
        ({"recipe": "python:tests.training.user_recipe:nearest"}, "is not a network"),
    ],
)
def test_what_has_no_last_layer_is_refused(
    dataset: Dataset, table: dict[str, Any], message: str
) -> None:
    recipe = training.resolve(table, dataset, 30)
    with pytest.raises(TrainingError, match=message) as raised:
        representations(recipe, dataset, "cpu", seed=0)
    assert "\n" not in str(raised.value)


def test_a_network_that_ends_in_a_convolution_is_refused() -> None:
    x = np.zeros((4, 32, 32, 3), np.uint8)
    data = Dataset.from_arrays(x, [0, 1, 2, 1], x, [0, 1, 2, 1])
    recipe = training.resolve({"recipe": "torchvision:squeezenet1_1"}, data, 3)
    message = r"last layer of 'torchvision:squeezenet1_1' is not linear: use .*resnet18"
    with pytest.raises(TrainingError, match=message):
        representations(recipe, data, "cpu", seed=0)


def test_memory_that_runs_out_is_said(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def init(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(NetworkStack, "__init__", init)
    with pytest.raises(OutOfMemoryError, match="smaller network"):
        representations(MLP(epochs=1), dataset, "cpu", seed=0)


def test_the_processs_random_stream_is_left_alone(dataset: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    representations(MLP(widths=(4,), epochs=1), dataset, "cpu", seed=0)
    assert torch.equal(torch.rand(3), expected)
