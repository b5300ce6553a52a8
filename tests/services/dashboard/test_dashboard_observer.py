"""What the dashboard sees of a store and of Redis, how often it looks, and whom it tells."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

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
from services.dashboard import observer as observing
from services.dashboard.observer import Observer
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


def settle(found: Observer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing count as changed just now."""
    monkeypatch.setattr(observing, "_LATELY", 0.0)
    found.look()


def test_a_complete_study_with_its_report(counting: Counting, trained: Trained) -> None:
    now = Observer(counting).look()
    (seen,) = now.studies
    assert now.study(trained.study.id) is seen
    assert now.study("digits-0000000000") is None
    assert (seen.state, seen.models, seen.stored, seen.waiting) == ("complete", 40, 40, 0)
    assert seen.report is not None
    assert seen.report.trials == 40
    assert (now.trouble, now.workers, now.queues) == (None, (), {})


def test_one_that_is_trained_here_is_unfinished_and_grows(
    counting: Counting, trained: Trained
) -> None:
    key = Shard(35, 40).key(trained.study)
    content = counting.get(key)
    counting.delete(key)
    observer = Observer(counting)
    first = observer.look()
    assert (first.studies[0].state, first.studies[0].stored) == ("unfinished", 35)
    assert observer.look().number == first.number, "nothing has changed"
    counting.put(key, content)
    second = observer.look()
    assert (second.studies[0].state, second.studies[0].stored) == ("complete", 40)
    assert second.number > first.number


def test_nothing_is_asked_of_a_study_that_is_complete(
    counting: Counting, monkeypatch: pytest.MonkeyPatch, trained: Trained
) -> None:
    observer = Observer(counting)
    settle(observer, monkeypatch)
    before = counting.asked
    for _ in range(5):
        observer.look()
    assert counting.asked - before == 5, "one listing of studies each"
    catalogue.register(counting, trained.study, trained.dataset, 60)
    assert observer.look().studies[0].models == 40
    observer.wake()
    assert observer.look().studies[0].models == 60


def test_new_and_removed_studies_are_seen(counting: Counting, trained: Trained) -> None:
    observer = Observer(counting)
    observer.look()
    other = trained.study.model_copy(update={"name": "another"})
    catalogue.register(counting, other, trained.dataset, 10)
    assert [each.study.name for each in observer.look().studies] == ["another", "digits"]
    orders.place(counting, trained.study, Order(device="cpu"))
    counting.delete(Shard(0, 5).key(trained.study))
    observer.wake()
    now = observer.look()
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
    assert [each.study.name for each in observer.look().studies] == ["digits"]


def test_a_damaged_study_does_not_hide_the_others(counting: Counting, trained: Trained) -> None:
    counting.put("studies/broken-0123456789/study.json", b"{")
    other = trained.study.model_copy(update={"name": "odd", "training": {}})
    counting.put(f"{other.prefix}study.json", other.to_json())
    now = Observer(counting).look()
    assert len(now.damaged) == 1
    assert "broken-0123456789" in now.damaged[0]
    assert now.trouble is None
    assert {each.study.name for each in now.studies} == {"digits", "odd"}
    assert all(each.json for each in now.studies)


def test_a_store_that_is_away_is_told_and_what_was_known_is_kept(counting: Counting) -> None:
    observer = Observer(counting)
    before = observer.look()
    counting.is_away = True
    now = observer.look()
    assert now.trouble == "the store is away"
    assert now.studies == before.studies
    counting.is_away = False
    assert observer.look().trouble is None


def test_failures_are_counted(counting: Counting, trained: Trained) -> None:
    study = trained.study
    orders.place(counting, study, Order(device="cpu"))
    counting.delete(Shard(0, 5).key(study))
    for attempt, kind in ((1, "machine"), (2, "last")):
        failure = Failure(
            shard="0000000-0000005", attempt=attempt, kind=kind, reason="", worker="w", when=1.0
        )
        failures.record(counting, study.id, failure)
    (seen,) = Observer(counting).look().studies
    assert (seen.n_failures, seen.failed, seen.state) == (2, 5, "failed")


