"""Who is there: each worker and aggregator says so every few seconds, and is forgotten soon after.

A worker says so from its event loop. One that hangs falls silent, though its process lives.
"""

import socket
from contextlib import suppress
from typing import Literal

import redis
from pydantic import BaseModel, ConfigDict, ValidationError

_PREFIX = "memtail:presence:"
BEAT = 5.0  # seconds between two signs of life
_FORGOTTEN = 30.0  # seconds after the last


class Presence(BaseModel):
    """What a service says of itself.

    Attributes:
        name: unlike any other's.
        role: what it is.
        host: the machine, or container.
        device: "cpu", "cuda", "cuda:1"; empty for an aggregator.
        store: the store that it works with.
        since: when it started, seconds since 1970.
        idle_since: since when it has had nothing to do; None while it trains.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    role: Literal["worker", "aggregator"]
    host: str = socket.gethostname()
    device: str = ""
    store: str
    since: float
    idle_since: float | None = None


def announce(client: "redis.Redis", presence: Presence) -> None:
    """Say that one is there."""
    key = f"{_PREFIX}{presence.role}:{presence.name}"
    client.set(key, presence.model_dump_json(), px=int(_FORGOTTEN * 1000))


def leave(client: "redis.Redis", presence: Presence) -> None:
    """Say that one is gone."""
    client.delete(f"{_PREFIX}{presence.role}:{presence.name}")


def there(client: "redis.Redis", role: Literal["worker", "aggregator"]) -> list[Presence]:
    """Everyone of that role, by name."""
    keys = list(client.scan_iter(f"{_PREFIX}{role}:*", count=1000))
    found = []
    for text in client.mget(keys) if keys else []:
        with suppress(ValidationError):
            if text is not None:
                found.append(Presence.model_validate_json(text))
    return sorted(found, key=lambda presence: presence.name)
