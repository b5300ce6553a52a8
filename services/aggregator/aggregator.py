"""The loop of the aggregator: which studies it looks at, and how often."""

import logging
import os
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

import redis

from memtail_core.catalogue import leftovers
from memtail_core.errors import MemtailError, StoreError
from memtail_core.study import Study
from services import broker, presence
from services.aggregator.finder import Finder, log_failure
from services.aggregator.grower import Grower
from services.aggregator.publisher import Publisher
from services.aggregator.reconciler import Reconciler
from services.presence import Presence
from services.submission import Cluster

log = logging.getLogger(__name__)

_EVERYTHING = 60.0  # seconds, at least, between two listings of all studies
_SHARE = 0.05  # of the time, at most, is spent on those
_UPLOAD = 5.0  # seconds after which what a stopped worker was uploading has arrived


class Aggregator:
    """Looks after every submitted study of a store."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._reconciler = Reconciler(cluster)
        self._grower = Grower(cluster)
        self._publisher = Publisher(cluster)
        self._open: dict[str, Study] = {}
        self._cancelled: dict[str, tuple[Study, float]] = {}
        self._submissions = -1
        self._finder = Finder(cluster.store)
        self._finder_of_all = Finder(cluster.store)
        self._searcher = ThreadPoolExecutor(1, thread_name_prefix="searcher")
        self._search: Future[list[Study]] | None = None
        self._next_search, self._has_searched = 0.0, False
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
            self.close()
            with suppress(redis.RedisError):
                presence.leave(self._cluster.client, self._presence)

    def close(self) -> None:
        """End without waiting for a report, or for a search."""
        self._grower.close()
        self._publisher.close()
        self._searcher.shutdown(wait=False, cancel_futures=True)

    def look(self) -> None:
        """Look once at each study that is under way, and announce that the aggregator runs."""
        self._find_studies()
        self._clear_again()
        presence.announce(self._cluster.client, self._presence)
        for study in list(self._open.values()):
            try:
                now = self._reconciler.look(study)
                has_enough = self._grower.consider(study, now)
                is_published = has_enough and self._publisher.consider(study, now)
            except Exception as error:  # one study does not stop the others
                log_failure(study.id, error)
                continue
            presence.announce(self._cluster.client, self._presence)
            if is_published or now.order is None or now.order.cancelled:
                self._reconciler.forget(study)
                del self._open[study.id]
                self._clear(study, is_cancelled=now.order is not None and now.order.cancelled)

    def _clear(self, study: Study, *, is_cancelled: bool) -> None:
        """Remove what interrupted trainings left; of a cancelled study, also what could go on."""
        clear = leftovers.remove_checkpoints if is_cancelled else leftovers.remove
        if is_cancelled:
            self._cancelled.setdefault(study.id, (study, time.monotonic() + _UPLOAD))
        try:
            clear(self._cluster.store, study)
        except StoreError as error:  # they stay, and do no harm
            log_failure(study.id, error)

    def _clear_again(self) -> None:
        """Remove the checkpoints that were on their way when their study was cancelled."""
        for study, due in list(self._cancelled.values()):
            if study.id in self._open:  # submitted again
                del self._cancelled[study.id]
            elif time.monotonic() >= due:
                self._clear(study, is_cancelled=True)
                del self._cancelled[study.id]

    def _find_studies(self) -> None:
        """Find the studies to look after: those that were just submitted, and all now and then.

        A listing of the whole store may take seconds. All but the first are made beside the rounds.
        """
        client = self._cluster.client
        number = broker.submissions(client)
        if number != self._submissions:
            submitted = broker.submitted(client, self._submissions)
            if submitted is None:  # nobody knows which
                self._next_search = 0.0
            else:
                self._open |= {study.id: study for study in self._finder.among(submitted)}
            self._submissions = number
        if self._search is None and time.monotonic() >= self._next_search:
            self._search = self._searcher.submit(self._finder_of_all.every)
            if not self._has_searched:
                wait([self._search])
        if self._search is not None and self._search.done():
            ended, self._search = self._search, None
            pause = max(_EVERYTHING, self._finder_of_all.seconds / _SHARE)
            self._next_search = time.monotonic() + pause
            self._open = {study.id: study for study in ended.result()} | self._open
            self._has_searched = True
