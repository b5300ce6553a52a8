"""How long a cluster with default settings takes to recover, one row per fault.

    python benchmarks/recovery.py

The time runs from the end of the fault until its damage is repaired: the lost shard is back in the
queue, the next shard is stored, or the report is complete. The processes are real, as in the tests.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core.catalogue import failures, reports
from memtail_core.plan.shards import Shard
from tests.servers import S3Server, s3_server
from tests.services.cluster import Cluster, Service, running

_STUDY = """
[study]
name = "recovery"
trials = 200
shard_size = 5
[dataset]
source = "sklearn:digits"
[training]
recipe = "mlp"
widths = [128]
epochs = 400
"""
_DEFAULTS = ("LEASE", "SCAN", "PUBLISH_EVERY")
_AWAY = 20.0  # seconds


class _DefaultCluster(Cluster):
    """Use the default times, not those of the tests, and processes that start as users' do."""

    fresh = True

    @property
    def env(self) -> dict[str, str]:
        short = {f"MEMTAIL_{name}" for name in _DEFAULTS}
        return {name: value for name, value in super().env.items() if name not in short}


@click.command()
@click.option("--only", default="", help="Faults whose name has this in it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(only: str, as_json: bool) -> None:
    """Measure each fault once."""
    with s3_server() as s3:
        for name, fault in _FAULTS.items():
            if only in name:
                show({"fault": name, "seconds": _measured(s3, fault)}, as_json)


def _measured(s3: S3Server, fault: Callable[[Cluster, Service], float]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "recovery.toml").write_text(_STUDY)
        with running(s3, Path(folder), _DefaultCluster) as cluster:
            cluster.aggregator()
            worker = cluster.worker()
            cluster.memtail("submit", "recovery.toml", "--stack", "5")
            cluster.wait_until("3 stored", lambda: len(cluster.stored()) >= 3)
            cluster.wait_until("one under way", cluster.leases)
            return fault(cluster, worker)


def _worker_killed(cluster: Cluster, worker: Service) -> float:
    cluster.lease()
    worker.kill()
    return _enqueued_again(cluster)


def _process_killed(cluster: Cluster, worker: Service) -> float:
    cluster.lease()
    for child in worker.processes[1:]:
        child.kill()
    return _enqueued_again(cluster)


def _worker_stopped(cluster: Cluster, worker: Service) -> float:
    begun = time.monotonic()
    worker.signal(signal.SIGTERM)
    worker.wait()
    return time.monotonic() - begun


def _redis_emptied(cluster: Cluster, worker: Service) -> float:
    cluster.redis.stop()
    time.sleep(2)
    cluster.redis.start(empty=True)
    begun = time.monotonic()
    under_way = len(cluster.stored()) + 1  # stored without Redis
    cluster.wait_until("the next is stored", lambda: len(cluster.stored()) > under_way)
    return time.monotonic() - begun


def _store_away(cluster: Cluster, worker: Service) -> float:
    cluster.faults.answer_503()
    time.sleep(_AWAY)
    stored = len(cluster.stored())
    cluster.faults.heal()
    begun = time.monotonic()
    cluster.wait_until("the next is stored", lambda: len(cluster.stored()) > stored)
    return time.monotonic() - begun


def _shard_damaged(cluster: Cluster, worker: Service) -> float:
    key = Shard(0, 5).key(cluster.study)
    cluster.store.put(key, cluster.store.get(key)[:-100])
    begun = time.monotonic()
    aside = f"{cluster.study.prefix}damaged/"
    cluster.wait_until("it is set aside", lambda: list(cluster.store.list(aside)))
    return time.monotonic() - begun


def _aggregator_killed(cluster: Cluster, worker: Service) -> float:
    cluster.wait_until(
        "a report is begun", lambda: list(cluster.store.list(f"{cluster.study.prefix}report/"))
    )
    cluster.services[0].kill()
    begun = time.monotonic()
    cluster.aggregator()
    cluster.wait_until("it is whole", lambda: reports.whole(cluster.store, cluster.study))
    return time.monotonic() - begun


def _enqueued_again(cluster: Cluster) -> float:
    """Wait until the loss is detected and the shard is enqueued again."""
    begun = time.monotonic()
    cluster.wait_until("the loss is noted", lambda: failures.read(cluster.store, cluster.study))
    return time.monotonic() - begun


_FAULTS = {
    "worker killed": _worker_killed,
    "training process killed": _process_killed,
    "worker stopped": _worker_stopped,
    "redis restarted empty": _redis_emptied,
    "store away for 20 s": _store_away,
    "shard damaged": _shard_damaged,
    "aggregator killed while it publishes": _aggregator_killed,
}

if __name__ == "__main__":
    run(main)
