"""Many heads on the features of one frozen backbone, and whole networks that train on from it.

    python benchmarks/backbones.py --source npz:cifar10.npz
    python benchmarks/backbones.py --source torchvision:CIFAR10 --examples 3000

A ResNet-18 is first trained briefly on images of the source that the studies do not have, and its
weights are saved. Three studies begin with that file, on the same images, which the backbone sees
at 96 pixels: a frozen backbone with linear heads, the same with hidden layers, and two networks
that are trained whole. Each is one ``memtail run``, through processes and a store. The features are
computed in the first study; the second reads them. Seconds are by the clock; CPU seconds are those
of all processes, which other load on the machine changes less.

Accuracies are means over the models, of what was trained on, what was held out, and the test set.
"""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.plan.shards import Shard
from memtail_core.running import execution
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import DatasetTable, Spec
from memtail_core.training.device import machine_kind, resolve_device
from memtail_core.training.engine import UNTUNED
from memtail_core.training.gradient.engine import GradientEngine
from memtail_core.training.gradient.recipe import GradientRecipe


@click.command()
@click.option("--source", default="torchvision:CIFAR10", show_default=True)
@click.option("--examples", default=10_000, show_default=True, help="Training examples.")
@click.option("--tests", default=2000, show_default=True, help="Test examples.")
@click.option("--size", default=96, show_default=True, help="Pixels that the backbone sees.")
@click.option("--backbone", default="resnet18", show_default=True, help="Of torchvision.")
@click.option("--linear", "n_linear", default=1000, show_default=True, help="Linear heads.")
@click.option("--mlp", "n_mlp", default=200, show_default=True, help="Heads with a hidden layer.")
@click.option("--whole", "n_whole", default=2, show_default=True, help="Networks trained whole.")
@click.option("--whole-epochs", default=2, show_default=True)
@click.option("--whole-examples", type=int, help="Fewer training examples for those networks.")
@click.option("--pretraining", default=4000, show_default=True, help="Images to pretrain on.")
@click.option("--pretraining-size", default=32, show_default=True, help="Their pixels.")
@click.option("--pretraining-epochs", default=4, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--folder", type=Path, help="Keep weights and studies here, and continue there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    source: str, examples: int, tests: int, size: int, backbone: str, n_linear: int, n_mlp: int,
    n_whole: int, whole_epochs: int, whole_examples: int | None, pretraining: int,
    pretraining_size: int, pretraining_epochs: int, device: str, folder: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Measure each of the three studies."""
    device = resolve_device(device)
    images, others = _divided(source, examples, tests, pretraining)
    with TemporaryDirectory() as temporary:
        root = folder or Path(temporary)
        root.mkdir(parents=True, exist_ok=True)
        weights = root / f"{backbone}.pt"
        if not weights.exists():
            start = time.perf_counter()
            torch.save(
                _pretrained(others, backbone, pretraining_size, pretraining_epochs, device), weights
            )
            seconds = time.perf_counter() - start
            print(f"pretrained in {seconds:.0f} s", file=sys.stderr)
        table = {"backbone": f"torchvision:{backbone}", "weights": str(weights), "size": size}
        fewer = images if whole_examples is None else _evenly(images, whole_examples)
        for name, data, trials, options in (
            ("linear heads", images, n_linear, {"head": "linear"}),
            ("mlp heads", images, n_mlp, {"head": "mlp"}),
            ("whole networks", fewer, n_whole, {"frozen": False, "epochs": whole_epochs}),
        ):
            if trials:
                show(_measured(name, data, trials, table | options, device, root), as_json)


def _measured(
    name: str, data: Dataset, trials: int, options: dict[str, Any], device: str, root: Path
) -> dict[str, Any]:
    """Run one study and measure it."""
    spec = Spec.parse(
        {
            "study": {
                "name": name.replace(" ", "-"),
                "trials": trials,
                "shard_size": min(25, trials),
            },
            "dataset": {"source": "npz:measured"},
            "training": {"recipe": "finetune", **options},
        }
    )
    watch, cpu, start = _Watch(), _cpu(), time.perf_counter()
    study, _ = prepare(spec, data)
    store = FilesStore(root / "runs")
    loaded = execution.run(study, store, data, trials, device=device, observer=watch)
    seconds = time.perf_counter() - start
    return {
        "study": name,
        "models": len(loaded),
        "examples": len(data.y_train),
        "tests": len(data.y_test),
        "seconds": seconds,
        "of_which_features": watch.seconds,
        "cpu_seconds": _cpu() - cpu,
        "of_which_features_cpu": watch.cpu,
        "features_computed": watch.computed,
        "accuracy": loaded.accuracies().means(),
        "machine": machine_kind(device),
    }


class _Watch(ProgressListener):
    """Measures what the features take."""

    def __init__(self) -> None:
        self.computed, self.seconds, self.cpu = 0, 0.0, 0.0
        self._began: tuple[float, float, int] | None = None

    def features_computed(self, done: int, total: int) -> None:
        """See :class:`.ProgressListener`."""
        if self._began is None:
            self._began = time.perf_counter(), _cpu(), done
        start, _, before = self._began
        self.seconds, self.computed = time.perf_counter() - start, done - before
        print(f"features: {done} of {total}, {self.seconds:.0f} s", file=sys.stderr)

    def shards_missing(self, missing: Sequence[Shard]) -> None:
        """See :class:`.ProgressListener`; the processes that computed features have ended."""
        if self._began is not None and not self.cpu:
            self.cpu = _cpu() - self._began[1]


def _cpu() -> float:
    """Seconds on a processor of this process and of those that have ended."""
    each = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in each)


def _divided(source: str, examples: int, tests: int, others: int) -> tuple[Dataset, Dataset]:
    """The images of the studies, and other ones of the same source."""
    whole = load(DatasetTable(source=source))
    order = np.random.default_rng(0).permutation(len(whole.y_train))
    chosen, left = np.sort(order[:examples]), np.sort(order[examples : examples + others])
    if len(left) < 2:
        raise click.UsageError("--examples leaves no other images to pretrain on")
    test = np.sort(np.random.default_rng(1).permutation(len(whole.y_test))[:tests])
    return _taken(whole, chosen, test), _taken(whole, left, test)


def _evenly(data: Dataset, n: int) -> Dataset:
    """Fewer training examples, evenly spread, since a source may be sorted by class."""
    rows = np.linspace(0, len(data.y_train) - 1, n).round().astype(np.int64)
    return _taken(data, rows, np.arange(len(data.y_test)))


def _taken(data: Dataset, train: np.ndarray, test: np.ndarray) -> Dataset:
    return Dataset.from_arrays(
        *(data.train.take(train), data.y_train[train]),
        *(data.test.take(test), data.y_test[test]),
        classes=data.classes,
    )


def _pretrained(
    data: Dataset, backbone: str, size: int, epochs: int, device: str
) -> dict[str, torch.Tensor]:
    """Train torchvision's network, as it is for large images, from random weights."""
    import torchvision.models

    torch.manual_seed(0)
    state = torchvision.models.get_model(backbone, weights=None).state_dict()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "random.pt"
        torch.save(state, file)
        table = {
            "recipe": "finetune",
            "backbone": f"torchvision:{backbone}",
            "weights": str(file),
            "size": size,
            "frozen": False,
            "epochs": epochs,
            "learning_rate": 0.05,
            "flip": True,
        }
        recipe = training.resolve(table, data, len(data.y_train))
    assert isinstance(recipe, GradientRecipe)
    engine = GradientEngine(recipe, device, replace(UNTUNED))
    everything = np.ones((1, len(data.y_train)), bool)
    networks, resident = engine.train_stack(data, everything, np.array([0]))
    correct = engine.outcome(networks, resident.x_test, resident.y_test).correct
    print(f"pretrained: {correct.mean():.1%} of the test images", file=sys.stderr)
    prefix = "network.body."
    kept = networks.network.state_dict()
    body = {n.removeprefix(prefix): t.cpu() for n, t in kept.items() if n.startswith(prefix)}
    head = {name: tensor for name, tensor in state.items() if name not in body}
    return {**body, **head}


if __name__ == "__main__":
    run(main)
