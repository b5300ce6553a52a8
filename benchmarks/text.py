"""Texts: how fast models train beside a plain PyTorch loop, and what raters say of the scores.

    python benchmarks/text.py throughput snippets.csv
    python benchmarks/text.py throughput snippets.csv --study docs/results/snippets-transformer.toml
    memtail run docs/results/snippets-bag.toml
    memtail subgroups snippets-bag --output groups.csv
    python benchmarks/text.py raters snippets-bag snippets.csv --groups groups.csv

``snippets.csv`` is made by ``benchmarks/text_data.py``; the plain loop is ``peers/text_loop.py``.
"""

import csv
import json
import sys
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.peers.text_loop import plain_loop
from benchmarks.table import run
from memtail_core import catalogue, data, open_store, training
from memtail_core.analysis import analyse
from memtail_core.data import Dataset
from memtail_core.estimation.roc import auc_interval, auc_of_columns
from memtail_core.running import loading
from memtail_core.study import Spec
from memtail_core.training.device import use_one_core
from memtail_core.training.engine import Tuning
from memtail_core.training.gradient.text_networks import TextRecipe


@click.group()
def main() -> None:
    """Measure what memtail does with texts."""


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--study", default="docs/results/snippets-bag.toml", show_default=True)
@click.option("--models", default=8, show_default=True)
@click.option("--plain", default=2, show_default=True, help="Models of the plain loop.")
@click.option("--stack", default=8, show_default=True)
@click.option("--batch", default=0, help="Of the plain loop. Default: the recipe's.")
def throughput(file: str, study: str, models: int, plain: int, stack: int, batch: int) -> None:
    """Train the models of STUDY on FILE as memtail does, then as a plain loop does, on one core.

    Both times are of the processor, so that other programs do not count.
    """
    use_one_core()
    spec = Spec.load(study, {"dataset.source": f"csv:{file}"})
    dataset = data.load(spec.dataset)
    n = len(dataset.y_train)
    size = round(0.7 * n)
    recipe = training.resolve(spec.training, dataset, size)
    assert isinstance(recipe, TextRecipe)
    subsets = np.stack([np.random.default_rng(k).permutation(n) < size for k in range(models)])
    seeds = np.arange(models)
    engine = recipe.engine("cpu", Tuning(stack))
    short = recipe.model_copy(update={"epochs": 1}).engine("cpu", Tuning(stack))
    short.train(dataset, subsets[:1], seeds[:1])  # compiled, and loaded
    start = time.process_time()
    outcomes = engine.train(dataset, subsets, seeds)
    ours = (time.process_time() - start) / models
    start = time.process_time()
    accuracies = [
        plain_loop(recipe, dataset, subsets[k], k, batch or recipe.batch_size) for k in range(plain)
    ]
    theirs = (time.process_time() - start) / plain
    found = {
        "seconds_of_a_core": {"memtail": ours, "plain": theirs, "times": theirs / ours},
        "test_accuracy": {
            "memtail": float(outcomes.test_correct.mean()),
            "plain": float(np.mean(accuracies)),
        },
        "models": {"memtail": models, "plain": plain},
        "batch_size": {"memtail": recipe.batch_size, "plain": batch or recipe.batch_size},
    }
    print(json.dumps(found, indent=2))


