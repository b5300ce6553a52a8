"""Objects whose bytes rot on the disk of a MinIO server, which finds that itself."""

import time
from pathlib import Path

import pytest

from memtail_core.errors import DamagedError, StoreError
from memtail_core.store.minio import MinioStore
from tests.servers import S3Server
from tests.store.buckets import bucket, opened

SMALL, MIDDLE, LARGE = 1000, 300_000, 3_000_000


@pytest.fixture
def store(s3: S3Server) -> MinioStore:
    """A store of a patient service: what is rotten must not be waited for."""
    if s3.kind != "minio":
        pytest.skip("only MinIO keeps sums of what it writes, and only ours has a folder")
    return opened(s3, patience=600)


def rot(s3: S3Server, store: MinioStore, key: str, at: int) -> None:
    """Flip the bits of one byte of the object, counted from its end in the server's file."""
    files = sorted((s3.folder / bucket(store) / key).rglob("*"))
    file: Path = next((f for f in files if f.name.startswith("part.")), files[0])
    content = bytearray(file.read_bytes())
    content[-at] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("size", "at"), [(SMALL, 100), (MIDDLE, 1000), (LARGE, 500_000), (LARGE, LARGE)]
)
def test_what_rots_is_damaged_and_can_be_set_aside(
    s3: S3Server, store: MinioStore, size: int, at: int
) -> None:
    store.put("shards/1", bytes(size))
    rot(s3, store, "shards/1", at)
    started = time.monotonic()
    with pytest.raises(DamagedError, match="cannot read shards/1 any more: it is damaged on the"):
        store.get("shards/1")
    store.move("shards/1", "damaged/1")
    assert time.monotonic() - started < 10
    assert list(store.list("")) == ["damaged/1"]
    assert b"could not read this object" in store.get("damaged/1")
    store.put("shards/1", b"again")
    assert store.get("shards/1") == b"again"


def test_what_rots_can_be_deleted(s3: S3Server, store: MinioStore) -> None:
    store.put("k", bytes(MIDDLE))
    rot(s3, store, "k", 1000)
    store.delete("k")
    assert not store.exists("k")


def test_rotten_notes_of_the_server_are_the_operators_to_mend(
    s3: S3Server, store: MinioStore
) -> None:
    store.put("k", bytes(MIDDLE))
    notes = s3.folder / bucket(store) / "k" / "xl.meta"
    content = bytearray(notes.read_bytes())
    content[60] ^= 0xFF
    notes.write_bytes(content)
    with pytest.raises(DamagedError, match="cannot read k any more"):
        store.get("k")
    hasty = opened(s3, bucket=bucket(store), patience=0.1)
    for use in (lambda: hasty.put("k", b"x"), lambda: hasty.delete("k")):
        with pytest.raises(StoreError, match="remove the object's folder where the server keeps"):
            use()
