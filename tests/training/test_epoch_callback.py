"""A callback is called after every epoch, and training stays the same to the last bit."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from memtail_core.data import Dataset
from memtail_core.training.engine import Tuning
from memtail_core.training.gradient.engine import GradientEngine
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.networks import CNN, MLP, ResNet9
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.resident_data import ResidentData


class Dropping(MLP):
    """Draws random numbers in training mode, which a callback must not disturb."""

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(20, n_classes))


RECIPES = [
    MLP(widths=(6,), epochs=3, batch_size=8),
    CNN(channels=(4,), hidden=5, epochs=3, batch_size=8, flip=True, crop=1),
    ResNet9(width=2, epochs=3, batch_size=8),
    Dropping(epochs=3, batch_size=8),
]


def trained(
    recipe: GradientRecipe, dataset: Dataset, stack: int, callback: Callable[..., None] | None
) -> list[torch.Tensor]:
    engine = GradientEngine(recipe, "cpu", Tuning(stack))
    subsets = np.zeros((stack, 37), bool)
    subsets[:, :23] = True
    networks, _ = engine.train_stack(dataset, subsets, np.arange(stack), callback)
    return [tensor.clone() for tensor in networks.state()]


@pytest.mark.parametrize(
    ("recipe", "stack"),
    [*((recipe, 1) for recipe in RECIPES), (RECIPES[0], 3), (RECIPES[2], 3)],
)
def test_training_is_the_same_bits_with_a_callback(
    dataset: Dataset, recipe: GradientRecipe, stack: int
) -> None:
    calls = []

    def callback(epoch: int, networks: NetworkStack, data: ResidentData) -> None:
        torch.rand(5)
        calls.append((epoch, networks.logits(data.x_train).shape))

    expected = trained(recipe, dataset, stack, None)
    found = trained(recipe, dataset, stack, callback)
    assert calls == [(epoch, (stack, 37, 3)) for epoch in (1, 2, 3)]
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_the_last_call_has_the_network_that_is_returned(dataset: Dataset) -> None:
    logits = []
    recipe = MLP(widths=(6,), epochs=4, batch_size=8, schedule="constant")
    engine = GradientEngine(recipe, "cpu", Tuning())
    networks, data = engine.train_stack(
        dataset,
        np.ones((1, 37), bool),
        np.array([3]),
        lambda epoch, networks, data: logits.append(networks.logits(data.x_test)),
    )
    assert torch.equal(logits[-1], networks.logits(data.x_test))
    assert not torch.equal(logits[-2], logits[-1])
