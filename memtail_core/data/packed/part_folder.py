"""A folder that holds parts under their SHA-256: a packed file of the user, or a machine's cache.

A part is written under another name, made durable and then renamed, so that it is whole or not
there. In a cache with a bound, the parts that nobody maps and that were not used for longest make
room for new ones.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Protocol

from memtail_core.data.packed.part_writer import PartWriter
from memtail_core.data.packed.records import Part
from memtail_core.errors import DamagedError, DatasetError, MachineError
from memtail_core.store.files import synced

_PARTIAL = ".partial-"
_ABANDONED = 24 * 3600.0  # seconds after which a file that is being written counts as abandoned


class PartFolder:
    """Parts by their SHA-256, below ``root``.

    Attributes:
        root: the folder; made when the first part is written.
        most_bytes: what all parts may take, or None.
    """

    def __init__(self, root: Path, most_bytes: int | None = None) -> None:
        self.root, self.most_bytes = root, most_bytes

    def file(self, part: Part) -> Path:
        """Where a part is."""
        return self.root / part.sha256

    def has(self, part: Part, record_bytes: int) -> bool:
        """Whether a part is there, with the bytes that it should have."""
        with suppress(OSError):
            return self.file(part).stat().st_size == part.rows * record_bytes
        return False

    def use(self, parts: Sequence[Part]) -> None:
        """Note that parts are used now, so that others are dropped first."""
        for part in parts:
            with suppress(OSError):  # a folder that may only be read
                file = self.file(part)
                os.utime(file, ns=(time.time_ns(), file.stat().st_mtime_ns))

    @contextmanager
    def written(self) -> Iterator[PartWriter]:
        """Write a part; it is there when the block has ended.

        Raises:
            MachineError: the disk is full or refuses; nothing is left of the part.
        """
        partial = self.root / f"{_PARTIAL}{uuid.uuid4().hex}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                with _locked(partial) as file, ThreadPoolExecutor(1) as thread:
                    writer = PartWriter(file.fileno(), thread)
                    yield writer
                    writer.finish()
                    os.fsync(file.fileno())
                partial.replace(self.root / writer.sha256)
                synced(self.root)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.root, error) from error

    def make_room(self, needed: int, kept: Sequence[Part]) -> None:
        """Drop parts until ``needed`` bytes more fit on the disk and under the bound.

        Args:
            needed: bytes.
            kept: parts that stay: those of the dataset that is read or packed.

        Raises:
            MachineError: they do not fit here.
        """
        stay = {part.sha256 for part in kept}
        self.sweep()
        there = self._by_use()
        taken = sum(size for _, size, _ in there)
        for _, size, file in there:
            if self._fits(needed, taken):
                return
            if file.name not in stay and _dropped(file):
                taken -= size
        if self._fits(needed, taken):
            return
        if self.most_bytes is not None and taken + needed > self.most_bytes:
            raise MachineError(
                f"the data need {(taken + needed) / 1e9:.1f} GB, and the cache '{self.root}' may "
                f"hold {self.most_bytes / 1e9:.1f} GB: raise MEMTAIL_CACHE_BYTES"
            )
        raise MachineError(
            f"the data need {needed / 1e9:.1f} GB more in '{self.root}', and its disk has "
            f"{free_disk(self.root) / 1e9:.1f} GB: make room, or set MEMTAIL_CACHE to a larger disk"
        )

    def _fits(self, needed: int, taken: int) -> bool:
        is_bounded = self.most_bytes is not None and taken + needed > self.most_bytes
        return not is_bounded and needed <= free_disk(self.root)

    def _by_use(self) -> list[tuple[int, int, Path]]:
        """The last use, size and file of each part, the longest unused first."""
        found = []
        for file in self.root.glob("*"):
            with suppress(OSError):
                status = file.stat()
                if len(file.name) == hashlib.sha256().digest_size * 2:
                    found.append((status.st_atime_ns, status.st_size, file))
        return sorted(found)

    def sweep(self) -> None:
        """Delete what killed writers have left."""
        for partial in self.root.glob(f"{_PARTIAL}*"):
            with suppress(OSError):
                is_old = time.time() - partial.stat().st_mtime > _ABANDONED
                if is_old or _is_unused(partial):
                    partial.unlink()


class Fetch(Protocol):
    """Gets the bytes of a part from somewhere else."""

    def __call__(self, part: Part) -> bytes:
        """Return them, verified or not; raises StoreError."""
        ...


def fetched(folder: PartFolder, parts: Sequence[Part], record_bytes: int, fetch: Fetch) -> None:
    """Fetch the parts that a folder lacks, and verify them.

    Raises:
        DamagedError: a part is not what its name says.
        MachineError: they do not fit here, or the disk refuses.
    """
    folder.use(parts)
    missing = [part for part in parts if not folder.has(part, record_bytes)]
    if not missing:
        return
    folder.make_room(sum(part.rows for part in missing) * record_bytes, parts)
    for part in missing:
        content = fetch(part)
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise DamagedError(f"the part {part.sha256[:12]} is damaged: its SHA-256 differs")
        with folder.written() as writer:
            writer.write(content)


def check_parts(folder: Path, parts: Sequence[Part]) -> None:
    """Read parts, on all cores, and compare their digests.

    Raises:
        DatasetError: one of them is missing or damaged.
    """

    def differs(part: Part) -> bool:
        with (folder / part.sha256).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() != part.sha256

    try:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            checked = zip(parts, threads.map(differs, parts), strict=True)
            damaged = [part for part, is_other in checked if is_other]
    except OSError as error:
        raise DatasetError(f"cannot read '{error.filename}': {error.strerror}") from error
    if damaged:
        raise DatasetError(
            f"'{folder / damaged[0].sha256}' is damaged: its SHA-256 differs; delete it and run "
            "the command that packed or fetched it again"
        )


def free_disk(folder: Path) -> int:
    """Bytes that are free on the disk of a folder, which need not exist yet."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextmanager
def _locked(partial: Path) -> Iterator[FileIO]:
    """Make a file that others, who see that it is locked, do not sweep away."""
    while True:
        with partial.open("xb", buffering=0) as file:
            with suppress(OSError):  # no locks on this file system
                fcntl.flock(file, fcntl.LOCK_SH)
            if not os.fstat(file.fileno()).st_nlink:  # it was, before it was locked
                continue
            yield file
            return


def _is_unused(file: Path) -> bool:
    """Whether no process has the file locked."""
    with file.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks on this file system
            return False
    return True


def _dropped(file: Path) -> bool:
    """Delete a part unless a process maps it; return whether it was deleted."""
    with suppress(OSError):
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.unlink()
        return True
    return False


def _unwritable(folder: Path, error: OSError) -> MachineError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineError(
            f"the disk of '{folder}' is full: make room and run the same command again; the parts "
            "that are there stay"
        )
    return MachineError(f"cannot write to '{folder}': {error.strerror or error}")
