"""Reads the store and Redis into a snapshot, and reads no study more often than is needed."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from memtail_core import catalogue
from memtail_core.catalogue import reports
from memtail_core.catalogue.reports import Manifest
from memtail_core.errors import MemtailError
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from services import broker, last_errors, leases, pace, presence
from services.dashboard.snapshot import Snapshot, StudyView
from services.last_errors import LastError
from services.leases import Lease
from services.pace import Stored
from services.presence import Presence
from services.queue import queue_of
from services.status import StudyStatus
from services.submission import Cluster

log = logging.getLogger(__name__)

DEVICES = ("cpu", "cuda")
_SELDOM = 30.0  # seconds between two readings of a study that is not under way
_LATELY = 60.0  # seconds after a change during which a study is read every time


@dataclass(frozen=True)
class _Redis:
    """What Redis knew at one time."""

    submissions: int = 0
    workers: tuple[Presence, ...] = ()
    aggregators: tuple[Presence, ...] = ()
    leases: tuple[Lease, ...] = ()
    errors: tuple[LastError, ...] = ()
    queues: dict[str, int] = field(default_factory=dict)


@dataclass
class _Known:
    """What is known of one study.

    Attributes:
        study: which.
        view: as it was read last.
        changed, read: when, by the monotonic clock.
        recent: the shards that ``on_stored`` was called with.
        report: the version of the published report, and its manifest if it is whole.
    """

    study: Study
    view: StudyView | None = None
    changed: float | None = None
    read: float | None = None
    recent: tuple[Stored, ...] = ()
    report: tuple[str | None, Manifest | None] | None = None

    def is_due(self) -> bool:
        """Whether the study is to be read again."""
        now = time.monotonic()
        if self.view is None or self.read is None or self.view.is_under_way:
            return True
        if self.changed is not None and now < self.changed + _LATELY:
            return True
        return now >= self.read + _SELDOM


class SnapshotReader:
    """Reads snapshots, one after another; not for several threads at once."""

    def __init__(
        self,
        store: ObjectStore,
        cluster: Cluster | None,
        on_stored: Callable[[str, Sequence[Stored]], None] | None,
    ) -> None:
        self._store, self._cluster = store, cluster
        self.on_stored = on_stored
        self._known: dict[str, _Known] = {}
        self._redis = _Redis()
        self._is_all_due = threading.Event()

    def make_all_due(self) -> None:
        """Let the next snapshot read every study; any thread may call this."""
        self._is_all_due.set()

    def read(self, before: Snapshot) -> Snapshot:
        """Read a snapshot; of what cannot be reached it has what was known ``before``."""
        trouble = self._read_redis()
        damaged: list[str] = []
        try:
            self._read_studies(damaged)
        except MemtailError as error:
            trouble, damaged = str(error), list(before.damaged)
        views = [each.view for each in self._known.values() if each.view is not None]
        return Snapshot(
            when=time.time(),
            number=before.number + 1,
            studies=tuple(sorted(views, key=lambda view: (not view.is_under_way, view.study.id))),
            workers=self._redis.workers,
            aggregators=self._redis.aggregators,
            queues=self._redis.queues,
            trouble=trouble,
            damaged=tuple(damaged),
        )

    def _read_redis(self) -> str | None:
        """Ask Redis; return why it could not be asked."""
        if self._cluster is None:
            return None
        client = self._cluster.client
        try:
            with broker.reached(self._cluster.settings):
                submissions = broker.submissions(client)
                if submissions != self._redis.submissions:
                    self._is_all_due.set()
                self._redis = _Redis(
                    submissions,
                    tuple(presence.running(client, "worker")),
                    tuple(presence.running(client, "aggregator")),
                    tuple(leases.current(client)),
                    tuple(last_errors.current(client)),
                    {each: broker.queue_length(client, queue_of(each)) for each in DEVICES},
                )
        except MemtailError as error:
            return str(error)
        return None

    def _read_studies(self, damaged: list[str]) -> None:
        """Read the studies that may have changed; add a sentence for each that is damaged.

        Raises:
            StoreError: the store cannot be reached.
        """
        names = list(self._store.folders("studies/"))
        if self._is_all_due.is_set():
            self._is_all_due.clear()  # first: it can be set again while this reads
            for each in self._known.values():
                each.read = None
        for gone in self._known.keys() - set(names):
            del self._known[gone]
        for name in names:
            key = f"studies/{name}/study.json"
            try:
                if name not in self._known:
                    if not self._store.exists(key):
                        continue
                    self._known[name] = _Known(catalogue.read(self._store, name))
                if self._known[name].is_due():
                    self._read_study(self._known[name])
            except Exception as error:  # one damaged study does not hide the others
                self._store.exists(key)  # raises if the store cannot be reached
                if not isinstance(error, MemtailError | KeyError):
                    log.exception("cannot read %s", name)
                damaged.append(f"{name}: {error}")

    def _read_study(self, known: _Known) -> None:
        redis = self._redis
        recent = self._recent(known)
        status = StudyStatus.of(
            self._store, known.study, redis.leases, redis.workers, recent, redis.errors
        )
        view = StudyView(status, self._report(known), updated=time.time())
        known.read = time.monotonic()
        if known.view != view:
            known.view, known.changed = view, known.read

    def _recent(self, known: _Known) -> tuple[Stored, ...]:
        """The shards of the study that were stored last, as Redis has them."""
        if self._cluster is None:
            return ()
        try:
            with broker.reached(self._cluster.settings):
                recent = tuple(pace.stored(self._cluster.client, known.study.id))
        except MemtailError:  # reported where the rest of Redis was asked
            return known.view.status.recent if known.view else ()
        if self.on_stored is not None:
            before = {(each.worker, each.when) for each in known.recent}
            new = [each for each in recent if (each.worker, each.when) not in before]
            self.on_stored(known.study.id, new)
            known.recent = recent
        return recent

    def _report(self, known: _Known) -> Manifest | None:
        """The manifest of a whole report; its files are read again only when it is another."""
        version = reports.version(self._store, known.study)
        if known.report is None or known.report[0] != version or known.report[1] is None:
            whole = reports.whole(self._store, known.study) if version else None
            known.report = (version, whole)
        return known.report[1]
