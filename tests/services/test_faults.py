"""Whatever fails, the study ends with the scores of a local run, to the last bit."""

import signal
import time

import pytest

from memtail_core.catalogue import failures, reports
from memtail_core.plan.shards import Shard
from services import broker
from services.queue import queue_of
from tests.services.cluster import Cluster, GatedCluster

SUBMIT = ("submit", "gated.toml")
SHARD = 3  # trials


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_any_number_of_workers_gives_the_scores_of_a_local_run(
    cluster: Cluster, local_scores: bytes, workers: int
) -> None:
    cluster.aggregator(MEMTAIL_PUBLISH_EVERY="2")
    for _ in range(workers):
        cluster.worker()
    cluster.memtail("submit", "small.toml", "--stack", "3")
    assert cluster.finish() == local_scores


@pytest.mark.parametrize("text_scores", ["bag", "gpt"], indirect=True)
def test_texts_on_a_cluster_have_the_scores_of_a_local_run(
    cluster: Cluster, text_scores: bytes
) -> None:
    """Those of documents are means of real values, which are files of their own."""
    cluster.aggregator()
    cluster.worker()
    cluster.memtail("submit", "small.toml", "--stack", "3")
    assert cluster.finish() == text_scores


def test_workers_killed_again_and_again(gated: GatedCluster, gated_scores: bytes) -> None:
    gated.aggregator()
    worker = gated.worker()
    gated.memtail(*SUBMIT)
    for stored in (0, 3, 6):
        gated.mid_shard(worker, stored)
        worker.kill()
        worker = gated.worker()
    assert gated.finish() == gated_scores
    reasons = [each.reason for each in failures.read(gated.store, gated.study)]
    assert reasons
    assert all("was lost while it trained" in reason for reason in reasons)


def test_a_training_process_killed_for_its_memory(gated: GatedCluster, gated_scores: bytes) -> None:
    """The worker lives on; only the process below it died."""
    gated.aggregator()
    worker = gated.worker()
    gated.memtail(*SUBMIT)
    gated.mid_shard(worker, 2)
    for child in worker.processes[1:]:
        child.kill()
    assert gated.finish() == gated_scores


def test_a_worker_told_to_stop_finishes_its_shard(gated: GatedCluster, gated_scores: bytes) -> None:
    gated.aggregator()
    worker = gated.worker()
    gated.memtail(*SUBMIT)
    gated.mid_shard(worker, 2)
    lease = gated.lease()
    worker.signal(signal.SIGTERM)
    gated.wait_until("it has ended", lambda: gated.gate.let_one_through() or worker.has_ended)
    assert worker.wait() == 0
    assert any(lease.shard in key for key in gated.stored()), "it was finished first"
    assert not gated.leases()
    gated.worker()
    assert gated.finish() == gated_scores
    assert failures.read(gated.store, gated.study) == []


def test_redis_restarted_empty(gated: GatedCluster, gated_scores: bytes) -> None:
    gated.aggregator()
    workers = [gated.worker(), gated.worker()]
    gated.memtail(*SUBMIT)
    gated.mid_shard(workers[0], 2)
    gated.redis.stop()
    gated.wait_until(
        "a shard is stored without Redis",
        lambda: gated.gate.let_one_through() or len(gated.stored()) > 2,
    )
    assert len(gated.stored()) < 12, "it came before the end"
    gated.redis.start(empty=True)
    assert gated.finish() == gated_scores


@pytest.mark.parametrize("fault", ["refuse", "answer_503", "cut_requests", "cut_responses"])
def test_the_store_is_away_for_a_while(
    gated: GatedCluster, gated_scores: bytes, fault: str
) -> None:
    gated.aggregator()
    worker = gated.worker()
    gated.memtail(*SUBMIT)
    gated.mid_shard(worker, 2)
    if fault.startswith("cut"):
        getattr(gated.faults, fault)(600)  # bytes: in the middle of a shard's file
    else:
        getattr(gated.faults, fault)()
    gated.wait_until(
        "a shard is trained",
        lambda: gated.gate.let_one_through() or gated.gate.passed >= 3 * SHARD,
    )
    time.sleep(1)  # so long, at least, is the store away
    assert len(gated.stored()) < 12, "the fault came before the end"
    gated.faults.heal()
    assert gated.finish() == gated_scores


def test_shards_damaged_in_the_bucket(gated: GatedCluster, gated_scores: bytes) -> None:
    gated.aggregator()
    worker = gated.worker()
    gated.memtail(*SUBMIT)
    gated.mid_shard(worker, 4)
    store, study = gated.store, gated.study
    cut, flipped = Shard(0, 3).key(study), Shard(3, 6).key(study)
    store.put(cut, store.get(cut)[:-500])
    content = bytearray(store.get(flipped))
    content[len(content) // 2] ^= 1
    store.put(flipped, bytes(content))
    assert gated.finish() == gated_scores
    set_aside = list(store.list(f"{study.prefix}damaged/"))
    assert len(set_aside) == 2
    told = gated.memtail("status", study.id).stdout
    assert told.count("it was damaged") == 2


def test_one_shard_trained_by_two_workers_at_once(gated: GatedCluster, gated_scores: bytes) -> None:
    """A worker asleep loses its lease; another trains the shard; the first wakes and stores."""
    gated.aggregator()
    sleeper = gated.worker()
    gated.memtail(*SUBMIT)
    gated.mid_shard(sleeper, 1)
    sleeper.pause()
    lease = gated.lease()
    gated.gate.open()
    gated.worker()
    gated.wait_until(
        "another has stored it", lambda: any(lease.shard in key for key in gated.stored())
    )
    sleeper.resume()
    assert gated.finish() == gated_scores


def test_tasks_enqueued_twice_are_trained_once(gated: GatedCluster, gated_scores: bytes) -> None:
    gated.memtail(*SUBMIT)
    gated.memtail(*SUBMIT)  # no aggregator watches: all is enqueued again, to be safe
    assert broker.queue_length(gated.client, queue_of("cpu")) == 24
    worker = gated.worker()
    gated.aggregator()
    assert gated.finish() == gated_scores
    gated.wait_until(
        "the queue is empty", lambda: broker.queue_length(gated.client, queue_of("cpu")) == 0
    )
    gated.wait_until("all were answered", lambda: worker.log.read_text().count("succeeded") == 24)
    log = worker.log.read_text()
    assert log.count("'stored, ") == 12
    assert log.count("'stored before'") == 12


def test_an_aggregator_killed_while_it_publishes(gated: GatedCluster, gated_scores: bytes) -> None:
    gated.gate.open()
    gated.worker()
    gated.memtail(*SUBMIT)
    gated.wait_until("all shards stored", lambda: len(gated.stored()) == 12)
    study = gated.study
    for files in (1, 4):
        aggregator = gated.aggregator()
        gated.wait_until(
            f"{files} files published",
            lambda n=files: len(list(gated.store.list(f"{study.prefix}report/"))) >= n,
        )
        aggregator.kill()
        assert reports.whole(gated.store, study) is None, "it was killed in between"
    gated.aggregator()
    assert gated.finish() == gated_scores
    assert reports.whole(gated.store, study)


def test_two_aggregators_do_no_harm(gated: GatedCluster, gated_scores: bytes) -> None:
    for _ in range(2):
        gated.aggregator()
    workers = [gated.worker(), gated.worker()]
    gated.memtail(*SUBMIT)
    gated.mid_shard(workers[0], 2)
    workers[0].kill()
    assert gated.finish() == gated_scores
    gated.wait_until("the report is whole", lambda: reports.whole(gated.store, gated.study))
