"""A targeted study beside an untargeted one of as many models, on the candidates alone.

    python benchmarks/targeted.py docs/results/fashion-mlp-5k.toml --set dataset.root=data

The candidates are the training examples that an approximation from one training scores highest. Of
both kinds of study there are several, each from its own seed; the reference is one more targeted
study, of many models. Errors are taken against it: the root of the mean square, from which the
reference's own noise is subtracted, and the mean. An untargeted study also leaves out most of the
other examples, so that part of its error is no noise and stays however many models it has.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from cli.options import overrides
from memtail_core import approximations, catalogue
from memtail_core.data import Dataset
from memtail_core.estimation import Memorization
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from memtail_core.study import Spec

_REFERENCE, _FIRST = 1000, 2000  # seeds

Candidates = list[int] | None


@click.command()
@click.argument("study")
@click.option("--set", "assignments", multiple=True, help="Override a key of the study file.")
@click.option("--store", "folder", type=click.Path(file_okay=False), help="[default: temporary]")
@click.option("--candidates", "n_candidates", default=300, show_default=True)
@click.option("--method", default="combination", show_default=True, help="What chooses them.")
@click.option("--trials", default=40, show_default=True, help="Models of each compared study.")
@click.option("--draws", default=3, show_default=True, help="Studies of each kind.")
@click.option("--reference", default=500, show_default=True, help="Models of the reference.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    study: str,
    assignments: tuple[str, ...],
    folder: str | None,
    n_candidates: int,
    method: str,
    trials: int,
    draws: int,
    reference: int,
    as_json: bool,
) -> None:
    """Compare the error of memorization, counted, of the same number of models."""
    spec = Spec.load(study, overrides(assignments))
    _, dataset = prepare(spec)
    with tempfile.TemporaryDirectory() as temporary:
        store = FilesStore(Path(folder or temporary))
        candidates = _highest(spec, store, dataset, method, n_candidates)
        trained = Trained(spec, store, dataset)
        truth = trained.scores(reference, _REFERENCE, candidates)
        memorized = truth.memorization[candidates] >= 0.25
        show(
            {
                "candidates": n_candidates,
                "chosen_by": method,
                "reference_models": reference,
                "memorized": {"of_candidates": float(memorized.mean())},
                "models": trials,
            },
            as_json,
        )
        for name, among in (("targeted", candidates), ("untargeted", None)):
            errors = [
                _error(trained.scores(trials, _FIRST + draw, among), truth, candidates)
                for draw in range(draws)
            ]
            show({"study": name, **_summary(errors)}, as_json)


def _highest(spec: Spec, store: FilesStore, dataset: Dataset, method: str, count: int) -> list[int]:
    """The training examples that a method scores highest from one training on all of them."""
    study = prepare(spec, dataset).study
    catalogue.register(store, study, dataset, 1)
    setting = approximations.Setting(store, study, dataset, "cpu")
    runs = approximations.recorded(setting, 1, whole=True)
    scores = approximations.approximated(approximations.named([method]), dataset, runs).scores
    return [int(i) for i in np.sort(np.argsort(-scores[method], kind="stable")[:count])]


class Trained:
    """Studies of one file, which differ in their seed and their candidates."""

    def __init__(self, spec: Spec, store: FilesStore, dataset: Dataset) -> None:
        self._spec, self._store, self._dataset = spec, store, dataset

    def scores(self, trials: int, seed: int, candidates: Candidates) -> Memorization:
        """Train what is missing, and count."""
        tables: dict[str, Any] = self._spec.model_dump(exclude_none=True)
        tables["study"] |= {"seed": seed}
        if candidates is not None:
            tables["subsets"] |= {"candidates": candidates}
        study, dataset = prepare(Spec.parse(tables), self._dataset)
        return execution.run(study, self._store, dataset, trials).counted()


def _error(found: Memorization, truth: Memorization, candidates: list[int]) -> dict[str, float]:
    """Root mean squared error without the reference's noise, mean error, error of the memorized."""
    difference = (found.memorization - truth.memorization)[candidates]
    noise = truth.standard_error[candidates] ** 2
    memorized = truth.memorization[candidates] >= 0.25
    return {
        "rmse": _root(difference**2 - noise),
        "bias": float(np.nanmean(difference)),
        "bias_of_memorized": float(np.nanmean(difference[memorized])),
        "missing": float(np.isnan(difference).mean()),
    }


def _root(squares: NDArray[np.float64]) -> float:
    return float(np.sqrt(max(0.0, float(np.nanmean(squares)))))


def _summary(errors: list[dict[str, float]]) -> dict[str, float]:
    """The mean over the draws, and the standard deviation where there are several."""
    summary: dict[str, float] = {}
    for name in errors[0]:
        values = np.array([error[name] for error in errors])
        summary[name] = float(values.mean())
        if len(values) > 1:
            summary[f"{name}_sd"] = float(values.std(ddof=1))
    return summary


if __name__ == "__main__":
    run(main)
