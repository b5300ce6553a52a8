"""The store in a bucket, against real servers."""

import hashlib
import io
import secrets
from collections.abc import Callable

import pytest
from minio import MinioAdmin
from minio.credentials import StaticProvider

from memtail_core.errors import DamagedError, StoreError
from memtail_core.store.minio import MinioStore
from tests.servers import S3Server
from tests.store.buckets import bucket, client, opened
from tests.store.contract import StoreContract


class TestMinioStore(StoreContract):
    @pytest.fixture
    def store(self, s3: S3Server) -> MinioStore:
        return opened(s3, "below/a-prefix")

    @pytest.fixture
    def put_by_others(self, s3: S3Server, store: MinioStore) -> Callable[[str], None]:
        return lambda name: put_empty(s3, store, f"below/a-prefix/{name}")


class TestOnRclone(StoreContract):
    """A server that knows no conditional put and forgets metadata when it is started again."""

    @pytest.fixture
    def store(self, rclone: S3Server) -> MinioStore:
        return opened(rclone)

    @pytest.fixture
    def put_by_others(self, rclone: S3Server, store: MinioStore) -> Callable[[str], None]:
        return lambda name: put_empty(rclone, store, name)


def put_empty(server: S3Server, store: MinioStore, name: str) -> None:
    client(server).put_object(bucket(store), name, io.BytesIO(b""), 0)


@pytest.fixture
def store(s3: S3Server) -> MinioStore:
    return opened(s3)


def test_before_anything_is_put_there_is_no_bucket_and_nothing_in_it(
    s3: S3Server, store: MinioStore
) -> None:
    assert not store.exists("k")
    assert list(store.list("")) == []
    assert list(store.folders("")) == []
    store.delete("k")
    for use in (store.get, store.digest, lambda key: store.move(key, "to")):
        with pytest.raises(KeyError):
            use("k")
    assert not client(s3).bucket_exists(bucket(store))
    store.put("k", b"x")
    assert client(s3).bucket_exists(bucket(store))


def test_what_another_tool_put_there_is_read(s3: S3Server, store: MinioStore) -> None:
    store.put("k", b"")
    client(s3).put_object(bucket(store), "theirs", io.BytesIO(b"abc"), 3)
    assert store.get("theirs") == b"abc"
    assert store.digest("theirs") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("content", [b"cut sh", b"flipped!!"])
def test_what_was_altered_is_damaged_and_can_be_set_aside(
    s3: S3Server, store: MinioStore, content: bytes
) -> None:
    store.put("shards/1", b"cut short")
    kept = {"sha256": store.digest("shards/1")}
    client(s3).put_object(
        bucket(store), "shards/1", io.BytesIO(content), len(content), metadata=kept
    )
    with pytest.raises(DamagedError, match="shards/1 is damaged: its SHA-256 does not match"):
        store.get("shards/1")
    store.move("shards/1", "damaged/1")
    assert list(store.list("")) == ["damaged/1"]
    assert store.digest("damaged/1") == kept["sha256"], "the metadata went along"


def test_an_object_of_several_parts_has_its_digest(store: MinioStore) -> None:
    content = bytes(range(256)) * (300 << 10)  # 75 MiB
    store.put("large", content)
    assert store.digest("large") == hashlib.sha256(content).hexdigest()
    assert store.get("large") == content


def test_a_prefix_hides_the_rest_of_the_bucket(s3: S3Server) -> None:
    whole = opened(s3)
    below = opened(s3, "a/b", bucket=bucket(whole))
    below.put("k", b"x")
    whole.put("other", b"y")
    assert list(below.list("")) == ["k"]
    assert list(whole.list("")) == ["a/b/k", "other"]
    assert below.location.endswith("/a/b")


def test_nothing_of_how_an_object_was_added_is_listed(s3: S3Server, rclone: S3Server) -> None:
    for server in (s3, rclone):
        store = opened(server)
        assert store.add("k", b"first")
        assert not store.add("k", b"second")
        client(server).put_object(bucket(store), ".adding/x/y", io.BytesIO(b""), 0)
        assert list(store.list("")) == ["k"]
        assert list(store.folders("")) == []


def test_the_digest_survives_where_the_server_forgets_metadata(rclone: S3Server) -> None:
    store = opened(rclone)
    store.put("k", b"abc")
    rclone.stop()
    rclone.start()
    assert store.get("k") == b"abc"
    assert store.digest("k") == hashlib.sha256(b"abc").hexdigest()


def test_errors_hold_no_secret(s3: S3Server, store: MinioStore) -> None:
    store.put("k", b"x")
    keys = (s3.access_key, "not-the-secret")
    wrong = opened(s3, bucket=bucket(store), keys=keys, patience=0.1)
    for use in (
        wrong.get,
        wrong.exists,
        lambda key: list(wrong.list("")),
        lambda key: wrong.put(key, b""),
        lambda key: wrong.add("new", b""),
    ):
        with pytest.raises(StoreError, match="does not accept the key") as told:
            use("k")
        assert "MEMTAIL_S3_SECRET_KEY" in str(told.value)
        assert not any(secret in str(told.value) for secret in keys)


def test_a_key_that_may_only_read_is_told_what_it_may_not(s3: S3Server, store: MinioStore) -> None:
    if s3.kind == "rclone":
        pytest.skip("rclone knows no users")
    store.put("k", b"x")
    keys = (secrets.token_hex(8), secrets.token_hex(16))
    admin = MinioAdmin(
        endpoint=s3.endpoint.removeprefix("http://"),
        credentials=StaticProvider(s3.access_key, s3.secret_key),
        secure=False,
    )
    admin.user_add(*keys)
    admin.attach_policy(["readonly"], user=keys[0])
    limited = opened(s3, bucket=bucket(store), keys=keys)
    assert limited.get("k") == b"x"
    for use in (limited.put, limited.add):
        with pytest.raises(StoreError, match=r"the key may not write .* in the bucket of the"):
            use("new", b"")
    with pytest.raises(StoreError, match="the key may not delete k in"):
        limited.delete("k")
    with pytest.raises(StoreError, match="the key may not write k in"):
        opened(s3, keys=keys).put("k", b"")
