"""Publishes reports while shards arrive, now and then, and the final one when all are there.

Two aggregators may publish at once: a report whose files do not agree with its manifest, because
they were written by two or by one that was killed, is published again.
"""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor

from memtail_core import catalogue, report
from memtail_core.analysis import analyse
from memtail_core.catalogue import reports
from memtail_core.errors import MemtailError
from memtail_core.experiments.stopping.intervals import as_stopped
from memtail_core.running import trials
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.submission import Cluster
from services.survey import Standing

log = logging.getLogger(__name__)

_AGAIN = 60.0  # seconds after a report that could not be made
_SHARE = 0.05  # of the time, at the most, is spent on provisional reports


class Publisher:
    """Publishes one report at a time, beside the loop that looks after the shards."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publisher")
        self._under_way: Future[None] | None = None
        self._told: dict[str, int] = {}  # study → shards in its last report from here
        self._not_before: dict[str, float] = {}
        self._failed_until: dict[str, float] = {}

    def consider(self, study: Study, now: Standing) -> bool:
        """Publish if it is time to; return whether the final report is there and whole."""
        if self._under_way and not self._under_way.done():
            return False
        if study.is_experiment:  # its models are read by whoever asked for the experiment
            return now.is_complete
        n_stored = len(set(now.stored) & set(now.planned))
        if now.is_complete and n_stored:
            manifest = reports.whole(self._cluster.store, study)
            if manifest and manifest.trials == len(now.stored) * study.shard_size:
                return True
            if time.monotonic() < self._failed_until.get(study.id, 0.0):
                return False
        elif (
            n_stored == self._told.get(study.id, 0)
            or now.order is None
            or time.monotonic() < self._not_before.setdefault(study.id, self._next(0.0))
        ):
            return False
        if n_stored:
            self._under_way = self._thread.submit(self._publish, study, now)
        return False

    def close(self) -> None:
        """Do not wait for what is under way: nothing is half-published that is not noticed."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _publish(self, study: Study, now: Standing) -> None:
        """Load, estimate, publish; what is damaged is set aside, and so trained again."""
        begun = time.monotonic()
        store = self._cluster.store
        try:
            loaded, damaged = trials.load(store, study, set_aside=True)
            for each in damaged:
                log.warning("%s: %s was damaged (%s); set aside", study.id, each.shard, each.reason)
            if len(loaded) and not (damaged and now.is_complete):  # then they are trained first
                dataset = catalogue.load_dataset(
                    store, study, FilesStore(self._cluster.settings.cache)
                )
                goal = catalogue.goal(store, study)
                found = analyse(study, dataset, loaded, goal)
                report.publish(store, as_stopped(store, found))
                kind = "final" if now.is_complete else "provisional"
                log.info("%s: published a %s report of %d models", study.id, kind, len(loaded))
        except Exception as error:
            self._failed_until[study.id] = time.monotonic() + _AGAIN
            trace = None if isinstance(error, MemtailError) else error
            log.warning("%s: no report: %s", study.id, error, exc_info=trace)
        finally:
            self._not_before[study.id] = self._next(time.monotonic() - begun)
            self._told[study.id] = len(set(now.stored) & set(now.planned))

    def _next(self, taken: float) -> float:
        """When a provisional report is due, after one that took so long."""
        return time.monotonic() + max(self._cluster.settings.publish_every, taken / _SHARE)
