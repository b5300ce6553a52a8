"""How fast a study goes: the last shards that were stored, as their workers reported them."""

from collections.abc import Sequence
from statistics import median
from typing import Annotated

import redis
from pydantic import BaseModel, ConfigDict, Field

from services import records
from services.records import Record, Seconds

# Whoever can write to Redis can write anything: numbers outside these bounds are ignored.
Count = Annotated[int, Field(ge=1, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1)]

KEPT = 200  # shards of each study
_WEEK = 7 * 24 * 3600  # seconds


class Stored(Record):
    """A shard that was trained and stored.

    Attributes:
        worker: who trained it.
        when: seconds since 1970.
        seconds: what it took.
        models: how many it has.
        accuracy: means by name (held_in, held_out, test); None where there is none.
    """

    worker: str
    when: Seconds
    seconds: Seconds
    models: Count
    accuracy: dict[str, Share | None]


class Pace(BaseModel):
    """The pace of the shards stored last.

    Attributes:
        models_per_hour: while they were trained.
        shard_seconds: the median of what a shard took.
        accuracy: means by name (held_in, held_out, test); None where there is none.
    """

    model_config = ConfigDict(frozen=True)

    models_per_hour: float
    shard_seconds: float
    accuracy: dict[str, float | None]


def report(client: "redis.Redis", study_id: str, shard: Stored) -> None:
    """Report a stored shard."""
    key = _key(study_id)
    with client.pipeline(transaction=False) as pipe:
        pipe.lpush(key, shard.model_dump_json())
        pipe.ltrim(key, 0, KEPT - 1)
        pipe.expire(key, _WEEK)
        pipe.execute()


def stored(client: "redis.Redis", study_id: str) -> list[Stored]:
    """The last 200 shards that were stored, the latest first."""
    return records.within(client, _key(study_id), KEPT, Stored)[0]


def recent(client: "redis.Redis", study_id: str, workers: int = 1) -> Pace | None:
    """The pace of the last few shards of each of ``workers``; None before the first."""
    return of(stored(client, study_id), workers)


def of(stored: Sequence[Stored], workers: int = 1) -> Pace | None:
    """The pace of the last few of ``stored``, the latest first; None if there are none."""
    last = stored[: max(8, 4 * workers)]
    if not last:
        return None
    begun = min(each.when - each.seconds for each in last)
    models = sum(each.models for each in last)
    return Pace(
        models_per_hour=3600 * models / max(1e-3, max(each.when for each in last) - begun),
        shard_seconds=median(each.seconds for each in last),
        accuracy={
            name: _mean([each.accuracy.get(name) for each in last]) for name in last[0].accuracy
        },
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _key(study_id: str) -> str:
    return f"memtail:pace:{study_id}"
