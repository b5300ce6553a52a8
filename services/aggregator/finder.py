"""Finds the studies that the aggregator is to look after, among all studies of a store."""

import logging
import time
from collections.abc import Iterable

import redis

from memtail_core import catalogue
from memtail_core.catalogue import Progress, reports
from memtail_core.errors import MemtailError
from memtail_core.store import Contents, ListedStore, ObjectStore
from memtail_core.study import Study
from services import growth, orders

log = logging.getLogger(__name__)


class Finder:
    """Finds studies that were submitted and are not settled.

    A study is settled when it was not submitted, or was cancelled, or has its final report. It is
    not looked at again before its listing changes. Not for several threads at once.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store, self._contents = store, Contents()
        self._settled: dict[str, int | None] = {}  # the fingerprint of its listing then
        self.seconds = 0.0
        """What the last listing of all studies took."""

    def every(self) -> list[Study]:
        """Those of the whole store, by one listing of it."""
        begun = time.monotonic()
        found = list(catalogue.listed.mapped(self._store, self._contents, self._unless_settled))
        self.seconds = time.monotonic() - begun
        return [study for study in found if study is not None]

    def among(self, ids: Iterable[str]) -> list[Study]:
        """Those of these studies."""
        listed = ((each, catalogue.listed.one(self._store, each, self._contents)) for each in ids)
        found = (self._unless_settled(*each) for each in listed)
        return [study for study in found if study is not None]

    def _unless_settled(self, study_id: str, listed: ListedStore) -> Study | None:
        fingerprint = listed.fingerprint
        if fingerprint is not None and self._settled.get(study_id) == fingerprint:
            return None
        try:
            study = catalogue.read(listed, study_id)
            is_settled = _is_settled(listed, study)
        except Exception as error:  # one study does not hide the others
            log_failure(study_id, error)
            return None
        if not is_settled:
            self._settled.pop(study_id, None)
            return study
        self._settled[study_id] = fingerprint
        return None


def _is_settled(listed: ListedStore, study: Study) -> bool:
    order = orders.read(listed, study)
    if order is None or order.cancelled:
        return True
    progress = Progress.of(listed, study)
    if not progress.is_complete or study.is_experiment:
        return progress.is_complete
    if growth.is_open(listed, study, order, progress):
        return False
    report = reports.whole(listed, study)
    return report is not None and report.trials == progress.n_stored


def log_failure(study_id: str, error: Exception) -> None:
    """Log what is wrong with one study; with a traceback if it is a fault of memtail."""
    if isinstance(error, redis.RedisError):
        raise error  # of all studies
    trace = None if isinstance(error, MemtailError | KeyError) else error
    log.warning("%s: %s", study_id, error, exc_info=trace)
