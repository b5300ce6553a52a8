"""``memtail status``: what the store holds, and what a cluster does with it."""

import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from cli import formatting
from cli.options import find_study, json_option, print_json, store_option
from memtail_core import catalogue
from memtail_core.catalogue import reports
from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import MemtailError
from memtail_core.plan import shards
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study


@click.command()
@click.argument("name", metavar="[STUDY]", required=False)
@store_option
@json_option
def status(name: str | None, location: str, as_json: bool) -> None:
    """Show all studies of the store, or one in detail."""
    look = _survey_of_cluster()
    if name is None:
        store = open_store(location)
        rows = []
        for study_id in catalogue.ids(store):
            try:
                study = catalogue.read(store, study_id)
                rows.append({**_row(store, study), **look(store, study)})
            except MemtailError as error:  # one damaged study does not hide the others
                click.echo(f"Warning: {error}", err=True)
        if as_json:
            print_json(rows)
        else:
            _print_all(rows, location)
        return
    store, study = find_study(location, name)
    row, found, seen = _row(store, study), _detail(store, study), look(store, study)
    detail = {**row, **seen, **found, "state": seen.get("state", row["state"])}
    if found["damaged"]:
        detail["state"] = "unfinished"
    if as_json:
        print_json(detail)
    else:
        _print_one(detail, "" if location == "runs" else f" --store {location}")


def _survey_of_cluster() -> Callable[[ObjectStore, Study], dict[str, Any]]:
    """What to ask of each study: how it fares on the cluster, if one is set and was asked."""
    from memtail_core.settings import settings

    found = settings()
    if found.broker_url is None:
        return lambda store, study: {}
    try:
        from services import broker
        from services.broker import BrokerError
        from services.survey import survey

        with broker.reached(found):
            client = broker.connect(found)
            client.ping()
    except (MemtailError, ModuleNotFoundError) as error:
        click.echo(f"Warning: what the cluster does is not known: {error}", err=True)
        return lambda store, study: {}

    def look(store: ObjectStore, study: Study) -> dict[str, Any]:
        try:
            with broker.reached(found):
                seen = survey(store, client, study)
        except BrokerError as error:
            click.echo(f"Warning: what the cluster does is not known: {error}", err=True)
            return {}
        if seen.standing.order is None:
            return {}
        said = seen.as_dict()
        names = ("state", "running", "waiting", "failed", "workers", "models_per_hour")
        return {name: said[name] for name in (*names, "seconds_left", "at_work")}

    return look


def _row(store: ObjectStore, study: Study) -> dict[str, Any]:
    n_stored = len(stored_shards(store, study)) * study.shard_size
    goal = len(shards.planned(study, catalogue.goal(store, study))) * study.shard_size
    page = reports.page_key(study)
    return {
        "id": study.id,
        "recipe": study.training["recipe"],
        "source": study.dataset.source,
        "examples": study.dataset.n_train,
        "is_experiment": study.is_experiment,
        "stored": n_stored,
        "goal": goal,
        "state": "complete" if goal and n_stored >= goal else "unfinished",
        "report": f"{store.location}/{page}" if store.exists(page) else None,
    }


def _detail(store: ObjectStore, study: Study) -> dict[str, Any]:
    """Accuracies and fit of what is stored; reads every shard."""
    from memtail_core import estimation
    from memtail_core.catalogue import failures
    from memtail_core.running import trials

    loaded, damaged = trials.load(store, study)
    found: dict[str, Any] = {
        "stored": len(loaded),
        "damaged": [f"{each.key}: {each.reason}" for each in damaged],
        "set_aside": list(store.list(f"{study.prefix}damaged/")),
        "failures": [failure.model_dump() for failure in failures.read(store, study)],
        "training": study.training,
        "subsets": study.subsets.model_dump(),
    }
    if len(loaded) == 0:
        return found
    found["accuracy"] = loaded.accuracies().means()
    found["seconds_per_model"] = float(loaded.seconds.mean())
    if study.is_experiment:
        return found
    fit = estimation.fit(loaded.counted())
    return {
        **found,
        "fit": vars(fit),
        "warnings": [fit.warning] if fit.warning else [],
    }


def _print_all(rows: list[dict[str, Any]], location: str) -> None:
    if not rows:
        click.echo(f"the store '{location}' holds no study; start one with: memtail demo")
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
        console.print(f"  speed     {detail['seconds_per_model']:.2f} s a model and process")
    if "running" in detail:
        console.print(
            f"  cluster   {detail['running']:,} models running, {detail['waiting']:,} waiting, "
            f"{detail['failed']:,} failed; {formatting.count(detail['workers'], 'worker')}"
        )
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
        none = "none of its own: what came of it is in that of the study it belongs to"
    console.print(f"  report    {detail['report'] or none}")


def _print_failures(console: Console, detail: dict[str, Any]) -> None:
    """The last failures, and where in the study's own code the last of those happened."""
    for failure in detail["failures"][-5:]:
        console.print(
            f"  failure   {failure['shard']}, attempt {failure['attempt']}, on "
            + formatting.plain(f"{failure['worker']}: {failure['reason']}")
        )
    own = [failure for failure in detail["failures"] if failure["kind"] == "study"]
    if own and detail["state"] != "complete":
        console.print("  where")
        for line in formatting.plain(own[-1]["traceback"]).rstrip().splitlines():
            console.print(f"    {line}")