async def _collected(observer: Observer, seconds: float) -> list[Snapshot]:
    found = []

    async def listen() -> None:
        async for now in observer.changes():
            found.append(now)

    listening = asyncio.create_task(listen())
    await asyncio.sleep(seconds)
    observer.end()
    await asyncio.wait_for(listening, 5)
    return found


def test_who_waits_for_changes_is_told_of_each(counting: Counting, trained: Trained) -> None:
    async def main() -> list[Snapshot]:
        collecting = asyncio.create_task(_collected(observer, 0.6))
        await asyncio.sleep(0.2)
        assert observer.n_listeners == 1
        await asyncio.to_thread(counting.delete, Shard(0, 5).key(trained.study))
        found = await collecting
        assert observer.n_listeners == 0
        return found

    observer = Observer(counting, every=0.05)
    observer.start()
    try:
        found = asyncio.run(main())
    finally:
        observer.close()
    assert [each.studies[0].stored for each in found] == [40, 35]
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
    told: list[tuple[str, list[Stored]]] = []
    observer = Observer(
        cluster.store, cluster, told=lambda study, stored: told.append((study, [*stored]))
    )
    now = observer.look()
    (seen,) = now.studies
    assert (seen.state, seen.stored, seen.running, seen.waiting) == ("running", 25, 5, 10)
    assert (seen.workers, seen.device, len(seen.at_work)) == (2, "cpu", 1)
    assert seen.models_per_hour == pytest.approx(500.0)
    assert seen.seconds_left == pytest.approx(15 / 500 * 3600)
    assert (seen.shard_seconds, seen.accuracy) == (36.0, {"test": 0.5, "held_in": None})
    assert now.queues == {"cpu": 2, "cuda": 0}
    assert [each.name for each in now.workers] == ["a", "b"]
    observer.look()
    pace.report(client, study.id, done.model_copy(update={"when": 200.0}))
    observer.look()
    assert [len(stored) for _, stored in told] == [1, 0, 1], "each shard is told of once"


def test_a_pace_that_is_no_number_is_none(cluster: Cluster, trained: Trained) -> None:
    for accuracy, seconds in ((float("nan"), float("inf")), (0.5, 0.0)):
        cluster.client.flushall()
        done = Stored(worker="a", when=1.0, seconds=seconds, models=0, accuracy={"test": accuracy})
        pace.report(cluster.client, trained.study.id, done)
        now = Observer(cluster.store, cluster).look()
        assert len(now.studies) == 1
        assert "NaN" not in now.studies[0].json
        assert "Infinity" not in now.studies[0].json


def test_a_submission_elsewhere_is_seen_at_once(
    cluster: Cluster, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer = Observer(cluster.store, cluster)
    settle(observer, monkeypatch)
    catalogue.register(cluster.store, trained.study, trained.dataset, 60)
    assert observer.look().studies[0].models == 40
    broker.tell_of_submission(cluster.client)
    assert observer.look().studies[0].models == 60


def test_redis_that_is_away_is_told_and_what_was_known_is_kept(
    redis: RedisServer, cluster: Cluster, trained: Trained
) -> None:
    presence.announce(
        cluster.client, Presence(name="a", role="worker", device="cpu", store="s", since=1.0)
    )
    observer = Observer(cluster.store, cluster)
    assert len(observer.look().workers) == 1
    redis.stop()
    try:
        now = observer.look()
        assert now.trouble is not None
        assert "cannot reach Redis" in now.trouble
        assert redis.password not in now.trouble
        assert (len(now.workers), len(now.studies)) == (1, 1)
        cluster.store.delete(Shard(0, 5).key(trained.study))
        assert observer.look().studies[0].stored == 35, "the store alone is the truth"
    finally:
        redis.start()
    deadline = time.monotonic() + 20
    while observer.look().trouble is not None:
        assert time.monotonic() < deadline


def test_leases_of_other_studies_are_not_ours(cluster: Cluster, trained: Trained) -> None:
    orders.place(cluster.store, trained.study, Order(device="cpu"))
    cluster.store.delete(Shard(0, 5).key(trained.study))
    at_work(cluster.client, "digits-0000000000", Shard(0, 5))
    assert leases.current(cluster.client)
    (seen,) = Observer(cluster.store, cluster).look().studies
    assert (seen.state, seen.running) == ("waiting", 0)
