"""Enqueues again the shards that are neither stored nor running, whatever became of their tasks.

A lost Redis, a lost worker, a lost message: each ends as a shard that is missing and that nobody
trains. What is seen here is a hint at worst, since training a shard twice does no harm.
"""

import logging
import time

from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure
from memtail_core.plan.shards import Shard
from memtail_core.study import Study
from services import broker, leases
from services.leases import Lease
from services.queue import backoff, enqueue, queue_of, task_name
from services.submission import Cluster
from services.survey import Standing, standing

log = logging.getLogger(__name__)


class Reconciler:
    """Looks at one study at a time, again and again; remembers who was training."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._seen: dict[str, dict[str, Lease]] = {}  # study → shard → its last lease
        self._astray: dict[str, set[Shard]] = {}  # study → what no one had, at the last look
        self._run_id = ""
        self._blind_until = 0.0

    def look(self, study: Study) -> Standing:
        """Look once, and enqueue what is lost; return where the study stands."""
        client = self._cluster.client
        self._notice_restart()
        # Leases first: a worker stores its shard, or its failure, before it ends the lease.
        held = {lease.shard: lease for lease in leases.current(client, study.id)}
        now = standing(self._cluster.store, study)
        if now.order is None or time.monotonic() < self._blind_until:
            return now
        free = [shard for shard in now.missing if shard.name not in held]
        seen = self._seen.get(study.id, {})
        lost = [s for s in free if s.name in seen and self._is_lost(seen[s.name], s, now)]
        for shard in lost:
            self._record_loss(study, shard, seen[shard.name], now)
        self._seen[study.id] = held
        queued = broker.waiting(client, queue_of(now.order.device)) if free else set()
        names = {task.rpartition("/")[0] for task in queued}
        astray = {
            shard
            for shard in free
            if task_name(study, shard) not in names and not self._is_retried_soon(study, shard, now)
        }
        # Twice in a row: a task that a worker has just taken is neither in the queue nor leased.
        forgotten = astray & self._astray.get(study.id, set())
        self._astray[study.id] = astray - forgotten
        if forgotten:
            log.info("%s: enqueuing %d shards that no one has", study.id, len(forgotten))
        for shard in sorted(forgotten):
            enqueue(study, shard, now.order.device, _tried(now, shard) + 1)
        return now

    def forget(self, study: Study) -> None:
        """The study is complete, or no longer wanted."""
        self._seen.pop(study.id, None)
        self._astray.pop(study.id, None)

    def _notice_restart(self) -> None:
        """After a restart of Redis, let its workers take their leases anew before judging."""
        run_id = broker.run_id(self._cluster.client)
        if self._run_id and run_id != self._run_id:
            log.warning("Redis was restarted; waiting for the workers to report")
            self._blind_until = time.monotonic() + self._cluster.settings.lease
            self._seen.clear()
        self._run_id = run_id

    def _is_lost(self, lease: Lease, shard: Shard, now: Standing) -> bool:
        """Whether a lease ran out, and was neither given back nor followed by a failure."""
        is_known = _tried(now, shard) >= lease.attempt
        return not is_known and not leases.was_given_back(self._cluster.client, lease)

    def _record_loss(self, study: Study, shard: Shard, lease: Lease, now: Standing) -> None:
        """Count the attempt, and enqueue the next unless there were too many."""
        log.warning("%s: %s was lost while it trained %s", study.id, lease.worker, shard.name)
        is_last = lease.attempt >= self._cluster.settings.most_attempts
        failure = Failure(
            shard=shard.name,
            attempt=lease.attempt,
            kind="last" if is_last else "machine",
            reason=f"the worker {lease.worker} was lost while it trained this shard",
            worker=lease.worker,
            when=time.time(),
        )
        failures.record(self._cluster.store, study, failure)
        if now.order is not None and not is_last:
            enqueue(study, shard, now.order.device, lease.attempt + 1)

    def _is_retried_soon(self, study: Study, shard: Shard, now: Standing) -> bool:
        """Whether a worker holds the task until some time after its last failure."""
        if not now.attempts.get(shard):
            return False
        last = failures.read(self._cluster.store, study, shard)
        if not last:
            return False
        wait = backoff(last[-1].attempt) + 2 * self._cluster.settings.scan
        return time.time() < last[-1].when + wait


def _tried(now: Standing, shard: Shard) -> int:
    """The last attempt at a shard that failed, 0 if none did."""
    return max((attempt for attempt, _ in now.attempts.get(shard, [])), default=0)
