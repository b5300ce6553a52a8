"""How well wrong labels are found: by cleanlab, on memtail's probabilities and others; by memtail.

    python -m benchmarks.label_errors                                 # scikit-learn's digits
    python -m benchmarks.label_errors --data cifar.npz --recipe cnn   # x_train, y_train of an npz

2% of the training labels become another class at random. Then, for each of several draws:

- ``cleanlab, held-out averages``: cleanlab's scores (Northcutt, Jiang & Chuang 2021) from the mean
  probabilities of the models of a study, each example by those that held it out;
- ``cleanlab, 5-fold``: the same from one network of each fold of a 5-fold cross-validation, its
  usual way, with the same recipe;
- ``memtail, mislabeled_probability``: the probability that a label is wrong, as memtail gives it;
- ``memtail, memorization``: how much less often the label is predicted by those that held it out.

Each ranking's AUROC and average precision; and of the lists that both make without a threshold of
yours, ``find_label_issues`` of cleanlab and ``likely-mislabeled`` of memtail, precision and recall.
The intervals are 95% Student intervals of the mean over the draws. ``auroc_of_each_draw`` has the
area of each draw with the interval that the number of its labels leaves.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core import training
from memtail_core.data import Dataset, near_duplicates
from memtail_core.estimation.held_out import HeldOut
from memtail_core.estimation.roc import auc_interval
from memtail_core.experiments.subgroups.plan import subgroups
from memtail_core.plan.shards import planned
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import train_shard
from memtail_core.running.trials import Trials
from memtail_core.study import Spec
from memtail_core.training import Tuning
from memtail_core.training.device import use_one_core

_FOLDS = 5
_TEST = 500  # examples, at most
_RECIPES: dict[str, dict[str, Any]] = {
    "mlp": {"recipe": "mlp", "widths": [64], "precision": "float32"},
    "cnn": {
        "recipe": "cnn",
        "channels": [16, 32],
        "hidden": 64,
        "halve": "stride",
        "precision": "float32",
    },
}
_STACK = {"mlp": 10, "cnn": 1}  # networks at once: what is fastest on a CPU

Floats = NDArray[np.float64]


@click.command()
@click.option("--data", type=click.Path(exists=True), help="An npz of images; default: digits.")
@click.option("--recipe", type=click.Choice(list(_RECIPES)), default="mlp", show_default=True)
@click.option("--examples", default=1200, show_default=True, help="Training examples.")
@click.option("--wrong", default=0.02, show_default=True, help="Share of wrong labels.")
@click.option("--models", default=100, show_default=True, help="Models of a study.")
@click.option("--epochs", type=int, help="Of a network. [default: until it fits, as memtail's own]")
@click.option("--draws", default=5, show_default=True, help="Draws of the wrong labels.")
@click.option("--first", default=0, show_default=True, help="Number of the first draw.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    data: str | None,
    recipe: str,
    examples: int,
    wrong: float,
    models: int,
    epochs: int | None,
    draws: int,
    first: int,
    as_json: bool,
) -> None:
    """Measure how well each way finds planted wrong labels."""
    use_one_core()
    x, y = _read(data)
    table = _RECIPES[recipe] | ({} if epochs is None else {"epochs": epochs})
    measured: dict[str, dict[str, list[float]]] = {}
    for draw in range(first, first + draws):
        dataset, is_wrong = _planted(x, y, examples, wrong, draw)
        start = time.perf_counter()
        for way, figures in _ways(dataset, is_wrong, table, models):
            click.echo(f"{way}: {figures}", err=True)
            for name, value in figures.items():
                measured.setdefault(way, {}).setdefault(name, []).append(value)
        click.echo(f"draw {draw}: {time.perf_counter() - start:.0f} s", err=True)
    for way, by_name in measured.items():
        said: dict[str, Any] = {"way": way, "draws": draws}
        for name, values in by_name.items():
            said |= _interval(name, np.array(values))
        n_wrong = round(wrong * examples)
        said["auroc_of_each_draw"] = [
            [area, *auc_interval(area, n_wrong, examples - n_wrong)] for area in by_name["auroc"]
        ]
        show(said, as_json)


def _read(path: str | None) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    if path is not None:
        with np.load(path, allow_pickle=False) as file:
            return file["x_train"], file["y_train"].astype(np.int64)
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return (images.reshape(-1, 8, 8) * 15.9).astype(np.uint8), labels.astype(np.int64)


def _planted(
    x: NDArray[np.uint8], y: NDArray[np.int64], n: int, share: float, draw: int
) -> tuple[Dataset, NDArray[np.bool_]]:
    """Draw the examples and, of ``share`` of them, another label; say of which."""
    rng = np.random.default_rng([draw, 2021])
    order = rng.permutation(len(y))
    train, test = order[:n], order[n : n + _TEST]
    is_wrong = np.zeros(n, bool)
    is_wrong[rng.choice(n, round(share * n), replace=False)] = True
    n_classes = int(y.max()) + 1
    given = np.where(is_wrong, (y[train] + rng.integers(1, n_classes, n)) % n_classes, y[train])
    classes = [str(c) for c in range(n_classes)]
    dataset = Dataset.from_arrays(x[train], given, x[test], y[test], classes=classes)
    return dataset, is_wrong


def _ways(
    dataset: Dataset, is_wrong: NDArray[np.bool_], table: dict[str, Any], models: int
) -> Iterator[tuple[str, dict[str, float]]]:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    spec = Spec.parse(
        {
            "study": {"probabilities": True, "shard_size": 10},
            "dataset": {"source": "here"},
            "training": table,
        }
    )
    study, dataset = prepare(spec, dataset)
    engine = training.restore(study.training).engine("cpu", Tuning(_STACK[table["recipe"]]))
    total, parts = HeldOut.none(len(is_wrong), len(dataset.classes)), []
    for shard in planned(study, models):
        trials, held_out = train_shard(study, dataset, shard, engine, "cpu")
        assert isinstance(held_out, HeldOut)
        total = total.plus(held_out)
        parts.append(trials)
    every, y = Trials.joined(parts), dataset.y_train
    averaged = total.mean / total.mean.sum(1, keepdims=True)
    for way, probabilities in (
        ("cleanlab, held-out averages", averaged),
        (f"cleanlab, {_FOLDS}-fold", _by_fold(dataset, table)),
    ):
        quality = get_label_quality_scores(y, probabilities)
        chosen = find_label_issues(y, probabilities, n_jobs=1)
        yield way, _ranked(1 - quality, is_wrong) | _listed(chosen, is_wrong)
    found = subgroups(
        study,
        every,
        dataset,
        near_duplicates.within_training_set(dataset),
        near_duplicates.in_test_set(dataset),
    )
    mislabeled = np.zeros(len(y), bool)
    mislabeled[[m.index for m in found.members if m.category == "likely-mislabeled"]] = True
    yield (
        "memtail, mislabeled_probability",
        _ranked(_wrong_probability(every, dataset), is_wrong) | _listed(mislabeled, is_wrong),
    )
    yield "memtail, memorization", _ranked(every.counted().memorization, is_wrong)


def _wrong_probability(trials: Trials, dataset: Dataset) -> Floats:
    from memtail_core.estimation.label_noise import label_noise
    from memtail_core.experiments.subgroups.plan import label_probability

    probability = label_probability(trials, dataset.y_train)
    return label_noise(probability, len(dataset.classes)).probability


def _by_fold(dataset: Dataset, table: dict[str, Any]) -> Floats:
    """Predict each example by the one network that trained on the other folds, [n, C]."""
    n = len(dataset.y_train)
    fold = np.random.default_rng(5).permutation(np.arange(n) % _FOLDS)
    subsets = fold != np.arange(_FOLDS)[:, None]
    recipe = training.resolve(table, dataset, int(subsets[0].sum()))
    outcomes = recipe.engine("cpu", Tuning(min(_FOLDS, _STACK[table["recipe"]]))).train(
        dataset, subsets, np.arange(_FOLDS, dtype=np.int64), probabilities=True
    )
    assert outcomes.train_probability is not None
    probabilities: Floats = outcomes.train_probability[fold, np.arange(n)].astype(np.float64)
    probabilities /= probabilities.sum(1, keepdims=True)
    return probabilities


def _ranked(score: Floats, is_wrong: NDArray[np.bool_]) -> dict[str, float]:
    return {
        "auroc": float(roc_auc_score(is_wrong, score)),
        "average_precision": float(average_precision_score(is_wrong, score)),
    }


def _listed(chosen: NDArray[np.bool_], is_wrong: NDArray[np.bool_]) -> dict[str, float]:
    hits = int((chosen & is_wrong).sum())
    return {
        "precision": hits / max(1, int(chosen.sum())),
        "recall": hits / int(is_wrong.sum()),
    }


def _interval(name: str, values: Floats) -> dict[str, float]:
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return {name: mean}
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}


if __name__ == "__main__":
    run(main)
