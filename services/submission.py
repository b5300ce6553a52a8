"""What a user asks of the cluster: submit a study, cancel it, retry what failed.

All of it is written into the store; the queue is only told at once what the aggregator would find
out by itself.
"""

from dataclasses import dataclass, replace

import redis

from memtail_core import catalogue
from memtail_core.catalogue import Progress, failures
from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from services import broker, leases, orders, presence
from services.orders import Device, Order
from services.queue import app, enqueue, queue_of
from services.survey import standing


@dataclass(frozen=True)
class Cluster:
    """The store, Redis and the settings that name them."""

    store: ObjectStore
    client: "redis.Redis"
    settings: Settings


@dataclass(frozen=True)
class Plan:
    """What submitting a study would do.

    Attributes:
        study: its id.
        models, stored: how many there will be, and how many are there.
        shards: to be trained.
        device: by workers with such a one.
        workers: how many of them there are.
        failed: shards that were given up, and wait for a retry; all, if the study is stopped.
        elsewhere: stores other than this one, in which workers keep studies.
        store_bytes: what the missing models add to the store.
        seconds: for all of them with these workers; None where that is not known yet.
    """

    study: str
    models: int
    stored: int
    shards: int
    device: Device
    workers: int
    failed: int
    elsewhere: tuple[str, ...]
    store_bytes: int
    seconds: float | None


def plan(cluster: Cluster, study: Study, trials: int, order: Order) -> Plan:
    """Say what submitting ``trials`` trials would do, and do nothing."""
    planned = shards.planned(study, trials)
    missing = Progress.of(cluster.store, study, trials).missing
    queue = queue_of(order.device)
    everyone = presence.there(cluster.client, "worker")
    workers = sum(queue_of(each.device) == queue for each in everyone)
    now = standing(cluster.store, study)
    here = cluster.store.location
    from memtail_core.running import cost  # imports torch, for which other commands need not wait

    each = cost.seconds_per_model(cluster.store, study)
    n_missing = len(missing) * study.shard_size
    return Plan(
        study=study.id,
        models=len(planned) * study.shard_size,
        stored=(len(planned) - len(missing)) * study.shard_size,
        shards=len(missing),
        device=order.device,
        workers=workers,
        failed=len(missing) if now.is_stopped else len(now.failed),
        elsewhere=tuple(sorted({e.store for e in everyone if e.store.rstrip("/") != here})),
        store_bytes=cost.store_bytes(study, len(missing)),
        seconds=None if each is None or not workers else each * n_missing / workers,
    )


def order_for(cluster: Cluster, study: Study, device: Device | None, stack: int | None) -> Order:
    """The order for what the user asked; where nothing was, as before.

    At first the device is a GPU if a worker has one, else the CPU.
    """
    before = orders.read(cluster.store, study)
    if before is not None:
        return Order(device=device or before.device, stack=stack or before.stack)
    kinds = {each.device.partition(":")[0] for each in presence.there(cluster.client, "worker")}
    return Order(device=device or ("cuda" if "cuda" in kinds else "cpu"), stack=stack)


def submit(cluster: Cluster, study: Study, dataset: Dataset, trials: int, order: Order) -> int:
    """Register the study and enqueue what is missing; return how many shards were.

    Submitting again is safe: it continues, grows or takes back a cancellation.

    Raises:
        TrainingError: the order does not suit the recipe.
        StoreError, BrokerError: one of them cannot be reached.
    """
    from memtail_core.running import tuning

    tuning.check(study, order.stack)
    before = standing(cluster.store, study)
    catalogue.register(cluster.store, study, dataset, trials, verify=bool(before.failed))
    orders.place(cluster.store, study, order)
    after = standing(cluster.store, study)
    broker.tell_of_submission(cluster.client)
    is_watched = bool(presence.there(cluster.client, "aggregator"))
    is_same = before.order == order and is_watched  # what was missing before is enqueued
    return _enqueue(cluster, study, order, set(after.missing) - set(before.missing * is_same))


def cancel(cluster: Cluster, study: Study) -> int:
    """Stop training the study; what is stored stays. Return how many shards were under way."""
    order = _order(cluster, study)
    orders.place(cluster.store, study, order.model_copy(update={"cancelled": True}))
    under_way = leases.current(cluster.client, study.id)
    if under_way:
        app.control.revoke([lease.task for lease in under_way], terminate=True, signal="SIGTERM")
        leases.give_back(cluster.client, under_way)
    return len(under_way)


def retry(cluster: Cluster, study: Study) -> int:
    """Forget what failed and enqueue it anew; return how many shards that are.

    The workers have let go of all the shards of a stopped study, so all of them are enqueued.
    """
    order = _order(cluster, study)
    if order.cancelled:
        raise StudyError(f"{study.id} was cancelled: submit it again instead")
    before = standing(cluster.store, study)
    after = replace(before, attempts={}, failed=[], is_stopped=False)
    which = after.missing if before.is_stopped else before.failed
    failures.forget(cluster.store, study, before.attempts if before.is_stopped else which)
    broker.tell_of_submission(cluster.client)
    return _enqueue(cluster, study, order, set(which))


def _order(cluster: Cluster, study: Study) -> Order:
    order = orders.read(cluster.store, study)
    if order is None:
        raise StudyError(f"{study.id} was never submitted: memtail submit, or memtail run")
    return order


def _enqueue(cluster: Cluster, study: Study, order: Order, which: set[Shard]) -> int:
    under_way = {lease.shard for lease in leases.current(cluster.client, study.id)}
    to_do = sorted(shard for shard in which if shard.name not in under_way)
    for shard in to_do:
        enqueue(study, shard, order.device)
    return len(to_do)
