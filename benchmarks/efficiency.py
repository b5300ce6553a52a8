"""How few trials memorization needs: calibrated and plain estimates, compared with many trials.

    python benchmarks/efficiency.py trials fashion-cnn-5k --store runs
    python benchmarks/efficiency.py trials digits --counts 1,5,20 --draws 1   # under a minute
    python benchmarks/efficiency.py trials digits --counts 2,5,10 --recorded
    python benchmarks/efficiency.py noise fashion-planted planted.npz         # planted wrong labels
    python benchmarks/efficiency.py pairs fashion-cnn-5k --counts 20,40 --draws 1 --runs 10
    python benchmarks/efficiency.py time --train 50000

For each number of trials there are several draws of consecutive trials that do not overlap, in
whole balanced blocks where the number allows. The reference is the paper's estimate from all trials
that were not drawn. Its noise is removed: from the correlation by its reliability (Spearman 1904),
from the squared error by subtraction, from the intervals by widening them by the reference's. An
example without a plain estimate gets the mean of the others. What is not defined is null.
"""

import resource
import sys
import time as clock
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.pairs_found import compared
from benchmarks.table import run, show
from cli.options import find_study, store_option
from memtail_core import approximations, catalogue
from memtail_core.analysis.calibrated_pairs import calibrate_pairs
from memtail_core.analysis.observations import context, observations
from memtail_core.approximations.combined_influence import combine, response_of
from memtail_core.approximations.run import Run
from memtail_core.data import Dataset
from memtail_core.data.neighbours import Space
from memtail_core.errors import EstimationError
from memtail_core.estimation import Memorization
from memtail_core.estimation.agreement import agreement
from memtail_core.estimation.calibrated import (
    CALIBRATED,
    CalibratedMemorization,
    calibrated_memorization,
)
from memtail_core.estimation.combined import Discoveries, discoveries
from memtail_core.estimation.estimator import Context, Signals
from memtail_core.estimation.influence import PairsRule
from memtail_core.estimation.intervals import Z95
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.training.device import machine_kind

_PER_BLOCK = 20  # draws of fewer trials start this far apart: whole blocks of the balanced design

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Material:
    """The trials of a study, and what is known about its examples without them."""

    name: str
    trials: Trials
    dataset: Dataset
    context: Context

    @classmethod
    def of(cls, location: str, name: str) -> "Material":
        """Load a study, find the neighbours and train the kernel machine."""
        store, study = find_study(location, name)
        found, _ = loading.load(store, study, values=True)
        dataset = catalogue.load_dataset(store, study)
        return cls(study.name, found, dataset, context(dataset))

    def calibrated(self, drawn: Trials, signals: Signals | None = None) -> CalibratedMemorization:
        """Estimate from these trials, and from what recorded ones among them show besides."""
        seen = observations(drawn, self.dataset, signals)
        return CALIBRATED.memorization(replace(seen, find_context=lambda: self.context))

    def recorded(self, location: str, name: str, runs: int) -> list[Run]:
        """The first networks of the study, with their gradients."""
        setting = approximations.Setting(*find_study(location, name), self.dataset, "cpu")
        return approximations.recorded(setting, runs) if runs else []

    def signals(self, location: str, name: str, runs: int) -> Signals:
        """What the first networks of the study show as they train."""
        recorded = self.recorded(location, name, runs)
        recipe = recorded[0].networks.setting.recipe
        chosen, _ = approximations.named(()).applicable(recipe, self.dataset)
        return approximations.signals_of(chosen, self.dataset, recorded)

    def combined(
        self, drawn: Trials, runs: Sequence[Run], scores: CalibratedMemorization
    ) -> Discoveries:
        """All pairs of what these trials call memorized, by gradients and counting together."""
        labels = self.dataset.y_train, self.dataset.y_test
        family = PairsRule().family(scores.memorization, *labels)
        influence = combine(self.dataset, drawn, runs)
        return discoveries(influence, family, -1.0, response=response_of(drawn))


@click.group()
def main() -> None:
    """Measure how few trials memorization needs."""


