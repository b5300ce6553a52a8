"""Every failed attempt at a shard is recorded, wherever it fails, and attempts are bounded.

The worker's task and the aggregator's look are called in this process, one after the other, with a
real Redis and a real bucket, so that nothing depends on timing.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from memtail_core.catalogue import failures
from memtail_core.plan.shards import Shard
from memtail_core.running import trials
from memtail_core.running.preparation import prepare
from memtail_core.settings import settings
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study
from services import broker, leases, orders, queue, submission
from services.aggregator import reconciler as reconciling
from services.aggregator.reconciler import Reconciler
from services.orders import Order
from services.queue import configuration, queue_of
from services.submission import Cluster
from services.worker import task
from services.worker.state import WorkerState
from tests.services.cluster import Cluster as Processes

MOST = 3
CPU = queue_of("cpu")
SMALL = {
    "study": {"name": "small", "trials": 4, "shard_size": 2},
    "dataset": {"source": "sklearn:iris"},
    "training": {"recipe": "sklearn:tree.DecisionTreeClassifier"},
}
FIRST, SECOND = Shard(0, 2), Shard(2, 4)


class Inline:
    """A worker and an aggregator that each do one thing when they are asked to."""

    def __init__(self, services: Processes, study: Study) -> None:
        self.study = study
        self.faults = services.faults
        self.cluster = Cluster(services.store, services.client, settings())
        self.reconciler = Reconciler(self.cluster)

    @property
    def queued(self) -> int:
        return broker.queue_length(self.cluster.client, CPU)

    def work(self) -> list[str]:
        """Let the worker take what is in the queue now; return what became of each task."""
        said = []
        for _ in range(self.queued):
            message = json.loads(str(self.cluster.client.lpop(CPU)))
            arguments = json.loads(base64.b64decode(message["body"]))[0]
            name = message["headers"]["id"]
            said.append(task.train.apply(arguments, task_id=name, routing_key=CPU).result)
        return said

    def look(self, times: int = 2) -> None:
        """Let the aggregator look; what has no task is enqueued at the second look."""
        for _ in range(times):
            self.reconciler.look(self.study)

    def settle(self) -> int:
        """Work and look until nothing is enqueued any more; return how many tasks there were."""
        n_tasks = 0
        while self.queued:
            n_tasks += len(self.work())
            self.look(3)
            assert n_tasks < 20, "it has no end"
        return n_tasks

    def recorded(self) -> list[tuple[str, int, str]]:
        every = failures.read(self.cluster.store, self.study)
        return sorted((each.shard, each.attempt, each.kind) for each in every)

    def reason(self) -> str:
        """The one reason of all recorded failures."""
        (reason,) = {each.reason for each in failures.read(self.cluster.store, self.study)}
        return reason


@pytest.fixture
def inline(cluster: Processes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inline]:
    """A study of two shards, submitted; the worker reaches the bucket through what can fail."""
    for name, value in (cluster.env | {"MEMTAIL_STORE_PATIENCE": "0.05"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MEMTAIL_MOST_ATTEMPTS", str(MOST))
    app = Celery("memtail")  # that of the process keeps the first Redis it has met
    app.conf.update(configuration(settings()))
    monkeypatch.setattr(queue, "app", app)
    monkeypatch.setattr(submission, "app", app)
    state = WorkerState(settings())
    monkeypatch.setattr(task, "worker_state", lambda: state)
    monkeypatch.setattr(reconciling, "backoff", lambda attempt: 0.0)
    study, dataset = prepare(Spec.parse(SMALL))
    found = Inline(cluster, study)
    submission.submit(found.cluster, study, dataset, 4, Order(device="cpu"))
    yield found
    app.close()


EVERY_ATTEMPT = [
    (shard.name, attempt, "last" if attempt == MOST else "machine")
    for shard in (FIRST, SECOND)
    for attempt in range(1, MOST + 1)
]


def test_a_study_file_that_the_worker_cannot_read(inline: Inline, cluster: Processes) -> None:
    store, key = inline.cluster.store, f"{inline.study.prefix}study.json"
    content = store.get(key)
    store.put(key, b"{}")
    assert inline.settle() == 2 * MOST
    assert inline.recorded() == EVERY_ATTEMPT
    assert "study.json is damaged or of another version" in inline.reason()
    store.put(key, content)
    status = json.loads(cluster.memtail("status", "small", "--json").stdout)
    assert (status["state"], status["failed"]) == ("failed", 4)
    assert len(status["failures"]) == 2 * MOST
    assert "2 shards" in cluster.memtail("retry", "small").stdout
    inline.settle()
    assert len(cluster.stored()) == 2


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'x'"), MemoryError()])
def test_an_error_before_training(
    inline: Inline, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> bool:
        raise error

    monkeypatch.setattr(trials, "is_whole", fail)
    assert inline.settle() == 2 * MOST
    assert inline.recorded() == EVERY_ATTEMPT
    assert inline.reason().startswith(type(error).__name__)


def test_no_task_is_enqueued_before_the_next_attempt_is_due(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "backoff", lambda attempt: 1000.0)
    inline.cluster.store.put(f"{inline.study.prefix}study.json", b"{}")
    inline.work()
    inline.look(5)
    assert inline.queued == 0
    assert [attempt for _, attempt, _ in inline.recorded()] == [1, 1]


def test_a_worker_that_does_not_reach_the_store(inline: Inline, cluster: Processes) -> None:
    """The aggregator records what the worker left in Redis, and the attempts go on from there."""
    inline.faults.answer_503()
    inline.work()
    assert inline.recorded() == []
    inline.look()
    assert inline.recorded() == [(FIRST.name, 1, "machine"), (SECOND.name, 1, "machine")]
    assert "503" in inline.reason()
    inline.faults.heal()
    inline.look()
    inline.settle()
    assert len(cluster.stored()) == 2
    assert len(inline.recorded()) == 2


def test_attempts_are_bounded_while_the_worker_does_not_reach_the_store(inline: Inline) -> None:
    inline.faults.answer_503()
    assert inline.settle() == 2 * MOST
    assert inline.recorded() == EVERY_ATTEMPT


def test_a_worker_that_is_connected_to_another_store(inline: Inline, tmp_path: Path) -> None:
    other = FilesStore(tmp_path / "other")
    vars(task.worker_state())["store"] = other
    assert inline.settle() == 2 * MOST
    assert inline.recorded() == EVERY_ATTEMPT
    assert "has no study" in inline.reason()
    assert list(other.list("")) == []


def test_a_duplicate_of_an_earlier_attempt_does_not_start_again_at_1(inline: Inline) -> None:
    inline.cluster.store.put(f"{inline.study.prefix}study.json", b"{}")
    inline.work()
    for shard in (FIRST, SECOND):
        queue.enqueue(inline.study, shard, "cpu")
    inline.work()
    assert [attempt for _, attempt, _ in inline.recorded()] == [1, 2, 1, 2]


def test_a_task_that_disappears_again_and_again_counts(inline: Inline) -> None:
    """As one does that a worker of another version of memtail cannot call."""
    for _ in range(20):
        inline.cluster.client.delete(CPU)
        inline.look()
    assert inline.queued == 0
    assert inline.recorded() == EVERY_ATTEMPT
    assert "the task disappeared" in inline.reason()


def test_a_queue_that_is_emptied_once_costs_no_attempt(inline: Inline, cluster: Processes) -> None:
    inline.cluster.client.flushall()
    inline.look()
    assert inline.settle() == 2
    assert inline.recorded() == []
    assert len(cluster.stored()) == 2


def test_a_task_that_is_no_longer_wanted_is_no_loss(
    inline: Inline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The aggregator sees its lease while the worker reads, and no lease at the next look."""
    read = task.worker_state().study

    def read_and_look(study_id: str) -> Study:
        inline.look(1)
        assert len(leases.current(inline.cluster.client)) == 1
        return read(study_id)

    monkeypatch.setattr(task.worker_state(), "study", read_and_look)
    orders.place(inline.cluster.store, inline.study, Order(device="cuda"))
    assert inline.work() == ["no longer wanted"] * 2
    inline.look(1)
    assert inline.recorded() == []
