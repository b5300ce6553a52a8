"""``memtail status``: the studies of a store, and what the cluster does with them."""

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from cli import formatting
from cli.options import find_study, json_option, print_json, store_option
from memtail_core import catalogue
from memtail_core.catalogue import Progress, reports
from memtail_core.catalogue.stored import LARGE
from memtail_core.errors import MemtailError
from memtail_core.plan.shards import Shard
from memtail_core.settings import settings
from memtail_core.store import Contents, ListedStore, ObjectStore, open_store
from memtail_core.study import IMPORTED, Study

if TYPE_CHECKING:
    from services.status import StudyStatus

    _Ask = Callable[[ObjectStore, Study], StudyStatus | None]

_MOST_READ = 200  # shards of a large study
_QUICK, _SOME = 2**25, 2**24  # bytes of bits that are read as a whole; of more, so many

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
    ask = _cluster_status(of_all=name is None)
    if name is None:
        rows = _rows(open_store(location), ask)
        if as_json:
            print_json(rows)
        else:
            _print_all(rows, location)
        return
    store, study = find_study(location, name)
    now = ask(store, study)
    progress = now.progress if now else Progress.of(store, study)
    detail = {**_row(store, study, now, progress), **_detail(store, study, progress.stored)}
    if detail["damaged"]:
        detail["state"] = "unfinished"
    if as_json:
        print_json(detail)
    else:
        _print_one(detail, "" if location == "runs" else f" --store {location}")


def _rows(store: ObjectStore, ask: "_Ask") -> list[dict[str, Any]]:
    """A row for each study, by one listing of the store and several readings at a time."""

    def row(study_id: str, listed: ListedStore) -> dict[str, Any] | None:
        try:
            study = catalogue.read(listed, study_id)
            return _row(listed, study, ask(listed, study))
        except (MemtailError, KeyError) as error:  # one damaged study does not hide the others
            click.echo(f"Warning: {error}", err=True)
            return None

    contents, file = Contents(), _file_of_contents(store.location)
    contents.load(file)
    rows = list(catalogue.listed.mapped(store, contents, row))
    if store.location.startswith("s3://"):  # a folder lists no digests: its files are read
        contents.save(file)
    return [each for each in rows if each is not None]


def _file_of_contents(location: str) -> Path:
    """Where the descriptions of a bucket's studies are kept for the next command."""
    name = hashlib.sha256(location.encode()).hexdigest()[:16]
    return settings().cache.expanduser() / "listed" / f"{name}.zip"


def _cluster_status(of_all: bool) -> "_Ask":
    """How to ask for a study's status with Redis; None if no cluster is configured or answers."""
    given = settings()
    if given.broker_url is None:
        return lambda store, study: None
    try:
        from services import broker
        from services.status import statuses, study_status

        def of_one(store: ObjectStore, study: Study) -> "StudyStatus":
            return study_status(store, client, study)

        with broker.reached(given):
            client = broker.connect(given)
            client.ping()
            status = statuses(client) if of_all else of_one
    except (MemtailError, ModuleNotFoundError) as error:
        click.echo(f"Warning: the status of the cluster is unknown: {error}", err=True)
        return lambda store, study: None

    def ask(store: ObjectStore, study: Study) -> "StudyStatus | None":
        try:
            with broker.reached(given):
                return status(store, study)
        except broker.BrokerError as error:
            click.echo(f"Warning: the status of the cluster is unknown: {error}", err=True)
            return None

    return ask


def _row(
    store: ObjectStore,
    study: Study,
    status: "StudyStatus | None",
    progress: Progress | None = None,
) -> dict[str, Any]:
    progress = progress or (status.progress if status else Progress.of(store, study))
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


def _detail(store: ObjectStore, study: Study, stored: Sequence[Shard]) -> dict[str, Any]:
    """What is stored, with accuracies and the fit; reads every shard, of a large study some."""
    from memtail_core import estimation
    from memtail_core.catalogue import failures
    from memtail_core.running import loading

    some = _some(study, stored)
    loaded, damaged = loading.load(store, study, among=some)
    detail: dict[str, Any] = {
        "stored": (len(stored) - len(some)) * study.shard_size + len(loaded),
        "verified": len(loaded),
        "damaged": [f"{each.key}: {each.reason}" for each in damaged],
        "set_aside": list(store.list(f"{study.prefix}damaged/")),
        "failures": [failure.model_dump() for failure in failures.read(store, study)],
        "training": study.training,
        "subsets": study.subsets.model_dump(),
    }
    if len(loaded) == 0:
        return detail
    detail["accuracy"] = loaded.accuracies().means()
    detail["seconds_per_model"] = loaded.seconds_per_trial
    if study.is_experiment or loaded.train_correct is None:
        return detail
    fit = estimation.fit(loaded.counted())
    return {
        **detail,
        "fit": vars(fit),
        "warnings": [fit.warning] if fit.warning else [],
    }


def _some(study: Study, stored: Sequence[Shard]) -> Sequence[Shard]:
    """All shards, or of many or large ones some, spread over all."""
    data = study.dataset
    each = study.shard_size * (2 * data.n_train + data.n_test) // 8
    if len(stored) < LARGE and len(stored) * each < _QUICK:
        return stored
    most = min(_MOST_READ, max(1, _SOME // each))
    return stored[:: max(1, -(-len(stored) // most))]


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
    if detail["verified"] < detail["stored"]:
        console.print(
            f"  verified  {detail['verified']:,} models, spread over all; memtail report reads all"
        )
    if "accuracy" in detail:
        console.print(f"  accuracy  {formatting.accuracies(detail['accuracy'], 2)}")
    if detail.get("seconds_per_model") is not None:
        console.print(f"  speed     {detail['seconds_per_model']:.2f} s per model and process")
    if "running" in detail:
        console.print(
            f"  cluster   {detail['running']:,} models running, {detail['waiting']:,} waiting, "
            f"{detail['failed']:,} failed; {formatting.count(detail['workers'], 'worker')}"
        )
    if detail["state"] != "complete":
        _print_worker_errors(console, detail.get("worker_errors", []))
    for damaged in detail["damaged"]:
        is_imported = detail["recipe"] == IMPORTED
        mend = "import it again" if is_imported else "memtail run trains it again"
        console.print(f"  damaged   {damaged}; {mend}")
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
