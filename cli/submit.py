"""``memtail submit``: submit a study to the cluster."""

from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click
from rich.console import Console

from cli import formatting
from cli.options import (
    json_option,
    open_study,
    print_json,
    set_option,
    shrink_option,
    store_option,
    trials_option,
)
from cli.plan import say_kept, say_study
from memtail_core.data.user_code import named_by
from memtail_core.study import MOST_TRIALS

if TYPE_CHECKING:
    from cli.stopping import Stopping
    from memtail_core.data import Dataset
    from memtail_core.study import Study
    from services.orders import Device
    from services.submission import Cluster, Plan


@click.command()
@click.argument("name", metavar="STUDY")
@store_option
@trials_option
@shrink_option
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Train on these workers; auto: as before, or on GPUs if there are any.",
)
@click.option(
    "--stack",
    type=click.IntRange(1),
    help="Train this many networks at once. [default: the fastest, measured]",
)
@click.option(
    "--until",
    multiple=True,
    metavar="RULE",
    help="Grow until this rule is met, as 'se<=0.05'; repeatable.",
)
@set_option
@click.option("--dry-run", is_flag=True, help="Print what would be trained; do nothing.")
@click.option("--wait", is_flag=True, help="Follow the study to its end, as memtail watch does.")
@json_option
@click.pass_context
def submit(
    context: click.Context,
    name: str,
    location: str,
    trials: int | None,
    shrink: bool,
    device: str,
    stack: int | None,
    until: tuple[str, ...],
    assignments: tuple[str, ...],
    dry_run: bool,
    wait: bool,
    as_json: bool,
) -> None:
    """Submit STUDY to the cluster, whose workers train it.

    The data are sent once. You can submit a study again at any time: it continues, and more
    --trials make it grow; fewer do not shrink it, unless you give --shrink.

    With --until, as in memtail run, the aggregator lets the study grow until a rule is met.
    --trials is then an upper limit. Submitted again without either, it goes on growing.
    """
    from cli.cluster import connected
    from cli.stopping import stopping_of
    from cli.watch import follow
    from memtail_core.catalogue import Progress
    from services import submission

    stopping = stopping_of(until, None, trials)
    with connected(location) as cluster:
        study, dataset, asked = open_study(cluster.store, name, assignments, trials)
        if stopping is None and trials is None:
            stopping = _as_before(cluster, study)
        kind = None if device == "auto" else cast("Device", device)
        rules = [str(each) for each in stopping.conditions] if stopping else []
        most = stopping.most if stopping else None
        order = submission.order_for(cluster, study, kind, stack, rules, most)
        now = Progress.of(cluster.store, study)
        if stopping:
            stopping.planned(cluster.store, study, most or MOST_TRIALS)
            asked = submission.first_goal(cluster, study, order, now)
        plan = submission.plan(cluster, study, asked, order, may_shrink=shrink, now=now)
        enqueued = (
            None
            if dry_run
            else submission.submit(
                cluster, study, dataset, asked, order, may_shrink=shrink, now=now
            )
        )
        if not as_json:
            _say(cluster, study, dataset, plan, asked, enqueued, stopping)
        if wait and not dry_run:
            context.exit(follow(cluster, study, as_json))
        if as_json:
            growing = {"until": order.until, "most": order.most} if stopping else {}
            print_json({**asdict(plan), **growing, "enqueued": enqueued})


def _as_before(cluster: "Cluster", study: "Study") -> "Stopping | None":
    """The rules that the study was submitted with before."""
    from cli.stopping import stopping_of
    from services import orders

    before = orders.read(cluster.store, study)
    return stopping_of(before.until, None, before.most) if before else None


def _say(
    cluster: "Cluster",
    study: "Study",
    dataset: "Dataset",
    plan: "Plan",
    asked: int,
    enqueued: int | None,
    stopping: "Stopping | None",
) -> None:
    """Print the plan, and how to continue."""
    console = Console(highlight=False, soft_wrap=True)
    say = console.print
    how_many = "as many as it takes" if stopping else None
    say_study(console, cluster.store, study, dataset.account, asked, plan.models, how_many)
    if stopping is None:
        say_kept(console, study, asked, plan.goal)
    for line in stopping.lines() if stopping else ():
        say(f"  until     {line}", markup=False)
    if stopping and plan.goal > asked:
        say(
            f"  note      {study.id} is to have {plan.goal:,} models, as was asked for before; "
            "then the rules are asked, and with --shrink before"
        )
    say(f"  store     {cluster.store.location}", markup=False)
    stored = f" ({plan.stored:,} are stored)" if plan.stored else ""
    missing = plan.shards * study.shard_size
    first = ", then as many as it takes" if stopping else ""
    say(
        f"  to train  {missing:,} models{stored} in {formatting.count(plan.shards, 'shard')}{first}"
    )
    workers = (
        formatting.count(plan.workers, "worker") if plan.workers else "no worker is running yet"
    )
    say(f"  on        {plan.device}: {workers}")
    length = (
        "known after the first shard" if plan.seconds is None else formatting.length(plan.seconds)
    )
    say(f"  cost      time: {length}; store: {formatting.size(plan.store_bytes)}")
    if named_by(study.training):
        say(
            "[yellow]Warning:[/] this recipe is your own code: the workers need it on their "
            "PYTHONPATH, and MEMTAIL_ALLOW_PYTHON_RECIPES=1"
        )
    for store in plan.elsewhere:
        say(
            f"Warning: some workers use the store {formatting.plain(store)} instead of "
            f"{cluster.store.location}: they will not find this study",
            markup=False,
        )
    if enqueued is None:
        return
    under_way = plan.shards - plan.failed - enqueued
    say(
        f"submitted: {formatting.count(enqueued, 'shard')} enqueued"
        + (f", {under_way:,} waiting or under way before" if under_way > 0 else "")
    )
    if plan.failed:
        say(
            f"Warning: {formatting.count(plan.failed, 'shard')} failed before and are "
            f"not tried again until memtail retry {study.id}"
        )
    for command, what in (
        ("watch", "follow it"),
        ("cancel", "stop it"),
        ("fetch", "get its report"),
    ):
        say(f"  memtail {command:6} {study.id}   {what}")
