"""Which workers and aggregators run: each announces itself every few seconds, or is forgotten.

A worker announces itself from its event loop: one that hangs falls silent, though its process runs.
"""

import socket
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import redis

from services import records
from services.records import Record, Seconds

_PREFIX = "memtail:presence:"
BEAT = 5.0  # seconds between two announcements
_FORGOTTEN = 30.0  # seconds after the last


class Presence(Record):
    """What a service announces.

    Attributes:
        name: a unique name.
        role: the kind of service.
        host: the machine, or container.
        device: "cpu", "cuda", "cuda:1"; empty for an aggregator.
        store: the store that it is connected to.
        since: when it started, seconds since 1970.
        idle_since: since when it has been idle; None while it trains.
        version: of memtail; empty if an older one does not say.
    """

    name: str
    role: Literal["worker", "aggregator"]
    host: str = socket.gethostname()
    device: str = ""
    store: str
    since: Seconds
    idle_since: Seconds | None = None
    version: str = ""


def version_here() -> str:
    """The version of memtail that runs here."""
    try:
        return version("memtail")
    except PackageNotFoundError:  # from its source, not installed
        return "unknown"


def announce(client: "redis.Redis", presence: Presence) -> None:
    """Announce that a service runs."""
    client.set(_key(presence), presence.model_dump_json(), px=int(_FORGOTTEN * 1000))


def leave(client: "redis.Redis", presence: Presence) -> None:
    """Announce that a service has stopped."""
    client.delete(_key(presence))


def running(client: "redis.Redis", role: Literal["worker", "aggregator"]) -> list[Presence]:
    """The running services of a role, by name."""
    found = records.under(client, f"{_PREFIX}{role}:*", Presence)
    services = (presence for key, presence in found.items() if _key(presence) == key)
    return sorted(services, key=lambda presence: presence.name)


def _key(presence: Presence) -> str:
    return f"{_PREFIX}{presence.role}:{presence.name}"
