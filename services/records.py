"""What Redis holds becomes objects here: records under keys, and records in lists.

Whoever has the password of Redis can write anything under any key. What is no record costs itself
alone: it is skipped, whatever it is, and nobody fails because of it.
"""

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any, TypeVar

import redis
from pydantic import BaseModel, ConfigDict, Field, ValidationError

# Numbers outside these bounds are not what a service wrote.
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Attempt = Annotated[int, Field(ge=1, le=9999)]

_MOST_KEYS = 10_000  # of one pattern
_MOST_CHARACTERS = 1 << 16  # of one record under a key


class Record(BaseModel):
    """Base of what a service writes into Redis: no NaN, no endless texts."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, str_max_length=_MOST_CHARACTERS)


R = TypeVar("R", bound=BaseModel)


def under(client: "redis.Redis", pattern: str, kind: type[R]) -> dict[str, R]:
    """The records under the keys that match ``pattern``, by key."""
    keys = list(islice(client.scan_iter(pattern, count=1000), _MOST_KEYS))
    if not keys:
        return {}
    with client.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.getrange(key, 0, _MOST_CHARACTERS)
        values = pipe.execute(raise_on_error=False)  # a key may be a list
    parsed = ((key, _parsed(kind, value)) for key, value in zip(keys, values, strict=True))
    return {key: record for key, record in parsed if record is not None}


def within(client: "redis.Redis", key: str, most: int, kind: type[R]) -> tuple[list[R], int]:
    """The records among the first ``most`` entries of a list (0: all), and how many those are."""
    entries: list[str] = _unless_of_another_type(lambda: client.lrange(key, 0, most - 1), [])
    parsed = (_parsed(kind, text) for text in entries)
    return [record for record in parsed if record is not None], len(entries)


def length(client: "redis.Redis", key: str) -> int:
    """The number of entries of a list."""
    return int(_unless_of_another_type(lambda: client.llen(key), 0))


def number(client: "redis.Redis", key: str) -> int:
    """The number under a key, of up to 19 digits; 0 if there is none."""
    text: str = _unless_of_another_type(lambda: client.getrange(key, 0, 19), "")
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _unless_of_another_type(ask: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return ask()
    except redis.ResponseError as error:
        if "WRONGTYPE" not in str(error):
            raise
        return otherwise


def _parsed(kind: type[R], value: object) -> R | None:
    if not isinstance(value, str) or not value:  # an error, or a key that ended since
        return None
    try:
        return kind.model_validate_json(value)
    except ValidationError:
        return None
