"""The recipe ``linear`` against a loop over scikit-learn's LogisticRegression, side by side.

    python benchmarks/linear.py
    python benchmarks/linear.py --examples 50000 --features 512 --their-models 1

Both solve the same problems: synthetic classes, random 70% subsets, the same penalty, float32, on
one core. scikit-learn's L-BFGS starts at 0 and stops where no entry of the gradient is larger than
the largest that ours left in any model. Rounds alternate between the two; a ratio is the median
over the rounds. Our time includes what all subsets share, which a process computes once per study;
a second call, like the later shards of a study, is timed too. The roofline is the number of
operations in our products divided by the rate of the fastest large product.
"""

import sys
import time
import warnings
from pathlib import Path
from statistics import median

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.roofline import peak
from benchmarks.table import run, show
from memtail_core.data import Dataset
from memtail_core.training import Outcomes
from memtail_core.training.device import machine_kind, use_one_core
from memtail_core.training.linear.recipe import Linear
from memtail_core.training.linear.regressions import Regressions

_TESTED = 1000
_AGREEMENT = 0.99  # of all predictions; with less agreement one of the two is wrong


@click.command()
@click.option("--models", default=100, show_default=True, help="Ours, each round.")
@click.option("--their-models", default=3, show_default=True, help="Theirs, each round.")
@click.option("--examples", default=5000, show_default=True)
@click.option("--features", default=128, show_default=True)
@click.option("--classes", default=10, show_default=True)
@click.option("--l2", default=1e-3, show_default=True)
@click.option("--tolerance", default=1e-4, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    models: int, their_models: int, examples: int, features: int, classes: int, l2: float,
    tolerance: float, rounds: int, as_json: bool,
) -> None:  # fmt: skip
    """Measure ours against scikit-learn."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    use_one_core()
    data = _classes(examples, features, classes)
    recipe = Linear(l2=l2, tolerance=tolerance, standardize=False)
    rng = np.random.default_rng(1)
    left, work = _solved(recipe, data, _drawn(rng, models, examples))
    first, ours, theirs, agreement = [], [], [], []
    with threadpool_limits(1):
        for number in range(rounds):
            subsets = _drawn(rng, models, examples)
            engine, start = recipe.engine("cpu"), time.perf_counter()
            engine.train(data, subsets, np.arange(models))
            first.append((time.perf_counter() - start) / models)
            start = time.perf_counter()
            found = engine.train(data, subsets, np.arange(models))
            ours.append((time.perf_counter() - start) / models)
            start = time.perf_counter()
            same = [_agrees(found, k, data, subsets[k], l2, left) for k in range(their_models)]
            theirs.append((time.perf_counter() - start) / their_models)
            agreement.append(float(np.mean(same)))
            line = f"theirs {theirs[-1]:.3g} s a model, ours {ours[-1]:.3g} s"
            print(f"round {number + 1}: {line}", file=sys.stderr)
    if min(agreement) < _AGREEMENT:
        raise click.ClickException(f"ours and theirs agree in {min(agreement):.2%} of predictions")
    limit = peak("float32", "cpu", 1)
    show(
        {
            "what": f"linear, models a second: {examples} × {features}, {classes} classes",
            "ours": 1 / median(ours),
            "theirs": 1 / median(theirs),
            "ratio": median(t / o for o, t in zip(ours, theirs, strict=True)),
            "our_seconds": median(ours),
            "our_seconds_first": median(first),
            "their_seconds": median(theirs),
            "models": models,
            "agreement": {"predictions": float(np.mean(agreement))},
            "largest_gradient": left,
            "gigaflop_a_model": work / 1e9,
            "peak_gigaflops": limit / 1e9,
            "fraction_of_peak": work / median(ours) / limit,
            "machine": machine_kind("cpu"),
        },
        as_json,
    )


def _classes(examples: int, features: int, classes: int) -> Dataset:
    """Overlapping clusters, one per class, with unit variance in each direction."""
    rng = np.random.default_rng(0)
    n = examples + _TESTED
    y = np.concatenate([np.arange(classes), rng.integers(classes, size=n - classes)])
    x = 2 / np.sqrt(features) * rng.standard_normal((classes, features))[y]
    x = (x + rng.standard_normal(x.shape)).astype(np.float32)
    return Dataset.from_arrays(x[:examples], y[:examples], x[examples:], y[examples:])


def _drawn(rng: np.random.Generator, models: int, examples: int) -> NDArray[np.bool_]:
    drawn: NDArray[np.bool_] = rng.random((models, examples)).argsort(1) < 0.7 * examples
    return drawn


def _solved(recipe: Linear, data: Dataset, subsets: NDArray[np.bool_]) -> tuple[float, float]:
    """The largest gradient entry that ours leaves, and the operations of products per model."""
    x = torch.from_numpy(np.hstack([data.train.whole(), np.ones((len(data.train), 1), np.float32)]))
    y, classes = torch.from_numpy(data.y_train), len(data.classes)
    regressions = Regressions(x, y, classes, recipe.l2, recipe.tolerance)
    in_place = {torch.ops.aten.addmm_: _added_product}  # which it does not count by itself
    with FlopCounterMode(display=False, custom_mapping=in_place) as counted:
        weights = regressions.solved(torch.from_numpy(subsets))
    largest = 0.0
    for w, subset in zip(weights.double(), subsets, strict=True):
        inside = x[subset].double()
        residual = (inside @ w.T).softmax(1)
        residual[torch.arange(len(inside)), y[subset]] -= 1
        gradient = residual.T @ inside / len(inside)
        gradient[:, :-1] += recipe.l2 * w[:, :-1]
        largest = max(largest, float(gradient.abs().max()))
    evaluated = 2 * (len(x) + len(data.test)) * weights[0].numel()
    return largest, counted.get_total_flops() / len(subsets) + evaluated


def _added_product(_: object, a: tuple[int, int], b: tuple[int, int], **__: object) -> int:
    return 2 * a[0] * a[1] * b[1]


def _agrees(
    found: Outcomes, k: int, data: Dataset, subset: NDArray[np.bool_], l2: float, tolerance: float
) -> float:
    """Train model k with scikit-learn; return the share of predictions that agree with ours."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / (l2 * subset.sum()), tol=tolerance, max_iter=10_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data.train.take(np.flatnonzero(subset)), data.y_train[subset])
    correct = np.append(
        model.predict(data.train.whole()) == data.y_train,
        model.predict(data.test.whole()) == data.y_test,
    )
    ours = np.append(found.train_correct[k], found.test_correct[k])
    return float((correct == ours).mean())


if __name__ == "__main__":
    run(main)