@main.command(name="trials")
@click.argument("study")
@store_option
@click.option("--counts", default="1,3,5,10,20,40,80,160", show_default=True)
@click.option("--draws", default=4, show_default=True, help="Of each number, if there are so many.")
@click.option("--recorded", is_flag=True, help="Give it the trainings of all drawn models, too.")
@click.option("--json", "as_json", is_flag=True)
def by_trials(
    study: str, location: str, counts: str, draws: int, recorded: bool, as_json: bool
) -> None:
    """Measure error, agreement and coverage by the number of trials, ± the spread of draws."""
    material = Material.of(location, study)
    total, signals = len(material.trials), None
    every = {count: _starts(total, count, draws) for count in map(int, counts.split(","))}
    if recorded:
        runs = max(starts[-1] + count for count, starts in every.items())
        signals = material.signals(location, study, runs)
    for count, starts in every.items():
        measured, seconds = [], []
        for start in starts:
            rows = np.arange(start, start + count)
            others = material.trials.taken(np.setdiff1d(np.arange(total), rows))
            drawn = material.trials.taken(rows)
            begun = clock.process_time()
            ours = material.calibrated(drawn, signals)
            seconds.append(clock.process_time() - begun)
            theirs = drawn.counted()
            reference = others.counted()
            measured.append((judged(ours, reference), judged(theirs, reference)))
        rmse = [np.mean([each[side]["rmse"] for each in measured]) for side in (0, 1)]
        found: dict[str, Any] = {
            "what": f"RMSE, {material.name}, {count} trials",
            "ours": float(rmse[0]),
            "theirs": float(rmse[1]),
            "ratio": float(rmse[1] / rmse[0]),
            "draws": len(starts),
            "reference_trials": total - count,
        }
        for side, whose in enumerate(("our", "their")):
            for name in measured[0][side]:
                values = np.array([each[side][name] for each in measured])
                found[f"{whose}_{name}"] = _said(values.mean())
                if len(values) > 1:
                    found[f"{whose}_{name}_sd"] = _said(values.std(ddof=1))
        show(found | {"cpu_seconds": float(np.mean(seconds))} | _machine(), as_json)


@main.command()
@click.argument("study")
@store_option
@click.option("--counts", default="20,40,80,160", show_default=True)
@click.option("--draws", default=2, show_default=True, help="Of each number, if there are so many.")
@click.option("--runs", default=0, help="Combine with the gradients of so many networks, too.")
@click.option("--json", "as_json", is_flag=True)
def pairs(study: str, location: str, counts: str, draws: int, runs: int, as_json: bool) -> None:
    """Measure how many pairs of many trials are found by few: calibrated, combined, counted."""
    material = Material.of(location, study)
    recorded = material.recorded(location, study, runs)
    space = Space.of(material.dataset)
    total = len(material.trials)
    for count in map(int, counts.split(",")):
        starts = _starts(total, count, draws)
        measured, seconds = [], []
        for start in starts:
            rows = np.arange(start, start + count)
            seen = np.union1d(rows, np.arange(runs))  # the gradients are of the first networks
            others = material.trials.taken(np.setdiff1d(np.arange(total), seen))
            drawn = material.trials.taken(rows)
            begun = clock.process_time()
            scores = material.calibrated(drawn)
            ours = calibrate_pairs(drawn, material.dataset, scores, space, PairsRule())
            seconds.append(clock.process_time() - begun)
            combined = material.combined(drawn, recorded, scores) if runs else None
            measured.append(compared(ours, drawn, others, combined))
        means = {name: [each[name] for each in measured] for name in measured[0]}
        our_found, their_found = (float(np.mean(means[f"{w}_found"])) for w in ("our", "their"))
        found: dict[str, Any] = {
            "what": f"share of the reference's pairs found, {material.name}, {count} trials",
            "ours": our_found,
            "theirs": their_found,
            "ratio": our_found / their_found if their_found else None,
            "draws": len(starts),
            "reference_trials": len(others),
        }
        for name, values in means.items():
            found[name] = _said(float(np.mean(values)))
            if len(values) > 1:
                found[f"{name}_sd"] = _said(float(np.std(values, ddof=1)))
        show(found | {"cpu_seconds": float(np.mean(seconds))} | _machine(), as_json)


