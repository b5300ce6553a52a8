"""Whatever fails, the study ends with the scores of a local run, to the last bit."""

import signal
import time

import pytest

from memtail_core.catalogue import failures, reports
from memtail_core.plan.shards import Shard
from services import broker
from services.queue import queue_of
from tests.services.cluster import Cluster, Service

SUBMIT = ("submit", "small.toml", "--stack", "3")


def wait_mid_shard(cluster: Cluster, worker: Service, stored: int = 0) -> None:
    """Wait until this worker is at a shard, and so many are stored."""
    cluster.wait_until(
        f"a shard under way, {stored} stored",
        lambda: (
            len(cluster.stored()) >= stored
            and any(lease.worker == worker.name for lease in cluster.leases())
        ),
    )


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_scores_of_a_local_run(
    cluster: Cluster, local_scores: bytes, workers: int
) -> None:
    cluster.aggregator()
    for _ in range(workers):
        cluster.worker()
    cluster.memtail(*SUBMIT)
    assert cluster.finish() == local_scores


def test_workers_killed_again_and_again(cluster: Cluster, local_scores: bytes) -> None:
    cluster.aggregator()
    worker = cluster.worker()
    cluster.memtail(*SUBMIT)
    for stored in (0, 3, 6):
        wait_mid_shard(cluster, worker, stored)
        worker.kill()
        worker = cluster.worker()
    assert cluster.finish() == local_scores
    reasons = [each.reason for each in failures.read(cluster.store, cluster.study)]
    assert reasons
    assert all("was lost while it trained" in reason for reason in reasons)


def test_a_training_process_killed_for_its_memory(cluster: Cluster, local_scores: bytes) -> None:
    """The worker lives on; only the process below it died."""
    cluster.aggregator()
    worker = cluster.worker()
    cluster.memtail(*SUBMIT)
    wait_mid_shard(cluster, worker, 2)
    for child in worker.processes[1:]:
        child.kill()
    assert cluster.finish() == local_scores


def test_a_worker_told_to_stop_finishes_its_shard(cluster: Cluster, local_scores: bytes) -> None:
    cluster.aggregator()
    worker = cluster.worker()
    cluster.memtail(*SUBMIT)
    wait_mid_shard(cluster, worker, 2)
    lease = cluster.lease()
    worker.signal(signal.SIGTERM)
    assert worker.wait() == 0
    assert any(lease.shard in key for key in cluster.stored()), "it was finished first"
    assert not cluster.leases()
    cluster.worker()
    assert cluster.finish() == local_scores
    assert failures.read(cluster.store, cluster.study) == []


def test_redis_restarted_empty(cluster: Cluster, local_scores: bytes) -> None:
    cluster.aggregator()
    workers = [cluster.worker(), cluster.worker()]
    cluster.memtail(*SUBMIT)
    wait_mid_shard(cluster, workers[0], 2)
    cluster.redis.stop()
    time.sleep(2)
    assert len(cluster.stored()) < 12, "it came before the end"
    cluster.redis.start(empty=True)
    assert cluster.finish() == local_scores


@pytest.mark.parametrize("fault", ["refuse", "answer_503", "cut_requests", "cut_responses"])
def test_the_store_is_away_for_a_while(cluster: Cluster, local_scores: bytes, fault: str) -> None:
    cluster.aggregator()
    worker = cluster.worker()
    cluster.memtail(*SUBMIT)
    wait_mid_shard(cluster, worker, 2)
    if fault.startswith("cut"):
        getattr(cluster.faults, fault)(600)  # bytes: in the middle of a shard's file
    else:
        getattr(cluster.faults, fault)()
    time.sleep(5)
    stored = len(cluster.stored())
    assert stored < 12, "the fault came before the end"
    cluster.faults.heal()
    assert cluster.finish() == local_scores


def test_shards_damaged_in_the_bucket(cluster: Cluster, local_scores: bytes) -> None:
    cluster.aggregator()
    worker = cluster.worker()
    cluster.memtail(*SUBMIT)
    wait_mid_shard(cluster, worker, 4)
    store, study = cluster.store, cluster.study
    cut, flipped = Shard(0, 3).key(study), Shard(3, 6).key(study)
    store.put(cut, store.get(cut)[:-500])
    content = bytearray(store.get(flipped))
    content[len(content) // 2] ^= 1
    store.put(flipped, bytes(content))
    assert cluster.finish() == local_scores
    set_aside = list(store.list(f"{study.prefix}damaged/"))
    assert len(set_aside) == 2
    told = cluster.memtail("status", study.id).stdout
    assert told.count("it was damaged") == 2


def test_one_shard_trained_by_two_workers_at_once(cluster: Cluster, local_scores: bytes) -> None:
    """A worker asleep loses its lease; another trains the shard; the first wakes and stores."""
    cluster.aggregator()
    sleeper = cluster.worker()
    cluster.memtail(*SUBMIT)
    wait_mid_shard(cluster, sleeper, 1)
    sleeper.pause()
    while not cluster.leases():  # it was between two shards
        sleeper.resume()
        cluster.lease()
        sleeper.pause()
    lease = cluster.lease()
    cluster.worker()
    cluster.wait_until(
        "another has stored it", lambda: any(lease.shard in key for key in cluster.stored())
    )
    sleeper.resume()
    assert cluster.finish() == local_scores


def test_tasks_enqueued_twice_are_trained_once(cluster: Cluster, local_scores: bytes) -> None:
    cluster.memtail(*SUBMIT)
    cluster.memtail(*SUBMIT)  # no aggregator watches: all is enqueued again, to be safe
    assert broker.queue_length(cluster.client, queue_of("cpu")) == 24
    worker = cluster.worker()
    cluster.aggregator()
    assert cluster.finish() == local_scores
    cluster.wait_until(
        "the queue is empty", lambda: broker.queue_length(cluster.client, queue_of("cpu")) == 0
    )
    cluster.wait_until("all were answered", lambda: worker.log.read_text().count("succeeded") == 24)
    log = worker.log.read_text()
    assert log.count("'stored, ") == 12
    assert log.count("'stored before'") == 12


def test_an_aggregator_killed_while_it_publishes(cluster: Cluster, local_scores: bytes) -> None:
    cluster.worker()
    cluster.memtail(*SUBMIT)
    cluster.wait_until("all shards stored", lambda: len(cluster.stored()) == 12)
    study = cluster.study
    for files in (1, 4):
        aggregator = cluster.aggregator()
        cluster.wait_until(
            f"{files} files published",
            lambda n=files: len(list(cluster.store.list(f"{study.prefix}report/"))) >= n,
        )
        aggregator.kill()
        assert reports.whole(cluster.store, study) is None, "it was killed in between"
    cluster.aggregator()
    assert cluster.finish() == local_scores
    assert reports.whole(cluster.store, study)


def test_two_aggregators_do_no_harm(cluster: Cluster, local_scores: bytes) -> None:
    for _ in range(2):
        cluster.aggregator()
    workers = [cluster.worker(), cluster.worker()]
    cluster.memtail(*SUBMIT)
    wait_mid_shard(cluster, workers[0], 2)
    workers[0].kill()
    assert cluster.finish() == local_scores
    cluster.wait_until("the report is whole", lambda: reports.whole(cluster.store, cluster.study))
