"""How fast a study goes: the last shards that were stored, as their workers reported them."""

from collections.abc import Sequence
from contextlib import suppress
from statistics import median

import redis
from pydantic import BaseModel, ConfigDict, ValidationError

KEPT = 200  # shards of each study
_DAY = 24 * 3600


class Stored(BaseModel):
    """A shard that was trained and stored.

    Attributes:
        worker: by whom.
        when: seconds since 1970.
        seconds: what it took.
        models: how many.
        accuracy: means by name (held_in, held_out, test); None where there is none.
    """

    model_config = ConfigDict(frozen=True)

    worker: str
    when: float
    seconds: float
    models: int
    accuracy: dict[str, float | None]


class Pace(BaseModel):
    """Of the shards stored last.

    Attributes:
        models_per_hour: while they were trained.
        shard_seconds: what one took, the median.
        accuracy: means by name (held_in, held_out, test); None where there is none.
    """

    model_config = ConfigDict(frozen=True)

    models_per_hour: float
    shard_seconds: float
    accuracy: dict[str, float | None]


def report(client: "redis.Redis", study_id: str, done: Stored) -> None:
    """Tell of a stored shard."""
    key = _key(study_id)
    with client.pipeline(transaction=False) as pipe:
        pipe.lpush(key, done.model_dump_json())
        pipe.ltrim(key, 0, KEPT - 1)
        pipe.expire(key, 7 * _DAY)
        pipe.execute()


def stored(client: "redis.Redis", study_id: str) -> list[Stored]:
    """The last 200 shards that were stored, the latest first."""
    found = []
    for text in client.lrange(_key(study_id), 0, -1):
        with suppress(ValidationError):
            found.append(Stored.model_validate_json(text))
    return found


def recent(client: "redis.Redis", study_id: str, workers: int = 1) -> Pace | None:
    """The pace of the last few shards of each of ``workers``; None before the first."""
    return of(stored(client, study_id), workers)


def of(stored: Sequence[Stored], workers: int = 1) -> Pace | None:
    """The pace of the last few of ``stored``, the latest first; None if there are none."""
    found = stored[: max(8, 4 * workers)]
    if not found:
        return None
    begun = min(each.when - each.seconds for each in found)
    models = sum(each.models for each in found)
    return Pace(
        models_per_hour=3600 * models / max(1e-3, max(each.when for each in found) - begun),
        shard_seconds=median(each.seconds for each in found),
        accuracy={
            name: _mean([each.accuracy.get(name) for each in found]) for name in found[0].accuracy
        },
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _key(study_id: str) -> str:
    return f"memtail:pace:{study_id}"
