"""Models per hour, compared with the alternatives side by side in one run.

    python benchmarks/training.py --recipe mnist-mlp --against jax --set dataset.root=data
    python benchmarks/training.py --recipe fashion-cnn --against loop --set dataset.root=data

Rounds alternate between the two, because machines are noisy: each round trains some models with
one and then some with the other, on random subsets of the same data. The ratio is the median over
the rounds. Both are timed in steady state: without the start, compilation (a model of one epoch)
and reading the data, but with training and evaluating every example. ``jax`` is always the authors'
recipe (mnist-mlp); ``loop`` trains the same recipe, changed by ``--loop``. The roofline is the
limit: the operations of a model's products divided by the rate of the fastest large product.
"""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import loky
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.memory import own_peak, watched
from benchmarks.roofline import operations, peak
from benchmarks.table import run, show
from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.plan import designs
from memtail_core.running import execution
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.machine import usable_cores
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import TrainedShard
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study
from memtail_core.training.device import machine_kind, resolve_device

_NAMES = ("held_in", "held_out", "test")


@dataclass(frozen=True)
class Side:
    """One side of a round: seconds per model, mean accuracies, peak bytes."""

    seconds: float
    accuracy: tuple[float, float, float]
    peak_bytes: int


@click.command()
@click.option("--recipe", default="mnist-mlp", help="A study: its name or file.")
@click.option("--against", type=click.Choice(["jax", "loop"]), default="jax")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="For both sides.")
@click.option("--loop", "loop_settings", multiple=True, metavar="KEY=VALUE", help="For the loop.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--models", default=4, show_default=True, help="Ours, each round and process.")
@click.option("--their-models", default=1, show_default=True, help="Theirs, each round.")
@click.option("--workers", type=int, help="Our processes. [default: one a core]")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    recipe: str,
    against: str,
    settings: tuple[str, ...],
    loop_settings: tuple[str, ...],
    rounds: int,
    models: int,
    their_models: int,
    workers: int | None,
    device: str,
    as_json: bool,
) -> None:
    """Compare memtail with an alternative."""
    from cli.options import overrides

    device = resolve_device(device)
    workers = workers or (usable_cores() if device == "cpu" else 1)
    ours_set = {"study.shard_size": models, **overrides(settings)}
    study, dataset = prepare(Spec.load(recipe, ours_set))
    if against == "jax":
        if study.dataset.source != "torchvision:MNIST":
            raise click.UsageError("--against jax: the authors' demo is for MNIST")
        theirs, _ = prepare(Spec.load("mnist-mlp", overrides(settings)))
    else:
        theirs, _ = prepare(Spec.load(recipe, ours_set | overrides(loop_settings)))
    folder = tempfile.TemporaryDirectory(prefix="memtail-benchmark-")
    store = FilesStore(folder.name)
    modest = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # both share the memory of a GPU
    peer = loky.ProcessPoolExecutor(1, timeout=None, env=modest)
    peer.submit(_their_models, against, theirs, dataset, range(1), warm_up=True).result()
    results: list[tuple[Side, Side]] = []
    for number in range(rounds):
        first = number * their_models
        trials = range(first, first + their_models)
        their = peer.submit(_their_models, against, theirs, dataset, trials).result()
        stored = (number + 1) * models * workers
        our = _our_models(study, dataset, store, stored, workers, device)
        results.append((their, our))
        line = f"theirs {their.seconds:.3g} s a model, ours {our.seconds:.3g} s"
        print(f"round {number + 1}: {line}", file=sys.stderr)
    peer.shutdown(kill_workers=True)
    their_time = median(their.seconds for their, _ in results)
    our_time = median(our.seconds for _, our in results)
    (key,) = (key for key in store.list(study.prefix) if "/tuning/" in key)
    tuned = json.loads(store.get(key))
    limit = peak(tuned["precision"], device, workers)
    work = operations(training.restore(study.training), dataset, study.subset_size)
    show(
        {
            "what": f"{recipe}, models per hour",
            "ours": 3600 / our_time,
            "theirs": 3600 / their_time,
            "ratio": median(their.seconds / our.seconds for their, our in results),
            "against": against,
            "our_seconds": our_time,
            "their_seconds": their_time,
            "our_accuracy": _mean([our for _, our in results]),
            "their_accuracy": _mean([their for their, _ in results]),
            "our_peak_bytes": max(our.peak_bytes for _, our in results),
            "their_peak_bytes": max(their.peak_bytes for their, _ in results),
            "processes": workers,
            "stack": tuned["stack"],
            "precision": tuned["precision"],
            "teraflop_a_model": work / 1e12,
            "peak_teraflops": limit / 1e12,
            "fraction_of_peak": work / our_time / limit,
            "ratio_at_peak": their_time / (work / limit),
            "machine": machine_kind(device),
        },
        as_json,
    )
    folder.cleanup()


def _mean(sides: list[Side]) -> dict[str, float]:
    means = np.mean([side.accuracy for side in sides], axis=0).tolist()
    return dict(zip(_NAMES, means, strict=True))


class _Finished(ProgressListener):
    """Records when each shard was finished."""

    def __init__(self) -> None:
        self.shards: list[tuple[float, TrainedShard]] = []

    def shard_trained(self, done: TrainedShard, workers: int) -> None:
        """Record the time."""
        self.shards.append((time.perf_counter(), done))


def _our_models(
    study: Study, dataset: Dataset, store: FilesStore, trials: int, workers: int, device: str
) -> Side:
    """Train one more shard in each process.

    The time runs from the start of the first shard to the end of the last. Starting processes and
    reading the data are left out, as for the alternative.
    """
    finished = _Finished()
    with watched() as peak_bytes:
        execution.run(
            study, store, dataset, trials, workers=workers, device=device, observer=finished
        )
    start = min(at - done.seconds for at, done in finished.shards)
    end = max(at for at, _ in finished.shards)
    models = len(finished.shards) * study.shard_size
    rows = [list(done.accuracy.values()) for _, done in finished.shards]
    mean = np.array(rows, dtype=np.float64).mean(axis=0)
    return Side((end - start) / models, tuple(mean.tolist()), peak_bytes[0])


def _their_models(
    against: str, study: Study, dataset: Dataset, trials: range, warm_up: bool = False
) -> Side:
    """Train models with the alternative."""
    if against == "jax":
        from benchmarks.peers.jax_demo import train
    else:
        from benchmarks.peers.loop import train
    recipe: Any = training.restore(study.training)
    if warm_up:
        recipe = recipe.model_copy(update={"epochs": 1})
    start, accuracies = time.perf_counter(), []
    rows = zip(designs.subsets(study, trials), designs.training_seeds(study, trials), strict=True)
    for subset, seed in rows:
        correct, test = train(dataset, subset, int(seed % 2**31), recipe)
        accuracies.append((correct[subset].mean(), correct[~subset].mean(), test.mean()))
    seconds = (time.perf_counter() - start) / len(trials)
    return Side(seconds, tuple(np.mean(accuracies, axis=0).tolist()), own_peak())


if __name__ == "__main__":
    run(main)
