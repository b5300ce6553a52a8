"""Datamodels of all test examples against a loop over scikit-learn's Lasso, side by side.

    python benchmarks/datamodels.py
    python benchmarks/datamodels.py --train 50000 --test 1000

The world is synthetic: every test example rests on a few training examples, a little on many, and
on chance; trials train on independent random subsets. First all datamodels are fitted as
``memtail datamodels`` does, with penalties that predict held-out trials best. Then both sides solve
the same problems at these penalties, from nothing. scikit-learn solves some of them, one after the
other on one core, spread evenly over the test examples; its time for all is extrapolated, and
divided by the number of cores, as if it used them without loss. Its matrix is in the order it
likes, and checks of the input are off. Both objective values are computed in float64. Rounds
alternate; a ratio is the median over the rounds. Processor time is measured too: it says how the
two compare on a machine that others use as well.
"""

import sys
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Lasso
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core.estimation.datamodels import datamodels
from memtail_core.estimation.lasso import Inclusion, Problems
from memtail_core.running.machine import usable_cores
from memtail_core.training.device import computing_on, machine_kind, resolve_device

Floats = NDArray[np.float64]


@click.command()
@click.option("--train", default=5000, show_default=True, help="Training examples.")
@click.option("--test", default=2000, show_default=True, help="Test examples.")
@click.option("--trials", default=1000, show_default=True)
@click.option("--ratio", default=0.5, show_default=True, help="Of the training set, in a subset.")
@click.option("--theirs", default=20, show_default=True, help="Problems scikit-learn solves.")
@click.option("--tolerance", default=1e-4, show_default=True, help="Both sides' own.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    train: int, test: int, trials: int, ratio: float, theirs: int, tolerance: float, rounds: int,
    device: str, as_json: bool,
) -> None:  # fmt: skip
    """Measure ours against scikit-learn."""
    cores, where = usable_cores(), resolve_device(device)
    with computing_on(cores):
        show(_measured(train, test, trials, ratio, theirs, tolerance, rounds, where), as_json)


def _measured(
    train: int, test: int, trials: int, ratio: float, theirs: int, tolerance: float, rounds: int,
    where: str,
) -> dict[str, Any]:  # fmt: skip
    """Solve with both and compare."""
    cores = usable_cores()
    inside, outcome = world(train, test, trials, ratio)
    packed = np.packbits(inside, axis=1)
    few = outcome[:, : min(test, 8)]
    list(datamodels(packed, train, few, np.arange(trials), device=where, threads=cores))  # compile
    start = _clocks()
    fits = list(datamodels(packed, train, outcome, np.arange(trials), device=where, threads=cores))
    whole, busy = _clocks() - start
    penalty = np.concatenate([fit.penalty for fit in fits])
    nonzero = float(np.mean([(fit.weights != 0).sum(axis=1).mean() for fit in fits]))
    del fits
    x, y = np.asfortranarray(inside, np.float64), np.ascontiguousarray(outcome.T, np.float64)
    chosen = np.unique(np.linspace(0, test - 1, min(theirs, test)).astype(int))
    our, their, gaps = [], [], []
    for _ in range(rounds):
        start = _clocks()
        solved = Problems(Inclusion.of(packed, train, where), y, cores)
        solved.descend_to(penalty, tolerance)
        our.append(_clocks() - start)
        start = _clocks()
        models = [_lasso(x, y[z], penalty[z], tolerance) for z in chosen]
        their.append((_clocks() - start) * test / len(chosen) / np.array([cores, 1]))
        gaps = [
            _objective(x, y[z], solved.weights[z], solved.intercept[z], penalty[z])
            / _objective(x, y[z], model.coef_, model.intercept_, penalty[z])
            - 1
            for z, model in zip(chosen, models, strict=True)
        ]
    return {
        "what": f"seconds, {train:,} training × {test:,} test examples, {trials:,} trials",
        "ours": float(median(wall for wall, _ in our)),
        "theirs": float(median(wall for wall, _ in their)),
        "ratio": median(float(t[0] / o[0]) for o, t in zip(our, their, strict=True)),
        "our_processor_seconds": float(median(busy for _, busy in our)),
        "their_processor_seconds": float(median(busy for _, busy in their)),
        "ratio_of_processor_seconds": median(
            float(t[1] / o[1]) for o, t in zip(our, their, strict=True)
        ),
        "their_problems_solved": len(chosen),
        "our_objective_above_theirs_at_most": max(gaps),
        "our_objective_above_theirs_at_least": min(gaps),
        "our_seconds_with_choice_of_penalty": float(whole),
        "our_processor_seconds_with_choice_of_penalty": float(busy),
        "mean_nonzero": nonzero,
        "rounds": rounds,
        "cores": cores,
        "machine": machine_kind("cpu"),
        "device": where if where == "cpu" else machine_kind(where),
    }


def world(
    train: int, test: int, trials: int, ratio: float
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return which examples each trial trains on, bool [T, n], and outcomes, float32 [T, n_test].

    A third of an outcome's variance comes from ten training examples, a third from all of them,
    and a third is chance.
    """
    rng = np.random.default_rng(0)
    inside = np.zeros((trials, train), np.bool_)
    for row in inside:
        row[rng.permutation(train)[: round(ratio * train)]] = True
    weights = rng.normal(size=(train, test), scale=train**-0.5).astype(np.float32)
    for column in weights.T:
        some = rng.choice(train, min(10, train), replace=False)
        column[some] += rng.choice([-1, 1], len(some)) * len(some) ** -0.5
    sums = inside.astype(np.float32) @ weights
    chance = rng.normal(size=sums.shape, scale=(ratio * (1 - ratio)) ** 0.5)
    return inside, (sums + chance).astype(np.float32)


def _clocks() -> Floats:
    """Return seconds of the clock on the wall, and of all threads together."""
    return np.array([time.perf_counter(), time.process_time()])


def _lasso(x: Floats, y: Floats, alpha: float, tolerance: float) -> Any:
    # One thread a problem: more only wait for each other, and their time would count.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # of convergence: the objectives are compared
        return Lasso(alpha=alpha, tol=tolerance, max_iter=10_000).fit(x, y, check_input=False)


def _objective(x: Floats, y: Floats, weights: Floats, intercept: float, alpha: float) -> float:
    missed = y - intercept - x @ weights
    return float(missed @ missed / (2 * len(y)) + alpha * np.abs(weights).sum())


if __name__ == "__main__":
    run(main)
