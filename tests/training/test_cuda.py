"""What only a GPU can show; left out where there is none."""

import numpy as np
import pytest
import torch

from memtail_core.data import Dataset
from memtail_core.training import Tuning
from memtail_core.training.device import compute_reproducibly
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.networks import CNN, MLP, ResNet9, TorchvisionNetwork
from memtail_core.training.gradient.recipe import GradientRecipe
from tests.training.contract import assert_same_bits
from tests.training.test_gradient_engine import SEEDS, Dropping, assert_same_models, subsets

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")

RECIPES = [
    (MLP(widths=(16, 8), epochs=4, batch_size=8), 6),
    (CNN(channels=(6, 8), hidden=9, epochs=4, batch_size=8, flip=True, crop=1), 3),
    (ResNet9(width=4, epochs=3, batch_size=8, learning_rate=0.01), 3),
    (Dropping(widths=(9,), epochs=3, batch_size=8), 1),
    (TorchvisionNetwork(recipe="torchvision:mobilenet_v3_small", epochs=2, batch_size=8), 1),
]


@pytest.mark.parametrize(("recipe", "stack"), RECIPES, ids=lambda value: str(value)[:24])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_recorded_steps_are_the_steps(
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    recipe: GradientRecipe,
    stack: int,
    precision: str,
) -> None:
    """Batches of two sizes, several stacks in one process: all the same bits as without."""
    compute_reproducibly()
    chosen, tuning = subsets(*[23] * 6), Tuning(stack, precision)
    recorded = recipe.engine("cuda", tuning).train(dataset, chosen, SEEDS)
    again = recipe.engine("cuda", tuning)
    again.train(dataset, chosen[:stack], SEEDS[3 : 3 + stack])
    assert_same_bits(again.train(dataset, chosen, SEEDS), recorded)
    monkeypatch.setattr(NetworkStack, "recorded_step", lambda self: self.step)
    assert_same_bits(recipe.engine("cuda", tuning).train(dataset, chosen, SEEDS), recorded)


@pytest.mark.parametrize(("recipe", "stack"), RECIPES[:3], ids=lambda value: str(value)[:24])
def test_a_gpu_trains_the_networks_of_a_cpu(
    dataset: Dataset, recipe: GradientRecipe, stack: int
) -> None:
    compute_reproducibly()
    chosen = subsets(*[23] * 6)
    here = recipe.engine("cpu", Tuning(1)).train(dataset, chosen, SEEDS)
    there = recipe.engine("cuda", Tuning(stack)).train(dataset, chosen, SEEDS)
    assert_same_models(there, here)


def test_the_last_gpu_trains_too(dataset: Dataset) -> None:
    """Not the current one, where there are several."""
    device = f"cuda:{torch.cuda.device_count() - 1}"
    recipe = MLP(widths=(32,), epochs=60, batch_size=8)
    chosen = subsets(*[23] * 6)
    found = recipe.engine(device, Tuning(3)).train(dataset, chosen, SEEDS)
    assert found.train_correct[chosen].mean() > 0.97


def test_too_large_a_stack_is_split(dataset: Dataset) -> None:
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, 4e9 / total))
    try:
        wide = MLP(widths=(16384, 4096), epochs=1, batch_size=8)
        engine = wide.engine("cuda", Tuning(16))
        found = engine.train(dataset, np.repeat(subsets(23), 16, axis=0), np.arange(16))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert engine.tuning.stack < 16
    assert found.train_correct.shape == (16, 37)
