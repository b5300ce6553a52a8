"""``memtail pairs --combined``: pairs by gradients and counting together."""

from typing import TYPE_CHECKING, Any

import click

from cli import formatting
from cli import output as out
from cli.options import find_study, print_json
from cli.pair_tables import pair_console, print_pairs
from cli.progress import progress_bar

if TYPE_CHECKING:
    import pyarrow as pa

    from memtail_core.analysis.pair_queries import PairQuery
    from memtail_core.estimation.estimator import Estimator

_SHOWN = 20


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
    format_: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """List the pairs, or write them; train the networks whose gradients are missing."""
    from memtail_core import approximations
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.approximations.combined_influence import GRADIENTS, combine
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
    missing = len(approximations.missing(setting, n_runs))
    if missing:
        with progress_bar("training", n_runs, "networks") as advance:
            runs = approximations.recorded(setting, n_runs, progress=lambda _: advance(1))
    else:
        runs = approximations.recorded(setting, n_runs)
    with progress_bar("combining", len(dataset.y_train), "examples") as advance:
        influence = combine(dataset, material.trials, runs, "probability", progress=advance)
    with progress_bar("looking", family.n_pairs, "pairs") as advance:
        found = discoveries(
            influence, family, theta, fdr, top=top, harmful=harmful, progress=advance
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
    if format_ and not as_json:
        out.write(out.encode(table, format_), output)
    elif as_json:
        print_json({**summary, "pairs": table.to_pylist()})
        return
    _say(summary, table, shown=not format_)


def _say(summary: dict[str, Any], table: "pa.Table", *, shown: bool) -> None:
    console = pair_console(stderr=not shown)
    console.print(
        f"[bold]{summary['found']:,} pairs[/] of {summary['tested']:,}, from "
        f"{formatting.count(summary['trials'], 'model')} and the gradients of "
        f"{formatting.count(summary['runs'], 'network')}: influence on the probability of the "
        "right answer"
    )
    if shown and len(table):
        print_pairs(console, table.slice(0, _SHOWN).to_pylist(), rate="false_sign_rate")
        if len(table) > _SHOWN:
            console.print(f"the {_SHOWN} strongest of {len(table):,}; all: --output pairs.csv")
