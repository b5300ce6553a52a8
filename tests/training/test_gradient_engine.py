"""The engine's inner loop, against a plain loop written here; stacks, and memory running out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from memtail_core.data import Dataset
from memtail_core.errors import OutOfMemoryError
from memtail_core.training import Outcomes, Tuning
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.networks import CNN, MLP, ResNet9
from memtail_core.training.gradient.recipe import GradientRecipe
from tests.training.contract import assert_same_bits
from tests.training.recorded_steps import record_steps

SEEDS = np.arange(6)


def subsets(*sizes: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    rows = np.zeros((len(sizes), 37), bool)
    for row, size in zip(rows, sizes, strict=True):
        row[rng.permutation(37)[:size]] = True
    return rows


def test_training_is_plain_sgd_on_every_example_of_the_subset(dataset: Dataset) -> None:
    """No dropped last batch: 23 examples in batches of 8 are 8 + 8 + 7, each epoch."""
    recipe = MLP(
        widths=(6,), epochs=3, batch_size=8, learning_rate=0.05, momentum=0.9, weight_decay=1e-3,
        schedule="constant", standardize=False, label_smoothing=0.1,
    )  # fmt: skip
    subset = np.zeros(37, bool)
    subset[:23] = True
    found = recipe.engine("cpu").train(dataset, subset[None], np.array([9]))

    torch.manual_seed(9)
    network = nn.Sequential(nn.Flatten(), nn.Linear(20, 6), nn.ReLU(), nn.Linear(6, 3))
    order = torch.Generator().manual_seed(int(np.random.SeedSequence(9).generate_state(1)[0]))
    x = torch.from_numpy(dataset.train.whole()).permute(0, 3, 1, 2) / 255
    y = torch.from_numpy(dataset.y_train)
    velocity = [torch.zeros_like(p) for p in network.parameters()]
    for _ in range(3):
        shuffled = torch.arange(23)[torch.randperm(23, generator=order)]
        for batch in (shuffled[:8], shuffled[8:16], shuffled[16:]):
            loss = nn.functional.cross_entropy(network(x[batch]), y[batch], label_smoothing=0.1)
            gradients = torch.autograd.grad(loss, list(network.parameters()))
            with torch.no_grad():
                for p, g, v in zip(network.parameters(), gradients, velocity, strict=True):
                    v.mul_(0.9).add_(g + 1e-3 * p)
                    p.sub_(0.05 * v)
    probability = network(x).softmax(1).gather(1, y[:, None])[:, 0].detach().double().numpy()
    margin = np.log(probability) - np.log1p(-probability)
    assert found.train_value is not None
    np.testing.assert_allclose(found.train_value[0], margin, atol=2e-3)
    assert (found.train_correct[0] == (network(x).argmax(1) == y).numpy()).all()


def test_training_leaves_the_processs_random_stream_alone(dataset: Dataset) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    MLP(epochs=1).engine("cpu").train(dataset, np.ones((1, 37), bool), np.array([1]))
    assert torch.equal(torch.rand(3), expected)


def assert_same_models(one: Outcomes, other: Outcomes) -> None:
    """Up to rounding, which a margin near 0 can turn into another answer."""
    for name in ("train", "test"):
        mine, theirs = (getattr(o, f"{name}_value").astype(float) for o in (one, other))
        np.testing.assert_allclose(mine, theirs, atol=0.02)
        sure = np.abs(mine) > 0.05
        same = getattr(one, f"{name}_correct") == getattr(other, f"{name}_correct")
        assert same[sure].all()


@pytest.mark.parametrize(
    "recipe",
    [
        MLP(widths=(16, 8), epochs=6, batch_size=8, weight_decay=1e-3, label_smoothing=0.1),
        CNN(channels=(6, 8), hidden=9, epochs=5, batch_size=8, flip=True, crop=1),
        CNN(channels=(6, 8), hidden=9, epochs=5, batch_size=8, halve="stride", nesterov=True),
        ResNet9(width=4, epochs=3, batch_size=8, learning_rate=0.01),
    ],
    ids=lambda recipe: recipe.recipe,
)
@pytest.mark.parametrize("stack", [2, 6])
def test_a_stack_trains_each_network_as_it_would_alone(
    dataset: Dataset, recipe: GradientRecipe, stack: int
) -> None:
    chosen = subsets(23, 23, 23, 23, 23, 23)
    alone = recipe.engine("cpu", Tuning(1)).train(dataset, chosen, SEEDS)
    together = recipe.engine("cpu", Tuning(stack)).train(dataset, chosen, SEEDS)
    assert_same_models(together, alone)
    assert alone.train_correct.std(0).any(), "the models differ"


def test_subsets_of_other_sizes_train_in_other_stacks_with_all_their_steps(
    dataset: Dataset,
) -> None:
    recipe = MLP(widths=(16,), epochs=6, batch_size=8)
    chosen = subsets(23, 9, 24, 23, 9, 23)
    alone = recipe.engine("cpu", Tuning(1)).train(dataset, chosen, SEEDS)
    together = recipe.engine("cpu", Tuning(4)).train(dataset, chosen, SEEDS)
    assert_same_models(together, alone)


def test_an_engine_used_again_starts_from_the_seeds(dataset: Dataset) -> None:
    recipe = ResNet9(width=4, epochs=2, batch_size=8)
    chosen = subsets(*[23] * 6)
    used = recipe.engine("cpu", Tuning(3))
    used.train(dataset, chosen[:3], SEEDS[3:])
    fresh = recipe.engine("cpu", Tuning(3))
    assert_same_bits(used.train(dataset, chosen, SEEDS), fresh.train(dataset, chosen, SEEDS))


def out_of_memory_above(most: int) -> Callable[..., None]:
    original = NetworkStack.__init__

    def init(self: NetworkStack, recipe: Any, data: Any, seeds: list[int]) -> None:
        if len(seeds) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        original(self, recipe, data, seeds)

    return init


def test_when_memory_runs_out_fewer_train_at_once(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = MLP(widths=(16,), epochs=3, batch_size=8)
    chosen = subsets(*[23] * 6)
    expected = recipe.engine("cpu", Tuning(1)).train(dataset, chosen, SEEDS)
    monkeypatch.setattr(NetworkStack, "__init__", out_of_memory_above(2))
    engine = recipe.engine("cpu", Tuning(6))
    assert_same_models(engine.train(dataset, chosen, SEEDS), expected)
    assert engine.tuning == Tuning(2)
    monkeypatch.setattr(NetworkStack, "__init__", out_of_memory_above(0))
    with pytest.raises(OutOfMemoryError, match="use fewer --workers"):
        recipe.engine("cpu", Tuning(6)).train(dataset, chosen, SEEDS)


class Dropping(MLP):
    """A network that draws random numbers while it trains."""

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return nn.Sequential(nn.Dropout(0.3), *super().network(shape, n_classes))


@pytest.mark.parametrize(
    ("recipe", "stack", "sizes"),
    [
        (CNN(channels=(4,), hidden=5, epochs=4, batch_size=8, flip=True, crop=1), 3, 2),
        (Dropping(widths=(9,), epochs=3, batch_size=8), 1, 2),
        (
            ResNet9(
                width=2,
                epochs=3,
                batch_size=8,
                learning_rate=0.01,
                resized_crop=4,
                first_size=2,
            ),
            3,
            4,
        ),
    ],
    ids=["stack", "dropout", "growing images"],
)
def test_recorded_steps_train_the_same_networks(
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    recipe: GradientRecipe,
    stack: int,
    sizes: int,
) -> None:
    chosen = subsets(*[23] * 6)
    expected = recipe.engine("cpu", Tuning(stack)).train(dataset, chosen, SEEDS)
    recorded = record_steps(monkeypatch)
    engine = recipe.engine("cpu", Tuning(stack))
    found = engine.train(dataset, chosen, SEEDS)
    assert len(recorded) == sizes, "one for each size of batch and image, not for each stack"
    assert_same_bits(replace(found, seconds=expected.seconds), expected)
