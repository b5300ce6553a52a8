"""Time and memory of memorization and influence on outcomes that are not bits.

    python benchmarks/measures.py influence       # every pair, with dense products in numpy
    python benchmarks/measures.py memorization    # every training example, with numpy
    python benchmarks/measures.py alone           # influence at a larger shape, memtail only

Outcomes are synthetic margins, read as probabilities. Both sides run in one process and by turns,
with all of its cores; a ratio is the median over the rounds. They list the same pairs, those of at
least this influence, with its standard error; memtail's have a p-value too. ``alone`` has the peak
memory of a process of its own.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.memory import own_peak
from benchmarks.table import run, show
from memtail_core.estimation.averaged import Averaged
from memtail_core.estimation.estimator import Observations
from memtail_core.estimation.influence import Family, Pairs
from memtail_core.estimation.mean_influence import MeanEvidence, find
from memtail_core.estimation.measures import PROBABILITY
from memtail_core.running.machine import usable_cores

_RATIO = 0.7
_EFFECT = 2.0  # of one training example on the margin of a test example
_SMALL = 200  # examples of each kind that are looked at before anything is timed


class Data:
    """Subsets, packed, and margins of n_test test examples, each of which rests on one example."""

    def __init__(self, n: int, n_test: int, trials: int) -> None:
        rng = np.random.default_rng(0)
        self.n = n
        self.subset = np.empty((trials, -(-n // 8)), np.uint8)
        self.margins = np.empty((trials, n_test), np.float16)
        rests_on = rng.integers(n, size=n_test)
        level = rng.normal(1.0, 1.5, n_test)
        for k in range(trials):
            inside = rng.random(n) < _RATIO
            self.subset[k] = np.packbits(inside)
            quality = 0.5 * rng.standard_normal()
            noise = rng.standard_normal(n_test)
            self.margins[k] = level + quality + noise + _EFFECT * inside[rests_on]

    def evidence(self) -> MeanEvidence:
        """What memtail looks at."""
        return MeanEvidence.of(self.subset, self.margins, self.n, PROBABILITY)


def ours(data: Data, theta: float, fdr: float | None = None) -> Pairs:
    """List the pairs with memtail."""
    family = Family.of(np.arange(data.n), np.arange(data.margins.shape[1]))
    return find(data.evidence(), family, theta, fdr, threads=usable_cores()).pairs


def theirs(data: Data, theta: float) -> tuple[NDArray[Any], ...]:
    """List them with two products of dense float32 matrices: of outcomes, and of their squares."""
    mask = np.unpackbits(data.subset, axis=1, count=data.n).astype(np.float32)
    outcome = expit(data.margins.astype(np.float32))
    n_in = mask.sum(axis=0)[:, None]
    n_out = len(mask) - n_in
    squared = outcome * outcome
    sum_in, square_in = mask.T @ outcome, mask.T @ squared
    mean_in, mean_out = sum_in / n_in, (outcome.sum(axis=0) - sum_in) / n_out
    influence = mean_in - mean_out
    variance = (square_in / n_in - mean_in**2) / (n_in - 1)
    variance += ((squared.sum(axis=0) - square_in) / n_out - mean_out**2) / (n_out - 1)
    error = np.sqrt(variance)
    train, test = np.nonzero(influence >= theta)
    return train, test, influence[train, test], error[train, test]


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of all cores."""

    wall: float
    cpu: float


