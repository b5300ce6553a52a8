"""What the commands of experiments share: a finished study in, models trained, a section out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from cli import formatting
from cli.options import device_option, find_study, print_json, workers_option

if TYPE_CHECKING:
    from memtail_core.analysis.loaded_study import LoadedStudy
    from memtail_core.data import Dataset
    from memtail_core.drawing.section import Shown
    from memtail_core.experiments.results import Result
    from memtail_core.running.trials import Trials
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study

Command = Callable[..., Any]

_TRAINING = (
    workers_option,
    device_option,
    click.option("--submit", is_flag=True, help="Train on the cluster and wait for it."),
    click.option("--dry-run", is_flag=True, help="Print what would be trained; do nothing."),
)


def training_options(command: Command) -> Command:
    """Give a command the options of all experiments that train."""
    for option in reversed(_TRAINING):
        command = option(command)
    return command


class Numbers(click.ParamType):  # type: ignore[type-arg]
    """``0.1,0.25,0.5``: numbers from −1 to 1, ascending, each once."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Parse and check."""
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(sorted({float(part) for part in str(value).split(",") if part.strip()}))
        except ValueError:
            self.fail(f"'{value}' is no list of numbers: write 0.1,0.25,0.5", param, ctx)
        if not found or not all(-1 <= number <= 1 for number in found):
            self.fail(f"'{value}': write numbers from -1 to 1, as 0.1,0.25,0.5", param, ctx)
        return found


@dataclass(frozen=True)
class Where:
    """Where an experiment's models are trained, if they are to be."""

    workers: int | None
    device: str
    submit: bool
    dry_run: bool
    as_json: bool


def opened(
    location: str, name: str, *, margins: bool = False
) -> "tuple[ObjectStore, Study, LoadedStudy]":
    """Open a study and read the models it has so far; with margins if asked."""
    from memtail_core.analysis.loaded_study import LoadedStudy

    store, study = find_study(location, name)
    return store, study, LoadedStudy.load(store, study, margins=margins)


def finished(
    location: str, name: str, *, margins: bool = False
) -> "tuple[ObjectStore, Study, LoadedStudy]":
    """Open a study, all of whose models are trained, and read them; with margins if asked.

    Raises:
        EstimationError: it is unfinished: what it says today is not what it will say tomorrow.
    """
    from memtail_core.catalogue import Progress
    from memtail_core.errors import EstimationError

    store, study, material = opened(location, name, margins=margins)
    progress = Progress.of(store, study)
    if progress.missing or material.n_damaged:
        n = len(material.trials)
        raise EstimationError(
            f"{study.id} is unfinished: {n:,} of {progress.goal:,} models are "
            f"trained; memtail run {study.id} trains the others"
        )
    return store, study, material


def trained(
    store: "ObjectStore", study: "Study", dataset: "Dataset", n_trials: int, where: Where
) -> "Trials | None":
    """Train what is missing of an experiment's study, here or on the cluster.

    Returns all of its trials, or None if it was only to be said what is missing.
    """
    if not where.submit:
        from cli.training import train

        options = (where.workers, where.device, None, where.dry_run, where.as_json)
        return train(store, study, dataset, n_trials, *options)
    return _trained_by_cluster(store, study, dataset, n_trials, where)


def _trained_by_cluster(
    store: "ObjectStore", study: "Study", dataset: "Dataset", n_trials: int, where: Where
) -> "Trials | None":
    from cli.cluster import connected
    from cli.plan import say_study
    from cli.watch import until_over
    from memtail_core.errors import TrainingError
    from memtail_core.running import trials
    from services import submission

    console = Console(stderr=True, quiet=where.as_json, highlight=False, soft_wrap=True)
    with connected(store.location) as cluster:
        device = {"cpu": "cpu", "cuda": "cuda"}.get(where.device)
        order = submission.order_for(cluster, study, device, None)  # type: ignore[arg-type]
        plan = submission.plan(cluster, study, n_trials, order)
        say_study(console, store, study, n_trials, plan.models)
        console.print(f"  to train  {formatting.count(plan.shards * study.shard_size, 'model')}")
        if where.dry_run:
            if where.as_json:
                print_json(asdict(plan))
            return None
        submission.submit(cluster, study, dataset, n_trials, order)
        seen = until_over(cluster, study, console)
    if seen.state != "complete":
        raise TrainingError(
            f"the cluster did not finish {study.id}: it is {seen.state}; memtail status {study.id} "
            "says why"
        )
    return trials.load(store, study)[0]


def finish(
    store: "ObjectStore", study: "Study", result: "Result", as_json: bool, err: bool = False
) -> None:
    """Keep what was found, add it to the study's report, and say it; on stderr if ``err``."""
    from memtail_core.experiments.registry import of_result
    from memtail_core.experiments.results import keep
    from memtail_core.report import analyse_stored, publish

    keep(store, study, result)
    analysis = analyse_stored(store, study)
    page = f"{store.location}/{publish(store, analysis)}"
    if as_json:
        print_json({**result.model_dump(mode="json"), "report": page})
        return
    section = of_result(result, analysis.dataset)
    console = Console(stderr=err, highlight=False, soft_wrap=True, markup=False)
    for sentence in section.findings:
        console.print(
            formatting.plain(sentence), style="bold" if sentence is section.findings[0] else ""
        )
    console.width = max(console.width, 120)
    console.print(_drawn(section.shown))
    for note in section.notes:
        console.print(formatting.plain(note), style="dim")
    console.print(f"report: {page}#{section.name}")


def _drawn(shown: "Shown") -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(shown.columns):
        table.add_column(title, justify="left" if number < shown.words else "right", no_wrap=True)
    for row in shown.rows:
        table.add_row(*(formatting.plain(cell) for cell in row))
    return table
