"""Failures that a worker could not write to the store: Redis keeps them for the aggregator.

The aggregator records them, so that an attempt counts even if the worker does not reach the store.
"""

import redis

from memtail_core.catalogue.failures import Failure
from services import records

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
    return records.within(client, _key(study_id), _MOST, Failure)


def remove(client: "redis.Redis", study_id: str, n: int) -> None:
    """Remove the first ``n`` entries, which are recorded now."""
    client.ltrim(_key(study_id), n, -1)


def _key(study_id: str) -> str:
    return f"memtail:unrecorded:{study_id}"
