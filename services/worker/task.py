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
from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.running import trials
from memtail_core.running.execution import ShardDone
from memtail_core.settings import settings
from memtail_core.study import Study
from services import leases, orders, pace, unrecorded
from services.leases import Lease
from services.pace import Stored
from services.queue import TASK, app, queue_of
from services.worker.state import WorkerState

log = get_task_logger(__name__)


@app.task(name=TASK, bind=True)  # type: ignore[untyped-decorator]
def train(self: Any, study_id: str, first: int, last: int, attempt: int) -> str:
    """Train the shard [first, last) of a study; return what became of it, for the log.

    The worker takes the lease before it reads anything, and records a failure before the lease
    ends. So the aggregator learns of every attempt, even of one whose process was killed. It is the
    aggregator that enqueues the next attempt: a worker holds no task that is due later.
    """
    state, shard = worker_state(), Shard(first, last)
    lease = Lease(
        study=study_id,
        shard=shard.name,
        worker=self.request.hostname,
        attempt=attempt,
        task=self.request.id,
        since=time.time(),
    )
    with leases.held(state.client, lease, state.settings.lease) as is_ours:
        if not is_ours:
            return "another worker trains it"
        try:
            return _train(state, lease, shard, self.request.delivery_info["routing_key"])
        except Exception as error:
            state.clear()  # the data and the engine may be half-made
            _record(state, lease, shard, error)
            return "failed"


def _train(state: WorkerState, lease: Lease, shard: Shard, queue: str) -> str:
    study = state.study(lease.study)
    order = orders.read(state.store, study)
    is_ordered = order is not None and not order.cancelled and queue == queue_of(order.device)
    if order is None or not is_ordered or not state.progress(study).is_wanted(shard):
        with suppress(redis.RedisError):
            leases.give_back(state.client, [lease])
        return "no longer wanted"
    if trials.is_whole(state.store, study, shard):
        return "stored before"
    done = state.trainer(study, order).train(shard)
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


def _report_pace(state: WorkerState, study: Study, worker: str, done: ShardDone) -> None:
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
