"""``memtail run``: train the missing models of a study, then write its report."""

from typing import TYPE_CHECKING

import click

from cli.options import (
    device_option,
    json_option,
    open_study,
    print_json,
    set_option,
    shrink_option,
    store_option,
    trials_option,
    workers_option,
)

if TYPE_CHECKING:
    from cli.stopping import Stopping
    from cli.training import RunOptions
    from memtail_core.data import Dataset
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study


@click.command()
@click.argument("name", metavar="STUDY")
@store_option
@trials_option
@shrink_option
@workers_option
@device_option
@click.option(
    "--stack",
    type=click.IntRange(1),
    help="Train this many networks at once. [default: the fastest, measured]",
)
@click.option(
    "--until",
    multiple=True,
    metavar="RULE",
    help="Stop as soon as this rule is met, as 'se<=0.05'; repeatable.",
)
@click.option(
    "--hours",
    type=click.FloatRange(0, min_open=True),
    help="Stop before this many hours have passed.",
)
@click.option(
    "--part",
    metavar="I/N",
    help="Train only every N-th shard, from the I-th on, as one job of a batch system.",
)
@click.option(
    "--log",
    "tracker",
    type=click.Choice(["mlflow"]),
    help="Log settings, accuracies and results to this experiment tracker.",
)
@set_option
@click.option(
    "--dry-run", is_flag=True, help="Print what would be trained and what it costs; do nothing."
)
@json_option
def run(
    name: str,
    location: str,
    trials: int | None,
    shrink: bool,
    workers: int | None,
    device: str,
    stack: int | None,
    until: tuple[str, ...],
    hours: float | None,
    part: str | None,
    tracker: str | None,
    assignments: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Train the missing models of STUDY, then write its report.

    STUDY is a study file, the name of a study that ships with memtail (digits, mnist-fast, …), or
    the id of a study in the store. The same command continues an interrupted study; more --trials
    make it grow; fewer do not shrink it, unless you give --shrink. Nothing is trained twice.

    With --until, training stops when a rule is met: 'se<=0.05', 'top-1000 stable at 0.9',
    'memorized stable at 0.9', or several rules joined by 'and'. With several --until, the first to
    be met counts. --trials and --hours are then upper limits.

    With --part, N runs on one store share the work, as a job array: --part
    $SLURM_ARRAY_TASK_ID/64. The last to be done writes the report.

    With --log mlflow, MLflow keeps the run where MLFLOW_TRACKING_URI says.
    """
    from contextlib import nullcontext

    from cli.stopping import most_of, stopping_of
    from cli.training import RunOptions
    from memtail_core.plan.shards import WHOLE, Part
    from memtail_core.running.listeners import ProgressListener
    from memtail_core.running.tracking import in_mlflow
    from memtail_core.store import open_store

    if part is not None and until:
        raise click.UsageError("--part: no job alone can tell whether a rule of --until is met")
    of_shards = WHOLE if part is None else Part.parse(part)
    stopping = stopping_of(until, hours, trials)
    store = open_store(location)
    study, dataset, planned = open_study(store, name, assignments, trials)
    most = most_of(stopping, trials, planned)
    is_logged = tracker is not None and not dry_run
    with in_mlflow(study) if is_logged else nullcontext(ProgressListener()) as listener:
        options = RunOptions(workers, device, stack, dry_run, as_json, shrink, of_shards, listener)
        execute(store, study, dataset, most, options, stopping)


def execute(
    store: "ObjectStore",
    study: "Study",
    dataset: "Dataset",
    trials: int,
    options: "RunOptions",
    stopping: "Stopping | None" = None,
) -> None:
    """Train, publish the report, and print the findings and where the report is."""
    from cli.training import train
    from memtail_core import catalogue
    from memtail_core.analysis import analyse
    from memtail_core.analysis.measuring import with_values
    from memtail_core.experiments.stopping.intervals import as_stopped
    from memtail_core.report.publication import publish

    loaded = train(store, study, dataset, trials, options, stopping)
    if loaded is None or study.is_experiment:  # the experiment reads its models itself
        return
    goal = catalogue.goal(store, study)
    if options.part.of > 1 and _is_left_to_others(store, study, options):
        return
    analysis = as_stopped(store, analyse(study, dataset, with_values(store, study, loaded), goal))
    options.listener.analysed(analysis.summary())
    page = publish(store, analysis)
    if options.as_json:
        print_json({**analysis.summary(), "report": f"{store.location}/{page}"})
    else:
        from cli.findings import say_findings

        say_findings(analysis.summary(), f"{store.location}/{page}")


def _is_left_to_others(store: "ObjectStore", study: "Study", options: "RunOptions") -> bool:
    """Say how far the study is, if other parts of it are missing."""
    from memtail_core.catalogue import Progress

    progress = Progress.of(store, study)
    if progress.is_complete:
        return False
    if options.as_json:
        print_json({**progress.as_dict(), "part": str(options.part)})
    else:
        click.echo(
            f"part {options.part} is stored; {progress.n_missing:,} of {progress.n_planned:,} "
            "models are left to other parts, the last of which writes the report"
        )
    return True