@main.command()
@click.argument("study")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--store", default="runs", show_default=True)
@click.option("--groups", type=click.Path(exists=True, dir_okay=False), help="Of subgroups.")
@click.option("--most", default=10, show_default=True, help="Examples and pairs to print.")
def raters(study: str, file: str, store: str, groups: str | None, most: int) -> None:
    """Compare the scores of STUDY, whose data are FILE, with the raters and the turned labels."""
    opened = open_store(store)
    found = catalogue.find(opened, study)
    trials, _ = loading.load(opened, found, values=True)
    dataset = catalogue.load_dataset(opened, found)
    analysis = analyse(found, dataset, trials)
    with Path(file).open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    of = [rows[int(dataset.train_name(i))] for i in range(len(dataset.y_train))]
    spread = np.array([float(row["deviation"]) for row in of])
    nearness = -np.abs([float(row["mean"]) for row in of])
    is_turned = np.array([row["flipped"] == "1" for row in of])
    scores = {
        "memorization": analysis.scores.memorization,
        "held-out error": 1 - analysis.scores.accuracy_out,
    }
    confident = confident_learning(dataset, trials)
    scores |= confident
    if groups is not None:
        mislabeled = np.zeros(len(of))
        with Path(groups).open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                mislabeled[int(row["index"])] = row["category"] == "likely-mislabeled"
        scores["likely mislabeled"] = mislabeled
    print(f"{len(trials)} models; {is_turned.sum()} of {len(of):,} labels turned")
    for name, score in scores.items():
        known = np.isfinite(score) & ~is_turned
        parts = [f"{name:20}"]
        for what, human in (("spread", spread), ("nearness of the mean to 0", nearness)):
            low, value, high = spearman(score[known], human[known])
            parts.append(f"{what}: ρ = {value:.3f} ({low:.3f} to {high:.3f})")
        if is_turned.any():
            known = np.isfinite(score)
            low, value, high = auroc(score[known], is_turned[known])
            parts.append(f"turned: AUROC = {value:.3f} ({low:.3f} to {high:.3f})")
        print("; ".join(parts))
    assert dataset.texts is not None
    for i in np.argsort(-np.nan_to_num(scores["memorization"], nan=-1))[:most].tolist():
        row = of[i]
        print(
            f"| {dataset.texts.train[i]} | {dataset.classes[dataset.y_train[i]]}"
            f"{' (turned)' if is_turned[i] else ''} | {float(row['mean']):+.1f} ± "
            f"{float(row['deviation']):.1f} | {scores['memorization'][i]:.2f} |"
        )
    pairs = analysis.pairs
    for p in range(min(most, len(pairs))):
        i, j = int(pairs.train_index[p]), int(pairs.test_index[p])
        print(
            f"| {dataset.texts.train[i]} | {dataset.texts.test[j]} | "
            f"{dataset.classes[dataset.y_test[j]]} | {pairs.influence[p]:.2f} ± "
            f"{pairs.standard_error[p]:.2f} |"
        )


def confident_learning(dataset: Dataset, trials: Any) -> dict[str, NDArray[np.float64]]:
    """Label quality by cleanlab, from the mean probabilities of the models that held each out.

    Of two classes, a margin m is the log odds of the label: its probability is 1 / (1 + e⁻ᵐ).
    """
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        print("cleanlab is not installed: left out", file=sys.stderr)
        return {}
    margins = trials.train_values.astype(np.float64)
    held_out = np.unpackbits(trials.subset, axis=1, count=trials.n) == 0
    own = np.where(held_out, 1 / (1 + np.exp(-margins)), 0).sum(0) / held_out.sum(0)
    y = dataset.y_train
    probabilities = np.stack([np.where(y == 0, own, 1 - own), np.where(y == 1, own, 1 - own)], 1)
    made = {}
    for method in ("self_confidence", "normalized_margin"):
        quality = get_label_quality_scores(y, probabilities, method=method)
        made[f"cleanlab {method}"] = 1 - np.asarray(quality, np.float64)
    return made


def spearman(one: NDArray[Any], other: NDArray[Any]) -> tuple[float, float, float]:
    """Spearman's ρ with its 95% interval, by Fisher's z (Bonett & Wright, 2000)."""
    from scipy import stats

    value = float(stats.spearmanr(one, other).statistic)
    half = 1.96 * np.sqrt((1 + value**2 / 2) / (len(one) - 3))
    return float(np.tanh(np.arctanh(value) - half)), value, float(np.tanh(np.arctanh(value) + half))


def auroc(score: NDArray[Any], is_turned: NDArray[np.bool_]) -> tuple[float, float, float]:
    """The area under the curve with its 95% interval (Newcombe, 2006)."""
    value = float(auc_of_columns(score[:, None].astype(np.float64), is_turned[:, None])[0])
    low, high = auc_interval(value, int(is_turned.sum()), int((~is_turned).sum()))
    return low, value, high


if __name__ == "__main__":
    run(main)
