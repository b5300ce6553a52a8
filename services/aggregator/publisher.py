"""Publishes provisional reports while shards arrive, and the final one when all are stored.

Two aggregators may publish at once, and one may be killed in between. A report whose files do not
agree with its manifest is published again.
"""

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor

from memtail_core import catalogue
from memtail_core.analysis import analyse
from memtail_core.analysis.measuring import with_values
from memtail_core.catalogue import reports
from memtail_core.errors import MemtailError
from memtail_core.experiments.stopping.intervals import as_stopped
from memtail_core.report.publication import publish
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.aggregator.verified import load_verified
from services.status import StudyStatus
from services.submission import Cluster

log = logging.getLogger(__name__)

_AGAIN = 60.0  # seconds after a report that could not be made
_SHARE = 0.05  # of the time, at the most, is spent on provisional reports


class Publisher:
    """Publishes one report at a time, beside the loop that looks after the shards."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publisher")
        self._under_way: Future[None] | None = None
        self._published: dict[str, int] = {}  # study → models in the last report made here
        self._not_before: dict[str, float] = {}
        self._failed_until: dict[str, float] = {}

    def consider(self, study: Study, now: StudyStatus) -> bool:
        """Start to publish if it is time; return whether the final report is stored and whole."""
        if self._under_way and not self._under_way.done():
            return False
        if study.is_experiment:  # its models are read by whoever asked for the experiment
            return now.progress.is_complete
        if now.progress.is_complete:
            manifest = reports.whole(self._cluster.store, study)
            if manifest and manifest.trials == now.progress.n_stored:
                return True
            if time.monotonic() < self._failed_until.get(study.id, 0.0):
                return False
        elif (
            now.stored == self._published.get(study.id, 0)
            or now.order is None
            or time.monotonic() < self._not_before.setdefault(study.id, self._next(0.0))
        ):
            return False
        self._under_way = self._thread.submit(self._publish, study, now)
        return False

    def close(self) -> None:
        """End without waiting: a report that is published in part is noticed and made again."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _publish(self, study: Study, now: StudyStatus) -> None:
        """Load, estimate and publish; damaged shards are set aside, and so trained again."""
        begun = time.monotonic()
        store = self._cluster.store
        try:
            loaded, damaged = load_verified(self._cluster, study)
            is_final = now.progress.is_complete
            if len(loaded) and not (damaged and is_final):  # a final report waits for them
                dataset = catalogue.load_dataset(
                    store, study, FilesStore(self._cluster.settings.cache)
                )
                goal = catalogue.goal(store, study)
                measured = with_values(store, study, loaded)
                analysis = analyse(study, dataset, measured, goal)
                publish(store, as_stopped(store, analysis))
                kind = "final" if is_final else "provisional"
                log.info("%s: published a %s report of %d models", study.id, kind, len(loaded))
        except Exception as error:
            self._failed_until[study.id] = time.monotonic() + _AGAIN
            trace = None if isinstance(error, MemtailError) else error
            log.warning("%s: cannot publish a report: %s", study.id, error, exc_info=trace)
        finally:
            self._not_before[study.id] = self._next(time.monotonic() - begun)
            self._published[study.id] = now.stored

    def _next(self, taken: float) -> float:
        """When the next provisional report is due, after one that took ``taken`` seconds."""
        return time.monotonic() + max(self._cluster.settings.publish_every, taken / _SHARE)
