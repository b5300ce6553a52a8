"""``memtail workers``: which workers run, and what each of them trains."""

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli import formatting
from cli.options import json_option, print_json, store_option

if TYPE_CHECKING:
    from services.leases import Lease
    from services.phases import Phase


@click.command()
@store_option
@json_option
def workers(location: str, as_json: bool) -> None:
    """Show the workers of the cluster and what each one trains."""
    from cli.cluster import connected
    from services import last_errors, leases, phases, presence

    with connected(location) as cluster:
        there = presence.running(cluster.client, "worker")
        aggregators = presence.running(cluster.client, "aggregator")
        held = leases.current(cluster.client)
        errors = last_errors.current(cluster.client)
        phase = phases.of(cluster.client, held)
    if as_json:
        print_json(
            {
                "workers": [
                    each.model_dump(exclude={"role"})
                    | {
                        "trains": [
                            x.model_dump() | _progress(x, phase)
                            for x in held
                            if x.worker == each.name
                        ],
                        "errors": [x.model_dump() for x in errors if x.worker == each.name],
                    }
                    for each in there
                ],
                "aggregators": [
                    each.model_dump(include={"name", "since", "version"}) for each in aggregators
                ],
            }
        )
        return
    width = None if sys.stdout.isatty() else 200  # for grep: no cell in two lines
    console = Console(highlight=False, markup=False, width=width)
    if not there:
        console.print("no worker is running; start some: docker compose up -d --scale worker=2")
    else:
        table = Table(box=None, pad_edge=False)
        for column in ("worker", "host", "device", "memtail", "running for", "task"):
            table.add_column(column, overflow="fold")
        for each in there:
            mine = [lease for lease in held if lease.worker == each.name]
            task = "; ".join(_task(lease, phase) for lease in mine) or _idle(each.idle_since)
            cells = (each.name, each.host, each.device, each.version, _ago(each.since), task)
            table.add_row(*(formatting.plain(cell) for cell in cells))
        console.print(table)
    for error in errors:
        if any(error.worker == each.name for each in there):
            text = formatting.plain(f"{error.worker} {error.sentence}")
            console.print(f"Warning: {text}", soft_wrap=True)
    versions = {each.version or "unknown" for each in [*there, *aggregators]}
    if len(versions | {presence.version_here()}) > 1:
        console.print(
            f"Warning: memtail is {', '.join(sorted(map(formatting.plain, versions)))} in the "
            f"services and {presence.version_here()} here: install one version everywhere",
            soft_wrap=True,
        )
    stores = {
        formatting.plain(e.store) for e in there if e.store.rstrip("/") != location.rstrip("/")
    }
    if stores:
        console.print(
            f"Warning: some workers use the store {', '.join(sorted(stores))}, this command uses "
            f"{location}",
            soft_wrap=True,
        )
    if not aggregators:
        console.print(
            "Warning: no aggregator is running: lost and failed shards are not enqueued again, and "
            "no report is published",
            soft_wrap=True,
        )


def at_work(held: "list[Lease]") -> Table:
    """A table of who trains which shard, and for how long."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for lease in held[:20]:
        attempt = f"attempt {lease.attempt}" if lease.attempt > 1 else ""
        who, what = formatting.plain(lease.worker), formatting.plain(lease.shard)
        table.add_row(Text(f"  {who}"), Text(f"models {what}"), f"for {_ago(lease.since)}", attempt)
    if len(held) > 20:
        table.add_row(f"  and {formatting.count(len(held) - 20, 'worker')} more")
    return table


def _task(lease: "Lease", phase: "Mapping[str, Phase]") -> str:
    so_far = f" ({phase[lease.key].sentence})" if lease.key in phase else ""
    return f"trains {lease.study} {lease.shard}, for {_ago(lease.since)}{so_far}"


def _progress(lease: "Lease", phase: "Mapping[str, Phase]") -> dict[str, Any]:
    return phase[lease.key].model_dump(include={"phase", "rate"}) if lease.key in phase else {}


def _idle(since: float | None) -> str:
    return f"idle for {_ago(since)}" if since else "starting a shard"


def _ago(when: float) -> str:
    return formatting.length(max(0.0, time.time() - when))
