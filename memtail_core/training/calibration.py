"""How a recipe trains fastest on this machine: a few steps of each candidate, timed."""

import time
from collections.abc import Iterator
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING

import torch

from memtail_core.data import Dataset
from memtail_core.training.batches import batches
from memtail_core.training.device import is_out_of_memory, own_randomness
from memtail_core.training.engine import Tuning
from memtail_core.training.fitting import Fit
from memtail_core.training.resident import ResidentData

if TYPE_CHECKING:
    from memtail_core.training.gradient import GradientRecipe

_SECONDS = 0.1  # of steps, for each candidate
_CLEARLY = 1.05  # the simpler candidate is kept unless another is this much faster
_PATIENCE = 2  # larger stacks that are no faster, before none larger is tried
_STEPS = 20


def calibrated(
    recipe: "GradientRecipe", dataset: Dataset, subset_size: int, device: str, most: int
) -> Tuning:
    """Return the fastest number of networks at once, and the fastest precision if it is "auto".

    Stacks grow until they gain nothing, or memory runs out.

    Args:
        recipe, dataset, subset_size: what is trained, and on how many examples.
        device: where.
        most: networks at once at the most; the stacks tried cut as many into equal parts.
    """
    precisions = ["float32", "bfloat16"] if recipe.precision == "auto" else [recipe.precision]
    best, best_rate = Tuning(precision=precisions[0]), 0.0
    for precision in precisions:
        dtype = getattr(torch, precision)
        data = ResidentData(dataset, recipe.standardize, torch.device(device), dtype)
        fastest, without_gain = 0.0, 0
        for stack in _sizes(most):
            try:
                rate = stack / _seconds_per_step(recipe, data, subset_size, stack)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error) and precision != "bfloat16":
                    raise
                break  # out of memory, or a layer that there is no bfloat16 kernel for
            if rate > _CLEARLY * best_rate:
                best, best_rate = Tuning(stack, precision), rate
            without_gain = 0 if rate > fastest else without_gain + 1
            fastest = max(fastest, rate)
            if without_gain == _PATIENCE:
                break
    return best


def _sizes(most: int) -> Iterator[int]:
    """1, 2, 4, … as fits: those that cut ``most`` networks into 1, 2, 4, … stacks alike."""
    sizes, parts = {1}, 1
    while (size := -(-most // parts)) > 1:
        sizes.add(size)
        parts *= 2
    yield from sorted(sizes)


def _seconds_per_step(
    recipe: "GradientRecipe", data: ResidentData, subset_size: int, stack: int
) -> float:
    """The time of one step of ``stack`` networks, the first (which sets things up) apart."""
    seeds = list(range(stack))
    members = torch.arange(subset_size).expand(stack, -1)
    with own_randomness(data.device):
        fit = Fit(recipe, data, seeds)
        taken, times = 0.0, []
        for batch in islice(batches(recipe, members, seeds, data.device), _STEPS):
            start = time.perf_counter()
            fit.step(batch, recipe.learning_rate / 1000)  # too small to diverge
            if data.device.type == "cuda":
                torch.cuda.synchronize(data.device)
            times.append(time.perf_counter() - start)
            taken += times[-1]
            if (taken > _SECONDS and len(times) > 1) or taken > 5 * _SECONDS:
                break
    return median(times[1:] or times)
