"""A store seen through one listing: questions that the listing answers cost no request.

A bucket answers each question in milliseconds, so that ten questions about each of two thousand
studies take minutes. A listing tells which objects there are, and on MinIO their digests too: an
object whose digest is known, and was read before, is not read again.
"""

import hashlib
import threading
import uuid
import zipfile
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from memtail_core.store.base import Entry, ObjectStore

_MOST_BYTES = 64 * 2**20
_LARGEST = 1 << 20  # bytes of an object that is kept


class Contents:
    """Contents by digest, those used last; any thread may call it.

    Equal contents are kept once: the same order or number of trials of a thousand studies.
    """

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._loaded: set[str] = set()
        self._lock = threading.Lock()

    def get(self, digest: str) -> bytes | None:
        """The content of this digest, if it is kept."""
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
            return self._kept.get(digest)

    def keep(self, content: bytes) -> None:
        """Keep a content unless it is large, and drop those not used for longest."""
        if len(content) > _LARGEST:
            return
        digest = hashlib.sha256(content).hexdigest()
        with self._lock:
            if digest not in self._kept:
                self._kept[digest] = content
                self._bytes += len(content)
            while self._bytes > self._most:
                self._bytes -= len(self._kept.popitem(last=False)[1])

    def load(self, file: Path) -> None:
        """Keep what :meth:`save` wrote, for the next command; whatever is no content is skipped."""
        with suppress(OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile):
            with zipfile.ZipFile(file) as archive:
                for digest in archive.namelist():
                    content = archive.read(digest)
                    if hashlib.sha256(content).hexdigest() == digest:
                        self.keep(content)
            self._loaded = set(self._kept)

    def save(self, file: Path) -> None:
        """Write what is kept, unless that is what was loaded; a full disk does no harm."""
        if not self._kept or self._loaded == set(self._kept):
            return
        partial = file.with_name(f"{file.name}.{uuid.uuid4().hex}")
        with suppress(OSError):
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with zipfile.ZipFile(partial, "w") as archive:
                    for digest, content in self._kept.items():
                        archive.writestr(digest, content)
                partial.replace(file)
            finally:
                partial.unlink(missing_ok=True)


class ListedStore:
    """A store as a listing below one prefix has it; what is asked about other keys is not there.

    Args:
        store: whose listing it is; it is asked for what the listing does not tell.
        entries: the listing, sorted.
        contents: what was read before, of any listing.
    """

    def __init__(self, store: ObjectStore, entries: Iterable[Entry], contents: Contents) -> None:
        self._store, self._contents = store, contents
        self._digests = {entry.key: entry.digest for entry in entries}
        self._keys = list(self._digests)

    @property
    def location(self) -> str:
        """What a user types to open the store."""
        return self._store.location

    @property
    def fingerprint(self) -> int | None:
        """A number that changes with every object; None where the listing has not every digest."""
        if None in self._digests.values():
            return None
        return hash(tuple(self._digests.items()))

    def get(self, key: str) -> bytes:
        """Return an object that was read before, or read it; raise KeyError if it is not listed."""
        digest = self._digests[key]
        kept = None if digest is None else self._contents.get(digest)
        if kept is None:
            kept = self._store.get(key)
            self._contents.keep(kept)
        return kept

    def exists(self, key: str) -> bool:
        """Return whether it is listed."""
        return key in self._digests

    def digest(self, key: str) -> str:
        """Return its digest as it is listed, or ask for it."""
        return self._digests[key] or self._store.digest(key)

    def folders(self, prefix: str, start: str = "") -> Iterator[str]:
        """As the listing has them."""
        rest = (key.removeprefix(prefix) for key in self.list(prefix))
        names = {name.partition("/")[0] for name in rest if "/" in name}
        yield from sorted(name for name in names if name.startswith(start))

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """As the listing has them."""
        first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        for position in range(first, len(self._keys)):
            key = self._keys[position]
            if not key.startswith(prefix):
                return
            yield key

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """As the listing has them."""
        return (Entry(key, self._digests[key]) for key in self.list(prefix, after))

    def put(self, key: str, content: bytes) -> None:
        """Put it into the store; this listing stays as it is."""
        self._store.put(key, content)

    def add(self, key: str, content: bytes) -> bool:
        """Add it to the store; this listing stays as it is."""
        return self._store.add(key, content)

    def delete(self, key: str) -> None:
        """Delete it in the store; this listing stays as it is."""
        self._store.delete(key)

    def move(self, key: str, to: str) -> None:
        """Move it in the store; this listing stays as it is."""
        self._store.move(key, to)
