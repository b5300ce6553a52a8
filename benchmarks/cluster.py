"""The overhead of a cluster over a local run, and the gain from a second worker.

    python benchmarks/cluster.py --shards 100 --repeats 5

`memtail run` with one process and one worker of a cluster train the same short shards in turn. The
cluster is a real Redis, a real S3 server and an aggregator on this machine. Time starts with the
first shard, because a study of hours does not wait for processes to start. Then one worker bound to
one core, and two workers bound to one core each, train longer shards.
"""

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
import redis

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core.catalogue import reports
from memtail_core.running import execution
from memtail_core.running.execution import Observer, ShardDone
from memtail_core.running.preparation import Prepared, prepare
from memtail_core.settings import settings
from memtail_core.store import FilesStore, open_store
from memtail_core.study import Spec
from services import broker, pace, presence, submission
from services.orders import Order
from services.submission import Cluster
from tests.servers import redis_server, s3_server

_STACK = 5


@click.command()
@click.option("--shards", default=100, show_default=True, help="In each run; at most 200.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--epochs", default=150, show_default=True, help="What makes a shard longer.")
@click.option("--only", type=click.Choice(["overhead", "scaling"]), help="One of the two.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(shards: int, repeats: int, epochs: int, only: str | None, as_json: bool) -> None:
    """Measure a cluster's overhead, and two workers against one."""
    with redis_server() as queue, s3_server() as s3, tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "MEMTAIL_BROKER_URL": queue.url,
            "MEMTAIL_STORE": f"s3://benchmark-{uuid.uuid4().hex[:8]}",
            "MEMTAIL_S3_ENDPOINT": s3.endpoint,
            "MEMTAIL_S3_ACCESS_KEY": s3.access_key,
            "MEMTAIL_S3_SECRET_KEY": s3.secret_key,
            "MEMTAIL_CACHE": f"{folder}/cache",
        }
        found = settings()
        cluster = Cluster(open_store(found.store), broker.connect(found), found)
        if only != "scaling":
            show(_overhead(cluster, shards, repeats, Path(folder)) | {"s3": s3.origin}, as_json)
        if only != "overhead":
            show(_scaling(cluster, shards, repeats, epochs), as_json)


def _overhead(cluster: Cluster, shards: int, repeats: int, folder: Path) -> dict[str, Any]:
    """The same short shards here and by one worker, in turn."""
    local, remote = list[float](), list[float]()
    with _services(cluster, "aggregator", "worker"):
        for seed in range(repeats):
            study = _study(seed, shards, epochs=30)
            local.append(_run_here(study, shards, folder / f"runs{seed}"))
            remote.append(_submitted(cluster, study, shards))
    ratios = sorted(there / here for here, there in zip(local, remote, strict=True))
    return {
        "shards": shards,
        "local_seconds_a_shard": median(local) / shards,
        "worker_seconds_a_shard": median(remote) / shards,
        "overhead": median(remote) / median(local),
        "overhead_least": ratios[0],
        "overhead_most": ratios[-1],
    }


def _scaling(cluster: Cluster, shards: int, repeats: int, epochs: int) -> dict[str, Any]:
    """One worker bound to a core, and two bound to one each, in turn."""
    one, two = list[float](), list[float]()
    for seed in range(repeats):
        for cores, times in (((0,), one), ((0, 1), two)):
            with _services(cluster, "aggregator", *(f"worker {core}" for core in cores)):
                study = _study(1000 + 2 * seed + len(cores), shards, epochs)
                times.append(_submitted(cluster, study, shards))
    ratios = sorted(a / b for a, b in zip(one, two, strict=True))
    return {
        "seconds_one_worker": median(one),
        "seconds_two_workers": median(two),
        "two_workers_faster": median(one) / median(two),
        "least": ratios[0],
        "most": ratios[-1],
    }


def _study(seed: int, shards: int, epochs: int) -> Prepared:
    """Digits, in shards of five networks."""
    return prepare(
        Spec.parse(
            {
                "study": {"seed": seed, "trials": 5 * shards, "shard_size": 5},
                "dataset": {"source": "sklearn:digits"},
                "training": {
                    "recipe": "mlp",
                    "widths": [128],
                    "epochs": epochs,
                    "precision": "float32",
                },
            }
        )
    )


class _Times(Observer):
    """The time at which each shard was started, and was stored."""

    def __init__(self) -> None:
        self.begun: list[float] = []
        self.stored: list[float] = []

    def shard_done(self, done: ShardDone, workers: int) -> None:
        self.stored.append(time.time())
        self.begun.append(self.stored[-1] - done.seconds)


def _run_here(prepared: Prepared, shards: int, folder: Path) -> float:
    """Seconds from the start of the first shard to the end of the last, with one process."""
    (study, dataset), times = prepared, _Times()
    trials = 5 * shards
    execution.run(
        study, FilesStore(folder), dataset, trials, workers=1, stack=_STACK, observer=times
    )
    return max(times.stored) - min(times.begun)


def _submitted(cluster: Cluster, prepared: Prepared, shards: int) -> float:
    """Seconds from the start of the first shard to the end of the last, by the workers."""
    study, dataset = prepared
    submission.submit(cluster, study, dataset, 5 * shards, Order(device="cpu", stack=_STACK))
    while len(stored := pace.stored(cluster.client, study.id)) < shards:
        time.sleep(0.5)
    while reports.whole(cluster.store, study) is None:  # otherwise the next run would wait for it
        time.sleep(0.5)
    return max(each.when for each in stored) - min(each.when - each.seconds for each in stored)


@contextmanager
def _services(cluster: Cluster, *roles: str) -> Iterator[None]:
    """Start services, workers with a number bound to that core, and wait until all are ready."""
    started = []
    for role in roles:
        name, _, core = role.partition(" ")
        command = [sys.executable, "-m", f"services.{name}"]
        bound = ["taskset", "--cpu-list", core, *command] if core else command
        started.append(subprocess.Popen(bound, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT))
    try:
        while len(_there(cluster.client)) < len(roles):
            time.sleep(0.2)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(60)
        for each in _there(cluster.client):
            presence.leave(cluster.client, each)


def _there(client: "redis.Redis") -> list[presence.Presence]:
    return presence.there(client, "worker") + presence.there(client, "aggregator")


if __name__ == "__main__":
    run(main)
