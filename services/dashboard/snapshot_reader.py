"""Reads the store and Redis into a snapshot, and reads no study more often than is needed."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from memtail_core import catalogue
from memtail_core.catalogue import reports
from memtail_core.catalogue.reports import Manifest
from memtail_core.errors import MemtailError
from memtail_core.store import Contents, ObjectStore
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
_SELDOM = 30.0  # seconds, at least, between two readings of a study that is not under way
_SHARE = 0.01  # of the time is spent on those
_LATELY = 60.0  # seconds after a change during which a study is read every time
_LONG = 1.0  # seconds; a study that takes longer to read is read a tenth of the time
_MANY = 20  # studies to read, from which on one listing of the whole store is faster


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
        seconds: what reading it took.
        recent: the shards that ``on_stored`` was called with.
        report: the version of the published report, and its manifest if it is whole.
    """

    study: Study
    view: StudyView | None = None
    changed: float | None = None
    read: float | None = None
    seconds: float = 0.0
    recent: tuple[Stored, ...] = ()
    report: tuple[str | None, Manifest | None] | None = None

    def is_due(self) -> bool:
        """Whether the study is to be read at once."""
        now = time.monotonic()
        if self.view is None or self.read is None:
            return True
        if self.seconds > _LONG and now < self.read + 10 * self.seconds:
            return False
        is_new = self.changed is not None and now < self.changed + _LATELY
        return is_new or self.view.is_under_way

    def is_old(self) -> bool:
        """Whether it is to be read again when there is time."""
        return self.read is not None and time.monotonic() >= self.read + _SELDOM


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
        self._contents = Contents()
        # Of many studies, those that the first snapshot reads do not count as changed just now.
        self._has_read = self._are_few = False
        self._unread: dict[str, tuple[float, float]] = {}  # tried first and last
        self._damaged: dict[str, str] = {}
        self._allowance, self._looked = 0.0, time.monotonic()

    def make_all_due(self) -> None:
        """Let the next snapshot read every study; any thread may call this."""
        self._is_all_due.set()

    def _make_due(self, studies: set[str] | None) -> None:
        """Let this snapshot read the studies that were announced; all, if nobody knows which."""
        if studies is None:
            self._is_all_due.set()
        for name in (studies or set()) & self._known.keys():
            self._known[name].read = None
        for name in studies or ():
            self._unread.pop(name, None)

    def read(self, before: Snapshot) -> Snapshot:
        """Read a snapshot; of what cannot be reached it has what was known ``before``."""
        trouble = self._read_redis()
        try:
            self._read_studies()
        except MemtailError as error:
            trouble = str(error)
        views = [each.view for each in self._known.values() if each.view is not None]
        return Snapshot(
            when=time.time(),
            number=before.number + 1,
            studies=tuple(sorted(views, key=lambda view: (not view.is_under_way, view.study.id))),
            workers=self._redis.workers,
            aggregators=self._redis.aggregators,
            queues=self._redis.queues,
            trouble=trouble,
            damaged=tuple(sentence for _, sentence in sorted(self._damaged.items())),
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
                    self._make_due(broker.submitted(client, self._redis.submissions))
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

    def _read_studies(self) -> None:
        """Read the studies that may have changed.

        Those that have settled are read in turn, as often as a small share of the time allows:
        whoever changes one on this cluster announces it.

        Raises:
            StoreError: the store cannot be reached.
        """
        names = list(self._store.folders("studies/"))
        if self._is_all_due.is_set():
            self._is_all_due.clear()  # first: it can be set again while this reads
            self._unread.clear()
            for each in self._known.values():
                each.read = None
        for kept in (self._known, self._unread, self._damaged):
            for gone in kept.keys() - set(names):
                del kept[gone]
        due = [name for name in names if self._is_due(name)]
        self._are_few = len(names) <= _MANY
        if len(due) > _MANY:
            self._read_all(set(due))
        else:
            for name in due:
                self._read_one(name, self._view(name))
        self._read_old()
        self._has_read = True

    def _view(self, name: str) -> ObjectStore:
        """The store as one listing of a study has it; of a large study, the store itself."""
        known = self._known.get(name)
        is_large = known is not None and known.view is not None and known.view.status.is_large
        return self._store if is_large else catalogue.listed.one(self._store, name, self._contents)

    def _is_due(self, name: str) -> bool:
        if name in self._known:
            return self._known[name].is_due()
        first, last = self._unread.get(name, (math.inf, 0.0))
        now = time.monotonic()
        return now < first + _LATELY or now > last + _SELDOM

    def _read_all(self, due: set[str]) -> None:
        """Read many studies by one listing of the store, several at a time."""
        for name in catalogue.listed.mapped(self._store, self._contents, self._read_one, set(due)):
            due.discard(name)
        for name in due - self._known.keys():
            self._note_unread(name)

    def _read_old(self) -> None:
        """Read those that were not read for longest, as long as there is time for it."""
        now = time.monotonic()
        self._allowance = min(_LONG, self._allowance + _SHARE * (now - self._looked))
        self._looked = now
        old = [name for name, each in self._known.items() if each.is_old()]
        for name in sorted(old, key=lambda name: self._known[name].read or 0.0):
            known = self._known[name]
            if self._allowance < min(known.seconds, _LONG):
                return
            self._read_one(name, self._view(name))
            self._allowance -= known.seconds

    def _read_one(self, name: str, listed: ObjectStore) -> str:
        """Read a study, or keep a sentence that says why it cannot be read; return its name.

        Raises:
            StoreError: the store cannot be reached.
        """
        begun = time.monotonic()
        known = self._known.get(name)
        try:
            if known is None and listed.exists(f"studies/{name}/study.json"):
                known = _Known(catalogue.read(listed, name))
            if known is not None:
                self._read_study(known, listed)
                self._known[name] = known
            self._damaged.pop(name, None)
        except Exception as error:  # one damaged study does not hide the others
            self._store.exists(f"studies/{name}/study.json")  # raises if the store is away
            if not isinstance(error, MemtailError | KeyError):
                log.exception("cannot read %s", name)
            self._damaged[name] = f"{name}: {error}"
        now = time.monotonic()
        if known is not None and name in self._known:
            known.read, known.seconds = now, now - begun
        else:
            self._note_unread(name)
        return name

    def _note_unread(self, name: str) -> None:
        """Note that a folder is no study that can be read, or none yet."""
        now = time.monotonic()
        self._unread[name] = self._unread.get(name, (now, now))[0], now

    def _read_study(self, known: _Known, listed: ObjectStore) -> None:
        redis = self._redis
        recent = self._recent(known)
        before = known.view.status.progress if known.view else None
        status = StudyStatus.of(
            listed, known.study, redis.leases, redis.workers, recent, redis.errors, before
        )
        view = StudyView(status, self._report(known, listed), updated=time.time())
        if known.view != view:
            is_new = self._has_read or self._are_few
            known.view, known.changed = view, time.monotonic() if is_new else None

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

    def _report(self, known: _Known, listed: ObjectStore) -> Manifest | None:
        """The manifest of a whole report; its files are read again only when it is another."""
        version = reports.version(listed, known.study)
        if known.report is None or known.report[0] != version or known.report[1] is None:
            whole = reports.whole(listed, known.study) if version else None
            known.report = (version, whole)
        return known.report[1]
