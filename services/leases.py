"""Who trains which shard: leases in Redis, which a worker renews and which run out without it.

A lease is a hint. Without leases some shard may be trained twice, and nothing else goes wrong. A
lease that ran out tells the aggregator that a worker was lost.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import redis
from redis.exceptions import LockError
from redis.lock import Lock

from services import records
from services.records import Attempt, Record, Seconds

_PREFIX = "memtail:lease:"
_REMEMBERED = 3600  # seconds for which it is known that a lease was given back
_ENDLESS = -1  # what Redis says of a key that does not run out


class Lease(Record):
    """States that a worker has a shard in hand.

    Attributes:
        study: the study's id.
        shard: the shard's name, ``0000000-0000010``.
        worker: the worker's name.
        attempt: 1 for the first.
        task: the id of the Celery task, by which it can be revoked.
        since: seconds since 1970, by the worker's clock.
    """

    study: str
    shard: str
    worker: str
    attempt: Attempt
    task: str
    since: Seconds

    @property
    def key(self) -> str:
        """Its key in Redis."""
        return f"{_PREFIX}{self.study}:{self.shard}"


@contextmanager
def held(
    client: "redis.Redis",
    lease: Lease,
    seconds: float,
    renewed: Callable[[], None] = lambda: None,
) -> Iterator[bool]:
    """Take the lease, renew it until the block ends, end it; False if another worker has it.

    While Redis cannot be reached the block goes on, and takes the lease again afterwards. After
    each renewal ``renewed`` is called, in another thread.
    """
    lock = Lock(client, lease.key, timeout=seconds, blocking=False, thread_local=False)
    token = lease.model_dump_json()
    try:
        is_ours = lock.acquire(token=token)
        if not is_ours and not _is_sound(client, lease.key):
            client.delete(lease.key)
            is_ours = lock.acquire(token=token)
    except redis.RedisError:
        is_ours = True  # nobody can know better
    if not is_ours:
        yield False
        return
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(seconds / 3):
            with suppress(redis.RedisError, LockError):
                try:
                    lock.reacquire()
                except LockError:  # Redis was emptied, or could not be reached for too long
                    if not was_given_back(client, lease):
                        lock.acquire(token=token)
                renewed()

    renewing = threading.Thread(target=renew, name="lease", daemon=True)
    renewing.start()
    try:
        yield True
    finally:
        ended.set()
        renewing.join()
        with suppress(redis.RedisError, LockError):
            lock.release()


def current(client: "redis.Redis", study_id: str | None = None) -> list[Lease]:
    """The current leases of one study or of all, the longest first."""
    pattern = f"{_PREFIX}{study_id}:*" if study_id else f"{_PREFIX}*"
    found = records.under(client, pattern, Lease)
    held = (lease for key, lease in found.items() if lease.key == key)
    return sorted(held, key=lambda lease: lease.since)


def give_back(client: "redis.Redis", which: list[Lease]) -> None:
    """End leases whose tasks are not lost: they are in the queue again, or not wanted."""
    for lease in which:
        client.set(_returned(lease), "", ex=_REMEMBERED)
        client.delete(lease.key)


def was_given_back(client: "redis.Redis", lease: Lease) -> bool:
    """Whether the lease ended in :func:`give_back`, and not with its worker."""
    return bool(client.exists(_returned(lease)))


def _is_sound(client: "redis.Redis", key: str) -> bool:
    """Whether a worker took the lease: it is readable, and runs out. Any other never would."""
    return key in records.under(client, key, Lease) and client.pttl(key) != _ENDLESS


def _returned(lease: Lease) -> str:
    return (
        f"memtail:returned:{lease.task}:{lease.since}"  # this lease, not the next one of the task
    )