def timed(do: Callable[[], Any]) -> tuple[Any, Took]:
    """Return what it returns, and how long it takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = do()
    return found, Took(time.perf_counter() - wall, time.process_time() - cpu)


def compared(seconds: list[tuple[Took, Took]]) -> dict[str, float]:
    """Sum up rounds of (ours, theirs)."""
    return {
        "ours": median(quick.wall for quick, _ in seconds),
        "theirs": median(slow.wall for _, slow in seconds),
        "ratio": median(slow.wall / quick.wall for quick, slow in seconds),
        "our_cpu": median(quick.cpu for quick, _ in seconds),
        "their_cpu": median(slow.cpu for _, slow in seconds),
        "cpu_ratio": median(slow.cpu / quick.cpu for quick, slow in seconds),
        "rounds": len(seconds),
    }


@click.group()
def main() -> None:
    """Measure estimates on outcomes that are not bits."""


def _sized(n: int, n_test: int, trials: int) -> Callable[[Callable[..., None]], click.Command]:
    options = (
        click.option("--train", default=n, show_default=True, help="Training examples."),
        click.option("--test", default=n_test, show_default=True, help="Test examples."),
        click.option("--trials", default=trials, show_default=True, help="Models."),
        click.option("--theta", default=0.15, show_default=True, help="Least influence listed."),
        click.option("--rounds", default=3, show_default=True),
        click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    )

    def decorate(command: Callable[..., None]) -> click.Command:
        for option in reversed(options):
            command = option(command)
        return main.command()(command)

    return decorate


@_sized(20_000, 4_000, 1_000)
def influence(train: int, test: int, trials: int, theta: float, rounds: int, as_json: bool) -> None:
    """Compare with plain numpy; other pairs are an error."""
    small, data = Data(_SMALL, _SMALL, 60), Data(train, test, trials)
    ours(small, theta)
    theirs(small, theta)
    seconds = []
    for _ in range(rounds):
        dense, slow = timed(lambda: theirs(data, theta))
        pairs, quick = timed(lambda: ours(data, theta))
        seconds.append((quick, slow))
        _check(pairs, dense, theta)
    show(
        {
            "what": f"seconds, influence, {train} x {test}, {trials} trials",
            **compared(seconds),
            "pairs": len(pairs),
        },
        as_json,
    )


@_sized(50_000, 8, 2_000)
def memorization(
    train: int, test: int, trials: int, theta: float, rounds: int, as_json: bool
) -> None:
    """Compare with plain numpy, of both sides' means and variances."""
    del test, theta
    rng = np.random.default_rng(0)
    subset = np.packbits(rng.random((trials, train)) < _RATIO, axis=1)
    margins = rng.normal(1.0, 2.0, (trials, train)).astype(np.float16)
    seen = Observations(subset, subset, train, np.zeros(train, np.int64), margins)

    def dense() -> NDArray[np.float64]:
        mask = np.unpackbits(subset, axis=1, count=train).astype(bool)
        outcome = expit(margins.astype(np.float32))
        both = (np.where(side, outcome, np.nan) for side in (mask, ~mask))
        means = [(np.nanmean(each, axis=0), np.nanvar(each, axis=0, ddof=1)) for each in both]
        return np.asarray(means[0][0] - means[1][0], np.float64)

    estimator = Averaged(PROBABILITY)
    estimator.memorization(Observations(subset[:8], subset[:8], train, seen.labels, margins[:8]))
    seconds = []
    for _ in range(rounds):
        expected, slow = timed(dense)
        found, quick = timed(lambda: estimator.memorization(seen))
        seconds.append((quick, slow))
        np.testing.assert_allclose(found.memorization, expected, atol=1e-4)
    show(
        {
            "what": f"seconds, memorization, {train} examples, {trials} trials",
            **compared(seconds),
        },
        as_json,
    )


@_sized(50_000, 10_000, 2_000)
def alone(train: int, test: int, trials: int, theta: float, rounds: int, as_json: bool) -> None:
    """Find the significant pairs of every pair, memtail only, and the peak memory."""
    ours(Data(_SMALL, _SMALL, 60), theta)
    data = Data(train, test, trials)
    seconds = []
    for _ in range(rounds):
        pairs, quick = timed(lambda: ours(data, theta, 0.05))
        seconds.append(quick.wall)
    show(
        {
            "what": f"seconds, influence, {train} x {test}, {trials} trials, FDR 5%",
            "ours": median(seconds),
            "theirs": None,
            "rounds": rounds,
            "pairs": len(pairs),
            "peak_bytes": own_peak(),
        },
        as_json,
    )


def _check(pairs: Pairs, dense: tuple[NDArray[Any], ...], theta: float) -> None:
    """Raise if the sides list different pairs, but for those at the very threshold."""
    theirs_of = {
        (i, j): (x, e) for i, j, x, e in zip(*(each.tolist() for each in dense), strict=True)
    }
    mine = {
        (i, j): (x, e)
        for i, j, x, e in zip(
            pairs.train_index.tolist(),
            pairs.test_index.tolist(),
            pairs.influence.tolist(),
            pairs.standard_error.tolist(),
            strict=True,
        )
    }
    for pair in theirs_of.keys() ^ mine.keys():
        value, _ = mine.get(pair) or theirs_of[pair]
        if abs(value - theta) > 1e-4:
            raise click.ClickException(f"only one side lists {pair}, of influence {value}")
    for pair in theirs_of.keys() & mine.keys():
        if not np.allclose(mine[pair], theirs_of[pair], rtol=1e-3, atol=1e-4):
            raise click.ClickException(f"{pair}: {mine[pair]} and {theirs_of[pair]}")


if __name__ == "__main__":
    run(main)
