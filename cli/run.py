"""``memtail run``: train what is missing, then estimate and report."""

from typing import TYPE_CHECKING

import click

from cli.options import json_option, open_study, print_json, set_option, store_option, trials_option

if TYPE_CHECKING:
    from cli.stopping import Stopping
    from memtail_core.data import Dataset
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study


@click.command()
@click.argument("name", metavar="STUDY")
@store_option
@trials_option
@click.option(
    "--workers", type=click.IntRange(1), help="Processes. [default: the fastest, measured]"
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "--stack",
    type=click.IntRange(1),
    help="Networks a process trains at once. [default: the fastest, measured]",
)
@click.option(
    "--until",
    multiple=True,
    metavar="RULE",
    help="Stop when it is good enough: 'se<=0.05', 'top-1000 stable at 0.9', 'memorized stable at "
    "0.9', or several joined by 'and'. Given several times: whichever comes first.",
)
@click.option(
    "--hours",
    type=click.FloatRange(0, min_open=True),
    help="Start no model that would not be done within so many hours.",
)
@set_option
@click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and what it costs; do nothing."
)
@json_option
def run(
    name: str,
    location: str,
    trials: int | None,
    workers: int | None,
    device: str,
    stack: int | None,
    until: tuple[str, ...],
    hours: float | None,
    assignments: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train what is missing of STUDY, then estimate and report.

    STUDY is a study.toml, the name of a study that ships with memtail (digits, mnist-fast, …), or
    the id of a study in the store. Run it again and it continues; with more --trials it grows, and
    nothing is trained twice. With --until it stops when it is good enough, with as many models as
    that takes: --trials and --hours are then the most.
    """
    from cli.stopping import most_of, stopping_of
    from memtail_core.store import open_store

    stopping = stopping_of(until, hours, trials)
    store = open_store(location)
    study, dataset, planned = open_study(store, name, assignments, trials)
    most = most_of(stopping, trials, planned)
    execute(store, study, dataset, most, workers, device, stack, dry_run, as_json, stopping)


def execute(
    store: "ObjectStore",
    study: "Study",
    dataset: "Dataset",
    trials: int,
    workers: int | None = None,
    device: str = "auto",
    stack: int | None = None,
    dry_run: bool = False,
    as_json: bool = False,
    stopping: "Stopping | None" = None,
) -> None:
    """Train, report, and say where the report is."""
    from cli.training import train
    from memtail_core import catalogue
    from memtail_core.analysis import analyse
    from memtail_core.experiments.stopping.intervals import as_stopped
    from memtail_core.report import publish

    stored = train(
        store, study, dataset, trials, workers, device, stack, dry_run, as_json, stopping
    )
    if stored is None or study.is_experiment:  # the experiment reads its models itself
        return
    goal = catalogue.goal(store, study)
    analysis = as_stopped(store, analyse(study, dataset, stored, goal))
    page = publish(store, analysis)
    if as_json:
        print_json({**analysis.summary(), "report": f"{store.location}/{page}"})
    else:
        from cli.findings import say_findings

        say_findings(analysis.summary(), f"{store.location}/{page}")
