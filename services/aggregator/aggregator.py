"""The loop of the aggregator: which studies it looks at, and how often."""

import logging
import os
import socket
import time
from contextlib import suppress

import redis

from memtail_core import catalogue
from memtail_core.errors import MemtailError
from memtail_core.study import Study
from services import broker, orders, presence
from services.aggregator.publisher import Publisher
from services.aggregator.reconciler import Reconciler
from services.presence import Presence
from services.submission import Cluster

log = logging.getLogger(__name__)

_EVERYTHING = 60.0  # seconds between two looks at all studies, not only those under way
_SETTLED = 600.0  # seconds after which no aggregator can still overwrite the final report


class Aggregator:
    """Looks after every submitted study of a store."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._reconciler = Reconciler(cluster)
        self._publisher = Publisher(cluster)
        self._open: dict[str, Study] = {}
        self._closed: dict[str, float] = {}  # since when
        self._submissions = -1
        self._looked_at_all = -_EVERYTHING
        self._presence = Presence(
            name=f"{socket.gethostname()}-{os.getpid()}",
            role="aggregator",
            store=cluster.settings.store,
            since=time.time(),
            version=presence.version_here(),
        )

    def run(self) -> None:
        """Look again and again; what cannot be reached now is looked at later."""
        try:
            while True:
                begun = time.monotonic()
                try:
                    with broker.reached(self._cluster.settings):
                        self.look()
                except MemtailError as error:
                    log.warning("%s", error)
                except Exception:  # whatever it is, the next round may succeed
                    log.exception("cannot look at the studies")
                time.sleep(max(0.0, self._cluster.settings.scan - (time.monotonic() - begun)))
        finally:
            self._publisher.close()
            with suppress(redis.RedisError):
                presence.leave(self._cluster.client, self._presence)

    def look(self) -> None:
        """Look once at each study that is under way, and announce that the aggregator runs."""
        self._find_studies()
        presence.announce(self._cluster.client, self._presence)
        for study in list(self._open.values()):
            try:
                now = self._reconciler.look(study)
                is_published = self._publisher.consider(study, now)
            except Exception as error:  # one study does not stop the others
                _log(study.id, error)
                continue
            presence.announce(self._cluster.client, self._presence)
            if is_published or now.order is None or now.order.cancelled:
                self._reconciler.forget(study)
                del self._open[study.id]
                self._closed[study.id] = time.monotonic()

    def _find_studies(self) -> None:
        """Find the submitted studies: once a minute, and when one was submitted just now.

        A study that has long been complete is left alone until the next submission, which may let
        it grow.
        """
        submissions = broker.submissions(self._cluster.client)
        now = time.monotonic()
        if submissions != self._submissions:
            self._closed.clear()
        elif now < self._looked_at_all + _EVERYTHING:
            return
        store = self._cluster.store
        for study_id in catalogue.ids(store):
            if study_id in self._open or now > self._closed.get(study_id, now) + _SETTLED:
                continue
            try:
                study = catalogue.read(store, study_id)
                if orders.read(store, study):
                    self._open[study_id] = study
            except Exception as error:
                _log(study_id, error)
        self._submissions, self._looked_at_all = submissions, now


def _log(study_id: str, error: Exception) -> None:
    """Log what is wrong with one study; with a traceback if it is a fault of memtail."""
    if isinstance(error, redis.RedisError):
        raise error  # of all studies
    trace = None if isinstance(error, MemtailError | KeyError) else error
    log.warning("%s: %s", study_id, error, exc_info=trace)
