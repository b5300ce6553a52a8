"""Who trains which shard right now: leases in Redis that a worker renews, and that run out.

A lease is a hint. Without one nothing goes wrong, some shard may be trained twice; with one that
ran out, the aggregator knows that a worker was lost.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis
from pydantic import BaseModel, ConfigDict, ValidationError
from redis.exceptions import LockError
from redis.lock import Lock

_PREFIX = "memtail:lease:"
_REMEMBERED = 3600  # seconds for which it is known that a lease was given back


class Lease(BaseModel):
    """A worker's word that it is training a shard.

    Attributes:
        study: the study's id.
        shard: the shard's name, ``0000000-0000010``.
        worker: who.
        attempt: 1 for the first.
        task: the Celery task, to be revoked by.
        since: seconds since 1970, by the worker's clock.
    """

    model_config = ConfigDict(frozen=True)

    study: str
    shard: str
    worker: str
    attempt: int
    task: str
    since: float

    @property
    def key(self) -> str:
        """Where it stands in Redis."""
        return f"{_PREFIX}{self.study}:{self.shard}"


@contextmanager
def held(client: "redis.Redis", lease: Lease, seconds: float) -> Iterator[bool]:
    """Take the lease, renew it until the block ends, give it back; False if another has it.

    Redis being away ends nothing: the lease is taken again once it is back.
    """
    lock = Lock(client, lease.key, timeout=seconds, blocking=False, thread_local=False)
    token = lease.model_dump_json()
    try:
        is_ours = lock.acquire(token=token)
    except redis.RedisError:
        is_ours = True  # nobody can say otherwise
    if not is_ours:
        yield False
        return
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(seconds / 3):
            with suppress(redis.RedisError, LockError):
                try:
                    lock.reacquire()
                except LockError:  # Redis was emptied, or away for longer than the lease
                    if not was_given_back(client, lease):
                        lock.acquire(token=token)

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
    """The leases that hold, of one study or of all, the longest first."""
    pattern = f"{_PREFIX}{study_id}:*" if study_id else f"{_PREFIX}*"
    keys = list(client.scan_iter(pattern, count=1000))
    found = []
    for text in client.mget(keys) if keys else []:
        with suppress(ValidationError):
            if text is not None:  # ended since it was listed
                found.append(Lease.model_validate_json(text))
    return sorted(found, key=lambda lease: lease.since)


def give_back(client: "redis.Redis", which: list[Lease]) -> None:
    """End leases of workers that stop as they were told to: nothing is lost with these."""
    for lease in which:
        client.set(_returned(lease), "", ex=_REMEMBERED)
        client.delete(lease.key)


def was_given_back(client: "redis.Redis", lease: Lease) -> bool:
    """Whether that lease ended so, and not with its worker."""
    return bool(client.exists(_returned(lease)))


def _returned(lease: Lease) -> str:
    return f"memtail:returned:{lease.task}:{lease.since}"  # the task, not its next lease
