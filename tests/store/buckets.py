"""Stores in buckets of their own, and the client by which tests look behind them."""

import secrets

from minio import Minio

from memtail_core.store.minio import MinioStore
from tests.servers import S3Server


def opened(
    server: S3Server,
    prefix: str = "",
    *,
    bucket: str = "",
    endpoint: str = "",
    keys: tuple[str, str] | None = None,
    patience: float = 5.0,
) -> MinioStore:
    """A store in a bucket that is not there yet, unless it is given."""
    access_key, secret_key = keys or (server.access_key, server.secret_key)
    return MinioStore(
        bucket or f"test-{secrets.token_hex(8)}",
        prefix,
        endpoint=endpoint or server.endpoint,
        access_key=access_key,
        secret_key=secret_key,
        region="us-east-1",
        patience=patience,
    )


def client(server: S3Server) -> Minio:
    return Minio(
        endpoint=server.endpoint.removeprefix("http://"),
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=False,
        region="us-east-1",
    )


def bucket(store: MinioStore) -> str:
    return store.location.removeprefix("s3://").partition("/")[0]
