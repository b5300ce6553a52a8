"""The protocol every store follows: whole objects under keys, nothing else."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from memtail_core.errors import StoreError

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class Entry:
    """An object in a listing.

    Attributes:
        key: where it is.
        digest: its SHA-256 as the store keeps it with the object; None where the store would have
            to read the object, or to be asked again.
    """

    key: str
    digest: str | None


class ObjectStore(Protocol):
    """Whole objects by key. ``tests/store/contract.py`` says what every implementation must do.

    A put is atomic: a reader sees the old object, the new one, or none, never a part; it is durable
    when it returns. Failures raise :class:`~memtail_core.errors.StoreError`, a missing object
    raises :class:`KeyError`, and one that the store knows to be other than what was put raises
    :class:`~memtail_core.errors.DamagedError`.
    """

    @property
    def location(self) -> str:
        """What a user types to open this store."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Store ``content`` under ``key``, replacing what was there."""
        ...

    def add(self, key: str, content: bytes) -> bool:
        """Store ``content`` unless there is an object under ``key``; return whether it was stored.

        Of several who add under one key at once, one succeeds. Readers never see a part.
        """
        ...

    def get(self, key: str) -> bytes:
        """Return the object under ``key``; raise KeyError if there is none."""
        ...

    def exists(self, key: str) -> bool:
        """Return whether an object is stored under ``key``."""
        ...

    def digest(self, key: str) -> str:
        """Return the SHA-256 of the object, 64 hexadecimal digits; KeyError if there is none.

        A store that keeps the digest of what was put returns that, and reads nothing.
        """
        ...

    def folders(self, prefix: str, start: str = "") -> Iterator[str]:
        """Yield, sorted, what follows ``prefix`` up to the next ``/`` in the keys that have one.

        Only what begins with ``start``; a bucket is not asked for the rest.
        """
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Yield, sorted, the keys that start with ``prefix`` (which ends in ``/`` or is empty).

        Only those behind the key ``after``. A bucket is asked a thousand keys at a time, and only
        for as many as the caller takes.
        """
        ...

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Yield the same with the digests that the store lists: as many requests as for keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object of ``key``, if there is one."""
        ...

    def move(self, key: str, to: str) -> None:
        """Put the object of ``key`` under ``to`` instead; raise KeyError if there is none."""
        ...


def is_key(name: str) -> bool:
    """Whether memtail may have put an object of that name; others are not listed."""
    return bool(_KEY.fullmatch(name))


def checked_key(key: str) -> str:
    """Return ``key`` if it is safe in every store: segments of ``A-Za-z0-9._-``, no leading dot."""
    if not is_key(key):
        raise StoreError(f"'{key}' is not a valid key: segments of letters, digits, '.', '_', '-'")
    return key


@runtime_checkable
class LocalStore(Protocol):
    """A store whose objects are files that this machine can map: a folder."""

    def file(self, key: str) -> Path:
        """Where the file of an object is, or would be."""
        ...

    def put_file(self, key: str, file: Path) -> None:
        """Store a file's content under ``key``, without a copy where the file system allows it.

        The file must not be written to afterwards.
        """
        ...
