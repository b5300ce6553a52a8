"""A store in a bucket: keys below a prefix, digests kept with the objects."""

import hashlib
from collections.abc import Iterator
from functools import cached_property

from memtail_core.errors import DamagedError
from memtail_core.store.base import Entry, checked_key, is_key
from memtail_core.store.minio.bucket import Bucket
from memtail_core.store.minio.claims import add_by_claim
from memtail_core.store.minio.download import DIGEST

_HIDDEN = ".adding/"  # a leading dot is no valid key, so what is below is never listed
_PROBE = f"{_HIDDEN}probe"
_WHY = b"With this object memtail tests whether the server supports conditional writes.\n"
_LOST = b"The server could not read this object any more, so it was removed.\n"


class MinioStore:
    """Objects of one bucket, or below a prefix in it. Do not share one between processes.

    Args:
        bucket: its name; it is created when the first object is put.
        prefix: what the names in the bucket start with, as a folder.
        endpoint: ``http://host:9000`` or ``https://…`` of the server.
        access_key, secret_key, region: as the server has them.
        patience: seconds for which a request is repeated while the server is unreachable or busy.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str,
        access_key: str,
        secret_key: str,
        region: str,
        patience: float,
    ) -> None:
        self._prefix = f"{prefix}/" if prefix else ""
        self._location = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = Bucket(
            bucket,
            self._location,
            endpoint=endpoint,
            access_key=access_key,
            secret_key=secret_key,
            region=region,
            patience=patience,
        )

    @property
    def location(self) -> str:
        """``s3://bucket`` or ``s3://bucket/prefix``."""
        return self._location

    def put(self, key: str, content: bytes) -> None:
        """Send the object with its digest."""
        self._bucket.write(self._name(key), content)

    def add(self, key: str, content: bytes) -> bool:
        """Send it on the condition that there is none; without conditional puts, claim the key.

        If the answer to a successful request is lost, and another client replaces the object before
        the request is sent again, this returns False although the object was there for a while.
        """
        name = self._name(key)
        if self._knows_conditions:
            return self._bucket.write_new(name, content)
        folder = f"{self._prefix}{_HIDDEN}{hashlib.sha256(key.encode()).hexdigest()}/"
        return add_by_claim(self._bucket, folder, name, lambda: self._bucket.write(name, content))

    def get(self, key: str) -> bytes:
        """Read the object and compare its digest; if it differs twice, the object is damaged."""
        name = self._name(key)
        for _ in range(2):
            content, kept = self._bucket.read(name)
            if kept is None or hashlib.sha256(content).hexdigest() == kept:
                return content
        raise DamagedError(f"{self._location}/{key} is damaged: its SHA-256 does not match")

    def exists(self, key: str) -> bool:
        """Ask for the object's headers."""
        return self._bucket.metadata(self._name(key)) is not None

    def digest(self, key: str) -> str:
        """Ask for the digest kept with the object; read the object if another tool put it there."""
        name = self._name(key)
        headers = self._bucket.metadata(name)
        if headers is None:
            raise KeyError(key)
        return headers.get(DIGEST) or hashlib.sha256(self._bucket.read(name)[0]).hexdigest()

    def folders(self, prefix: str, start: str = "") -> Iterator[str]:
        """Ask for the common prefixes of the keys."""
        begin = self._begin(prefix)
        pages = self._bucket.pages(begin + start, below=False)
        names = (name.removeprefix(begin)[:-1] for page in pages for name in page.folders)
        yield from sorted(name for name in names if is_key(name))

    def list(self, prefix: str, after: str = "") -> Iterator[str]:
        """Ask for the keys, a thousand at a time, as they are wanted."""
        return (entry.key for entry in self.entries(prefix, after))

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Ask for the keys and what the server lists of the digests kept with them."""
        behind = self._name(after) if after else ""
        for page in self._bucket.pages(self._begin(prefix), after=behind):
            for name, digest in page.names:
                key = name.removeprefix(self._prefix)
                if is_key(key) and name > behind:
                    yield Entry(key, digest)

    def delete(self, key: str) -> None:
        """Remove the object."""
        self._bucket.remove(self._name(key))

    def move(self, key: str, to: str) -> None:
        """Copy within the server, then delete; put a note in place of an object it cannot read."""
        name, target = self._name(key), self._name(to)
        try:
            self._bucket.copy(name, target)
        except DamagedError:
            self._bucket.write(target, _LOST)
        self._bucket.remove(name)

    def _begin(self, prefix: str) -> str:
        """What the names below ``prefix`` begin with."""
        return self._name(prefix.rstrip("/")) + "/" if prefix else self._prefix

    def _name(self, key: str) -> str:
        return self._prefix + checked_key(key)

    @cached_property
    def _knows_conditions(self) -> bool:
        """Whether the server supports conditional puts."""
        name = f"{self._prefix}{_PROBE}"
        return not (self._bucket.write_new(name, _WHY) and self._bucket.write_new(name, _WHY))
