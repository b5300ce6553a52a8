"""Speed of a GPU: the authors' whole MNIST study, and CIFAR-10 ResNets against airbench.

    benchmarks/gpu.sh MNIST_FOLDER CIFAR10.npz        # everything, in under 9 minutes

Sizes are options, so that the same code also runs with small sizes on a CPU.
"""

import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.roofline import operations, peak
from benchmarks.table import run, show
from memtail_core import training
from memtail_core.analysis import analyse
from memtail_core.data import Dataset
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec
from memtail_core.training.device import compute_reproducibly, machine_kind, resolve_device


@click.command()
@click.option("--mnist", help="The folder with MNIST; without it, that part is left out.")
@click.option("--cifar10", help="An npz of CIFAR-10; without it, that part is left out.")
@click.option("--trials", default=2000, show_default=True, help="Models of the MNIST study.")
@click.option("--at-once", default=100, show_default=True, help="Models in a shard, at most.")
@click.option("--models", default=8, show_default=True, help="Models on CIFAR-10.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="For both studies.")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    mnist: str | None,
    cifar10: str | None,
    trials: int,
    at_once: int,
    models: int,
    settings: tuple[str, ...],
    device: str,
    as_json: bool,
) -> None:
    """Measure a GPU."""
    from cli.options import overrides

    device = resolve_device(device)
    limit = peak("bfloat16", device)
    about = {"machine": machine_kind(device), "peak_teraflops": limit / 1e12}
    changed = overrides(settings)
    if mnist:
        size = {"study.shard_size": at_once, "dataset.root": mnist}
        show(_whole_study(size | changed, trials, device, limit) | about, as_json)
    if cifar10:
        source = {"dataset.source": f"npz:{cifar10}", "study.shard_size": at_once}
        spec = Spec.load("cifar10-resnet9", source | changed)
        dataset = prepare(spec)[1]
        show(_full_set(spec, dataset, models, device, limit) | about, as_json)
        if device != "cpu" and (found := _airbench(dataset, models)):
            show(found | about, as_json)


def _whole_study(
    settings: dict[str, Any], trials: int, device: str, limit: float
) -> dict[str, Any]:
    """Measure everything from the study file to memorization and influence."""
    start = time.perf_counter()
    study, dataset = prepare(Spec.load("mnist-mlp", settings))
    with tempfile.TemporaryDirectory(prefix="memtail-benchmark-") as folder:
        trained = execution.run(study, FilesStore(folder), dataset, trials, device=device)
    at = time.perf_counter()
    analysis = analyse(study, dataset, trained)
    end = time.perf_counter()
    work = operations(training.restore(study.training), dataset, study.subset_size)
    accuracy = trained.accuracies()
    return {
        "what": f"the authors' MNIST study, {len(trained):,} models",
        "seconds": end - start,
        "seconds_training": at - start,
        "seconds_estimating": end - at,
        "models_per_hour": 3600 * len(trained) / (at - start),
        "memorized": analysis.summary()["memorization"]["memorized"],
        "accuracy": {"held_in": accuracy.held_in.mean(), "held_out": accuracy.held_out.mean()},
        "fraction_of_peak": work * len(trained) / (at - start) / limit,
        "stack": trained.about[0]["stack"],
        "precision": trained.about[0]["precision"],
    }


def _full_set(
    spec: Spec, dataset: Dataset, models: int, device: str, limit: float
) -> dict[str, Any]:
    """Train on the whole training set, as airbench does: models per hour and accuracy."""
    compute_reproducibly()
    n = len(dataset.y_train)
    recipe = training.resolve(spec.training, dataset, n)
    tuning = recipe.tuned(dataset, n, device, sorted({1, 2, 4, models}))
    engine = recipe.engine(device, tuning)
    subsets = np.ones((models, n), dtype=np.bool_)
    first = recipe.model_copy(update={"epochs": 1}).engine(device, tuning)
    first.train(dataset, subsets[: tuning.stack], np.arange(tuning.stack))  # libraries load
    del first
    start = time.perf_counter()
    found = engine.train(dataset, subsets, np.arange(models) + 1000)
    seconds = (time.perf_counter() - start) / models
    test = found.test_correct.mean(1)
    return {
        "what": f"CIFAR-10, {recipe.recipe}, whole training set, {models} models",
        "models_per_hour": 3600 / seconds,
        "seconds_per_model": seconds,
        "accuracy": {"held_in": float(found.train_correct.mean()), "test": float(test.mean())},
        **({"accuracy_sd": {"test": float(test.std(ddof=1))}} if models > 1 else {}),
        "fraction_of_peak": operations(recipe, dataset, n) / seconds / limit,
        "stack": engine.tuning.stack,
        "precision": engine.tuning.precision,
    }


def _airbench(dataset: Dataset, models: int) -> dict[str, Any] | None:
    """Run airbench94 as its author does: networks in turn, the first not counted."""
    try:
        from airbench import CifarLoader, evaluate, train94
    except ImportError:
        print("airbench is not installed: left out", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("cifar10").mkdir()
        for name, x, y in (
            ("train", dataset.train.whole(), dataset.y_train),
            ("test", dataset.test.whole(), dataset.y_test),
        ):
            tensors = {"images": torch.from_numpy(x), "labels": torch.from_numpy(y)}
            torch.save(tensors | {"classes": list(dataset.classes)}, f"cifar10/{name}.pt")
        test = CifarLoader("cifar10", train=False, batch_size=2000)
        evaluate(train94(verbose=False), test, tta_level=2)
        training_seconds, accuracies = 0.0, []
        start = time.perf_counter()
        for _ in range(models):
            began = time.perf_counter()
            network = train94(verbose=False)
            torch.cuda.synchronize()
            training_seconds += time.perf_counter() - began
            accuracies.append(float(evaluate(network, test, tta_level=2)))
        seconds = (time.perf_counter() - start) / models
    return {
        "what": f"CIFAR-10, airbench94, {models} models, test-time augmentation",
        "models_per_hour": 3600 / seconds,
        "seconds_per_model": seconds,
        "seconds_training": training_seconds / models,
        "accuracy": {"test": float(np.mean(accuracies))},
    }


if __name__ == "__main__":
    run(main)
