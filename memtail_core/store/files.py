"""A store in a folder: atomic, durable writes on any POSIX file system."""

import errno
import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memtail_core.errors import StoreError
from memtail_core.store.base import Entry, checked_key, is_key

_PARTIAL = ".partial-"  # a write in progress; never listed, as no key has a leading dot
_LOCK = ".adding"  # never listed either
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_ABANDONED = 24 * 3600.0  # seconds after which a write in progress counts as abandoned


class FilesStore:
    """Objects as files below ``root``; the key is the path."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = Path(os.path.expanduser(root))
        if self._root.exists() and not self._root.is_dir():
            raise StoreError(f"the store '{root}' is a file: give a folder")

    @property
    def location(self) -> str:
        """The folder, as it was given."""
        return str(self._root)

    def put(self, key: str, content: bytes) -> None:
        """Write to a temporary file beside the target, fsync, rename over it, fsync the folder."""
        with self._written(key, content) as (partial, path):
            partial.replace(path)

    def add(self, key: str, content: bytes) -> bool:
        """Write to a temporary file as well, but link to its name, which fails if it is taken."""
        with self._written(key, content) as (partial, path):
            try:
                os.link(partial, path)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return _rename_to_new(partial, path)
        return True

    def file(self, key: str) -> Path:
        """The path that the key is."""
        return self._path(key)

    def put_file(self, key: str, file: Path) -> None:
        """Link to it; copy it where it is on another disk."""
        path = self._path(key)
        partial = path.parent / f"{_PARTIAL}{uuid.uuid4().hex}"
        with self._explained(f"write {key}"):
            _make_folder(path.parent)
            try:
                try:
                    os.link(file, partial)
                except OSError:
                    shutil.copyfile(file, partial)
                    _sync_file(partial)
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)
            synced(path.parent)

    @contextmanager
    def _written(self, key: str, content: bytes) -> Iterator[tuple[Path, Path]]:
        """Write a temporary file; yield its path and its final path."""
        path = self._path(key)
        partial = path.parent / f"{_PARTIAL}{uuid.uuid4().hex}"
        with self._explained(f"write {key}"):
            _make_folder(path.parent)
            try:
                with partial.open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                yield partial, path
            finally:
                partial.unlink(missing_ok=True)
            synced(path.parent)
            _sweep(path.parent)

    def get(self, key: str) -> bytes:
        """Read the whole object."""
        with self._explained(f"read {key}"):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                raise KeyError(key) from None

    def exists(self, key: str) -> bool:
        """Return whether the file exists."""
        with self._explained(f"read {key}"):
            return self._path(key).is_file()

    def digest(self, key: str) -> str:
        """Read the file in pieces and hash it."""
        with self._explained(f"read {key}"):
            try:
                with self._path(key).open("rb") as file:
                    return hashlib.file_digest(file, "sha256").hexdigest()
            except (FileNotFoundError, NotADirectoryError):
                raise KeyError(key) from None

    def folders(self, prefix: str, start: str = "") -> Iterator[str]:
        """Look into the folder that ``prefix`` names, not deeper."""
        folder = self._folder(prefix)
        with self._explained(f"list {prefix}"):
            names = sorted(path.name for path in folder.glob("*/") if is_key(path.name))
            names = [name for name in names if name.startswith(start)]
        yield from names

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Walk the folder that ``prefix`` names."""
        folder = self._folder(prefix)
        with self._explained(f"list {prefix}"):
            files = (path for path in folder.rglob("*") if path.is_file())
            names = (path.relative_to(self._root).as_posix() for path in files)
            keys = sorted(name for name in names if is_key(name) and name > after)
        yield from keys

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """The same; a folder keeps no digests."""
        return (Entry(key, None) for key in self.list(prefix, after))

    def delete(self, key: str) -> None:
        """Unlink."""
        with self._explained(f"delete {key}"):
            self._path(key).unlink(missing_ok=True)

    def move(self, key: str, to: str) -> None:
        """Rename, replacing what was under ``to``."""
        source, target = self._path(key), self._path(to)
        with self._explained(f"move {key}"):
            if not source.is_file():
                raise KeyError(key)
            _make_folder(target.parent)
            source.replace(target)
            synced(target.parent)
            synced(source.parent)

    def _folder(self, prefix: str) -> Path:
        return self._path(prefix.rstrip("/")) if prefix else self._root

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Turn the operating system's errors into one sentence that says what to do."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StoreError(
                    f"the disk of the store '{self.location}' is full (could not {what}): make "
                    "room and run the same command again; what is stored is safe"
                ) from error
            raise StoreError(
                f"cannot {what} in the store '{self.location}': {error.strerror or error}"
            ) from error


def _rename_to_new(partial: Path, path: Path) -> bool:
    """Rename ``partial`` unless ``path`` exists; return whether it was renamed.

    For file systems without hard links. A rename replaces what is there, so those who add to one
    folder take turns. Readers see all of a file or none; of many who add one is the first as far
    as the file system's locks reach.
    """
    with (path.parent / _LOCK).open("ab") as lock:  # left there: a lock must not be removed
        with suppress(OSError):  # no locks either
            fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        if path.exists():
            return False
        partial.replace(path)
    return True


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each durable in the folder above it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    synced(folder.parent)


def _sweep(folder: Path) -> None:
    """Delete the temporary files of writers that were killed long ago."""
    for partial in folder.glob(f"{_PARTIAL}*"):
        with suppress(OSError):  # another process was faster
            if time.time() - partial.stat().st_mtime > _ABANDONED:
                partial.unlink()


def _sync_file(file: Path) -> None:
    """Make what was written durable."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def synced(folder: Path) -> None:
    """Make a rename durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
