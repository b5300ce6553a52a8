"""What a user types, and the store it opens."""

import subprocess
import sys
from pathlib import Path

import pytest

from memtail_core.errors import StoreError
from memtail_core.store import FilesStore, open_store
from memtail_core.store.minio import MinioStore

SETTINGS = {
    "ENDPOINT": "http://127.0.0.1:9",
    "ACCESS_KEY": "the-access-key",
    "SECRET_KEY": "the-secret-key",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)  # where there is no .env
    for name, value in SETTINGS.items():
        monkeypatch.setenv(f"MEMTAIL_S3_{name}", value)
    return monkeypatch


@pytest.mark.parametrize("location", ["s3://bucket", "s3://my-bucket.x/a/b_c"])
def test_a_bucket_is_opened_and_tells_its_location(
    environment: pytest.MonkeyPatch, location: str
) -> None:
    store = open_store(location)
    assert isinstance(store, MinioStore)
    assert store.location == location
    assert open_store(f"{location}/").location == location


def test_anything_else_is_a_folder(environment: pytest.MonkeyPatch) -> None:
    assert isinstance(open_store("runs"), FilesStore)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(f"MEMTAIL_S3_{name}")
    with pytest.raises(StoreError, match=f"needs MEMTAIL_S3_{name}: set it in the environment"):
        open_store("s3://bucket")


@pytest.mark.parametrize(
    "location", ["s3://", "s3:///x", "s3://UPPER", "s3://a", "s3://a..b", "s3://-ab", "s3://a b/c"]
)
def test_what_is_no_bucket_is_said(environment: pytest.MonkeyPatch, location: str) -> None:
    with pytest.raises(StoreError, match="names no bucket: give s3://bucket"):
        open_store(location)


@pytest.mark.parametrize("prefix", ["../up", ".hidden", "a//b", "a b"])
def test_a_prefix_is_as_a_key(environment: pytest.MonkeyPatch, prefix: str) -> None:
    with pytest.raises(StoreError, match="not a valid key"):
        open_store(f"s3://bucket/{prefix}")


@pytest.mark.parametrize(
    "endpoint",
    ["host:9000", "ftp://host", "http://", "http://host/path", "http://h:x", "http://a:b@host"],
)
def test_what_is_no_endpoint_is_said(environment: pytest.MonkeyPatch, endpoint: str) -> None:
    environment.setenv("MEMTAIL_S3_ENDPOINT", endpoint)
    with pytest.raises(StoreError, match="MEMTAIL_S3_ENDPOINT is no address of a server: give"):
        open_store("s3://bucket")


def test_without_the_client_it_says_what_to_install(environment: pytest.MonkeyPatch) -> None:
    environment.setitem(sys.modules, "minio", None)
    for name in [name for name in sys.modules if name.startswith("memtail_core.store.minio")]:
        environment.delitem(sys.modules, name)
    with pytest.raises(StoreError, match=r"needs the package minio: pip install 'memtail\[cluster"):
        open_store("s3://bucket")


def test_a_folder_needs_no_client() -> None:
    script = (
        "import sys; from memtail_core.store import open_store; open_store('runs');"
        "sys.exit('minio' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
