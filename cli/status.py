"""``memtail status``: the studies of a store, and what the cluster does with them."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from cli import formatting
from cli.options import find_study, json_option, print_json, store_option
from memtail_core import catalogue
from memtail_core.catalogue import Progress, reports
from memtail_core.errors import MemtailError
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study

if TYPE_CHECKING:
    from services.status import StudyStatus

_OF_CLUSTER = (
    "state",
    "running",
    "waiting",
    "failed",
    "workers",
    "models_per_hour",
    "seconds_left",
    "at_work",
    "worker_errors",
)


@click.command()
@click.argument("name", metavar="[STUDY]", required=False)
@store_option
@json_option
def status(name: str | None, location: str, as_json: bool) -> None:
    """Show all studies of the store, or one in detail."""
    ask = _cluster_status()
    if name is None:
        store = open_store(location)
        rows = []
        for study_id in catalogue.ids(store):
            try:
                study = catalogue.read(store, study_id)
                rows.append(_row(store, study, ask(store, study)))
            except MemtailError as error:  # one damaged study does not hide the others
                click.echo(f"Warning: {error}", err=True)
        if as_json:
            print_json(rows)
        else:
            _print_all(rows, location)
        return
    store, study = find_study(location, name)
    detail = {**_row(store, study, ask(store, study)), **_detail(store, study)}
    if detail["damaged"]:
        detail["state"] = "unfinished"
    if as_json:
        print_json(detail)
    else:
        _print_one(detail, "" if location == "runs" else f" --store {location}")


def _cluster_status() -> "Callable[[ObjectStore, Study], StudyStatus | None]":
    """How to ask for a study's status with Redis; None if no cluster is configured or answers."""
    from memtail_core.settings import settings as read_settings

    settings = read_settings()
    if settings.broker_url is None:
        return lambda store, study: None
    try:
        from services import broker
        from services.status import study_status

        with broker.reached(settings):
            client = broker.connect(settings)
            client.ping()
    except (MemtailError, ModuleNotFoundError) as error:
        click.echo(f"Warning: the status of the cluster is unknown: {error}", err=True)
        return lambda store, study: None

    def ask(store: ObjectStore, study: Study) -> "StudyStatus | None":
        try:
            with broker.reached(settings):
                return study_status(store, client, study)
        except broker.BrokerError as error:
            click.echo(f"Warning: the status of the cluster is unknown: {error}", err=True)
            return None

    return ask


def _row(store: ObjectStore, study: Study, status: "StudyStatus | None") -> dict[str, Any]:
    progress = status.progress if status else Progress.of(store, study)
    page = reports.page_key(study)
    row = {
        "id": study.id,
        "recipe": study.training["recipe"],
        "source": study.dataset.source,
        "examples": study.dataset.n_train,
        "is_experiment": study.is_experiment,
        "stored": progress.n_stored,
        "goal": progress.n_planned,
        "state": "complete" if progress.is_complete else "unfinished",
        "report": f"{store.location}/{page}" if store.exists(page) else None,
    }
    if status is None or status.order is None:
        return row
    of_cluster = status.as_dict()
    return row | {name: of_cluster[name] for name in _OF_CLUSTER}


def _detail(store: ObjectStore, study: Study) -> dict[str, Any]:
    """What is stored, with accuracies and the fit; reads every shard."""
    from memtail_core import estimation
    from memtail_core.catalogue import failures
    from memtail_core.running import loading

    loaded, damaged = loading.load(store, study)
    detail: dict[str, Any] = {
        "stored": len(loaded),
        "damaged": [f"{each.key}: {each.reason}" for each in damaged],
        "set_aside": list(store.list(f"{study.prefix}damaged/")),
        "failures": [failure.model_dump() for failure in failures.read(store, study)],
        "training": study.training,
        "subsets": study.subsets.model_dump(),
    }
    if len(loaded) == 0:
        return detail
    detail["accuracy"] = loaded.accuracies().means()
    detail["seconds_per_model"] = float(loaded.seconds.mean())
    if study.is_experiment:
        return detail
    fit = estimation.fit(loaded.counted())
    return {
        **detail,
        "fit": vars(fit),
        "warnings": [fit.warning] if fit.warning else [],
    }


