"""The monitor: a thread that reads the store and Redis every few seconds, for all requests.

Two hundred readers therefore cost the store and Redis no more than one does. The monitor keeps what
it read as a :class:`Snapshot`, which never changes; a new one replaces it.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

from memtail_core.store import ObjectStore
from services.dashboard.snapshot import Snapshot
from services.dashboard.snapshot_reader import SnapshotReader
from services.pace import Stored
from services.submission import Cluster

log = logging.getLogger(__name__)

_LISTENED, _IDLE = 0.5, 0.04  # of the time, at most, is spent on snapshots
_LONGEST = 10.0  # seconds between two, unless the settings say more


class Monitor:
    """Takes snapshots of the store and Redis, and wakes those who wait for a change.

    Args:
        store: where the studies are.
        cluster: the cluster with its Redis; None where there is none.
        every: seconds between two snapshots.
        on_stored: called with the shards of a study that were stored since the last snapshot.
    """

    def __init__(
        self,
        store: ObjectStore,
        cluster: Cluster | None = None,
        every: float = 2.0,
        on_stored: Callable[[str, Sequence[Stored]], None] | None = None,
    ) -> None:
        self._reader = SnapshotReader(store, cluster, on_stored)
        self._every = every
        self._snapshot = Snapshot(when=0.0, number=0)
        self._seconds = 0.0  # that the last snapshot took
        self._ended, self._wake = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()  # of one snapshot at a time
        self._n_begun = self._n_finished = 0  # snapshots
        self._finished = threading.Condition()
        self._listeners: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def start(self) -> None:
        """Take a snapshot, and go on in a thread."""
        self._ended.clear()
        self.look()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; every :meth:`changes` ends."""
        self.end()
        if self._thread is not None:
            self._thread.join(timeout=1.0)  # do not wait for a store that cannot be reached
            self._thread = None

    def end(self) -> None:
        """Take no more snapshots, and let every :meth:`changes` end; wait for nothing."""
        self._ended.set()
        self._wake.set()
        self._notify()

    def on_stored(self, callback: Callable[[str, Sequence[Stored]], None]) -> None:
        """Call ``callback`` with the shards of a study that were stored since the last snapshot."""
        self._reader.on_stored = callback

    @property
    def n_listeners(self) -> int:
        """How many clients wait for changes."""
        return len(self._listeners)

    def latest(self) -> Snapshot:
        """The latest snapshot; costs nothing."""
        return self._snapshot

    def wake(self) -> None:
        """Read everything now: something was just asked of the cluster."""
        self._reader.make_all_due()
        self._wake.set()

    def refresh(self, patience: float = 1.0) -> None:
        """Take a snapshot now of what was announced, and wait up to ``patience`` seconds for it."""
        wanted = self._n_begun + 1
        self._wake.set()
        with self._finished:
            self._finished.wait_for(lambda: self._n_finished >= wanted, patience)

    async def changes(self) -> AsyncGenerator[Snapshot, None]:
        """Yield the latest snapshot, then each that differs; a slow reader misses some of them."""
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
        """Take one snapshot."""
        with self._lock:
            self._n_begun += 1
            begun = time.monotonic()
            try:
                fresh = self._reader.read(self._snapshot)
                is_first = not self._snapshot.when
                if fresh == self._snapshot and not is_first:  # but for its time
                    self._snapshot = replace(fresh, number=self._snapshot.number)
                else:
                    self._snapshot = fresh
                    self._notify()
                return self._snapshot
            finally:
                self._seconds = time.monotonic() - begun
                with self._finished:
                    self._n_finished = self._n_begun
                    self._finished.notify_all()

    def _run(self) -> None:
        while not self._ended.is_set():
            share = _LISTENED if self._listeners else _IDLE
            pause = min(self._seconds / share, _LONGEST)
            self._wake.wait(max(self._every, pause))
            self._wake.clear()
            if self._ended.is_set():
                return
            try:
                self.look()
            except Exception:  # whatever it is, the next snapshot may succeed
                log.exception("cannot take a snapshot")

    def _notify(self) -> None:
        for event, loop in list(self._listeners.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
