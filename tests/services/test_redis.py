"""What services say of themselves in Redis, and what happens when Redis does not answer."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from memtail_core.settings import Settings
from services import broker, health, leases, pace, presence
from services.aggregator.reconciler import backoff
from services.broker import BrokerError
from services.leases import Lease
from services.pace import Stored
from services.presence import Presence
from services.queue import queue_of
from tests.servers import RedisServer, redis_server


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as found:
        yield found


@pytest.fixture
def client(server: RedisServer) -> "redis.Redis":
    found = broker.connect(set_to(server))
    found.flushdb()
    return found


def set_to(server: RedisServer, password: str | None = None) -> Settings:
    return Settings(
        broker_url=server.url_without_password, broker_password=password or server.password
    )


LEASE = 3.0  # seconds: a busy machine still renews it in time
_LIMIT = 120.0  # seconds; far more than anything takes


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it never comes"
        time.sleep(0.02)


def wait_until_renewed(client: "redis.Redis") -> None:
    """Wait until the lease has more time left than before."""
    left = client.pttl(lease().key)

    def is_renewed() -> bool:
        nonlocal left
        before, left = left, client.pttl(lease().key)
        return left > before

    wait_until(is_renewed)


def lease(worker: str = "w", attempt: int = 1, shard: str = "0000000-0000005") -> Lease:
    return Lease(
        study="s-1", shard=shard, worker=worker, attempt=attempt, task="t", since=time.time()
    )


def test_one_of_two_has_the_lease_until_the_end(client: "redis.Redis") -> None:
    with leases.held(client, lease("first"), LEASE) as is_ours:
        assert is_ours
        for _ in range(2):
            wait_until_renewed(client)
        with leases.held(client, lease("second"), LEASE) as is_others:
            assert not is_others
        assert [each.worker for each in leases.current(client, "s-1")] == ["first"]
        assert leases.current(client, "s-2") == []
    assert leases.current(client) == []
    with leases.held(client, lease("second"), LEASE) as is_ours:
        assert is_ours


def test_a_lease_is_taken_anew_when_redis_was_emptied(client: "redis.Redis") -> None:
    with leases.held(client, lease(), LEASE):
        client.flushdb()
        wait_until(lambda: len(leases.current(client)) == 1)


def test_a_lease_that_is_not_renewed_runs_out(client: "redis.Redis") -> None:
    client.set(lease().key, lease().model_dump_json(), px=int(1000 * LEASE))
    assert len(leases.current(client)) == 1
    wait_until(lambda: leases.current(client) == [])


def test_what_was_given_back_is_told_from_what_was_lost(client: "redis.Redis") -> None:
    mine, others = lease("mine"), lease("other", shard="0000005-0000010")
    for each in (mine, others):
        client.set(each.key, each.model_dump_json())
    leases.give_back(client, [mine])
    assert leases.current(client) == [others]
    assert leases.was_given_back(client, mine)
    assert not leases.was_given_back(client, others)
    again = mine.model_copy(update={"since": mine.since + 1})
    assert not leases.was_given_back(client, again), "the same task, taken anew"


def test_without_redis_training_goes_on(server: RedisServer) -> None:
    away = redis.Redis(port=1, socket_connect_timeout=0.1)
    with leases.held(away, lease(), 0.3) as is_ours:
        assert is_ours
        time.sleep(0.3)


def test_who_says_nothing_is_forgotten(
    client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_FORGOTTEN", LEASE)
    worker = Presence(name="w1", role="worker", device="cpu", store="runs", since=time.time())
    presence.announce(client, worker)
    assert [each.name for each in presence.running(client, "worker")] == ["w1"]
    assert presence.running(client, "aggregator") == []
    presence.leave(client, worker)
    assert presence.running(client, "worker") == []
    presence.announce(client, worker)
    wait_until(lambda: presence.running(client, "worker") == [])


def stored(when: float, seconds: float = 10.0) -> Stored:
    return Stored(
        worker="w",
        when=when,
        seconds=seconds,
        models=5,
        accuracy={"held_in": 1.0, "held_out": 0.9, "test": 0.8},
    )


def test_the_pace_is_that_of_the_last_shards(client: "redis.Redis") -> None:
    assert pace.recent(client, "s-1") is None
    for k in range(300):  # two workers, each a shard of ten seconds; long ago they were slower
        pace.report(client, "s-1", stored(1e9 + (20 * k if k < 280 else 5600 + 5 * (k - 280)), 10))
    found = pace.recent(client, "s-1", workers=2)
    assert found
    assert found.models_per_hour == pytest.approx(3600 * 8 * 5 / (7 * 5 + 10))
    assert (found.shard_seconds, found.accuracy["held_out"]) == (10, pytest.approx(0.9))
    assert len(pace.stored(client, "s-1")) == 200


def test_idle_while_shards_wait_is_not_healthy(client: "redis.Redis") -> None:
    now = time.time()
    worker = Presence(
        name="w", role="worker", device="cpu", store="runs", since=now - 500, idle_since=now - 90
    )
    assert health.problems(client, worker) == []
    client.rpush(queue_of("cpu"), "task")
    assert "idle for 90 s while 1 shards wait" in health.problems(client, worker)
    assert health.problems(client, worker.model_copy(update={"idle_since": now - 5})) == []
    assert health.problems(client, worker.model_copy(update={"idle_since": None})) == []
    assert health.problems(client, worker.model_copy(update={"device": "cuda"})) == []


def test_a_shard_that_takes_far_longer_than_others_is_not_healthy(client: "redis.Redis") -> None:
    now = time.time()
    worker = Presence(name="w", role="worker", device="cpu", store="runs", since=now)
    at_it = lease().model_copy(update={"since": now - 2000})
    client.set(at_it.key, at_it.model_dump_json())
    assert health.problems(client, worker) == [], "nothing to compare with"
    pace.report(client, "s-1", stored(now, seconds=300))
    assert health.problems(client, worker) == [], "seven times as long can be another GPU's load"
    for _ in range(5):
        pace.report(client, "s-1", stored(now, seconds=100))
    assert "for 2000 s; others take 100 s" in health.problems(client, worker)[0]
    assert health.problems(client, worker.model_copy(update={"name": "another"})) == []


def test_failures_of_redis_are_one_sentence_without_the_password(server: RedisServer) -> None:
    for settings, expected in (
        (set_to(server, "wr/ong"), "refuses the password: check MEMTAIL_BROKER_PASSWORD"),
        (Settings(broker_url="redis://:hush@127.0.0.1:1/0"), "cannot reach Redis at redis://127"),
    ):
        with pytest.raises(BrokerError, match=expected) as raised, broker.reached(settings):
            broker.connect(settings).ping()
        assert "hush" not in str(raised.value)
        assert "wr/ong" not in str(raised.value)
    for url, expected in (
        (None, "no cluster is configured"),
        ("amqp://x", "is not an address of Redis"),
    ):
        with pytest.raises(BrokerError, match=expected):
            broker.url(Settings(broker_url=url, broker_password=None))


def test_the_password_of_the_address_comes_first() -> None:
    set_ = Settings(broker_url="redis://user@h:1/2", broker_password="p@s:s/")
    assert broker.url(set_) == "redis://user:p%40s%3As%2F@h:1/2"
    assert broker.address(set_) == "redis://h:1/2"
    own = Settings(broker_url="redis://:own@h:1/2", broker_password="other")
    assert broker.url(own) == "redis://:own@h:1/2"


def test_attempts_are_made_later_and_later() -> None:
    assert [backoff(k) for k in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]
