"""``memtail watch``: follow a study that the cluster trains, live."""

import time
from typing import TYPE_CHECKING, Any

import click
import rich.progress
from rich.console import Console, Group
from rich.live import Live

from cli import words
from cli.options import find_study, json_option, print_json, store_option, study_argument

if TYPE_CHECKING:
    from memtail_core.study import Study
    from services.submission import Cluster
    from services.survey import Survey

_EVERY = 2.0  # seconds between two looks
_TOLD = 10.0  # seconds between two lines where there is no terminal to draw on
_PUBLISHED_WITHIN = 600.0  # seconds to wait for the report of a complete study


@click.command()
@study_argument
@store_option
@json_option
@click.pass_context
def watch(context: click.Context, name: str, location: str, as_json: bool) -> None:
    """Follow STUDY until its report is there. Ctrl-C ends the watching, not the study.

    The exit code is 0 for a complete study, 1 for one that failed or was cancelled.
    """
    from cli.cluster import connected

    with connected(location) as cluster:
        _, study = find_study(location, name)
        context.exit(follow(cluster, study, as_json))


def follow(cluster: "Cluster", study: "Study", as_json: bool) -> int:
    """Show where the study stands until it ends; return the exit code."""
    from services.survey import survey

    console = Console(stderr=as_json, quiet=as_json, highlight=False, soft_wrap=True)
    told = -_TOLD
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while True:
                seen = survey(cluster.store, cluster.client, study)
                if console.is_terminal:
                    live.update(_drawn(seen), refresh=True)
                elif time.monotonic() - told >= _TOLD:
                    told = time.monotonic()
                    console.print(_line(seen), markup=False)
                if seen.is_over:
                    break
                time.sleep(_EVERY)
        except KeyboardInterrupt:
            live.stop()
            console.print(f"the study goes on; memtail watch {study.id}, or memtail cancel")
            return 130
    return _ended(cluster, study, seen, console, as_json)


def _ended(
    cluster: "Cluster", study: "Study", seen: "Survey", console: Console, as_json: bool
) -> int:
    """Say how it ended: findings and report, or why it failed."""
    found = seen.as_dict()
    if seen.state == "complete":
        summary = _summary(cluster, study, len(seen.standing.stored) * study.shard_size)
        if as_json:
            print_json({**found, "summary": summary})
        elif summary is None:
            console.print(
                f"complete: {found['models']:,} models; no report yet: memtail report {study.id}"
            )
        else:
            from cli.findings import say_findings

            say_findings(summary, f"memtail fetch {study.id}")
        return 0
    if as_json:
        print_json(found)
        return 1
    say_end(console, cluster, study, seen)
    return 1


def say_end(console: Console, cluster: "Cluster", study: "Study", seen: "Survey") -> None:
    """Say why a study stopped, and how to go on."""
    from memtail_core import failures

    console.print(_line(seen), markup=False)
    if seen.state in ("stopped", "failed"):
        last = failures.read(cluster.store, study)[-1]
        console.print(f"error: {last.reason}", markup=False)
        console.print(f"  memtail status {study.id} shows where; memtail retry {study.id}")
    elif seen.state == "cancelled":
        console.print(f"  memtail submit {study.id} continues")
    else:
        console.print(f"  memtail submit {study.id}, or memtail run {study.id}")


def _summary(cluster: "Cluster", study: "Study", models: int) -> dict[str, Any] | None:
    """The final report's summary; None where no aggregator is there to publish it."""
    import json

    from memtail_core import published
    from services import presence

    deadline = time.monotonic() + _PUBLISHED_WITHIN
    while time.monotonic() < deadline:
        files = published.fetch(cluster.store, study)
        if files:
            summary: dict[str, Any] = json.loads(files["summary.json"])
            if summary["trials"] == models:
                return summary
        if not presence.there(cluster.client, "aggregator"):
            return None
        time.sleep(_EVERY)
    return None


def _drawn(seen: "Survey") -> Group:
    """A bar, what is where, and who does what."""
    from cli.workers import at_work

    bar = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[note]}"),
    )
    found = seen.as_dict()
    bar.add_task(
        seen.state, total=found["models"], completed=found["stored"], note=" · ".join(_pace(seen))
    )
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
        parts.append(f"{words.length(seen.seconds_left)} left")
    return [
        *parts,
        f"held in {seen.pace.held_in:.1%}, held out {seen.pace.held_out:.1%}, "
        f"test {seen.pace.test:.1%}",
    ]
