"""Objects of one bucket by name; requests that fail for a while are signed and sent again."""

import hashlib
import io
import logging
import uuid
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from minio import Minio
from minio.commonconfig import CopySource
from minio.credentials.credentials import Credentials

from memtail_core.errors import DamagedError
from memtail_core.store.minio import errors
from memtail_core.store.minio.conditional import Signer
from memtail_core.store.minio.download import Download
from memtail_core.store.minio.errors import FAILURES, code
from memtail_core.store.minio.pool import connections
from memtail_core.store.patience import patiently

log = logging.getLogger(__name__)
T = TypeVar("T")

_PART = 64 << 20  # a larger object is sent in several requests
_SHORT = 60.0  # seconds of patience that pass without a word
_CERTAIN = 4  # failed reads, within a second, after which an object counts as damaged


class Bucket:
    """One bucket. The first write creates it; before that it reads as empty."""

    def __init__(
        self,
        name: str,
        store: str,
        *,
        endpoint: str,
        access_key: str,
        secret_key: str,
        region: str,
        patience: float,
    ) -> None:
        url = urlsplit(endpoint)
        self.name, self.store, self._endpoint, self.host = name, store, endpoint, url.netloc
        self._region, self._patience = region, patience
        pool = connections(patience)
        self._signer = Signer(pool, endpoint, region, Credentials(access_key, secret_key))
        self._client = Minio(
            endpoint=url.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=url.scheme == "https",
            region=region,
            http_client=pool,
        )

    def write(self, name: str, content: bytes) -> None:
        """Put an object with the digest of its content.

        Above 64 MiB it is sent in parts that the server joins at the end. If an answer was lost it
        is sent again: what was put twice is as if it were put once.
        """
        digest = hashlib.sha256(content).hexdigest()

        def attempt() -> None:
            self._client.put_object(
                self.name,
                name,
                io.BytesIO(content),
                len(content),
                metadata={"sha256": digest},
                part_size=_PART,
                num_parallel_uploads=1,
            )

        self._do(f"write {name}", lambda: self._in_bucket(attempt))

    def write_new(self, name: str, content: bytes) -> bool:
        """Put an object if the server finds none under the name, in one request that says so.

        A token tells that the object which is in the way is our own, put by an earlier attempt
        whose answer was lost.
        """
        token = uuid.uuid4().hex

        def attempt() -> bool:
            if self._signer.put_if_none(self.name, name, content, token):
                return True
            return self._metadata(name).get("x-amz-meta-token") == token

        return self._do(f"write {name}", lambda: self._in_bucket(attempt))

    def read(self, name: str) -> tuple[bytes, str | None]:
        """Return the content and the digest that is kept with it; KeyError if there is none."""
        download = Download(self._client, self.name, name)
        return self._do(f"read {name}", self._unless_unreadable(name, download))

    def metadata(self, name: str) -> dict[str, str] | None:
        """The headers of an object, names in lower case, or None if there is no object."""
        return self._do(f"read {name}", lambda: self._metadata(name)) or None

    def names(self, prefix: str, *, below: bool) -> list[str]:
        """The names that start with ``prefix``; unless ``below``, cut after the next ``/``."""

        def attempt() -> list[str]:
            entries = self._client.list_objects(self.name, prefix=prefix, recursive=below)
            return [entry.object_name for entry in entries if entry.object_name]

        try:
            return self._do(f"list {prefix or 'objects'}", attempt)
        except KeyError:
            return []

    def remove(self, name: str) -> None:
        """Remove an object, if there is one."""
        try:
            self._do(f"delete {name}", lambda: self._client.remove_object(self.name, name))
        except KeyError:
            return

    def copy(self, name: str, to: str) -> None:
        """Copy an object within the server, metadata and all; KeyError if there is none."""
        source = CopySource(self.name, name)
        copy = self._unless_unreadable(
            name, lambda: self._client.copy_object(self.name, to, source)
        )
        self._do(f"move {name}", copy)

    def _do(self, what: str, attempt: Callable[[], T]) -> T:
        try:
            tell = self._tell(what) if self._patience > _SHORT else None
            return patiently(attempt, errors.is_passing, self._patience, tell)
        except FAILURES as error:
            if code(error) in errors.MISSING:
                raise KeyError(what.partition(" ")[2]) from None
            raise errors.explained(error, self.store, self._endpoint, what) from error

    def _tell(self, what: str) -> Callable[[Exception, float], None]:
        def tell(error: Exception, seconds: float) -> None:
            sentence = errors.explained(error, self.store, self._endpoint, what)
            log.warning("%s; trying again for %.0f s", sentence, seconds)

        return tell

    def _in_bucket(self, attempt: Callable[[], T]) -> T:
        """Make an attempt; if there is no bucket, create it first. Others may create it too."""
        try:
            return attempt()
        except FAILURES as error:
            if code(error) != "NoSuchBucket":
                raise
        try:
            self._client.make_bucket(self.name, location=self._region)
        except FAILURES as error:
            if code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise
        return attempt()

    def _metadata(self, name: str) -> dict[str, str]:
        try:
            headers = self._client.stat_object(self.name, name).metadata or {}
        except FAILURES as error:
            if code(error) in errors.MISSING:
                return {}
            raise
        return {key.lower(): value for key, value in headers.items()}

    def _unless_unreadable(self, name: str, attempt: Callable[[], T]) -> Callable[[], T]:
        """Do not keep trying to read an object that the server has and cannot read."""
        failures = 0

        def guarded() -> T:
            nonlocal failures
            try:
                return attempt()
            except FAILURES as error:
                known = errors.is_unreadable(error) and self._metadata(name)
                failures = failures + 1 if known or errors.is_corrupt(error) else 0
                if failures < _CERTAIN:
                    raise
                raise DamagedError(
                    f"{self.store}: the server {self.host} cannot read {name} any more: it is "
                    "damaged on the server's disk"
                ) from error

        return guarded
