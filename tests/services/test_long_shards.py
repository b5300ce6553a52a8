"""Shards that take longer than the interval of checkpoints: another worker goes on with them."""

import json

import pytest

from memtail_core import catalogue
from memtail_core.running.preparation import prepare
from memtail_core.settings import settings
from memtail_core.store import archive
from memtail_core.store.document import document
from services import orders
from services.aggregator import aggregator
from services.orders import Order
from services.submission import Cluster as ConnectedCluster
from tests.conftest import digits
from tests.services.cluster import Cluster
from tests.services.conftest import scores_of

LONG = """
[study]
name = "long"
trials = 2
shard_size = 1
[dataset]
source = "sklearn:digits"
[training]
recipe = "cnn"
channels = [16, 32]
hidden = 64
epochs = 25
flip = true
precision = "float32"
"""
EVERY = {"MEMTAIL_CHECKPOINT_EVERY": "0.5"}


@pytest.fixture(scope="module")
def long_scores(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """``scores.parquet`` of the study, run on this machine without a cluster or a checkpoint."""
    return scores_of(LONG, tmp_path_factory.mktemp("long"), trials=2)


def spent(cluster: Cluster) -> float:
    """The seconds of training that the checkpoints hold."""
    total = 0.0
    for key in cluster.store.list("studies/"):
        if "/checkpoints/" in key:
            try:
                about = archive.unpacked(cluster.store.get(key))["about"]
            except KeyError:  # removed just now
                continue
            total += float(document(str(about))["seconds"])
    return total


def test_a_second_worker_goes_on_where_a_killed_one_was(
    cluster: Cluster, long_scores: bytes
) -> None:
    (cluster.folder / "long.toml").write_text(LONG)
    cluster.aggregator()
    killed = cluster.worker(**EVERY)
    cluster.memtail("submit", "long.toml")
    cluster.wait_until("a checkpoint is stored", lambda: spent(cluster) > 0)
    killed.kill()
    kept = spent(cluster)
    assert not cluster.stored(), "killed inside its first shard"
    second = cluster.worker(**EVERY)
    cluster.wait_until("another goes on", lambda: spent(cluster) > kept or cluster.stored())
    assert cluster.finish() == long_scores
    log = second.log.read_text()
    assert "is not used" not in log
    assert spent(cluster) == 0, "what is stored has no checkpoint"


def test_a_cancelled_study_keeps_no_checkpoint(cluster: Cluster, long_scores: bytes) -> None:
    (cluster.folder / "long.toml").write_text(LONG)
    cluster.aggregator()
    worker = cluster.worker(**EVERY)
    cluster.memtail("submit", "long.toml")
    cluster.wait_until("a checkpoint is stored", lambda: spent(cluster) > 0)
    cluster.memtail("cancel", "long")
    cluster.wait_until("the worker is free", lambda: not cluster.leases())
    cluster.wait_until("no checkpoint is left", lambda: spent(cluster) == 0)
    cluster.memtail("submit", "long.toml")
    assert cluster.finish() == long_scores
    assert "failed" not in worker.log.read_text()


def test_a_checkpoint_that_arrives_after_the_cancellation_is_removed_too(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The aggregator looks in this process, so that the upload arrives between two looks."""
    for name, value in cluster.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aggregator, "_UPLOAD", 0.0)
    study, dataset = prepare(digits())
    catalogue.register(cluster.store, study, dataset, 40)
    checkpoint = f"{study.prefix}checkpoints/0000000-0000005.npz"
    looking = aggregator.Aggregator(ConnectedCluster(cluster.store, cluster.client, settings()))
    for is_cancelled in (False, True):
        orders.place(cluster.store, study, Order(device="cpu", cancelled=is_cancelled))
        looking.look()
    cluster.store.put(checkpoint, b"on its way")
    looking.look()
    looking.close()
    assert not cluster.store.exists(checkpoint)


def test_memtail_workers_says_how_far_a_long_shard_is(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster.folder / "long.toml").write_text(LONG.replace("epochs = 25", "epochs = 400"))
    cluster.worker(MEMTAIL_LEASE="1.5")
    cluster.memtail("submit", "long.toml")

    def phases() -> list[str]:
        shown = json.loads(cluster.memtail("workers", "--json").stdout)
        return [t["phase"] for w in shown["workers"] for t in w["trains"] if "phase" in t]

    cluster.wait_until("it says how far it is", phases)
    (phase,) = phases()
    assert phase.startswith("epoch ")
    assert phase.endswith(" of 400")
    assert "examples/s" in cluster.memtail("workers").stdout
