"""Where a submitted study stands: what is stored, running, waiting and failed."""

from dataclasses import dataclass
from typing import Any, Literal

import redis

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Kind
from memtail_core.catalogue.stored import stored_shards
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from services import leases, orders, pace, presence
from services.leases import Lease
from services.orders import Order
from services.pace import Pace
from services.queue import queue_of

State = Literal["complete", "running", "waiting", "stopped", "cancelled", "failed", "not submitted"]


@dataclass(frozen=True)
class Standing:
    """What the store alone knows; nothing of it is lost with Redis.

    Attributes:
        order: what was asked of the cluster, if anything.
        planned, stored: shards, ascending.
        attempts: attempts that failed, by shard.
        failed: shards that are not tried again.
        is_stopped: whether the study's own code, recipe or data failed, so that none is tried.
    """

    order: Order | None
    planned: list[Shard]
    stored: list[Shard]
    attempts: dict[Shard, list[tuple[int, Kind]]]
    failed: list[Shard]
    is_stopped: bool

    @property
    def missing(self) -> list[Shard]:
        """The shards that are yet to be trained; none once the study is stopped."""
        if self.is_stopped or self.order is None or self.order.cancelled:
            return []
        done = {*self.stored, *self.failed}
        return [shard for shard in self.planned if shard not in done]

    @property
    def is_complete(self) -> bool:
        """Whether every planned shard is stored."""
        return bool(self.planned) and not set(self.planned) - set(self.stored)


def standing(store: ObjectStore, study: Study) -> Standing:
    """Ask the store."""
    planned = shards.planned(study, catalogue.goal(store, study))
    stored = stored_shards(store, study)
    attempts = failures.attempts(store, study)
    missing = set(planned) - set(stored)
    open_ = {shard: each for shard, each in attempts.items() if shard in missing}
    is_stopped = any(kind == "study" for each in open_.values() for _, kind in each)
    failed = [shard for shard, each in open_.items() if each[-1][1] != "machine"]
    order = orders.read(store, study)
    return Standing(order, planned, stored, attempts, sorted(failed), is_stopped)


@dataclass(frozen=True)
class Survey:
    """A study's standing, and what Redis knows beside: who is at work, and how fast.

    Attributes:
        standing: from the store.
        running: who trains which shard.
        pace: of the last shards, if any were stored by workers.
        workers: how many there are for the study's kind of device.
    """

    study: Study
    standing: Standing
    running: list[Lease]
    pace: Pace | None
    workers: int

    @property
    def waiting(self) -> int:
        """Shards that nobody trains yet."""
        under_way = {lease.shard for lease in self.running}
        return sum(shard.name not in under_way for shard in self.standing.missing)

    @property
    def state(self) -> State:
        """In one word."""
        now = self.standing
        if now.is_complete:
            return "complete"
        if now.order is None:
            return "not submitted"
        if now.order.cancelled:
            return "cancelled"
        if now.is_stopped:
            return "stopped"
        if self.running:
            return "running"
        return "waiting" if now.missing else "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless someone asks for it."""
        return self.state in ("complete", "cancelled", "stopped", "failed", "not submitted")

    @property
    def seconds_left(self) -> float | None:
        """What the missing models take at this pace; None where that is not known."""
        if self.pace is None or not self.running:
            return None
        models = len(self.standing.missing) * self.study.shard_size
        return 3600 * models / self.pace.models_per_hour

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers of models, not of shards."""
        size, now = self.study.shard_size, self.standing
        pace_ = self.pace
        return {
            "id": self.study.id,
            "state": self.state,
            "models": len(now.planned) * size,
            "stored": len(set(now.stored) & set(now.planned)) * size,
            "running": len(self.running) * size,
            "waiting": self.waiting * size,
            "failed": len(now.failed) * size,
            "device": now.order.device if now.order else None,
            "workers": self.workers,
            "models_per_hour": pace_.models_per_hour if pace_ else None,
            "seconds_left": self.seconds_left,
            "accuracy": pace_.accuracy if pace_ else None,
            "at_work": [lease.model_dump() for lease in self.running],
        }


def survey(store: ObjectStore, client: "redis.Redis", study: Study) -> Survey:
    """Look at a study once."""
    now = standing(store, study)
    done = {shard.name for shard in now.stored}
    running = [lease for lease in leases.current(client, study.id) if lease.shard not in done]
    queue = queue_of(now.order.device) if now.order else None
    workers = sum(queue_of(each.device) == queue for each in presence.there(client, "worker"))
    return Survey(study, now, running, pace.recent(client, study.id, max(1, len(running))), workers)
