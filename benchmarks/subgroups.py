"""Plant wrong labels and near-duplicates; count how many `memtail subgroups` finds.

    python benchmarks/subgroups.py plant docs/results/fashion-cnn-5k.toml planted.npz
    memtail run docs/results/fashion-planted.toml
    memtail subgroups fashion-planted --output groups.csv
    python benchmarks/subgroups.py evaluate groups.csv planted.npz

A wrong label is a random other class. A near-duplicate replaces a training image with a copy of
another training or test image: moved by up to a pixel each way, its brightness changed by up to a
tenth, with noise of standard deviation 4 (of 255) where it is not black.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run
from cli.options import overrides
from memtail_core import data
from memtail_core.experiments.subgroups.result import CATEGORIES
from memtail_core.study import Spec


@click.group()
def main() -> None:
    """Plant wrong labels and near-duplicates; evaluate how many are found."""


@main.command()
@click.argument("study")
@click.argument("output", type=click.Path(dir_okay=False))
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE")
@click.option("--share", default=0.02, show_default=True, help="Of each kind.")
@click.option("--seed", default=20261121, show_default=True)
def plant(study: str, output: str, assignments: tuple[str, ...], share: float, seed: int) -> None:
    """Write the data of STUDY with planted changes, and a list of these, to OUTPUT.npz."""
    dataset = data.load(Spec.load(study, overrides(assignments)).dataset)
    rng = np.random.default_rng(seed)
    x, y = dataset.train.whole().copy(), dataset.y_train.copy()
    n, k, n_classes = len(y), round(share * len(y)), len(dataset.classes)
    touched = rng.permutation(n)
    flipped, copies = touched[:k], np.sort(touched[k : 2 * k])
    y[flipped] = (y[flipped] + rng.integers(1, n_classes, k)) % n_classes
    half = k // 2
    sources = rng.choice(np.setdiff1d(np.arange(n), touched[: 2 * k]), half, replace=False)
    of_test = rng.choice(len(dataset.y_test), k - half, replace=False)
    for copy, source in zip(copies[:half], sources, strict=True):
        x[copy], y[copy] = _near(x[source], rng), y[source]
    for copy, source in zip(copies[half:], of_test, strict=True):
        x[copy], y[copy] = _near(dataset.test.take([source])[0], rng), dataset.y_test[source]
    np.savez_compressed(
        output,
        x_train=x,
        y_train=y,
        x_test=dataset.test.whole(),
        y_test=dataset.y_test,
        classes=np.array(dataset.classes),
    )
    np.savez(truth_of(output), flipped=flipped, copies=copies, sources=sources, n=n)
    click.echo(f"{k} wrong labels and {k} near-duplicates among {n:,} examples: {output}")


@main.command()
@click.argument("groups", type=click.Path(exists=True))
@click.argument("planted", type=click.Path())
@click.option("--json", "as_json", is_flag=True)
def evaluate(groups: str, planted: str, as_json: bool) -> None:
    """Compare GROUPS.csv with what was planted in PLANTED.npz."""
    with np.load(truth_of(planted)) as file:
        flipped, copies, sources = (file[name] for name in ("flipped", "copies", "sources"))
        n = int(file["n"])
    category = np.full(n, CATEGORIES[0], dtype=object)
    with Path(groups).open(newline="") as rows:
        for row in csv.DictReader(rows):
            category[int(row["index"])] = row["category"]
    untouched = np.setdiff1d(np.arange(n), np.concatenate([flipped, copies, sources]))
    planted_as = {
        "wrong labels": flipped,
        "near-duplicates": copies,
        "what those are of": sources,
        "untouched": untouched,
    }
    table: list[list[Any]] = [
        [name, *((category[of] == each).sum() for each in CATEGORIES)]
        for name, of in planted_as.items()
    ]
    found = {
        "likely-mislabeled": _rates(category == "likely-mislabeled", flipped),
        "duplicate": _rates(category == "duplicate", np.concatenate([copies, sources])),
    }
    if as_json:
        click.echo(json.dumps({"planted": {r[0]: list(map(int, r[1:])) for r in table}} | found))
        return
    for name, *cells in [["planted", *CATEGORIES], *table]:
        click.echo(f"{name:18}" + "".join(f"{cell!s:>19}" for cell in cells))
    for which, each in found.items():
        click.echo(f"{which}: precision {each['precision']:.2f}, recall {each['recall']:.2f}")


def _near(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    moved = np.roll(image.astype(float), rng.integers(-1, 2, 2), (0, 1))
    noisy = moved * rng.uniform(0.9, 1.1) + rng.normal(0, 4, moved.shape) * (moved > 0)
    found: NDArray[np.uint8] = np.clip(noisy.round(), 0, 255).astype(np.uint8)
    return found


def _rates(said: NDArray[np.bool_], planted: NDArray[np.int64]) -> dict[str, float]:
    hits = int(said[planted].sum())
    return {"precision": hits / max(1, int(said.sum())), "recall": hits / len(planted)}


def truth_of(planted: str) -> str:
    """Where what was planted in a file is listed."""
    return f"{planted.removesuffix('.npz')}.truth.npz"


if __name__ == "__main__":
    run(main)
