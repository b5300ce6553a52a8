"""The limit of the hardware: the operations of a model, and the most operations per second."""

import time

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from memtail_core.data import Dataset
from memtail_core.training import Recipe
from memtail_core.training.device import computing_on
from memtail_core.training.gradient.batches import Batch, batch_sizes
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.resident_data import ResidentData

_SECONDS = 1.0
_SMALL = 256  # rows of a product that is fast even where it is emulated
_LONGEST = 0.5  # seconds that one product may take


def operations(recipe: Recipe, dataset: Dataset, subset_size: int) -> float:
    """Floating-point operations of products and convolutions to train and evaluate one model.

    PyTorch counts them on one step and one evaluation, without the gradient for the inputs, which
    is not needed.
    """
    if not isinstance(recipe, GradientRecipe):
        raise TypeError(f"{recipe.recipe} is not a network")
    data = ResidentData(dataset, recipe.standardize, torch.device("cpu"))
    networks = NetworkStack(recipe, data, [0])
    size = min(recipe.batch_size, subset_size)
    with FlopCounterMode(display=False) as step:
        networks.step(Batch(torch.arange(size)[None]), 0.0)
    with FlopCounterMode(display=False) as evaluation:
        networks.logits(data.x_train[:size])
    trained = recipe.n_epochs * sum(batch_sizes(subset_size, recipe.batch_size))
    evaluated = len(dataset.y_train) + len(dataset.y_test)
    per_example = (
        step.get_total_flops() * trained + evaluation.get_total_flops() * evaluated
    ) / size
    return float(per_example)


def peak(precision: str, device: str, threads: int | None = None) -> float:
    """Operations per second of the fastest large matrix product that was measured.

    A processor without bfloat16 instructions multiplies faster in float32, which is then its limit.

    Args:
        precision: "float32" or "bfloat16".
        device: "cpu" or a GPU.
        threads: of the CPU; None: as many as PyTorch uses.
    """
    rates = [_rate(precision, device, threads)]
    if precision != "float32" and device == "cpu":
        rates.append(_rate("float32", device, threads))
    return max(rates)


def _rate(precision: str, device: str, threads: int | None) -> float:
    with computing_on(threads or torch.get_num_threads()):
        return _fastest(precision, device)


def _fastest(precision: str, device: str) -> float:
    n = 8192
    if device == "cpu":  # an emulated product of 1024 takes seconds
        n = 1024 if _seconds(_SMALL, precision) * (1024 / _SMALL) ** 3 < _LONGEST else _SMALL
    a = torch.randn(n, n, device=device).to(getattr(torch, precision))
    (a @ a).sum().item()
    rates = []
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        b = a @ a
        for _ in range(3):
            b = a @ a
        b[0, 0].item()
        rates.append(8 * n**3 / (time.perf_counter() - start))
    return float(np.max(rates))


def _seconds(n: int, precision: str) -> float:
    """The shortest time of a product of n × n matrices on the CPU."""
    a = torch.randn(n, n).to(getattr(torch, precision))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        (a @ a)[0, 0].item()
        times.append(time.perf_counter() - start)
    return min(times)
