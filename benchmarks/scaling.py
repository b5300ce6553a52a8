"""The cost of more networks at once, and of more trials.

    python benchmarks/scaling.py --recipe digits
    python benchmarks/scaling.py --recipe mnist-mlp --set dataset.root=data --stacks 1,2,4

Each stack is measured in a separate process, on one core or the GPU: models per hour of whole
trainings with evaluation, and the peak memory of the process (on a GPU, of the device). Then the
same study is trained with 1, 2 and 4 times as many trials, in steady state: the time per model
stays the same.
"""

import sys
import time
from pathlib import Path
from typing import Any

import click
import loky
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.memory import own_peak
from benchmarks.table import run, show
from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.plan import designs
from memtail_core.running.preparation import prepare
from memtail_core.study import Spec, Study
from memtail_core.training import Tuning
from memtail_core.training.device import (
    compute_reproducibly,
    machine_kind,
    resolve_device,
    use_one_core,
)
from memtail_core.training.gradient.recipe import GradientRecipe


@click.command()
@click.option("--recipe", default="digits", show_default=True, help="A study: its name or file.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE")
@click.option("--stacks", default="1,2,4,8,16,32", show_default=True)
@click.option("--precision", default="bfloat16", show_default=True)
@click.option("--trials", default=0, help="Of the first of three sizes. [default: the last stack]")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    recipe: str,
    settings: tuple[str, ...],
    stacks: str,
    precision: str,
    trials: int,
    device: str,
    as_json: bool,
) -> None:
    """Measure stacks of several sizes, then several numbers of trials."""
    from cli.options import overrides

    device = resolve_device(device)
    study, dataset = prepare(Spec.load(recipe, overrides(settings)))
    if not isinstance(training.restore(study.training), GradientRecipe):
        raise click.UsageError(
            f"'{study.training['recipe']}' is not a network: there is nothing to stack"
        )
    try:
        sizes = [int(size) for size in stacks.split(",")]
        tunings = [Tuning(size, precision) for size in sizes]
    except ValueError as error:
        raise click.UsageError(f"--stacks {stacks} --precision {precision}: {error}") from error
    rates = []
    for tuning in tunings:
        size = tuning.stack
        measured = _alone(study, dataset, device, tuning, size)
        rates.append(measured["models_per_hour"])
        show({"what": f"{recipe}, {size} at once", **measured}, as_json)
    fastest = tunings[int(np.argmax(rates))]
    first = trials or max(sizes)
    for count in (first, 2 * first, 4 * first):
        measured = _alone(study, dataset, device, fastest, count)
        show({"what": f"{recipe}, {count} trials", **measured}, as_json)


def _alone(
    study: Study, dataset: Dataset, device: str, tuning: Tuning, trials: int
) -> dict[str, Any]:
    """Train in a separate process, so that its peak memory is its own."""
    with loky.ProcessPoolExecutor(1, timeout=None) as pool:
        measured: dict[str, Any] = pool.submit(
            _train, study, dataset, device, tuning, trials
        ).result()
    return measured


def _train(
    study: Study, dataset: Dataset, device: str, tuning: Tuning, trials: int
) -> dict[str, Any]:
    use_one_core()
    compute_reproducibly()
    recipe = training.restore(study.training)
    warm_up = recipe.model_copy(update={"epochs": 1}).engine(device, tuning)
    subsets = designs.subsets(study, range(trials))
    seeds = designs.training_seeds(study, range(trials))
    warm_up.train(dataset, subsets[: tuning.stack], seeds[: tuning.stack])
    del warm_up  # so that the memory of the two is not added
    engine = recipe.engine(device, tuning)
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    found = engine.train(dataset, subsets, seeds)
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated(device) if device != "cpu" else own_peak()
    return {
        "models_per_hour": 3600 * trials / seconds,
        "seconds_per_model": seconds / trials,
        "seconds": seconds,
        "peak_bytes": peak,
        "accuracy": {"held_out": float(found.train_correct[~subsets].mean())},
        "stack": engine.tuning.stack,
        "precision": tuning.precision,
        "machine": machine_kind(device),
    }


if __name__ == "__main__":
    run(main)
