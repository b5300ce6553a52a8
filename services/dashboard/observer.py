"""The one who looks: a thread asks the store and Redis every few seconds, requests ask it.

Two hundred readers therefore cost the store and Redis no more than one. What it sees is kept as a
:class:`Snapshot`, which never changes; a new one replaces it.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field, replace

from memtail_core import catalogue
from memtail_core.catalogue import reports
from memtail_core.catalogue.reports import Manifest
from memtail_core.errors import MemtailError
from memtail_core.store import ObjectStore
from memtail_core.study import Study
from services import broker, leases, pace, presence
from services.dashboard.snapshot import Snapshot, StudySeen
from services.leases import Lease
from services.pace import Pace, Stored
from services.presence import Presence
from services.queue import queue_of
from services.submission import Cluster
from services.survey import Survey, standing

log = logging.getLogger(__name__)

DEVICES = ("cpu", "cuda")
_SELDOM = 30.0  # seconds between two looks at a study of which nothing is expected
_LATELY = 60.0  # seconds since its last change for which more is expected of a study


@dataclass(frozen=True)
class _Redis:
    """What Redis knew at one look."""

    submissions: int = 0
    workers: tuple[Presence, ...] = ()
    aggregators: tuple[Presence, ...] = ()
    leases: tuple[Lease, ...] = ()
    queues: dict[str, int] = field(default_factory=dict)


class Observer:
    """Looks, again and again, and remembers what it saw last.

    Args:
        store: where the studies are.
        cluster: with which Redis; None where there is none.
        every: seconds between two looks.
        told: called with the shards of a study that were stored since the last look.
    """

    def __init__(
        self,
        store: ObjectStore,
        cluster: Cluster | None = None,
        every: float = 2.0,
        told: Callable[[str, Sequence[Stored]], None] | None = None,
    ) -> None:
        self._store, self._cluster, self._every = store, cluster, every
        self.told = told
        self._snapshot = Snapshot(when=0.0, number=0)
        self._studies: dict[str, Study] = {}
        self._seen: dict[str, StudySeen] = {}
        self._changed: dict[str, float] = {}  # study → when it last did
        self._looked: dict[str, float] = {}
        self._counted: dict[str, set[tuple[str, float]]] = {}
        self._reports: dict[str, tuple[str | None, Manifest | None]] = {}
        self._redis = _Redis()
        self._ended, self._wanted = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # of one look at a time
        self._n_begun = self._n_done = 0  # looks
        self._done = threading.Condition()
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def start(self) -> None:
        """Look once, and go on looking in a thread."""
        self._ended.clear()
        self.look()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; every :meth:`changes` ends."""
        self.end()
        if self._thread is not None:
            self._thread.join(timeout=1.0)  # a store that is away is not waited for
            self._thread = None

    def end(self) -> None:
        """Look no more, and let every :meth:`changes` end; wait for nothing."""
        self._ended.set()
        self._wanted.set()
        self._tell()

    @property
    def n_listeners(self) -> int:
        """How many wait for changes."""
        return len(self._listeners)

    def latest(self) -> Snapshot:
        """What was seen last; costs nothing."""
        return self._snapshot

    def wake(self) -> None:
        """Look at everything now: something was just asked of the cluster."""
        self._looked.clear()
        self._wanted.set()

    def refresh(self, patience: float = 1.0) -> None:
        """Likewise, and wait a little until it has: who asked for it finds it done."""
        wanted = self._n_begun + 1
        self.wake()
        with self._done:
            self._done.wait_for(lambda: self._n_done >= wanted, patience)

    async def changes(self) -> AsyncGenerator[Snapshot, None]:
        """Yield the latest at once, then at every change; who is slow misses those in between."""
        changed = asyncio.Event()
        self._listeners[changed] = asyncio.get_running_loop()
        try:
            while not self._ended.is_set():
                changed.clear()
                yield self._snapshot
                await changed.wait()
        finally:
            self._listeners.pop(changed, None)

    def look(self) -> Snapshot:
        """Look once."""
        with self._lock:
            self._n_begun += 1
            try:
                return self._look()
            finally:
                with self._done:
                    self._n_done = self._n_begun
                    self._done.notify_all()

    def _look(self) -> Snapshot:
        trouble = self._look_at_redis()
        damaged: list[str] = []
        try:
            self._look_at_studies(damaged)
        except MemtailError as error:
            trouble, damaged = str(error), list(self._snapshot.damaged)
        studies = sorted(self._seen.values(), key=lambda e: (not e.is_under_way, e.study.id))
        now = self._redis
        fresh = Snapshot(
            when=time.time(),
            number=self._snapshot.number + 1,
            studies=tuple(studies),
            workers=now.workers,
            aggregators=now.aggregators,
            queues=now.queues,
            trouble=trouble,
            damaged=tuple(damaged),
        )
        if fresh == self._snapshot and self._snapshot.when:
            # The same but for its time: who waits for a change is not told.
            self._snapshot = replace(fresh, number=self._snapshot.number)
        else:
            self._snapshot = fresh
            self._tell()
        return self._snapshot

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wanted.wait(self._every)
            self._wanted.clear()
            if self._ended.is_set():
                return
            try:
                self.look()
            except Exception:  # whatever it is, the next look may go well
                log.exception("could not look")

    def _tell(self) -> None:
        for event, loop in list(self._listeners.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def _look_at_redis(self) -> str | None:
        """Ask Redis; return why it could not be asked."""
        if self._cluster is None:
            return None
        client = self._cluster.client
        try:
            with broker.reached(self._cluster.settings):
                submissions = broker.submissions(client)
                if submissions != self._redis.submissions:
                    self._looked.clear()
                self._redis = _Redis(
                    submissions,
                    tuple(presence.there(client, "worker")),
                    tuple(presence.there(client, "aggregator")),
                    tuple(leases.current(client)),
                    {each: broker.queue_length(client, queue_of(each)) for each in DEVICES},
                )
        except MemtailError as error:
            return str(error)
        return None

    def _look_at_studies(self, damaged: list[str]) -> None:
        """Ask the store for what may have changed.

        Raises:
            StoreError: it cannot be reached.
        """
        names = list(self._store.folders("studies/"))
        for gone in self._studies.keys() - set(names):
            for kept in (self._studies, self._seen, self._changed, self._looked, self._reports):
                kept.pop(gone, None)
        for name in names:
            try:
                if name not in self._studies:
                    if not self._store.exists(f"studies/{name}/study.json"):
                        continue
                    self._studies[name] = catalogue.read(self._store, name)
                if self._is_due(name):
                    self._look_at(self._studies[name])
            except Exception as error:  # this one does not hide the others
                self._store.exists(f"studies/{name}/study.json")  # raises if the store is away
                if not isinstance(error, MemtailError | KeyError):
                    log.exception("could not look at %s", name)
                damaged.append(f"{name}: {error}")

    def _is_due(self, name: str) -> bool:
        now = time.monotonic()
        is_expected = self._seen[name].is_under_way if name in self._seen else True
        if is_expected or now < self._changed.get(name, now) + _LATELY:
            return True
        return now >= self._looked.get(name, -_SELDOM) + _SELDOM

    def _look_at(self, study: Study) -> None:
        now = standing(self._store, study)
        done = {shard.name for shard in now.stored}
        running = [
            lease
            for lease in self._redis.leases
            if lease.study == study.id and lease.shard not in done
        ]
        queue = queue_of(now.order.device) if now.order else None
        workers = sum(queue_of(each.device) == queue for each in self._redis.workers)
        recent, recent_pace = self._pace(study, len(running))
        survey = Survey(study, now, running, recent_pace, workers)
        said = survey.as_dict()
        seen = StudySeen(
            study=study,
            state="unfinished" if survey.state == "not submitted" else survey.state,
            models=said["models"],
            stored=said["stored"],
            running=said["running"],
            waiting=said["waiting"],
            failed=said["failed"],
            device=said["device"],
            workers=workers,
            models_per_hour=_finite(said["models_per_hour"]),
            seconds_left=_finite(said["seconds_left"]),
            shard_seconds=_finite(recent_pace.shard_seconds if recent_pace else None),
            accuracy=None
            if recent_pace is None
            else {name: _finite(value) for name, value in recent_pace.accuracy.items()},
            at_work=tuple(running),
            n_failures=sum(len(each) for each in now.attempts.values()),
            report=self._report(study),
            is_experiment=study.is_experiment,
            recent=recent,
            updated=time.time(),
        )
        clock = time.monotonic()
        self._looked[study.id] = clock
        if self._seen.get(study.id) != seen:
            self._changed[study.id] = clock
            self._seen[study.id] = seen

    def _pace(self, study: Study, running: int) -> tuple[tuple[Stored, ...], Pace | None]:
        """The last shards that were stored and their pace, as Redis knows them."""
        before = self._seen.get(study.id)
        if self._cluster is None:
            return (), None
        try:
            with broker.reached(self._cluster.settings):
                recent = tuple(pace.stored(self._cluster.client, study.id))
        except MemtailError:  # told where the rest of Redis was asked
            recent = before.recent if before else ()
        if self.told is not None:
            known = self._counted.get(study.id, set())
            self.told(study.id, [e for e in recent if (e.worker, e.when) not in known])
            self._counted[study.id] = {(each.worker, each.when) for each in recent}
        return recent, pace.of(recent, max(1, running))

    def _report(self, study: Study) -> Manifest | None:
        """The manifest of a whole report; its files are only read again when it is another."""
        version = reports.version(self._store, study)
        known = self._reports.get(study.id)
        if known is None or known[0] != version or known[1] is None:
            whole = reports.whole(self._store, study) if version else None
            self._reports[study.id] = known = (version, whole)
        return known[1]


def _finite(value: float | None) -> float | None:
    """JSON has no infinity, which Redis may."""
    return value if value is not None and math.isfinite(value) else None
