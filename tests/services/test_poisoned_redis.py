"""Whatever is in Redis costs itself alone: nobody who reads it fails, and training goes on.

https://github.com/celery/celery/issues/2873 (a message that is no UTF-8 ends the worker, and again
whenever it starts), https://github.com/celery/kombu/issues/1247 (a key of another type: WRONGTYPE).
"""

import json
import time
from collections.abc import Iterator

import pytest
import redis

from services import broker, health, last_errors, leases, pace, presence, unrecorded
from services.last_errors import LastError
from services.presence import Presence
from services.queue import ShardTask, queue_of
from tests.servers import RedisServer, redis_server
from tests.services.cluster import GatedCluster
from tests.services.test_redis import lease, set_to, stored

BYTES = b"\xff\xfe\x00\x80"
NESTED = b"[" * 100_000
POISON = (BYTES, NESTED, b"{}", b"null", b'{"name": NaN}', b"9" * 5000)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as found:
        yield found


@pytest.fixture
def client(server: RedisServer) -> "redis.Redis":
    found = broker.connect(set_to(server))
    found.flushdb()
    return found


@pytest.fixture
def raw(server: RedisServer) -> "redis.Redis":
    """A client that sends any bytes."""
    return redis.Redis.from_url(server.url)


def worker(**more: object) -> Presence:
    return Presence(name="w", role="worker", device="cpu", store="runs", since=1e9, **more)


def test_what_is_no_record_is_skipped(client: "redis.Redis", raw: "redis.Redis") -> None:
    sound, running = lease(), worker()
    raw.set(sound.key, sound.model_dump_json(), px=60_000)
    presence.announce(client, running)
    pace.report(client, "s-1", stored(1e9))
    error = LastError(worker="w", study="s-1", reason="no", when=time.time())
    last_errors.note(client, error)
    for number, value in enumerate(POISON):
        for kind in ("lease:s-1", "presence:worker", "error:s-1"):
            raw.set(f"memtail:{kind}:{number}", value)
        raw.rpush("memtail:pace:s-1", value)
        raw.rpush("memtail:unrecorded:s-1", value)
        raw.rpush(queue_of("cpu"), value)
    for kind in ("lease:s-1", "presence:worker", "error:s-1"):
        raw.set(b"memtail:" + kind.encode() + b":" + BYTES, BYTES)
        raw.rpush(f"memtail:{kind}:list", "x")
    raw.set("memtail:lease:s-1:other", sound.model_dump_json())  # under a key that is not its own
    raw.set("memtail:pace:text", "x")
    assert leases.current(client, "s-1") == [sound]
    assert presence.running(client, "worker") == [running]
    assert last_errors.current(client) == [error]
    assert pace.stored(client, "s-1") == [stored(1e9)]
    assert pace.stored(client, "text") == []
    assert unrecorded.waiting(client, "s-1") == ([], len(POISON))
    assert broker.waiting(client, queue_of("cpu")) == set()
    assert health.problems(client, running) == []


def test_a_worker_that_fails_again_and_again_is_not_healthy(client: "redis.Redis") -> None:
    error = LastError(worker="w", study="s-1", reason="no", when=time.time())
    for _ in range(3):
        assert health.problems(client, worker()) == []
        last_errors.note(client, error)
    assert health.problems(client, worker()) == ["failed 3 times in a row at s-1: no"]
    last_errors.clear(client, "w", "s-1")
    assert health.problems(client, worker()) == []
    last_errors.note(client, error.model_copy(update={"is_aside": True}))
    assert health.problems(client, worker()) == ["leaves s-1 to other workers: no"]


@pytest.mark.parametrize("value", [*POISON, b"text", b"-1", "٣".encode()])
def test_a_counter_of_submissions_that_is_none(
    client: "redis.Redis", raw: "redis.Redis", value: bytes
) -> None:
    raw.set("memtail:submissions", value)
    before = broker.submissions(client)
    broker.announce_submission(client)
    assert broker.submissions(client) not in (before, 0)


def test_a_counter_of_submissions_that_is_a_list(client: "redis.Redis", raw: "redis.Redis") -> None:
    raw.rpush("memtail:submissions", "x")
    assert broker.submissions(client) == 0
    broker.announce_submission(client)
    assert broker.submissions(client) > 0


@pytest.mark.parametrize("value", POISON)
def test_a_lease_that_is_none_or_never_ends_is_taken(
    client: "redis.Redis", raw: "redis.Redis", value: bytes
) -> None:
    raw.set(lease().key, value)
    with leases.held(client, lease(), 60) as is_ours:
        assert is_ours
    raw.set(lease().key, lease("another").model_dump_json())
    with leases.held(client, lease(), 60) as is_ours:
        assert is_ours, "a lease runs out: this one is no worker's"
    raw.set(lease().key, lease("another").model_dump_json(), px=60_000)
    with leases.held(client, lease(), 60) as is_ours:
        assert not is_ours


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("s-0123456789", 0, 5),
        ("s-0123456789", 0, 5, 0),
        ("s-0123456789", "x", 5, 1),
        ("s-0123456789", 0, 10**9, 1),
        ("../../secrets", 0, 5, 1),
        (["s"], 0, 5, 1),
        ("s-0123456789", 0, 5, 10**300),
    ],
)
def test_a_task_that_nobody_enqueues_is_none(arguments: tuple[object, ...]) -> None:
    assert ShardTask.of(*arguments) is None
    assert ShardTask.of("s-0123456789", 0, 5, 1)


def poison(raw: "redis.Redis", key: bytes, value: bytes) -> None:
    """Replace what is under a key, or add to it."""
    match raw.type(key):
        case b"list":
            raw.rpush(key, value)  # the end from which workers take
        case b"set":
            raw.sadd(key, value)
        case b"hash":
            raw.hset(key, value, value)
        case b"zset":
            raw.zadd(key, {value: 1})
        case _:
            raw.set(key, value, keepttl=True)


def test_no_process_ends_whatever_redis_holds(gated: GatedCluster, gated_scores: bytes) -> None:
    """Every key that is there is replaced by bytes that are no text, or is given some more."""
    aggregator, worker = gated.aggregator(), gated.worker()
    gated.memtail("submit", "gated.toml")
    gated.mid_shard(worker, stored=1)
    raw = redis.Redis.from_url(gated.redis.url)
    for key in raw.keys("*"):
        for each in POISON:
            poison(raw, key, each)
    raw.set(b"memtail:lease:" + BYTES, BYTES)
    raw.set(b"memtail:presence:worker:" + BYTES, BYTES)
    assert json.loads(gated.memtail("workers", "--json").stdout)["workers"] is not None
    assert gated.finish() == gated_scores
    assert not aggregator.has_ended
    assert not worker.has_ended
    assert "dropped an entry of the queue" in worker.log.read_text()
    assert "Traceback" not in aggregator.log.read_text()
    listed = json.loads(gated.memtail("workers", "--json").stdout)["workers"]
    assert [each["name"] for each in listed] == [worker.name]
