"""Lets studies grow until a rule (``memtail submit --until``) says that they have enough models."""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from memtail_core.errors import MemtailError
from memtail_core.experiments import results
from memtail_core.experiments.stopping.rules import parse
from memtail_core.experiments.stopping.watch import Watch
from memtail_core.study import Study
from services import growth, presence
from services.aggregator.verified import load_verified
from services.orders import Order
from services.queue import queue_of
from services.status import StudyStatus
from services.submission import Cluster

log = logging.getLogger(__name__)

_AGAIN = 60.0  # seconds after a look that failed


class Grower:
    """Looks at one study at a time, beside the loop that looks after the shards."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="grower")
        self._under_way: Future[None] | None = None
        self._watches: dict[tuple[str, Order], Watch] = {}
        self._failed_until: dict[str, float] = {}

    def consider(self, study: Study, now: StudyStatus) -> bool:
        """Start to look if it is time; return whether it is decided that the models are enough."""
        if not now.is_open or now.order is None:
            return True
        is_free = self._under_way is None or self._under_way.done()
        if is_free and time.monotonic() >= self._failed_until.get(study.id, 0.0):
            self._under_way = self._thread.submit(self._look, study, now, now.order)
        return False

    def close(self, *, wait: bool = False) -> None:
        """End, by default without waiting: whoever looks next decides the same."""
        self._thread.shutdown(wait=wait, cancel_futures=not wait)

    def _look(self, study: Study, now: StudyStatus, order: Order) -> None:
        """Ask the rules about the stored models; keep why they are enough, or let it grow."""
        store, n_planned = self._cluster.store, now.progress.n_planned
        try:
            loaded, damaged = load_verified(self._cluster, study)
            if damaged:  # they are trained again first
                return
            watch = self._watch(study, order)
            is_enough = watch.enough(loaded.taken(np.flatnonzero(loaded.trials < n_planned)))
            if is_enough or growth.is_at_most(order, n_planned):
                results.keep(store, study, watch.history(loaded, is_late=False))
                self._watches.pop((study.id, order), None)
                reason = "a rule is met" if is_enough else "no rule is met, but it may not grow"
                log.info("%s: %d models; %s", study.id, len(loaded), reason)
                return
            workers = presence.running(self._cluster.client, "worker")
            mine = sum(queue_of(each.device) == queue_of(order.device) for each in workers)
            goal = growth.grow(store, study, order, n_planned, mine)
            log.info("%s: %d models are not enough; growing to %d", study.id, len(loaded), goal)
        except Exception as error:
            self._failed_until[study.id] = time.monotonic() + _AGAIN
            trace = None if isinstance(error, MemtailError) else error
            log.warning("%s: cannot ask its rules: %s", study.id, error, exc_info=trace)

    def _watch(self, study: Study, order: Order) -> Watch:
        """The rules, with the looks that were made here."""
        key = (study.id, order)
        if key not in self._watches:
            self._watches[key] = Watch(study, [parse(rule) for rule in order.until], lambda _: None)
        return self._watches[key]
