"""What the monitor reads of a store and of Redis, how often, and whom it wakes."""

import asyncio
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure
from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from services import broker, leases, orders, pace, presence
from services.dashboard import snapshot_reader as reading
from services.dashboard.monitor import Monitor
from services.dashboard.snapshot import Snapshot
from services.leases import Lease
from services.orders import Order
from services.pace import Stored
from services.presence import Presence
from services.submission import Cluster
from tests.conftest import Trained
from tests.servers import RedisServer, redis_server


class Counting(FilesStore):
    """A folder that counts what is asked of it, and can be away."""

    asked = 0
    is_away = False

    def _path(self, key: str) -> Path:
        self.asked += 1
        if self.is_away:
            raise StoreError("the store is away")
        return super()._path(key)


@pytest.fixture
def counting(store: FilesStore) -> Counting:
    return Counting(store.location)


def settle(found: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing count as changed just now."""
    monkeypatch.setattr(reading, "_LATELY", 0.0)
    found.look()


def test_a_complete_study_with_its_report(counting: Counting, trained: Trained) -> None:
    now = Monitor(counting).look()
    (view,) = now.studies
    assert now.study(trained.study.id) is view
    assert now.study("digits-0000000000") is None
    assert (view.state, view.status.models, view.status.stored, view.status.waiting) == (
        "complete",
        40,
        40,
        0,
    )
    assert view.report is not None
    assert view.report.trials == 40
    assert (now.trouble, now.workers, now.queues) == (None, (), {})


def test_one_that_is_trained_here_is_unfinished_and_grows(
    counting: Counting, trained: Trained
) -> None:
    key = Shard(35, 40).key(trained.study)
    content = counting.get(key)
    counting.delete(key)
    monitor = Monitor(counting)
    first = monitor.look()
    assert (first.studies[0].state, first.studies[0].status.stored) == ("unfinished", 35)
    assert monitor.look().number == first.number, "nothing has changed"
    counting.put(key, content)
    second = monitor.look()
    assert (second.studies[0].state, second.studies[0].status.stored) == ("complete", 40)
    assert second.number > first.number


def test_nothing_is_asked_of_a_study_that_is_complete(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, trained: Trained
) -> None:
    monitor = Monitor(counting)
    settle(monitor, monkeypatch)
    before = counting.asked
    for _ in range(5):
        monitor.look()
    assert counting.asked - before == 5, "one listing of studies each"
    catalogue.register(counting, trained.study, trained.dataset, 60)
    assert monitor.look().studies[0].status.models == 40
    monitor.wake()
    assert monitor.look().studies[0].status.models == 60


def test_new_and_removed_studies_are_seen(counting: Counting, trained: Trained) -> None:
    monitor = Monitor(counting)
    monitor.look()
    other = trained.study.model_copy(update={"name": "another"})
    catalogue.register(counting, other, trained.dataset, 10)
    assert [each.study.name for each in monitor.look().studies] == ["another", "digits"]
    orders.place(counting, trained.study, Order(device="cpu"))
    counting.delete(Shard(0, 5).key(trained.study))
    monitor.wake()
    now = monitor.look()
    assert [(e.study.name, e.state) for e in now.studies] == [
        ("digits", "waiting"),
        ("another", "unfinished"),
    ], "those under way first"
    for key in list(counting.list(other.prefix)):
        counting.delete(key)
    folder = Path(counting.location) / other.prefix
    for each in sorted(folder.rglob("*"), reverse=True):
        each.rmdir()
    folder.rmdir()
    assert [each.study.name for each in monitor.look().studies] == ["digits"]


def test_a_damaged_study_does_not_hide_the_others(counting: Counting, trained: Trained) -> None:
    counting.put("studies/broken-0123456789/study.json", b"{")
    other = trained.study.model_copy(update={"name": "odd", "training": {}})
    counting.put(f"{other.prefix}study.json", other.to_json())
    now = Monitor(counting).look()
    assert ["broken-0123456789" in each for each in now.damaged] == [True, False]
    assert other.id in now.damaged[1], "it names no recipe"
    assert now.trouble is None
    assert {each.study.name for each in now.studies} == {"digits"}
    assert all(each.json for each in now.studies)


def test_a_store_that_is_away_is_told_and_what_was_known_is_kept(counting: Counting) -> None:
    monitor = Monitor(counting)
    before = monitor.look()
    counting.is_away = True
    now = monitor.look()
    assert now.trouble == "the store is away"
    assert now.studies == before.studies
    counting.is_away = False
    assert monitor.look().trouble is None


def test_failures_are_counted(counting: Counting, trained: Trained) -> None:
    study = trained.study
    orders.place(counting, study, Order(device="cpu"))
    counting.delete(Shard(0, 5).key(study))
    for attempt, kind in ((1, "machine"), (2, "last")):
        failure = Failure(
            shard="0000000-0000005", attempt=attempt, kind=kind, reason="", worker="w", when=1.0
        )
        failures.record(counting, study.id, failure)
    (view,) = Monitor(counting).look().studies
    assert (view.status.n_failures, view.status.failed, view.state) == (2, 5, "failed")


async def _collected(monitor: Monitor, seconds: float) -> list[Snapshot]:
    found = []

    async def listen() -> None:
        async for now in monitor.changes():
            found.append(now)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(seconds)
    monitor.end()
    await asyncio.wait_for(listening, 5)
    return found


def test_who_waits_for_changes_is_told_of_each(counting: Counting, trained: Trained) -> None:
    async def main() -> list[Snapshot]:
        collecting = asyncio.create_task(_collected(monitor, 0.6))
        await asyncio.sleep(0.2)
        assert monitor.n_listeners == 1
        await asyncio.to_thread(counting.delete, Shard(0, 5).key(trained.study))
        found = await collecting
        assert monitor.n_listeners == 0
        return found

    monitor = Monitor(counting, every=0.05)
    monitor.start()
    try:
        found = asyncio.run(main())
    finally:
        monitor.close()
    assert [each.studies[0].status.stored for each in found] == [40, 35]
    assert found[0].number < found[1].number


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def cluster(redis: RedisServer, counting: Counting) -> Iterator[Cluster]:
    settings = Settings(_env_file=None, broker_url=redis.url)
    client = broker.connect(settings)
    client.flushall()
    yield Cluster(counting, client, settings)
    redis.thaw()


def at_work(client: Redis, study: str, shard: Shard) -> None:
    lease = Lease(study=study, shard=shard.name, worker="w", attempt=1, task="t", since=time.time())
    client.set(lease.key, lease.model_dump_json())


def test_what_redis_knows(cluster: Cluster, trained: Trained) -> None:
    study, client = trained.study, cluster.client
    orders.place(cluster.store, study, Order(device="cpu"))
    for first in (0, 5, 10):
        cluster.store.delete(Shard(first, first + 5).key(study))
    for name in ("a", "b"):
        presence.announce(
            client, Presence(name=name, role="worker", device="cpu", store="s", since=1.0)
        )
    at_work(client, study.id, Shard(0, 5))
    at_work(client, study.id, Shard(15, 20))  # stored just now, and its lease not yet ended
    done = Stored(
        worker="a", when=100.0, seconds=36.0, models=5, accuracy={"test": 0.5, "held_in": None}
    )
    pace.report(client, study.id, done)
    client.lpush("memtail.cpu", "task", "task")
    reported: list[tuple[str, list[Stored]]] = []
    monitor = Monitor(
        cluster.store, cluster, on_stored=lambda study, stored: reported.append((study, [*stored]))
    )
    now = monitor.look()
    (view,) = now.studies
    assert (view.state, view.status.stored, view.status.running, view.status.waiting) == (
        "running",
        25,
        5,
        10,
    )
    assert (view.status.workers, view.status.device, len(view.status.at_work)) == (2, "cpu", 1)
    assert view.status.models_per_hour == pytest.approx(500.0)
    assert view.status.seconds_left == pytest.approx(15 / 500 * 3600)
    assert (view.shard_seconds, view.status.accuracy) == (36.0, {"test": 0.5, "held_in": None})
    assert now.queues == {"cpu": 2, "cuda": 0}
    assert [each.name for each in now.workers] == ["a", "b"]
    monitor.look()
    pace.report(client, study.id, done.model_copy(update={"when": 200.0}))
    monitor.look()
    assert [len(stored) for _, stored in reported] == [1, 0, 1], "each shard is reported once"


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": math.inf},
        {"seconds": -1.0},
        {"when": math.nan},
        {"models": 0},
        {"models": 10**400},
        {"accuracy": {"test": math.nan}},
        {"accuracy": {"test": 1e308}},
    ],
    ids=str,
)
def test_a_pace_that_cannot_be_is_ignored(
    cluster: Cluster, trained: Trained, wrong: dict[str, Any]
) -> None:
    right = {"worker": "a", "when": 1.0, "seconds": 1.0, "models": 5, "accuracy": {"test": 0.5}}
    cluster.client.lpush(f"memtail:pace:{trained.study.id}", json.dumps(right | wrong))
    (view,) = Monitor(cluster.store, cluster).look().studies
    assert view.status.pace is None
    assert "NaN" not in view.json
    assert "Infinity" not in view.json


def test_a_submission_elsewhere_is_seen_at_once(
    cluster: Cluster, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor = Monitor(cluster.store, cluster)
    settle(monitor, monkeypatch)
    catalogue.register(cluster.store, trained.study, trained.dataset, 60)
    assert monitor.look().studies[0].status.models == 40
    broker.announce_submission(cluster.client, trained.study.id)
    assert monitor.look().studies[0].status.models == 60


def test_redis_that_is_away_is_told_and_what_was_known_is_kept(
    redis: RedisServer, cluster: Cluster, trained: Trained
) -> None:
    presence.announce(
        cluster.client, Presence(name="a", role="worker", device="cpu", store="s", since=1.0)
    )
    monitor = Monitor(cluster.store, cluster)
    assert len(monitor.look().workers) == 1
    redis.stop()
    try:
        now = monitor.look()
        assert now.trouble is not None
        assert "cannot reach Redis" in now.trouble
        assert redis.password not in now.trouble
        assert (len(now.workers), len(now.studies)) == (1, 1)
        cluster.store.delete(Shard(0, 5).key(trained.study))
        assert monitor.look().studies[0].status.stored == 35, "the store alone is the truth"
    finally:
        redis.start()
    deadline = time.monotonic() + 20
    while monitor.look().trouble is not None:
        assert time.monotonic() < deadline


def test_leases_of_other_studies_are_not_ours(cluster: Cluster, trained: Trained) -> None:
    orders.place(cluster.store, trained.study, Order(device="cpu"))
    cluster.store.delete(Shard(0, 5).key(trained.study))
    at_work(cluster.client, "digits-0000000000", Shard(0, 5))
    assert leases.current(cluster.client)
    (view,) = Monitor(cluster.store, cluster).look().studies
    assert (view.state, view.status.running) == ("waiting", 0)
