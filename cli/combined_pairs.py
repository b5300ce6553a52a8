"""``memtail pairs --combined``: pairs by gradients and counting together."""

from functools import partial
from typing import TYPE_CHECKING

import click

from cli import formatting
from cli.options import find_study
from cli.pair_tables import Destination, print_pairs
from cli.progress import progress_bar
from cli.recorded_runs import recorded_runs

if TYPE_CHECKING:
    from memtail_core.analysis.pair_queries import PairQuery
    from memtail_core.estimation.estimator import Estimator


def refuse(given: dict[str, bool]) -> None:
    """Refuse options that ``--combined`` has no meaning for, by name and whether given."""
    for name, is_given in given.items():
        if is_given:
            raise click.UsageError(f"{name} does not go with --combined: it counts no pairs")


def list_combined(
    name: str,
    location: str,
    *,
    question: "PairQuery",
    estimator: "Estimator",
    n_runs: int,
    device: str,
    theta: float,
    fdr: float | None,
    harmful: bool,
    top: int | None,
    destination: Destination,
) -> None:
    """List the pairs, or write them; train the networks whose gradients are missing."""
    from memtail_core import approximations
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.approximations.combined_influence import GRADIENTS, combine, response_of
    from memtail_core.errors import EstimationError
    from memtail_core.estimation.combined import discoveries
    from memtail_core.report import tables
    from memtail_core.training.device import resolve_device

    store, study = find_study(location, name)
    material = LoadedStudy.load(store, study, margins=True, estimator=estimator)
    family, dataset = question.family(material), material.dataset
    setting = approximations.Setting(store, study, dataset, resolve_device(device))
    reason = approximations.why_not(GRADIENTS, setting.recipe, dataset)
    if reason is not None:
        raise EstimationError(f"--combined needs gradients: {reason}")
    runs = recorded_runs(setting, n_runs)
    with progress_bar("combining", len(dataset.y_train), "examples") as advance:
        influence = combine(dataset, material.trials, runs, progress=advance)
    with progress_bar("looking", family.n_pairs, "pairs") as advance:
        found = discoveries(
            influence,
            family,
            theta,
            fdr,
            top=top,
            harmful=harmful,
            response=response_of(material.trials),
            progress=advance,
        )
    table = tables.combined_pairs_table(
        found.of_harm() if harmful else found, dataset, material.scores.memorization
    )
    summary = {
        "study": study.id,
        "trials": len(material.trials),
        "runs": n_runs,
        "tested": found.n_tested,
        "found": found.n_found,
        "fdr": fdr,
    }
    destination.take(
        table,
        summary,
        [
            f"[bold]{found.n_found:,} pairs[/] of {found.n_tested:,}, from "
            f"{formatting.count(len(material.trials), 'model')} and the gradients of "
            f"{formatting.count(n_runs, 'network')}: influence on being right"
        ],
        partial(print_pairs, rate="false_sign_rate"),
    )
