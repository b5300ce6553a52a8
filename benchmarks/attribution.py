"""How well attribution methods predict retrained networks: memtail's and other projects'.

    memtail run digits --set subsets.ratio=0.5 --trials 600
    python benchmarks/attribution.py digits --runs 10 --from-trials 300

All methods read the same ``--runs`` networks, the first of the study; ``counted`` and ``combined``
count the first ``--from-trials`` models besides. All other models judge (docs/judge.md). Each
method runs in a process that does nothing else; ``seconds`` are its own, without the trainings, and
``cpu_seconds`` those of the processor. ``--tests 200`` attributes and judges as many test examples,
chosen at random: several methods take time for each pair. With ``--keep FOLDER`` scores are kept
there, with what they cost, and judged again without being computed again when there are more
models. The other projects come with ``pip install "memtail[peers]"``; what is not installed is left
out, and all of them where the examples are tokens: they are given numbers here.
"""

import json
import os
import re
import resource
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file
os.environ["TQDM_DISABLE"] = "1"  # progress bars of the other projects

from benchmarks.at_scale.sides import alone
from benchmarks.peers.attributions import PEERS, Networks
from benchmarks.table import run, show
from cli.options import find_study, store_option
from memtail_core import approximations, catalogue
from memtail_core.approximations.combined_influence import combine
from memtail_core.errors import EstimationError
from memtail_core.estimation.datamodeling import datamodeling_score
from memtail_core.plan import designs
from memtail_core.running import loading
from memtail_core.running.matrices import outcomes
from memtail_core.running.trials import Trials
from memtail_core.training.device import machine_kind

OWN = ("counted", "counted margins", "projected-gradients", "linearised-retraining")


@click.command()
@click.argument("study")
@store_option
@click.option("--runs", default=10, show_default=True, help="Networks that are attributed.")
@click.option("--from-trials", "making", default=300, show_default=True, help="Models to count.")
@click.option("--tests", default=0, help="Attribute so many test examples. [default: all]")
@click.option("--keep", type=Path, help="Keep scores in this folder, and read those kept there.")
@click.option("--only", multiple=True, help="Measure only this method; repeatable.")
@click.option("--json", "as_json", is_flag=True)
def main(
    study: str,
    location: str,
    runs: int,
    making: int,
    tests: int,
    keep: Path | None,
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Judge attribution methods by the models of STUDY that they did not see."""
    store, found = find_study(location, study)
    trials, _ = loading.load(store, found, values=True)
    judging = trials.taken(np.flatnonzero(trials.trials >= max(making, runs)))
    if len(judging) < 20:
        raise EstimationError(f"{len(judging)} models are left to judge: train more")
    setting = approximations.Setting(store, found, catalogue.load_dataset(store, found), "cpu")
    approximations.recorded(setting, runs)
    subset = np.unpackbits(judging.subset, axis=1, count=judging.n).astype(np.float32)
    group = judging.trials // designs.block(found)
    columns = np.arange(trials.n_test)
    if tests:
        columns = np.sort(np.random.default_rng(0).permutation(columns)[:tests])
    outcome = outcomes(judging, "margin")[:, columns]
    others = PEERS if setting.dataset.texts is None else {}
    methods: list[tuple[str, int, int]] = [
        *((name, making, 0) for name in OWN[:2]),
        *((name, 0, runs) for name in OWN[2:]),
        *((name, 0, runs) for name, (package, _) in others.items() if find_spec(package)),
        (f"combined, {runs} models", runs, runs),
        (f"combined, {making} models", making, runs),
    ]
    for name, counted, networks in dict.fromkeys(methods):
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) if keep is None else keep
            about = f"{found.id} {name} {counted} {networks} {tests}"
            file = folder / (re.sub(r"\W+", "-", about).strip("-") + ".npy")
            cost = file.with_suffix(".json")
            if not cost.exists():
                folder.mkdir(parents=True, exist_ok=True)
                measured = alone(
                    _attributed, location, study, name, counted, networks, columns, str(file)
                )
                cost.write_text(json.dumps(measured))
            scores, taken = np.load(file), json.loads(cost.read_text())
        predicted = subset @ scores
        mean = datamodeling_score(predicted, outcome, group).mean()
        assert mean is not None
        line: dict[str, Any] = {
            "what": f"{name}, {found.name}",
            "lds": mean.value,
            "low": mean.low,
            "high": mean.high,
            "trainings": max(counted, networks),
            **taken,
            "tests": len(columns),
            "judging": len(judging),
            "machine": machine_kind("cpu"),
        }
        show(line, as_json)


def _attributed(
    location: str,
    study: str,
    name: str,
    counted: int,
    networks: int,
    columns: NDArray[np.int64],
    file: str,
) -> dict[str, float]:
    """Write the scores of one method; return its seconds, processor seconds and peak bytes."""
    store, found = find_study(location, study)
    dataset = catalogue.load_dataset(store, found)
    setting = approximations.Setting(store, found, dataset, "cpu")
    runs = approximations.recorded(setting, networks) if networks else []
    trials, _ = loading.load(store, found, values=True)
    drawn = trials.taken(np.flatnonzero(trials.trials < counted))
    rows = np.arange(trials.n)
    start, begun = time.perf_counter(), time.process_time()
    if name in PEERS:
        scores = PEERS[name][1](_networks(setting, runs, columns))
    elif name.startswith("combined"):
        scores = combine(dataset, drawn, runs).mean(rows, columns)
    elif name in OWN[:2]:
        scores = _counted(drawn, columns, is_margin=name == OWN[1])
    else:
        (method,) = approximations.named([name]).of_influence
        scores = method.between(dataset, runs)(rows, columns)
    seconds, cpu = time.perf_counter() - start, time.process_time() - begun
    np.save(file, scores)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak}


def _networks(
    setting: approximations.Setting, runs: list[approximations.Run], columns: NDArray[np.int64]
) -> Networks:
    data = setting.data
    return Networks(
        trained=[run.networks.at(-1) for run in runs],
        snapshots=[run.networks.at(k) for run in runs for k in range(len(run.networks))],
        train=(data.inputs(data.x_train[:]).float(), data.y_train),
        test=(data.inputs(data.x_test[:]).float()[columns], data.y_test[columns]),
    )


def _counted(trials: Trials, columns: NDArray[np.int64], *, is_margin: bool) -> NDArray[np.float32]:
    """The mean outcome of trials that trained on an example, less that of the others."""
    inside = np.unpackbits(trials.subset, axis=1, count=trials.n).astype(np.float32)
    outcome = outcomes(trials, "margin" if is_margin else "correctness")[:, columns]
    n_in = inside.sum(axis=0)[:, None]
    of_in, total = inside.T @ outcome, outcome.sum(axis=0)
    return np.asarray(of_in / n_in - (total - of_in) / (len(trials) - n_in), dtype=np.float32)


if __name__ == "__main__":
    run(main)
