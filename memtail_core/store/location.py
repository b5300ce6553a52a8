"""Open the store that a user names: a folder or a bucket."""

import re
from urllib.parse import urlsplit

from pydantic import SecretStr

from memtail_core.errors import StoreError
from memtail_core.settings import settings
from memtail_core.store.base import ObjectStore, checked_key
from memtail_core.store.files import FilesStore

_BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_store(location: str, patience: float = 5.0) -> ObjectStore:
    """Open the store at ``location``: a folder, or ``s3://bucket`` or ``s3://bucket/prefix``.

    Nothing is created before the first object is put. The environment names the server of a
    bucket: ``MEMTAIL_S3_ENDPOINT``, ``MEMTAIL_S3_ACCESS_KEY``, ``MEMTAIL_S3_SECRET_KEY``.

    Args:
        location: where it is.
        patience: seconds for which requests to an unreachable server are repeated.

    Raises:
        StoreError: the location is invalid, or a setting is missing.

    Example:
        >>> open_store("runs").location
        'runs'
    """
    if not location.startswith("s3://"):
        return FilesStore(location)
    bucket, _, prefix = location.removeprefix("s3://").rstrip("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise StoreError(
            f"'{location}' names no bucket: give s3://bucket or s3://bucket/prefix, the bucket of "
            "3 to 63 small letters, digits, '.', '-'"
        )
    if prefix:
        checked_key(prefix)
    environment = settings()
    endpoint = _needed(environment.s3_endpoint, "ENDPOINT", location)
    access_key = _needed(environment.s3_access_key, "ACCESS_KEY", location)
    secret_key = _needed(environment.s3_secret_key, "SECRET_KEY", location)
    try:
        from memtail_core.store.minio import MinioStore
    except ModuleNotFoundError as error:
        raise StoreError(
            f"the store '{location}' needs the package {error.name}: pip install 'memtail[cluster]'"
        ) from error
    return MinioStore(
        bucket,
        prefix,
        endpoint=_address(endpoint),
        access_key=access_key,
        secret_key=secret_key,
        region=environment.s3_region,
        patience=patience,
    )


def _needed(value: str | SecretStr | None, name: str, location: str) -> str:
    if value is None:
        raise StoreError(
            f"the store '{location}' needs MEMTAIL_S3_{name}: set it in the environment or in .env"
        )
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _address(endpoint: str) -> str:
    """Scheme, host and port, without a slash at the end."""
    try:
        url = urlsplit(endpoint)
        sound = url.scheme in ("http", "https") and url.hostname and (url.port or 1)
    except ValueError:
        sound = False
    if not sound or url.path.strip("/") or url.query or url.username is not None:
        raise StoreError(
            "MEMTAIL_S3_ENDPOINT is no address of a server: give http://host:9000 or https://host"
        )
    return f"{url.scheme}://{url.netloc}"
