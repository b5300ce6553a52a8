"""Checkpoints of a shard that takes long: one object, replaced every few minutes while it trains.

``checkpoints/F-L.npz`` is an npz with its own SHA-256, signed if shards are (:mod:`.shard_files`).
It holds the state that the engine returned, and ``about``: JSON that says of which training it is.
Of any other it is not used. It is removed when the shard is stored.
"""

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from memtail_core.errors import DamagedError, StoreError
from memtail_core.plan.shards import Shard
from memtail_core.running.under_way import Meter, Report
from memtail_core.store import ObjectStore, archive
from memtail_core.store.archive import Arrays
from memtail_core.store.document import document
from memtail_core.study import Study
from memtail_core.training.memory import is_out_of_memory

_LONGEST_SHARE = 0.5  # of the interval, that a slow store may begin the next checkpoint earlier


class ShardCheckpoints:
    """Keeps the state of the training of one shard (:class:`~memtail_core.training.Checkpoints`).

    The state is copied between two steps; encoding and storing it happens in a thread. A store that
    cannot be reached costs the checkpoint and not the training.

    Args:
        store, study, shard: where it is kept, and of what.
        about: what the bits of the shard depend on besides: versions, machine, tuning.
        every: seconds from one checkpoint to the next.
        key: that signs it, if shards are signed.
        report: told every few seconds how far the training is.
    """

    def __init__(
        self,
        store: ObjectStore,
        study: Study,
        shard: Shard,
        about: Mapping[str, Any],
        every: float,
        key: bytes | None = None,
        report: Report | None = None,
    ) -> None:
        self._store, self._key, self._sign = store, shard.checkpoint_key(study), key
        self._about = {"study": study.id, "shard": shard.name, **about}
        self._every = every
        self._meter = Meter(report)
        self._begun = time.monotonic()
        self._due = self._begun + every
        self._spent = 0.0  # before, by those that were interrupted
        self._took = 0.0  # writing the last one
        self._writer: threading.Thread | None = None
        self._is_there = False

    @property
    def seconds(self) -> float:
        """What training the shard took so far, without what interruptions lost."""
        return self._spent + time.monotonic() - self._begun

    def last(self) -> Arrays | None:
        """The state that was kept of the same training, verified; None if there is none."""
        try:
            content = self._store.get(self._key)
        except KeyError:
            return None
        except DamagedError as error:
            self._is_there = True
            self.refuse(str(error))
            return None
        self._is_there = True
        try:
            arrays = archive.unpacked(content, self._sign)
            about = self._read_about(arrays.pop("about"))
        except (DamagedError, KeyError) as error:
            self.refuse(str(error) if isinstance(error, DamagedError) else "it lacks its origin")
            return None
        if (other := self._difference(about)) is not None:
            self.refuse(other)
            return None
        self._spent = float(about["seconds"])
        return arrays

    def refuse(self, reason: str) -> None:
        """Say that the checkpoint is not used, and why."""
        self._spent = 0.0
        shard, study = self._about["shard"], self._about["study"]
        print(
            f"Warning: the checkpoint of {shard} of {study} is not used ({reason}): its training "
            "starts again",
            file=sys.stderr,
            flush=True,
        )

    def reached(self, phase: str, examples: int, state: Callable[[], Arrays]) -> None:
        """Keep the state if it is time to and the last one is written."""
        now = time.monotonic()
        self._meter.reached(phase, examples, now)
        if now < self._due or (self._writer is not None and self._writer.is_alive()):
            return
        about = json.dumps({**self._about, "seconds": self.seconds}, sort_keys=True)
        try:
            arrays = state() | {"about": np.array(about)}
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._due = now + self._every
            _warn("there is not enough memory")
            return
        # What is stored is never older than the interval: the next one is begun earlier.
        self._due = now + self._every - min(self._took, _LONGEST_SHARE * self._every)
        self._writer = threading.Thread(target=self._write, args=(arrays, now), name="checkpoint")
        self._writer.start()

    def close(self) -> None:
        """Wait for the last one to be written."""
        if self._writer is not None:
            self._writer.join()

    def remove(self) -> None:
        """Remove the checkpoint, if there is one: the shard is stored."""
        self.close()
        if self._is_there:
            try:
                self._store.delete(self._key)
            except StoreError as error:
                print(f"Warning: {error}; the checkpoint stays", file=sys.stderr, flush=True)

    def _write(self, arrays: Arrays, begun: float) -> None:
        self._is_there = True
        try:
            self._store.put(self._key, archive.packed(arrays, self._sign))
        except (StoreError, MemoryError) as error:
            _warn(f"{error}" or "there is not enough memory")
        self._took = time.monotonic() - begun

    def _difference(self, about: dict[str, Any]) -> str | None:
        """What it is of, where that is not this training."""
        for name, here in self._about.items():
            if (there := about.get(name)) != here:
                return f"it is of {name} {str(there)[:60]}, and this is {here}"
        return None

    @staticmethod
    def _read_about(array: Any) -> dict[str, Any]:
        with suppress(ValueError, TypeError):
            about = document(str(array))
            if isinstance(about, dict) and isinstance(about.get("seconds"), int | float):
                return about
        raise DamagedError("it lacks its origin")


def _warn(reason: str) -> None:
    print(f"Warning: no checkpoint was stored: {reason}", file=sys.stderr, flush=True)
