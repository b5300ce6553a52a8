"""The Celery task of a worker: train one shard and store it, unless it is no longer wanted.

Running a task twice, or in two places at once, stores the same object twice.
"""

import signal
import time
from contextlib import suppress
from functools import cache
from typing import Any

import redis
from celery.utils.log import get_task_logger

from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure
from memtail_core.errors import MachineError, MemtailError, StoreError
from memtail_core.plan.shards import Shard
from memtail_core.running import loading
from memtail_core.running.shard_training import TrainedShard
from memtail_core.settings import settings
from memtail_core.study import Study
from services import last_errors, leases, orders, pace, presence, unrecorded
from services.last_errors import LastError
from services.leases import Lease
from services.pace import Stored
from services.phases import Reporter
from services.queue import TASK, ShardTask, app, queue_of, send
from services.worker.state import WorkerState

log = get_task_logger(__name__)


@app.task(name=TASK, bind=True)  # type: ignore[untyped-decorator]
def train(self: Any, *arguments: Any) -> str:
    """Train a shard of a study (:class:`.ShardTask`); return what became of it, for the log.

    The worker takes the lease before it reads anything, and records a failure before the lease
    ends. So the aggregator learns of every attempt, even of one whose process was killed. It is the
    aggregator that enqueues the next attempt: a worker holds no task that is due later. What this
    worker cannot train at all, and another may, is no attempt: it puts the task at the end of the
    queue, and waits a while before it takes the next.
    """
    asked = ShardTask.of(*arguments)
    if asked is None:
        return "not a task of memtail"
    state, queue = worker_state(), self.request.delivery_info["routing_key"]
    lease = Lease(
        study=asked.study,
        shard=asked.shard.name,
        worker=self.request.hostname or "unknown",
        attempt=asked.attempt,
        task=self.request.id,
        since=time.time(),
    )
    reporter = Reporter(state.client, lease)
    seconds = state.settings.lease
    with leases.held(state.client, lease, seconds, reporter.publish) as is_ours:
        if not is_ours:
            return "another worker trains it"
        try:
            return _train(state, lease, asked.shard, queue, reporter)
        except Exception as error:
            state.clear()  # the data and the engine may be half-made
            is_aside = _is_for_others(state, lease, queue, error)
            _note(state, lease, error, is_aside)
            if not is_aside:
                _record(state, lease, asked.shard, error)
                return "failed"
            with suppress(redis.RedisError):
                leases.give_back(state.client, [lease])
    send(asked, queue)
    state.pause()
    return "left to other workers"


def _is_for_others(state: WorkerState, lease: Lease, queue: str, error: Exception) -> bool:
    """Whether only this worker cannot train the study, and another is there that may."""
    if not isinstance(error, MachineError | ImportError):
        return False
    try:
        there = presence.running(state.client, "worker")
        alike = [each for each in there if queue_of(each.device) == queue]
        return bool(last_errors.others(state.client, lease.study, alike, lease.worker))
    except redis.RedisError:
        return False


def _note(state: WorkerState, lease: Lease, error: Exception, is_aside: bool) -> None:
    reason = " ".join(f"{error}".split())[:1000] or type(error).__name__
    if not isinstance(error, MemtailError):
        reason = f"{type(error).__name__}: {reason}"
    is_own = isinstance(error, MachineError | ImportError)
    noted = LastError(
        worker=lease.worker, study=lease.study, reason=reason, when=time.time(), is_aside=is_own
    )
    last_errors.note(state.client, noted)
    if is_aside:
        log.warning("%s of %s is left to other workers: %s", lease.shard, lease.study, reason)


def _train(state: WorkerState, lease: Lease, shard: Shard, queue: str, reporter: Reporter) -> str:
    study = state.study(lease.study)
    order = orders.read(state.store, study)
    is_ordered = order is not None and not order.cancelled and queue == queue_of(order.device)
    if order is None or not is_ordered or not state.demand(study).is_wanted(shard):
        with suppress(redis.RedisError):
            leases.give_back(state.client, [lease])
        return "no longer wanted"
    if loading.is_whole(state.store, study, shard):
        return "stored before"
    done = state.trainer(study, order).train(shard, reporter.report)
    last_errors.clear(state.client, lease.worker, study.id)
    _report_pace(state, study, lease.worker, done)
    return f"stored, {done.seconds:.1f} s"


def _record(state: WorkerState, lease: Lease, shard: Shard, error: Exception) -> None:
    """Record the failed attempt in the store, or leave it in Redis if the store is what failed.

    A task may be a duplicate, enqueued as an earlier attempt: what the store has counts too.
    """
    most = state.settings.most_attempts
    try:
        if not state.has(lease.study):
            raise StoreError(f"{state.store.location} does not have {lease.study}")
        attempt = max(lease.attempt, failures.last_attempt(state.store, lease.study, shard) + 1)
        failure = Failure.of(error, shard, attempt, most, lease.worker)
        failures.record(state.store, lease.study, failure)
    except StoreError:
        failure = Failure.of(error, shard, lease.attempt, most, lease.worker)
        with suppress(redis.RedisError):
            unrecorded.leave(state.client, lease.study, failure)
    log.warning(
        "%s of %s, attempt %d: %s", shard.name, lease.study, failure.attempt, failure.reason
    )


def _report_pace(state: WorkerState, study: Study, worker: str, done: TrainedShard) -> None:
    """Report the pace; the shard is stored, whether or not this succeeds."""
    stored = Stored(
        worker=worker,
        when=time.time(),
        seconds=done.seconds,
        models=study.shard_size,
        accuracy=done.accuracy,
    )
    with suppress(redis.RedisError):
        pace.report(state.client, study.id, stored)


@cache
def worker_state() -> WorkerState:
    """The state of this process, which SIGTERM ends at once, whatever a study's code does."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return WorkerState(settings())
