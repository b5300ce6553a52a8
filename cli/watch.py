"""``memtail watch``: follow a study on the cluster, live."""

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
    from services.status import StudyStatus
    from services.submission import Cluster

_EVERY = 2.0  # seconds between two looks
_AGGREGATOR_WITHIN = 15.0  # seconds to wait for an aggregator to appear
_LINE_EVERY = 10.0  # seconds between two lines where the output is no terminal


@click.command()
@study_argument
@store_option
@json_option
@click.pass_context
def watch(context: click.Context, name: str, location: str, as_json: bool) -> None:
    """Follow STUDY on the cluster until its report is published.

    Ctrl-C stops watching; the study goes on.

    Exit code: 0 if the study is complete, 1 if it failed or was cancelled.
    """
    from cli.cluster import connected

    with connected(location) as cluster:
        _, study = find_study(location, name)
        context.exit(follow(cluster, study, as_json))


def follow(cluster: "Cluster", study: "Study", as_json: bool) -> int:
    """Show the status of the study until it ends; return the exit code."""
    console = Console(stderr=as_json, quiet=as_json, highlight=False, soft_wrap=True)
    try:
        status = until_over(cluster, study, console)
        while status.state == "complete" and (summary := _summary(cluster, status)) is None:
            if study.is_experiment or not _has_aggregator(cluster):
                break
            status = until_over(cluster, study, console)  # a damaged shard may be trained again
    except KeyboardInterrupt:
        console.print(
            f"stopped watching; the study goes on (memtail watch {study.id}, or memtail cancel)"
        )
        return 130
    data = status.as_dict()
    if status.state == "complete":
        if as_json:
            print_json({**data, "summary": summary})
        elif study.is_experiment:
            console.print(f"complete: {status.models:,} models, for the experiment they belong to")
        elif summary is None:
            console.print(
                f"complete: {status.models:,} models; no aggregator is running that would publish "
                f"the report, so make it yourself: memtail report {study.id}"
            )
        else:
            say_findings(summary, f"memtail fetch {study.id}")
        return 0
    if as_json:
        print_json(data)
    else:
        _say_end(console, cluster, status)
    return 1


def until_over(cluster: "Cluster", study: "Study", console: Console) -> "StudyStatus":
    """Show the status until the study ends; wait for the store and Redis if they fail."""
    from services import broker
    from services.status import study_status

    last_line, before = -_LINE_EVERY, None
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            try:
                with broker.reached(cluster.settings):
                    status = study_status(cluster.store, cluster.client, study, before)
                before = status.progress
                drawn, line = _drawn(status), _line(status)
                if status.is_over:
                    return status
            except (StoreError, broker.BrokerError) as error:
                drawn, line = Group(Text(str(error))), str(error)
            if console.is_terminal:
                live.update(drawn, refresh=True)
            elif time.monotonic() - last_line >= _LINE_EVERY:
                last_line = time.monotonic()
                console.print(line, markup=False)
            time.sleep(_EVERY)


def _summary(cluster: "Cluster", status: "StudyStatus") -> dict[str, Any] | None:
    """The summary of the final report, if it is published."""
    manifest = reports.whole(cluster.store, status.study)
    if manifest is None or manifest.trials != status.progress.n_stored:
        return None
    content = cluster.store.get(f"{status.study.prefix}report/summary.json")
    return reports.summary(content, status.study)


def _has_aggregator(cluster: "Cluster") -> bool:
    """Wait a little; return whether an aggregator is running, or starts meanwhile."""
    from services import broker, presence

    deadline = time.monotonic() + _AGGREGATOR_WITHIN
    while time.monotonic() < deadline:
        time.sleep(_EVERY)
        with suppress(broker.BrokerError), broker.reached(cluster.settings):
            if presence.running(cluster.client, "aggregator"):
                return True
    return False


def _say_end(console: Console, cluster: "Cluster", status: "StudyStatus") -> None:
    """Say why a study stopped, and how to continue it."""
    study = status.study
    console.print(_line(status), markup=False)
    if status.state in ("stopped", "failed"):
        every = failures.read(cluster.store, study)
        given_up = [failure for failure in every if failure.kind != "machine"]
        for failure in given_up[-1:]:
            console.print(f"error: {formatting.plain(failure.reason)}", markup=False)
        console.print(f"  memtail status {study.id}   show every failure")
        console.print(f"  memtail retry {study.id}    train what failed again")
    elif status.state == "cancelled":
        console.print(f"  memtail submit {study.id}   continue it")
    else:
        console.print(f"  memtail submit {study.id}   train it on the cluster")
        console.print(f"  memtail run {study.id}      train it on this machine")


def _drawn(status: "StudyStatus") -> Group:
    """A bar, what is where, and who does what."""
    from cli.workers import at_work

    bar = ProgressBar(Console(), status.state, status.models, "models", completed=status.stored)
    if status.pace is not None and not status.is_over:
        accuracies = formatting.accuracies(status.pace.accuracy)
        bar.show_pace(status.pace.models_per_hour / 3600, status.seconds_left, accuracies)
    return Group(
        f"[bold]{status.study.id}[/]", bar, "  " + _counts(status), at_work(list(status.at_work))
    )


def _line(status: "StudyStatus") -> str:
    return " · ".join([f"{status.study.id}: {status.state}", _counts(status), *_pace(status)])


def _counts(status: "StudyStatus") -> str:
    text = (
        f"{status.stored:,} of {status.models:,} models stored, {status.running:,} running, "
        f"{status.waiting:,} waiting, {status.failed:,} failed"
    )
    order = status.order
    if status.is_open:
        return f"{text}; the aggregator has yet to ask the rules of --until (memtail workers)"
    if not status.workers and not status.is_over and order:
        return f"{text}; no {order.device} worker is running (memtail workers)"
    if status.errors and not status.is_over:
        return f"{text}; {formatting.plain(status.errors[0].sentence)} (memtail workers)"
    return text


def _pace(status: "StudyStatus") -> list[str]:
    if status.pace is None or status.is_over:
        return []
    parts = [f"{status.pace.models_per_hour:,.0f} models/h"]
    if status.seconds_left is not None:
        parts.append(f"{formatting.length(status.seconds_left)} left")
    return [*parts, formatting.accuracies(status.pace.accuracy)]
