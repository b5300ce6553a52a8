"""One task: train one shard and store it, unless that is done, under way or no longer wanted.

Running it twice, or in two places at once, stores the same object twice.
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
from memtail_core.running import loading
from memtail_core.running.shard_training import TrainedShard
from memtail_core.settings import settings
from memtail_core.study import Study
from services import leases, orders, pace
from services.leases import Lease
from services.orders import Order
from services.pace import Stored
from services.queue import TASK, app, backoff, queue_of
from services.worker.bench import Bench

log = get_task_logger(__name__)


@app.task(name=TASK, bind=True, max_retries=None)  # type: ignore[untyped-decorator]
def train(self: Any, study_id: str, first: int, last: int, attempt: int) -> str:
    """Train the shard [first, last) of a study; return what became of it, for the log.

    What fails for reasons outside the study is tried again, later each time, up to a cap; an error
    of the study's own is recorded and not tried again.
    """
    bench, shard, worker = _bench(), Shard(first, last), self.request.hostname
    queue = self.request.delivery_info["routing_key"]
    try:
        study = bench.study(study_id)
        order = orders.read(bench.store, study)
        if order is None or order.cancelled or queue != queue_of(order.device):
            return "no longer wanted"
        if shard not in bench.wanted(study):
            return "no longer wanted"
        if loading.is_whole(bench.store, study, shard):
            return "stored before"
        return _train(bench, study, order, shard, attempt, worker, self.request.id)
    except Exception as error:
        bench.clear()  # what failed may be half-made
        failure = Failure.of(error, shard, attempt, bench.settings.most_attempts, worker)
        log.warning("%s of %s, attempt %d: %s", shard.name, study_id, attempt, failure.reason)
        if failure.kind != "machine":
            return "failed"
        again = (study_id, first, last, attempt + 1)
        raise self.retry(args=again, countdown=backoff(attempt)) from error


def _train(
    bench: Bench, study: Study, order: Order, shard: Shard, attempt: int, worker: str, task: str
) -> str:
    """Train the shard under a lease."""
    lease = Lease(
        study=study.id,
        shard=shard.name,
        worker=worker,
        attempt=attempt,
        task=task,
        since=time.time(),
    )
    with leases.held(bench.client, lease, bench.settings.lease) as is_ours:
        if not is_ours:
            return "another worker trains it"
        try:
            done = bench.trainer(study, order).train(shard)
        except Exception as error:  # recorded before the lease ends, so that it is not a loss
            most = bench.settings.most_attempts
            with suppress(StoreError):  # the store may be what failed
                failures.record(bench.store, study, Failure.of(error, shard, attempt, most, worker))
            raise
        _tell(bench, study, worker, done)
    return f"stored, {done.seconds:.1f} s"


def _tell(bench: Bench, study: Study, worker: str, done: TrainedShard) -> None:
    """Report the pace; the shard is stored, whether or not anyone hears of it."""
    stored = Stored(
        worker=worker,
        when=time.time(),
        seconds=done.seconds,
        models=study.shard_size,
        accuracy=done.accuracy,
    )
    with suppress(redis.RedisError):
        pace.report(bench.client, study.id, stored)


@cache
def _bench() -> Bench:
    """This process's; told to end, it ends at once, and no study's code hears of it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return Bench(settings())
