"""How far workers are in shards that take long: what the training process said last, in Redis.

It is published whenever a lease is renewed, so that training never waits for Redis.
"""

from collections.abc import Iterable

import redis

from services import records
from services.leases import Lease
from services.records import Record, Seconds

_PREFIX = "memtail:phase:"
_FORGOTTEN = 60_000  # milliseconds


class Phase(Record):
    """How far the training of a shard is.

    Attributes:
        study: the study's id.
        shard: the shard's name.
        phase: "epoch 7 of 16", of the networks that are trained now.
        rate: examples a second, of all networks that train at once.
    """

    study: str
    shard: str
    phase: str
    rate: Seconds

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.phase}, {self.rate:,.0f} examples/s"


class Reporter:
    """Takes what a training process says of a shard, and publishes the last of it when told to."""

    def __init__(self, client: "redis.Redis", lease: Lease) -> None:
        self._client, self._lease = client, lease
        self._last: Phase | None = None

    def report(self, phase: str, rate: float) -> None:
        """Take note; takes no time."""
        lease = self._lease
        self._last = Phase(study=lease.study, shard=lease.shard, phase=phase, rate=rate)

    def publish(self) -> None:
        """Publish the last that was said, if anything was."""
        if self._last is not None:
            content = self._last.model_dump_json()
            self._client.set(_key(self._last.study, self._last.shard), content, px=_FORGOTTEN)


def of(client: "redis.Redis", held: Iterable[Lease]) -> dict[str, Phase]:
    """How far the shards of these leases are, by the key of the lease; those that said so."""
    found = records.under(client, f"{_PREFIX}*", Phase)
    keys = {lease.key: _key(lease.study, lease.shard) for lease in held}
    return {
        lease: found[key]
        for lease, key in keys.items()
        if key in found and _key(found[key].study, found[key].shard) == key
    }


def _key(study: str, shard: str) -> str:
    return f"{_PREFIX}{study}:{shard}"
