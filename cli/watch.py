"""``memtail watch``: follow a study that the cluster trains, live."""

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli import formatting
from cli.findings import say_findings
from cli.options import find_study, json_option, print_json, store_option, study_argument
from cli.progress import ProgressBar
from memtail_core.catalogue import failures, reports
from memtail_core.errors import StoreError

if TYPE_CHECKING:
    from memtail_core.study import Study
    from services.submission import Cluster
    from services.survey import Survey

_EVERY = 2.0  # seconds between two looks
_AGGREGATOR_WITHIN = 15.0  # seconds, or none is there
_TOLD = 10.0  # seconds between two lines where there is no terminal to draw on


@click.command()
@study_argument
@store_option
@json_option
@click.pass_context
def watch(context: click.Context, name: str, location: str, as_json: bool) -> None:
    """Follow STUDY on the cluster until its report is published.

    Ctrl-C stops watching; the study goes on.

    The exit code is 0 for a complete study, 1 for one that failed or was cancelled.
    """
    from cli.cluster import connected

    with connected(location) as cluster:
        _, study = find_study(location, name)
        context.exit(follow(cluster, study, as_json))


def follow(cluster: "Cluster", study: "Study", as_json: bool) -> int:
    """Show where the study stands until it ends; return the exit code."""
    console = Console(stderr=as_json, quiet=as_json, highlight=False, soft_wrap=True)
    try:
        seen = until_over(cluster, study, console)
        while seen.state == "complete" and (summary := _summary(cluster, study, seen)) is None:
            if study.is_experiment or not _is_to_be_published(cluster):
                break
            seen = until_over(cluster, study, console)  # a damaged shard may be trained again
    except KeyboardInterrupt:
        console.print(f"the study goes on; memtail watch {study.id}, or memtail cancel")
        return 130
    found = seen.as_dict()
    if seen.state == "complete":
        if as_json:
            print_json({**found, "summary": summary})
        elif study.is_experiment:
            console.print(f"complete: {found['models']:,} models, for whoever asked for them")
        elif summary is None:
            console.print(
                f"complete: {found['models']:,} models; no aggregator is there to publish the "
                f"report: memtail report {study.id}"
            )
        else:
            say_findings(summary, f"memtail fetch {study.id}")
        return 0
    if as_json:
        print_json(found)
    else:
        _say_end(console, cluster, study, seen)
    return 1


def until_over(cluster: "Cluster", study: "Study", console: Console) -> "Survey":
    """Look until the study ends; what cannot be reached for a while is waited for."""
    from services import broker
    from services.survey import survey

    told = -_TOLD
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            try:
                with broker.reached(cluster.settings):
                    seen = survey(cluster.store, cluster.client, study)
                drawn, line = _drawn(seen), _line(seen)
                if seen.is_over:
                    return seen
            except (StoreError, broker.BrokerError) as error:
                drawn, line = Group(Text(str(error))), str(error)
            if console.is_terminal:
                live.update(drawn, refresh=True)
            elif time.monotonic() - told >= _TOLD:
                told = time.monotonic()
                console.print(line, markup=False)
            time.sleep(_EVERY)


def _summary(cluster: "Cluster", study: "Study", seen: "Survey") -> dict[str, Any] | None:
    """The summary of the final report, if it is published."""
    manifest = reports.whole(cluster.store, study)
    if manifest is None or manifest.trials != len(seen.standing.stored) * study.shard_size:
        return None
    summary: dict[str, Any] = json.loads(cluster.store.get(f"{study.prefix}report/summary.json"))
    return summary


def _is_to_be_published(cluster: "Cluster") -> bool:
    """Wait a little; tell whether an aggregator is there, or comes while we wait."""
    from services import broker, presence

    deadline = time.monotonic() + _AGGREGATOR_WITHIN
    while time.monotonic() < deadline:
        time.sleep(_EVERY)
        with suppress(broker.BrokerError), broker.reached(cluster.settings):
            if presence.there(cluster.client, "aggregator"):
                return True
    return False


def _say_end(console: Console, cluster: "Cluster", study: "Study", seen: "Survey") -> None:
    """Say why a study stopped, and how to go on."""
    console.print(_line(seen), markup=False)
    if seen.state in ("stopped", "failed"):
        every = failures.read(cluster.store, study)
        given_up = [failure for failure in every if failure.kind != "machine"]
        for failure in given_up[-1:]:
            console.print(f"error: {formatting.plain(failure.reason)}", markup=False)
        console.print(f"  memtail status {study.id} shows where; memtail retry {study.id}")
    elif seen.state == "cancelled":
        console.print(f"  memtail submit {study.id} continues")
    else:
        console.print(f"  memtail submit {study.id}, or memtail run {study.id}")


def _drawn(seen: "Survey") -> Group:
    """A bar, what is where, and who does what."""
    from cli.workers import at_work

    found = seen.as_dict()
    bar = ProgressBar(Console(), seen.state, found["models"], "models", completed=found["stored"])
    if seen.pace is not None and not seen.is_over:
        accuracies = formatting.accuracies(seen.pace.accuracy)
        bar.show_pace(seen.pace.models_per_hour / 3600, seen.seconds_left, accuracies)
    return Group(f"[bold]{seen.study.id}[/]", bar, "  " + _counts(seen), at_work(seen.running))


def _line(seen: "Survey") -> str:
    return " · ".join([f"{seen.study.id}: {seen.state}", _counts(seen), *_pace(seen)])


def _counts(seen: "Survey") -> str:
    found = seen.as_dict()
    text = (
        f"{found['stored']:,} of {found['models']:,} models stored, {found['running']:,} running, "
        f"{found['waiting']:,} waiting, {found['failed']:,} failed"
    )
    order = seen.standing.order
    if not seen.workers and not seen.is_over and order:
        return f"{text}; no worker for {order.device} is there (memtail workers)"
    return text


def _pace(seen: "Survey") -> list[str]:
    if seen.pace is None or seen.is_over:
        return []
    parts = [f"{seen.pace.models_per_hour:,.0f} models/h"]
    if seen.seconds_left is not None:
        parts.append(f"{formatting.length(seen.seconds_left)} left")
    return [*parts, formatting.accuracies(seen.pace.accuracy)]
