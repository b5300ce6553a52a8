"""What users ask of the cluster: submit a study, cancel it, retry what failed.

Each request is written to the store. Enqueuing tasks at once only saves time: the aggregator would
enqueue them a few seconds later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import redis

from memtail_core import catalogue
from memtail_core.catalogue import Progress, failures
from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.plan.shards import Shard
from memtail_core.running import model_cost
from memtail_core.settings import Settings
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from services import broker, growth, leases, orders, presence
from services.orders import Device, Order
from services.queue import MOST_QUEUED, app, enqueue, queue_of
from services.status import StudyStatus


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
        goal: the trials wanted then; more than asked for if more were wanted before.
        models, stored: how many models it will have, and how many are stored.
        shards: how many are to be trained.
        device: the kind of device that trains them.
        workers: how many workers have such a device.
        failed: shards that failed and wait for a retry; all, if the study is stopped.
        elsewhere: other stores that workers are connected to.
        store_bytes: what the missing models add to the store.
        seconds: what training them takes these workers; None where that is not known yet.
    """

    study: str
    goal: int
    models: int
    stored: int
    shards: int
    device: Device
    workers: int
    failed: int
    elsewhere: tuple[str, ...]
    store_bytes: int
    seconds: float | None


def plan(
    cluster: Cluster,
    study: Study,
    trials: int,
    order: Order,
    *,
    may_shrink: bool = False,
    now: Progress | None = None,
) -> Plan:
    """Say what submitting ``trials`` trials would do, and do nothing; ``now``: its progress."""
    now = now or Progress.of(cluster.store, study)
    goal = trials if may_shrink else max(trials, now.goal)
    wanted = replace(now, goal=goal)
    queue = queue_of(order.device)
    everyone = presence.running(cluster.client, "worker")
    workers = sum(queue_of(each.device) == queue for each in everyone)
    here = cluster.store.location
    each = model_cost.seconds_per_model(cluster.store, study, now.stored)
    n_shards = len(wanted.missing)
    return Plan(
        study=study.id,
        goal=goal,
        models=wanted.n_planned,
        stored=wanted.n_planned - wanted.n_missing,
        shards=n_shards,
        device=order.device,
        workers=workers,
        failed=n_shards if now.is_stopped else len(now.failed),
        elsewhere=tuple(sorted({e.store for e in everyone if e.store.rstrip("/") != here})),
        store_bytes=model_cost.store_bytes(study, n_shards),
        seconds=None if each is None or not workers else each * wanted.n_missing / workers,
    )


def order_for(
    cluster: Cluster,
    study: Study,
    device: Device | None,
    stack: int | None,
    until: Sequence[str] = (),
    most: int | None = None,
) -> Order:
    """The order for what the user asked; what is None stays as it was ordered before.

    A first order without a device is for GPUs if a worker has one, else for CPUs. ``until`` and
    ``most`` are those of this order alone.
    """
    before = orders.read(cluster.store, study)
    growing = {"until": tuple(until), "most": most if until else None}
    if before is not None:
        return Order(device=device or before.device, stack=stack or before.stack, **growing)
    kinds = {each.device.partition(":")[0] for each in presence.running(cluster.client, "worker")}
    return Order(device=device or ("cuda" if "cuda" in kinds else "cpu"), stack=stack, **growing)


def first_goal(cluster: Cluster, study: Study, order: Order, now: Progress) -> int:
    """How many models to submit of a study that is to grow until a rule is met."""
    everyone = presence.running(cluster.client, "worker")
    workers = sum(queue_of(each.device) == queue_of(order.device) for each in everyone)
    return growth.first_goal(study, order, now.n_without_gap, workers)


def submit(
    cluster: Cluster,
    study: Study,
    dataset: Dataset,
    trials: int,
    order: Order,
    *,
    may_shrink: bool = False,
    now: Progress | None = None,
) -> int:
    """Register the study and enqueue what is missing; return how many shards were enqueued.

    Submitting again is safe: it continues or grows the study, or takes back a cancellation. It
    shrinks a study only where ``may_shrink`` says so. ``now``: its progress just before.

    Raises:
        TrainingError: the order does not suit the recipe.
        StoreError, BrokerError: one of them cannot be reached.
    """
    if order.stack is not None:
        from memtail_core.running import tuning  # imports torch, which takes seconds

        tuning.check(study, order.stack)
    before = StudyStatus.of(cluster.store, study, before=now)
    catalogue.register(
        cluster.store,
        study,
        dataset,
        trials,
        verify=bool(before.failed),
        may_shrink=may_shrink,
        stored=before.progress.stored,
    )
    orders.place(cluster.store, study, order)
    after = StudyStatus.of(cluster.store, study, before=before.progress)
    broker.announce_submission(cluster.client, study.id)
    is_watched = bool(presence.running(cluster.client, "aggregator"))
    is_same = before.order == order and is_watched  # what was missing before is enqueued
    under_way = {lease.shard for lease in leases.current(cluster.client, study.id)}
    new = set(after.to_train) - set(before.to_train * is_same)
    free = sorted(shard for shard in new if shard.name not in under_way)
    return _enqueue(study, order, free, is_watched)


def cancel(cluster: Cluster, study: Study) -> int:
    """Stop training the study; return how many shards were under way.

    What is stored stays, but for the checkpoints of what was under way.
    """
    order = _order(cluster, study)
    orders.place(cluster.store, study, order.model_copy(update={"cancelled": True}))
    broker.announce_submission(cluster.client, study.id)
    under_way = leases.current(cluster.client, study.id)
    if under_way:
        app.control.revoke([lease.task for lease in under_way], terminate=True, signal="SIGTERM")
        leases.give_back(cluster.client, under_way)
    catalogue.leftovers.remove_checkpoints(cluster.store, study)
    return len(under_way)


def retry(cluster: Cluster, study: Study) -> int:
    """Forget what failed and enqueue it again; return how many shards that are.

    The workers have dropped the tasks of a stopped study, so all missing shards are enqueued: also
    those with a lease, which may be that of a worker that is about to drop the task.
    """
    order = _order(cluster, study)
    if order.cancelled:
        raise StudyError(f"{study.id} was cancelled: submit it again (memtail submit)")
    progress = Progress.of(cluster.store, study)
    which = progress.missing if progress.is_stopped else progress.failed
    failures.forget(cluster.store, study, progress.attempts if progress.is_stopped else which)
    broker.announce_submission(cluster.client, study.id)
    return _enqueue(study, order, which, bool(presence.running(cluster.client, "aggregator")))


def _order(cluster: Cluster, study: Study) -> Order:
    order = orders.read(cluster.store, study)
    if order is None:
        raise StudyError(f"{study.id} was never submitted to a cluster: use memtail submit or run")
    return order


def _enqueue(study: Study, order: Order, which: Sequence[Shard], is_watched: bool) -> int:
    """Enqueue shards; no more than the queue is to have where an aggregator enqueues the rest."""
    for shard in which[:MOST_QUEUED] if is_watched else which:
        enqueue(study, shard, order.device)
    return len(which)
