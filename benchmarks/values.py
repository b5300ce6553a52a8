"""How well values of training examples find wrong labels: memtail's, and pyDVL's.

    python benchmarks/subgroups.py plant digits planted.npz --share 0.05
    memtail run digits-planted.toml --trials 400          # source = "npz:planted.npz"
    python -m venv dvl; dvl/bin/pip install pydvl          # of its own: it needs numpy below 2
    python benchmarks/values.py digits-planted planted.npz --pydvl dvl/bin/python

A wrong label should be worth little. AUROC with its 95% interval, and the seconds of
everything: memtail's models are its own trainings, pyDVL trains what its method takes.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.peers.pydvl_values import METHODS
from benchmarks.subgroups import truth_of
from benchmarks.table import run, show
from cli.options import find_study, store_option
from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.experiments.judge.wrong_labels import detection
from memtail_core.experiments.values.plan import values as values_of
from memtail_core.running import loading


@click.command()
@click.argument("study")
@click.argument("planted", type=click.Path(exists=True))
@store_option
@click.option("--pydvl", "python", help="A Python that has pyDVL. [default: measure ours alone]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(study: str, planted: str, location: str, python: str | None, as_json: bool) -> None:
    """Compare the values of STUDY's training examples with what was planted in PLANTED.npz."""
    store, found = find_study(location, study)
    dataset = catalogue.load_dataset(store, found)
    with np.load(truth_of(planted)) as file:
        wrong = np.isin(np.arange(len(dataset.y_train)), file["flipped"])
    trials, _ = loading.load(store, found, values=True)
    training = float(np.nansum(trials.seconds))
    start = time.perf_counter()
    values = values_of(found, trials, dataset)
    seconds = training + time.perf_counter() - start
    ours = {f"value to the {each.outcome}": each.value for each in values.measures}
    for name, value in (ours | {"Data-OOB": values.held_out}).items():
        measured = _measured(f"memtail: {name}", np.array(value, np.float64), wrong, seconds)
        show(measured | {"trainings": len(trials)}, as_json)
    for measured in _theirs(python, dataset, wrong) if python else ():
        show(measured, as_json)


def _theirs(python: str, dataset: Dataset, wrong: NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    """What pyDVL finds, each method in a process of its own."""
    script = Path(__file__).parent / "peers" / "pydvl_values.py"
    with tempfile.TemporaryDirectory() as folder:
        data, output = Path(folder) / "data.npz", Path(folder) / "values.npy"
        x_train, x_test = (
            part.whole().reshape(len(part), -1).astype(np.float64)
            for part in (dataset.train, dataset.test)
        )
        scale = x_train.max()
        np.savez(
            data,
            x_train=x_train / scale,
            y_train=dataset.y_train,
            x_test=x_test / scale,
            y_test=dataset.y_test,
        )
        for name in METHODS:
            command = [python, "-W", "ignore", str(script), name, str(data), str(output)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds = float(told.splitlines()[-1])
            yield _measured(f"pyDVL: {name}", np.load(output), wrong, seconds)


def _measured(
    what: str, value: NDArray[np.float64], wrong: NDArray[np.bool_], seconds: float
) -> dict[str, Any]:
    found = detection(what, -np.nan_to_num(value, nan=np.inf), wrong)
    return {
        "what": what,
        "auroc": found.auroc,
        "low": found.low,
        "high": found.high,
        "seconds": seconds,
    }


if __name__ == "__main__":
    run(main)
