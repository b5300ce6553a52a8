"""Which run trains which shard: of two runs on one store, only one trains a shard at a time.

A claim is an object, ``claims/F-L.N.json``, that a run adds before it trains a shard, renews while
it does, and deletes afterwards. A claim that nobody renews has expired, and on one machine that of
a process which has ended has expired at once. Another run then adds the claim with the next number:
only one can, and the highest number counts.

A claim is a hint, as a lease on a cluster is: where clocks or stores stand still a shard may be
trained twice, which stores the same bytes twice.
"""

import json
import os
import re
import socket
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psutil

from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.running.processes import interrupts_held
from memtail_core.store import ObjectStore
from memtail_core.store.document import document

_NAME = re.compile(r"(\d{7}-\d{7})\.(\d{1,6})\.json")
_RENEWALS = 3  # before a claim would expire
_SAME_START = 5.0  # seconds; clocks are set, and a process id is not used again so soon


class _Prefixed(Protocol):
    @property
    def prefix(self) -> str: ...


class Claims:
    """The claims of one run; its main thread takes and ends them, another renews them.

    Args:
        store: where.
        study: whose shards; or anything else that has a prefix there.
        seconds: after which a claim that is not renewed has expired.
    """

    def __init__(self, store: ObjectStore, study: _Prefixed, seconds: float) -> None:
        self._store, self._prefix = store, f"{study.prefix}claims/"
        self._seconds = seconds
        self._held: dict[Shard, int] = {}
        self._seen: dict[str, tuple[bytes, float]] = {}  # of others, and when it became so
        self._owner = {"run": uuid.uuid4().hex, **_this_process()}
        self._renewals = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._renewing: threading.Thread | None = None

    def take(self, shard: Shard) -> bool:
        """Claim a shard; False if another run has it. It may have been stored just before."""
        if shard in self._held:
            return True
        number = 0
        if not self._store.add(self._key(shard, 0), self._content()):
            last = max(self._numbers(shard), default=-1)
            number = last + 1
            if last >= 0 and not self._has_expired(self._key(shard, last)):
                return False
            if not self._store.add(self._key(shard, number), self._content()):
                return False
        if max(self._numbers(shard), default=number) > number:  # one that lost its claim ended it
            self._store.delete(self._key(shard, number))
            return False
        with self._lock:
            self._held[shard] = number
        if self._renewing is None:
            self._renewing = threading.Thread(target=self._renew, name="claims", daemon=True)
            with interrupts_held():
                self._renewing.start()
        return True

    def end(self, shard: Shard) -> None:
        """End a claim, and the expired ones below it: the shard is stored, or not trained."""
        with self._lock:
            number = self._held.pop(shard)
            for each in range(number + 1):
                self._store.delete(self._key(shard, each))

    def end_all(self) -> None:
        """End all claims: the processes that trained have ended."""
        for shard in list(self._held):
            with suppress(StoreError):  # it expires
                self.end(shard)

    def close(self) -> None:
        """End all claims and renew none."""
        self._ended.set()
        self.end_all()
        if self._renewing is not None:
            self._renewing.join()

    def _renew(self) -> None:
        while not self._ended.wait(self._seconds / _RENEWALS):
            self._renewals += 1
            for shard in list(self._held):
                with self._lock, suppress(StoreError):
                    if shard in self._held:
                        key = self._key(shard, self._held[shard])
                        self._store.put(key, self._content())

    def _has_expired(self, key: str) -> bool:
        """Whether its process has ended, or it has been the same for too long."""
        try:
            content = self._store.get(key)
        except KeyError:  # ended just now: whoever looks again finds the shard stored, or free
            return False
        if _is_of_ended_process(content):
            return True
        now = time.monotonic()
        before, since = self._seen.get(key, (b"", now))
        if before != content:
            self._seen[key] = content, now
            return False
        return now - since > self._seconds

    def _numbers(self, shard: Shard) -> list[int]:
        names = (key.removeprefix(self._prefix) for key in self._store.list(self._prefix))
        matches = (_NAME.fullmatch(name) for name in names)
        return [int(match[2]) for match in matches if match and match[1] == shard.name]

    def _key(self, shard: Shard, number: int) -> str:
        return f"{self._prefix}{shard.name}.{number}.json"

    def _content(self) -> bytes:
        return json.dumps({**self._owner, "renewals": self._renewals}).encode()


def _this_process() -> dict[str, Any]:
    """This process, so that others on the machine can tell whether it has ended."""
    pid = os.getpid()
    return {**_machine(), "pid": pid, "started": psutil.Process(pid).create_time()}


def _machine() -> dict[str, str]:
    """What process ids are unique in: a machine since it was started, and a container."""
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    with suppress(OSError):
        machine = {"boot": boot.read_text().strip(), "space": str(space.readlink())}
        return {"host": socket.gethostname(), **machine}
    return {"host": socket.gethostname()}


def _is_of_ended_process(claim: bytes) -> bool:
    """Whether a claim is of a process of this machine that has ended."""
    try:
        owner = document(claim)
        if any(owner.get(name) != value for name, value in _machine().items()):
            return False
        pid, started = int(owner["pid"]), float(owner["started"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
    try:
        process = psutil.Process(pid)
        is_it = abs(process.create_time() - started) < _SAME_START
        return not is_it or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