@main.command()
@click.argument("study")
@click.argument("planted", type=click.Path())
@store_option
@click.option("--counts", default="1,5,20", show_default=True)
@click.option("--draws", default=4, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def noise(study: str, planted: str, location: str, counts: str, draws: int, as_json: bool) -> None:
    """Measure how well memorization finds planted wrong labels: the area under the ROC."""
    from sklearn.metrics import roc_auc_score

    material = Material.of(location, study)
    with np.load(f"{planted.removesuffix('.npz')}.truth.npz") as file:
        wrong = np.isin(np.arange(material.trials.n), file[_flipped(file.files)])
    by_kernel = float(roc_auc_score(wrong, -material.context.kernel_scores[:, 2]))
    for count in map(int, counts.split(",")):
        areas = []
        for draw in range(draws):
            rows = np.arange(count) + draw * max(_PER_BLOCK, count)
            if rows[-1] >= len(material.trials):
                break
            drawn = material.trials.taken(rows)
            ours = material.calibrated(drawn).memorization
            theirs = drawn.counted().memorization
            areas.append([roc_auc_score(wrong, each) for each in (ours, _filled(theirs))])
        means = np.mean(areas, axis=0)
        found = {
            "what": f"AUROC of {wrong.sum()} wrong labels, {material.name}, {count} trials",
            "ours": float(means[0]),
            "theirs": float(means[1]),
            "ratio": float((1 - means[1]) / max(1 - means[0], 1e-9)),
            "draws": len(areas),
            "kernel_machine_alone": by_kernel,
        }
        if len(areas) > 1:
            spread = np.std(areas, axis=0, ddof=1)
            found |= {"our_sd": float(spread[0]), "their_sd": float(spread[1])}
        show(found | _machine(), as_json)


@main.command()
@click.option("--train", "n", default=5000, show_default=True, help="Training examples.")
@click.option("--trials", "count", default=20, show_default=True)
@click.option("--inputs", default=784, show_default=True, help="Numbers an example has.")
@click.option("--json", "as_json", is_flag=True)
def time(n: int, count: int, inputs: int, as_json: bool) -> None:
    """Measure the CPU seconds of an estimate from synthetic trials, and of its preparation."""
    rng = np.random.default_rng(0)
    label = rng.integers(10, size=n)
    x = (rng.normal(size=(10, inputs))[label] + 3 * rng.normal(size=(n, inputs))).astype(np.float32)
    dataset = Dataset.from_arrays(x, label, x[:1], label[:1])
    begun = clock.process_time()
    known = context(dataset)
    prepared = clock.process_time() - begun
    inside = rng.random((count, n)) < 0.7
    margin = (rng.normal(3, 3, n) + np.where(inside, 3, 0) + rng.normal(size=(count, n))).astype(
        np.float16
    )
    begun = clock.process_time()
    calibrated_memorization(
        inside,
        margin > 0,
        label,
        margin=margin,
        neighbours=(known.neighbours, known.distances),
        extra_features=known.kernel_scores,
    )
    seconds = clock.process_time() - begun
    found = {
        "what": f"CPU seconds, {n:,} examples, {count} trials",
        "ours": seconds,
        "theirs": None,
        "ratio": None,
        "neighbours_and_kernel_machine_seconds": prepared,
    }
    show(found | _machine(), as_json)


def _starts(total: int, count: int, draws: int) -> list[int]:
    apart = max(_PER_BLOCK, count)
    starts = [d * apart for d in range(draws) if d * apart + count <= total // 2]
    if not starts:
        raise EstimationError(f"{total} trials are too few to draw {count}: train more")
    return starts


def judged(found: Memorization, reference: Memorization) -> dict[str, float]:
    """Compare with the reference, whose noise is removed."""
    known = ~np.isnan(reference.memorization)
    r, estimate = reference.memorization[known], _filled(found.memorization)[known]
    noise = _variance(reference, added=0.0)[known].mean()
    agreed = agreement(estimate, r, ())
    low, high = found.ci_low[known], found.ci_high[known]
    half = Z95**2 * _variance(reference, added=0.5)[known]
    plain = found.memorization[known]
    holds = (plain - np.sqrt((plain - low) ** 2 + half) <= r) & (
        r <= plain + np.sqrt((high - plain) ** 2 + half)
    )
    said = ~np.isnan(plain)
    return {
        "rmse": float(np.sqrt(max(0, ((estimate - r) ** 2).mean() - noise))),
        "pearson": agreed.pearson / float(np.sqrt(1 - noise / r.var())),
        "spearman": agreed.spearman,
        "top_5_percent": agreed.top,
        "bias": float((estimate - r).mean()),
        "bias_where_memorized": _mean((estimate - r)[r >= 0.5]),
        "covered": _mean(holds[said]),
        "covered_memorized": _mean(holds[said & (estimate >= 0.25)]),
        "covered_ambiguous": _mean(holds[said & (estimate >= 0.05) & (estimate < 0.25)]),
        "covered_if_truly_memorized": _mean(holds[said & (r >= 0.25)]),
        "width": _mean((high - low)[said]),
        "with_an_estimate": float(said.mean()),
    }


def _variance(scores: Memorization, added: float) -> Floats:
    """The squared standard error; ``added`` successes and failures keep it above 0."""
    found = np.zeros(len(scores.n_in))
    for rate, n in ((scores.accuracy_in, scores.n_in), (scores.accuracy_out, scores.n_out)):
        p = (rate * n + added) / (n + 2 * added)
        found += p * (1 - p) / (n + 2 * added)
    return found


def _filled(values: Floats) -> Floats:
    known = values[~np.isnan(values)]
    return np.where(np.isnan(values), known.mean() if len(known) else 0.0, values)


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _said(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _flipped(names: list[str]) -> str:
    return next(name for name in ("flipped", "flips") if name in names)


def _machine() -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"our_peak_bytes": peak, "machine": machine_kind("cpu")}


if __name__ == "__main__":
    run(main)
