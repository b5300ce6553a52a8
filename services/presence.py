"""Which workers and aggregators run: each announces itself every few seconds, or is forgotten.

A worker announces itself from its event loop: one that hangs falls silent, though its process runs.
"""

import socket
from contextlib import suppress
from typing import Literal

import redis
from pydantic import BaseModel, ConfigDict, ValidationError

_PREFIX = "memtail:presence:"
BEAT = 5.0  # seconds between two announcements
_FORGOTTEN = 30.0  # seconds after the last


class Presence(BaseModel):
    """What a service announces.

    Attributes:
        name: a unique name.
        role: the kind of service.
        host: the machine, or container.
        device: "cpu", "cuda", "cuda:1"; empty for an aggregator.
        store: the store that it is connected to.
        since: when it started, seconds since 1970.
        idle_since: since when it has been idle; None while it trains.
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
    """Announce that a service runs."""
    key = f"{_PREFIX}{presence.role}:{presence.name}"
    client.set(key, presence.model_dump_json(), px=int(_FORGOTTEN * 1000))


def leave(client: "redis.Redis", presence: Presence) -> None:
    """Announce that a service has stopped."""
    client.delete(f"{_PREFIX}{presence.role}:{presence.name}")


def running(client: "redis.Redis", role: Literal["worker", "aggregator"]) -> list[Presence]:
    """The running services of a role, by name."""
    keys = list(client.scan_iter(f"{_PREFIX}{role}:*", count=1000))
    services = []
    for text in client.mget(keys) if keys else []:
        with suppress(ValidationError):
            if text is not None:
                services.append(Presence.model_validate_json(text))
    return sorted(services, key=lambda presence: presence.name)
