"""Training the study of an experiment on the cluster: submit it, and wait until it is trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli import formatting

if TYPE_CHECKING:
    from memtail_core.data import Dataset
    from memtail_core.running.trials import Trials
    from memtail_core.store import ObjectStore
    from memtail_core.study import Study
    from services.orders import Order
    from services.submission import Cluster, Plan


def plan(store: "ObjectStore", study: "Study", trials: int, device: str) -> dict[str, Any]:
    """Say what submitting the study would do, for JSON."""
    with _ordered(store, study, trials, device) as (_, _, planned):
        return asdict(planned)


def train(
    store: "ObjectStore",
    study: "Study",
    dataset: "Dataset",
    trials: int,
    device: str,
    *,
    is_dry_run: bool,
    quiet: bool,
) -> "Trials | None":
    """Submit a study, wait for it and return all its trials; None in a dry run.

    Raises:
        TrainingError: the cluster does not finish it.
    """
    from cli.plan import say_study
    from cli.watch import until_over
    from memtail_core.errors import TrainingError
    from memtail_core.running import loading
    from services import submission

    console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
    with _ordered(store, study, trials, device) as (cluster, order, planned):
        say_study(console, store, study, dataset.account, trials, planned.models)
        console.print(f"  to train  {formatting.count(planned.shards * study.shard_size, 'model')}")
        if is_dry_run:
            return None
        submission.submit(cluster, study, dataset, trials, order)
        status = until_over(cluster, study, console)
    if status.state != "complete":
        raise TrainingError(
            f"the cluster did not finish {study.id}: it is {status.state}; memtail status "
            f"{study.id} says why"
        )
    return loading.load(store, study)[0]


@contextmanager
def _ordered(
    store: "ObjectStore", study: "Study", trials: int, device: str
) -> "Iterator[tuple[Cluster, Order, Plan]]":
    from cli.cluster import connected
    from services import submission

    with connected(store.location) as cluster:
        asked = device if device in ("cpu", "cuda") else None
        order = submission.order_for(cluster, study, asked, None)  # type: ignore[arg-type]
        yield cluster, order, submission.plan(cluster, study, trials, order)
