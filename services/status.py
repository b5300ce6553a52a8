"""The status of a study: its progress in the store, and what Redis knows besides.

The CLI, the aggregator, the worker and the dashboard all ask here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import redis

from memtail_core.catalogue import Progress
from memtail_core.catalogue.stored import LARGE
from memtail_core.plan.shards import Shard
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from services import growth, last_errors, leases, orders, pace, presence
from services.last_errors import LastError
from services.leases import Lease
from services.orders import Order
from services.pace import Pace, Stored
from services.presence import Presence
from services.queue import queue_of

State = Literal["complete", "running", "waiting", "stopped", "cancelled", "failed", "not submitted"]


@dataclass(frozen=True)
class StudyStatus:
    """The status of a study at one moment. All but ``progress`` and ``order`` are hints of Redis.

    Attributes:
        progress: what is planned, stored, missing and failed.
        order: what the cluster was asked to train, if anything.
        at_work: the leases of the shards that are being trained.
        workers: how many workers there are for the study's kind of device.
        recent: the last shards that workers stored, the latest first.
        errors: the last error of each worker that has not stored a shard since, the latest first.
        is_open: whether all planned models are stored, and a rule (``--until``) has yet to say if
            they are enough.
    """

    progress: Progress
    order: Order | None
    at_work: tuple[Lease, ...] = ()
    workers: int = 0
    recent: tuple[Stored, ...] = ()
    errors: tuple[LastError, ...] = ()
    is_open: bool = False

    @classmethod
    def of(
        cls,
        store: ObjectStore,
        study: Study,
        held: Sequence[Lease] = (),
        there: Sequence[Presence] = (),
        recent: Sequence[Stored] = (),
        errors: Sequence[LastError] = (),
        before: Progress | None = None,
    ) -> "StudyStatus":
        """Read the study's progress, and choose what concerns it of what Redis knows.

        Args:
            store: where the study is.
            study: which.
            held: leases, of any study. Read them before calling this: a worker stores its shard
                before it ends the lease.
            there: workers, of any device.
            recent: the shards of this study that workers stored last.
            errors: of workers, at any study.
            before: its progress at an earlier look, which saves listing much of a large study.
        """
        progress, order = Progress.of(store, study, None, before), orders.read(store, study)
        mine = [each for each in held if each.study == study.id]
        stored = {shard.name for shard in progress.stored} if mine else set()
        at_work = (each for each in mine if each.shard not in stored)
        of_study = tuple(error for error in errors if error.study == study.id)
        queue = queue_of(order.device) if order else None
        workers = sum(queue_of(each.device) == queue for each in there)
        is_open = growth.is_open(store, study, order, progress)
        return cls(progress, order, tuple(at_work), workers, tuple(recent), of_study, is_open)

    @property
    def study(self) -> Study:
        """Which study."""
        return self.progress.study

    @cached_property
    def to_train(self) -> tuple[Shard, ...]:
        """The shards that the cluster is to train: none if it was not asked to, or is stopped."""
        is_ordered = self.order is not None and not self.order.cancelled
        return self.progress.to_train if is_ordered else ()

    @cached_property
    def state(self) -> State:
        """The state in one word."""
        if self.progress.is_complete and not self.is_open:
            return "complete"
        if self.order is None:
            return "not submitted"
        if self.order.cancelled:
            return "cancelled"
        if self.progress.is_stopped:
            return "stopped"
        if self.at_work:
            return "running"
        return "waiting" if self.to_train or self.is_open else "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless someone asks for it."""
        return self.state not in ("running", "waiting")

    @property
    def models(self) -> int:
        """Models planned."""
        return self.progress.n_planned

    @property
    def stored(self) -> int:
        """Models stored of those planned."""
        return self.progress.n_planned - self.progress.n_missing

    @property
    def running(self) -> int:
        """Models that are being trained."""
        return len(self.at_work) * self.study.shard_size

    @property
    def waiting(self) -> int:
        """Models that are to be trained and that no worker has."""
        held = {lease.shard for lease in self.at_work}
        return sum(shard.name not in held for shard in self.to_train) * self.study.shard_size

    @property
    def failed(self) -> int:
        """Models that are not tried again until a retry."""
        return self.progress.n_failed

    @property
    def is_large(self) -> bool:
        """Whether listing all of its shards takes long."""
        return len(self.progress.stored) >= LARGE

    @property
    def n_failures(self) -> int:
        """Failed attempts."""
        return sum(len(each) for each in self.progress.attempts.values())

    @property
    def device(self) -> str | None:
        """The kind of device that trains it."""
        return self.order.device if self.order else None

    @cached_property
    def pace(self) -> Pace | None:
        """The pace of the last shards; None before the first."""
        return pace.of(self.recent, max(1, len(self.at_work)))

    @property
    def models_per_hour(self) -> float | None:
        """The pace in models."""
        return self.pace.models_per_hour if self.pace else None

    @property
    def accuracy(self) -> dict[str, float | None] | None:
        """The mean accuracies of the last shards."""
        return self.pace.accuracy if self.pace else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds that the models to train take at this pace; None where that is not known."""
        if not self.models_per_hour or not self.at_work:
            return None
        return 3600 * len(self.to_train) * self.study.shard_size / self.models_per_hour

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers of models, not of shards."""
        return {
            "id": self.study.id,
            "state": self.state,
            "models": self.models,
            "stored": self.stored,
            "running": self.running,
            "waiting": self.waiting,
            "failed": self.failed,
            "device": self.device,
            "workers": self.workers,
            "models_per_hour": self.models_per_hour,
            "seconds_left": self.seconds_left,
            "accuracy": self.accuracy,
            "at_work": [lease.model_dump() for lease in self.at_work],
            "worker_errors": [error.model_dump(exclude={"study"}) for error in self.errors],
        }


def study_status(
    store: ObjectStore, client: "redis.Redis", study: Study, before: Progress | None = None
) -> StudyStatus:
    """Ask Redis and the store for the status of one study."""
    return StudyStatus.of(
        store,
        study,
        leases.current(client, study.id),
        presence.running(client, "worker"),
        pace.stored(client, study.id),
        last_errors.current(client, study.id),
        before,
    )


def statuses(client: "redis.Redis") -> Callable[[ObjectStore, Study], StudyStatus]:
    """Ask Redis once for what concerns all studies; return how to tell the status of each.

    The pace is asked for only where training is not over.
    """
    held, workers = leases.current(client), presence.running(client, "worker")
    errors = last_errors.current(client)

    def status(store: ObjectStore, study: Study) -> StudyStatus:
        now = StudyStatus.of(store, study, held, workers, (), errors)
        return now if now.is_over else replace(now, recent=tuple(pace.stored(client, study.id)))

    return status
