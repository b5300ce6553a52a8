"""Enqueues the shards that are missing and that no worker has, and counts attempts that got lost.

A lost Redis, a lost worker, a lost message: each ends as a shard that is missing and that nobody
trains. Redis gives hints only; a wrong one costs a duplicate task, which does no harm.
"""

import logging
import time
from dataclasses import dataclass, field

from memtail_core.catalogue import Progress, failures
from memtail_core.catalogue.failures import Failure
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.study import Study
from services import broker, leases, unrecorded
from services.leases import Lease
from services.orders import Device
from services.queue import MOST_QUEUED, enqueue, queue_of, task_name
from services.status import StudyStatus
from services.submission import Cluster

log = logging.getLogger(__name__)

_VANISHED = (
    "the task disappeared from the queue and no worker reported why: check that all workers run "
    "the same version of memtail"
)
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0  # seconds


def backoff(attempt: int) -> float:
    """Seconds from a failed attempt to the next: 2, 4, 8, … and at most 60."""
    return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(attempt - 1, 10))


@dataclass
class _Memory:
    """What the reconciler remembers of a study from one look to the next.

    Attributes:
        leases: by shard, those that were held.
        unqueued: shards that were missing and that neither a worker nor the queue had.
        enqueued: by shard, the attempt that was enqueued here; until something is heard of it.
        progress: at the last look.
        due: by shard and failed attempt, when the next one is due. By this machine's clock: those
            of the workers may be wrong.
    """

    leases: dict[str, Lease] = field(default_factory=dict)
    unqueued: set[Shard] = field(default_factory=set)
    enqueued: dict[Shard, int] = field(default_factory=dict)
    progress: Progress | None = None
    due: dict[tuple[Shard, int], float] = field(default_factory=dict)


class Reconciler:
    """Looks at one study at a time, again and again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._memories: dict[str, _Memory] = {}
        self._run_id = ""
        self._blind_until = 0.0

    def look(self, study: Study) -> StudyStatus:
        """Look once, and enqueue what nobody has; return the study's status."""
        client = self._cluster.client
        self._notice_restart()
        # Leases first: a worker stores its shard, or its failure, before it ends the lease.
        held = {lease.shard: lease for lease in leases.current(client, study.id)}
        self._record_what_workers_could_not(study)
        memory = self._memories.setdefault(study.id, _Memory())
        before = memory.progress
        if before is not None and before.is_complete:  # the publisher may set shards aside
            before = None
        now = StudyStatus.of(self._cluster.store, study, before=before)
        memory.progress = now.progress
        if now.order is None or time.monotonic() < self._blind_until:
            return now
        free = [shard for shard in now.to_train if shard.name not in held]
        for shard in free:
            last = memory.leases.get(shard.name)
            if last is not None and self._is_lost(last, shard, now):
                reason = f"the worker {last.worker} was lost while it trained this shard"
                self._record(study, shard, last.attempt, reason, last.worker)
                if last.attempt < self._cluster.settings.most_attempts:
                    self._enqueue(study, shard, now.order.device, last.attempt + 1)
        memory.leases, still_free = held, set(free)
        memory.enqueued = {
            shard: attempt
            for shard, attempt in memory.enqueued.items()
            if shard in still_free and attempt > now.progress.last_attempt(shard)
        }
        unqueued, n_queued = self._unqueued(study, free, now) if free else (set(), 0)
        # Twice in a row: a task that a worker has just taken is neither in the queue nor leased.
        forgotten, memory.unqueued = unqueued & memory.unqueued, unqueued - memory.unqueued
        at_once = sorted(forgotten)[: max(0, MOST_QUEUED - n_queued)]
        memory.unqueued |= forgotten.difference(at_once)
        for shard in at_once:
            attempt = now.progress.last_attempt(shard) + 1
            if memory.enqueued.get(shard) == attempt:
                self._record(study, shard, attempt, _VANISHED, "unknown")
            else:
                log.info("%s: enqueuing %s, attempt %d", study.id, shard.name, attempt)
                self._enqueue(study, shard, now.order.device, attempt)
        return now

    def forget(self, study: Study) -> None:
        """Forget a study that is complete, or no longer wanted."""
        self._memories.pop(study.id, None)

    def _notice_restart(self) -> None:
        """After a restart of Redis, let its workers take their leases again before judging."""
        run_id = broker.run_id(self._cluster.client)
        if self._run_id and run_id != self._run_id:
            log.warning("Redis was restarted; waiting for the workers to report")
            self._blind_until = time.monotonic() + self._cluster.settings.lease
            self._memories.clear()
        self._run_id = run_id

    def _record_what_workers_could_not(self, study: Study) -> None:
        """Record the failures of workers that did not reach the store."""
        store, client = self._cluster.store, self._cluster.client
        waiting, n_entries = unrecorded.waiting(client, study.id)
        for failure in waiting:
            shard = shards.named(study, failure.shard)
            if shard and failures.last_attempt(store, study.id, shard) < failure.attempt:
                failures.record(store, study.id, failure)
        if n_entries:
            unrecorded.remove(client, study.id, n_entries)

    def _is_lost(self, lease: Lease, shard: Shard, now: StudyStatus) -> bool:
        """Whether a lease ran out, and was neither given back nor followed by a failure."""
        is_known = now.progress.last_attempt(shard) >= lease.attempt
        return not is_known and not leases.was_given_back(self._cluster.client, lease)

    def _unqueued(
        self, study: Study, free: list[Shard], now: StudyStatus
    ) -> tuple[set[Shard], int]:
        """The free shards that are due and that the queue does not have; how many it has."""
        assert now.order is not None
        memory, clock = self._memories[study.id], time.monotonic()
        queued = broker.waiting(self._cluster.client, queue_of(now.order.device))
        names = {task.rpartition("/")[0] for task in queued}
        tried = {shard: now.progress.last_attempt(shard) for shard in free}
        memory.due = {
            (shard, n): memory.due.get((shard, n), clock + backoff(n))
            for shard, n in tried.items()
            if n
        }
        unqueued = {
            shard
            for shard, n in tried.items()
            if task_name(study, shard) not in names
            and (shard in memory.enqueued or clock >= memory.due.get((shard, n), clock))
        }
        return unqueued, sum(name.startswith(f"{study.id}/") for name in names)

    def _record(self, study: Study, shard: Shard, attempt: int, reason: str, worker: str) -> None:
        """Record an attempt that nobody else recorded."""
        log.warning("%s: %s, attempt %d: %s", study.id, shard.name, attempt, reason)
        is_last = attempt >= self._cluster.settings.most_attempts
        failure = Failure(
            shard=shard.name,
            attempt=attempt,
            kind="last" if is_last else "machine",
            reason=reason,
            worker=worker,
            when=time.time(),
        )
        failures.record(self._cluster.store, study.id, failure)

    def _enqueue(self, study: Study, shard: Shard, device: Device, attempt: int) -> None:
        enqueue(study, shard, device, attempt)
        self._memories[study.id].enqueued[shard] = attempt