def _print_all(rows: list[dict[str, Any]], location: str) -> None:
    if not rows:
        click.echo(f"the store '{location}' holds no study; start one with memtail demo")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("study", no_wrap=True)  # to be copied whole
    table.add_column("recipe", overflow="fold")
    table.add_column("data", overflow="fold")
    table.add_column("examples", justify="right")
    table.add_column("models", justify="right")
    table.add_column("state")
    for row in rows:
        cells = (row["id"], row["recipe"], row["source"], f"{row['examples']:,}")
        table.add_row(*cells, f"{row['stored']:,}/{row['goal']:,}", row["state"])
    width = None if sys.stdout.isatty() else 200  # for grep: no cell in two lines
    Console(highlight=False, markup=False, width=width).print(table)


def _print_one(detail: dict[str, Any], where: str) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(detail["id"], style="bold")
    console.print(f"  data      {detail['source']}: {detail['examples']:,} training examples")
    console.print(f"  recipe    {', '.join(f'{k} {v}' for k, v in detail['training'].items())}")
    console.print(f"  models    {detail['stored']:,} of {detail['goal']:,}, {detail['state']}")
    if "accuracy" in detail:
        console.print(f"  accuracy  {formatting.accuracies(detail['accuracy'], 2)}")
        console.print(f"  speed     {detail['seconds_per_model']:.2f} s per model and process")
    if "running" in detail:
        console.print(
            f"  cluster   {detail['running']:,} models running, {detail['waiting']:,} waiting, "
            f"{detail['failed']:,} failed; {formatting.count(detail['workers'], 'worker')}"
        )
    if detail["state"] != "complete":
        _print_worker_errors(console, detail.get("worker_errors", []))
    for damaged in detail["damaged"]:
        console.print(f"  damaged   {damaged}; memtail run trains it again")
    for key in detail["set_aside"]:
        console.print(f"  set aside {key}: it was damaged")
    for warning in detail.get("warnings", []):
        console.print(f"  warning   {warning}")
    _print_failures(console, detail)
    if detail["state"] in ("failed", "stopped"):
        console.print(f"  continue  memtail retry {detail['id']}{where}")
    elif detail["state"] == "cancelled":
        console.print(f"  continue  memtail submit {detail['id']}{where}")
    elif detail["state"] == "unfinished":
        console.print(f"  continue  memtail run {detail['id']}{where}")
    none = f"none yet: memtail report {detail['id']}{where}"
    if detail["is_experiment"]:
        none = "none: the results are in the report of the study that the experiment belongs to"
    console.print(f"  report    {detail['report'] or none}")


def _print_worker_errors(console: Console, errors: list[dict[str, Any]]) -> None:
    """Print which workers cannot train the study, or fail again and again."""
    for error in errors[:5]:
        what = "leaves it to other workers" if error["is_aside"] else "failed"
        times = "" if error["is_aside"] else f" {formatting.count(error['in_a_row'], 'time')}"
        text = f"{error['worker']} {what}{times}: {error['reason']}"
        console.print(f"  worker    {formatting.plain(text)}")


def _print_failures(console: Console, detail: dict[str, Any]) -> None:
    """Print the last failures, and the traceback of the last one in the study's own code."""
    for failure in detail["failures"][-5:]:
        console.print(
            f"  failure   {failure['shard']}, attempt {failure['attempt']}, on "
            + formatting.plain(f"{failure['worker']}: {failure['reason']}")
        )
    own = [failure for failure in detail["failures"] if failure["kind"] == "study"]
    if own and detail["state"] != "complete":
        console.print("  traceback")
        for line in formatting.plain(own[-1]["traceback"]).rstrip().splitlines():
            console.print(f"    {line}")
