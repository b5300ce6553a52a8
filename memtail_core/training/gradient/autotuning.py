"""Autotuning: time a few steps of each candidate, and train the fastest way."""

import time
from collections.abc import Sequence
from itertools import islice
from statistics import median

import torch

from memtail_core.data import Dataset
from memtail_core.training.device import own_randomness
from memtail_core.training.engine import Tuning
from memtail_core.training.gradient.batches import Batch, batches
from memtail_core.training.gradient.network_stack import NetworkStack
from memtail_core.training.gradient.options import GradientOptions
from memtail_core.training.gradient.resident_data import ResidentData
from memtail_core.training.memory import is_out_of_memory, reporting_out_of_memory

_SECONDS = 0.1  # of steps, for each candidate
_STEPS = 200
_PATIENCE = 2  # stop after this many larger stacks that are no faster
_WORTH_A_STACK = 1.1  # times as fast; otherwise keep the simpler, so that noise does not decide
_WORTH_BFLOAT16 = 1.3
_HOPELESS = 0.5


def autotuned(
    recipe: GradientOptions,
    dataset: Dataset,
    subset_size: int,
    device: str,
    stacks: Sequence[int],
) -> Tuning:
    """Return the fastest number of networks at once, and the fastest precision if it is "auto".

    Stacks grow until they gain nothing, or memory runs out.

    Args:
        recipe, dataset, subset_size: what is trained, and on how many examples.
        device: where.
        stacks: how many networks at once to choose from, ascending.
    """
    precisions = ["float32", "bfloat16"] if recipe.precision == "auto" else [recipe.precision]
    best, leading = Tuning(stacks[0], precisions[0]), dict[int, float]()
    for precision in precisions:
        dtype = getattr(torch, precision)
        with reporting_out_of_memory(recipe.recipe, device, "or a smaller [dataset] train_limit"):
            data = ResidentData(
                dataset, recipe.standardize, torch.device(device), dtype, recipe.resized_crop
            )
        rates = _rates(recipe, data, subset_size, stacks, leading)
        stack = _simplest(rates)
        if rates.get(stack, 0.0) > _WORTH_BFLOAT16 * leading.get(best.stack, 0.0):
            best, leading = Tuning(stack, precision), rates
        if data.device.type == "cuda":
            torch.cuda.empty_cache()
    return best


def _rates(
    recipe: GradientOptions,
    data: ResidentData,
    subset_size: int,
    stacks: Sequence[int],
    leading: dict[int, float],
) -> dict[int, float]:
    """Steps per second of larger and larger stacks, until they gain nothing or memory runs out.

    ``leading`` are the rates of another precision: far behind those, no larger stack is tried.
    """
    rates: dict[int, float] = {}
    for stack in stacks:
        try:
            rates[stack] = stack / _seconds_per_step(recipe, data, subset_size, stack)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) and data.dtype == torch.float32:
                raise
            break  # out of memory, or a layer without a bfloat16 kernel
        without_gain = sum(larger > _simplest(rates) for larger in rates)
        if without_gain == _PATIENCE or rates[stack] < _HOPELESS * leading.get(stack, 0.0):
            break
    return rates


def _simplest(rates: dict[int, float]) -> int:
    """The smallest stack that no larger one clearly beats; 1 if nothing was measured."""
    best, best_rate = 1, 0.0
    for stack, rate in rates.items():
        if rate > _WORTH_A_STACK * best_rate:
            best, best_rate = stack, rate
    return best


def _seconds_per_step(
    recipe: GradientOptions, data: ResidentData, subset_size: int, stack: int
) -> float:
    """Seconds of one step of ``stack`` networks, without what is only done once.

    Images are of the last epochs' size, which needs most memory.
    """
    recipe = recipe.model_copy(update={"first_size": 0})
    seeds = list(range(stack))
    members = torch.arange(subset_size).expand(stack, -1)
    with own_randomness(data.device):
        networks = NetworkStack(recipe, data, seeds)
        two = Batch(members[:, :2].to(data.batch_device))
        networks.step(next(data.fed(iter([two]))), 0.0)  # libraries load
        step = networks.recorded_step()
        taken, times = 0.0, []
        each = batches(recipe, members, seeds, data.batch_device)
        for batch in data.fed(islice(each, _STEPS)):
            start = time.perf_counter()
            step(batch, recipe.learning_rate / 1000)  # too small to diverge
            if data.device.type == "cuda":
                torch.cuda.synchronize(data.device)
            times.append(time.perf_counter() - start)
            taken += times[-1]
            if (taken > _SECONDS and len(times) > 1) or taken > 5 * _SECONDS:
                break
        networks.logits(data.x_train[:1])  # evaluation must fit in memory too
    return median(times[1:] or times)
