"""Failures that a worker could not write to the store: Redis keeps them for the aggregator.

The aggregator records them, so that an attempt counts even if the worker does not reach the store.
"""

from contextlib import suppress

import redis
from pydantic import ValidationError

from memtail_core.catalogue.failures import Failure

_MOST = 10_000  # of one study
_WEEK = 7 * 24 * 3600  # seconds


def leave(client: "redis.Redis", study_id: str, failure: Failure) -> None:
    """Leave a failure for the aggregator."""
    with client.pipeline(transaction=False) as pipe:
        pipe.rpush(_key(study_id), failure.model_dump_json())
        pipe.ltrim(_key(study_id), -_MOST, -1)
        pipe.expire(_key(study_id), _WEEK)
        pipe.execute()


def waiting(client: "redis.Redis", study_id: str) -> tuple[list[Failure], int]:
    """The failures that wait, the earliest first, and how many entries :func:`remove` takes."""
    entries = client.lrange(_key(study_id), 0, -1)
    found = []
    for text in entries:
        with suppress(ValidationError):  # of another version of memtail
            found.append(Failure.model_validate_json(text))
    return found, len(entries)


def remove(client: "redis.Redis", study_id: str, n: int) -> None:
    """Remove the first ``n`` entries, which are recorded now."""
    client.ltrim(_key(study_id), n, -1)


def _key(study_id: str) -> str:
    return f"memtail:unrecorded:{study_id}"
