"""Time and memory of judging scores on disk, and beside it the plain way in numpy and scipy.

    python benchmarks/judge.py                        # 50,000 × 10,000 scores, 1,000 trials
    python benchmarks/judge.py --train 5000 --test 2000 --rounds 3
    python benchmarks/judge.py --dtype float16 --alone     # without the plain way

Scores and trials are synthetic and written before anything is timed. Each side runs in a new
process, so that its peak memory is its own. The plain way loads the scores, multiplies, and calls
``scipy.stats.spearmanr`` for each test example: it gives the mean alone. Ours also gives intervals,
by class, by difficulty and by memorization. Means that differ are an error.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.at_scale.data import Data, Sizes, make
from benchmarks.at_scale.sides import alone
from benchmarks.memory import own_peak
from benchmarks.roofline import peak
from benchmarks.table import run, show
from memtail_core.data import Dataset
from memtail_core.experiments.judge.plan import asked, judge, split
from memtail_core.experiments.judge.reading import read
from memtail_core.experiments.judge.scores import from_file
from memtail_core.running.machine import usable_cores
from memtail_core.running.preparation import prepare
from memtail_core.running.trials import Trials
from memtail_core.study import Spec
from memtail_core.training.device import machine_kind

_ROWS = 1024  # of scores, written at once
_SAME = 1e-4  # means of float32 sums


@click.command()
@click.option("--train", default=50_000, show_default=True, help="Training examples.")
@click.option("--test", default=10_000, show_default=True, help="Test examples.")
@click.option("--trials", default=1_000, show_default=True)
@click.option("--dtype", type=click.Choice(["float16", "float32", "float64"]), default="float32")
@click.option("--rounds", default=1, show_default=True)
@click.option("--alone", "is_alone", is_flag=True, help="Leave the plain way out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    train: int, test: int, trials: int, dtype: str, rounds: int, is_alone: bool, as_json: bool
) -> None:
    """Measure judging, beside the plain way."""
    sizes = Sizes(train, test, trials, classes=10)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="memtail-benchmark-") as name:
        folder = make(Path(name) / "data", sizes)
        _write(folder, sizes, dtype)
        for number in range(rounds):
            ours.append(alone(_ours, folder))
            if not is_alone:
                theirs.append(alone(_theirs, folder))
                if abs(ours[-1]["mean"] - theirs[-1]["mean"]) > _SAME:
                    raise click.ClickException(f"the means differ: {ours[-1]}, {theirs[-1]}")
            print(f"round {number + 1}: ours {ours[-1]['seconds']:.3g} s", file=sys.stderr)
    seconds = median(each["seconds"] for each in ours)
    limit, work = peak("float32", "cpu", usable_cores()), 2.0 * train * test * trials
    plain = median(each["seconds"] for each in theirs) if theirs else None
    show(
        {
            "what": f"seconds, {sizes}, {dtype} scores on disk",
            "ours": seconds,
            "theirs": plain,
            "ratio": None if plain is None else plain / seconds,
            "our_peak_bytes": max(each["peak"] for each in ours),
            **({"their_peak_bytes": max(each["peak"] for each in theirs)} if theirs else {}),
            "our_cpu_seconds": median(each["cpu"] for each in ours),
            "our_reading_seconds": median(each["reading"] for each in ours),
            "product_limit_seconds": work / limit,
            "gigaflop": work / 1e9,
            "peak_gigaflops": limit / 1e9,
            "cores": usable_cores(),
            "rounds": rounds,
            "machine": machine_kind("cpu"),
        },
        as_json,
    )


def _write(folder: Path, sizes: Sizes, dtype: str) -> None:
    """Write scores of which few matter, and margins of trials that they predict in part."""
    rng, data = np.random.default_rng(1), Data.read(folder)
    shape = sizes.train, sizes.test
    scores = open_memmap(folder / "scores.npy", "w+", np.dtype(dtype), shape)
    margins = np.zeros((sizes.trials, sizes.test), np.float32)
    for start in range(0, sizes.train, _ROWS):
        rows = min(_ROWS, sizes.train - start)
        block = rng.standard_normal((rows, sizes.test), dtype=np.float32)
        scores[start : start + rows] = block
        packed = data.subset[:, start // 8 : (start + rows + 7) // 8]
        margins += np.unpackbits(packed, axis=1, count=rows).astype(np.float32) @ block
    margins /= margins.std(axis=0)
    margins += 2 * rng.standard_normal(margins.shape, dtype=np.float32)
    np.save(folder / "margins.npy", margins.astype(np.float16))
    scores.flush()


def _ours(folder: Path) -> dict[str, float]:
    """Judge as ``memtail judge`` does."""
    data, margins = Data.read(folder), np.load(folder / "margins.npy")
    n, n_test = len(data.y_train), len(data.y_test)
    of_one = np.zeros((n, 1), np.float32), np.zeros((n_test, 1), np.float32)
    dataset = Dataset.from_arrays(of_one[0], data.y_train, of_one[1], data.y_test)
    spec = Spec.parse({"dataset": {"source": "sklearn:digits"}, "training": {"recipe": "linear"}})
    study, _ = prepare(spec, dataset)
    trials = _trials(data, margins)
    start, start_of_cpu = time.perf_counter(), time.process_time()
    parts = split(study, trials, 0)
    question = asked(trials, parts, "margin", np.zeros(0, np.int64), 0)
    readings = [read(from_file(str(folder / "scores.npy"), dataset, study.id), question)]
    result = judge(study, dataset, parts, question, readings, outcome="margin")
    (judged,) = result.judged
    return {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - start_of_cpu,  # which other load hardly changes
        "reading": judged.seconds,
        "mean": judged.score.lds or 0.0,
        "peak": own_peak(),
    }


def _trials(data: Data, margins: NDArray[np.float16]) -> Trials:
    count, n = len(margins), len(data.y_train)
    return Trials(
        n=n,
        n_test=len(data.y_test),
        subset=data.subset,
        train_correct=data.subset,  # what a network saw, it knows: all are memorized
        test_correct=data.test_correct,
        train_values=None,
        test_values=margins,
        trials=np.arange(count),
        seconds=np.zeros(count),
        about=(),
    )


def _theirs(folder: Path) -> dict[str, float]:
    """Load, multiply, and correlate test example by test example."""
    from scipy.stats import spearmanr

    data, margins = Data.read(folder), np.load(folder / "margins.npy")
    start = time.perf_counter()
    inside = np.unpackbits(data.subset, axis=1, count=len(data.y_train)).astype(np.float32)
    predicted = inside @ np.load(folder / "scores.npy").astype(np.float32)
    rho: list[Any] = [
        spearmanr(predicted[:, z], margins[:, z]).statistic for z in range(margins.shape[1])
    ]
    return {
        "seconds": time.perf_counter() - start,
        "mean": float(np.mean(rho)),
        "peak": own_peak(),
    }


if __name__ == "__main__":
    run(main)
