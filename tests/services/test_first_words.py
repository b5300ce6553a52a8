"""A service whose store or Redis cannot be reached says so at once, and what mends it.

https://github.com/celery/celery/issues/4556 (Celery hangs, and says nothing, if Redis is not
started), https://github.com/OvalMoney/celery-exporter/issues/63 (the same behind a firewall),
https://github.com/minio/minio-py/issues/730 (a certificate that is not trusted ends in "max retries
exceeded").
"""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from memtail_core.errors import MemtailError, StoreError, StudyError
from memtail_core.settings import Settings, settings
from memtail_core.store import ObjectStore, open_store, tls
from services import broker
from tests import programs
from tests.servers import RedisServer, S3Server, redis_server
from tests.servers.process import free_port
from tests.servers.tls import AUTHORITY, encrypted
from tests.services.cluster import Cluster


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as found:
        yield found


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("MEMTAIL_") or name == "SSL_CERT_FILE":
            monkeypatch.delenv(name)


def port_of(address: str) -> int:
    port = urlsplit(address).port
    assert port
    return port


def ping(server: RedisServer, address: str) -> None:
    set_to = Settings(broker_url=address, broker_password=server.password)
    with broker.reached(set_to):
        assert broker.connect(set_to).ping()


def bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> ObjectStore:
    monkeypatch.setenv("MEMTAIL_S3_ENDPOINT", endpoint)
    monkeypatch.setenv("MEMTAIL_S3_ACCESS_KEY", s3.access_key)
    monkeypatch.setenv("MEMTAIL_S3_SECRET_KEY", s3.secret_key)
    return open_store("s3://first-words", patience=0.2)


@pytest.mark.parametrize("away", ["redis", "silent redis", "store"])
def test_a_worker_says_what_it_waits_for(cluster: Cluster, away: str) -> None:
    """Not after the minutes for which it waits; and it goes on when that is there."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and says nothing
        env = {}
        if away == "store":
            cluster.faults.refuse()
            expected = f"cannot reach the store 's3://{cluster.bucket}' at"
        else:
            port = silent.getsockname()[1] if "silent" in away else free_port()
            env["MEMTAIL_BROKER_URL"] = f"redis://127.0.0.1:{port}/0"
            expected = f"Warning: cannot reach Redis at redis://127.0.0.1:{port}/0"
        worker = cluster.worker(**env)
        cluster.wait_until("it says so", lambda: expected in worker.log.read_text())
        said = worker.log.read_text()
        assert said.startswith("memtail worker "), "who it is, first"
        assert "trying again" in said
        assert not worker.has_ended
        if away == "store":
            cluster.faults.heal()
            cluster.wait_until("it is there", lambda: cluster.client.keys("*presence:worker*"))


def test_a_worker_with_a_wrong_password_ends_with_a_line(cluster: Cluster) -> None:
    worker = cluster.worker(MEMTAIL_BROKER_PASSWORD="wrong")
    assert worker.wait() == 2
    last = worker.log.read_text().splitlines()[-1]
    assert last.startswith("error: Redis at ")
    assert "refuses the password: check MEMTAIL_BROKER_PASSWORD" in last


def test_redis_behind_tls(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_TIMEOUT", 1.0)  # Redis in plain waits for more of a handshake
    port = port_of(redis.url)
    with encrypted(port) as secure, encrypted(port, "elsewhere") as elsewhere:
        for address, expected in (
            (f"rediss://127.0.0.1:{secure}/0", "does not trust its certificate: set MEMTAIL_CA_FI"),
            (f"redis://127.0.0.1:{secure}/0", "expects encrypted connections: write rediss://"),
            (f"rediss://127.0.0.1:{port}/0", "does not encrypt: write redis:// instead"),
        ):
            with pytest.raises(broker.RefusedError, match=expected):
                ping(redis, address)
        monkeypatch.setenv("MEMTAIL_CA_FILE", str(AUTHORITY))
        ping(redis, f"rediss://127.0.0.1:{secure}/0")
        with pytest.raises(broker.RefusedError, match=r"is not for the name '127\.0\.0\.1'"):
            ping(redis, f"rediss://127.0.0.1:{elsewhere}/0")


def test_a_store_behind_tls(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    port = port_of(s3.endpoint)
    with encrypted(port) as secure, encrypted(port, "elsewhere") as elsewhere:
        for endpoint, expected in (
            (f"https://127.0.0.1:{secure}", "does not trust its certificate: set MEMTAIL_CA_FILE"),
            (f"http://127.0.0.1:{secure}", "expects encrypted connections: write https://"),
            (f"https://127.0.0.1:{port}", "does not encrypt: write http:// instead of https://"),
        ):
            with pytest.raises(StoreError, match=expected):
                list(bucket(s3, monkeypatch, endpoint).list("studies/"))
        monkeypatch.setenv("SSL_CERT_FILE", str(AUTHORITY))
        store = bucket(s3, monkeypatch, f"https://127.0.0.1:{secure}")
        store.put("a", b"b")
        assert store.get("a") == b"b"
        with pytest.raises(StoreError, match=r"is not for the name '127\.0\.0\.1'"):
            list(bucket(s3, monkeypatch, f"https://127.0.0.1:{elsewhere}").list("studies/"))


def test_a_worker_and_a_command_behind_tls(cluster: Cluster) -> None:
    """With the certificates in .env, as every other setting."""
    (cluster.folder / ".env").write_text(f"SSL_CERT_FILE={AUTHORITY}\n")
    port = port_of(cluster.redis.url)
    with encrypted(port) as secure, encrypted(port, "elsewhere") as elsewhere:
        url = f"rediss://127.0.0.1:{secure}/0"
        worker = cluster.worker(MEMTAIL_BROKER_URL=url)
        cluster.wait_until("Celery is there", lambda: "ready." in worker.log.read_text())
        assert cluster.client.keys("memtail:presence:worker:*")
        env = cluster.env | {"MEMTAIL_BROKER_URL": url}
        listed = programs.run("cli.main", "workers", env=env, folder=cluster.folder)
        assert worker.name in listed.stdout
        refused = cluster.worker(MEMTAIL_BROKER_URL=f"rediss://127.0.0.1:{elsewhere}/0")
        assert refused.wait() == 2
        assert "its certificate is not for the name '127.0.0.1'" in refused.log.read_text()


@pytest.mark.parametrize("name", ["MEMTAIL_CA_FILE", "SSL_CERT_FILE"])
def test_the_certificates_are_a_setting_like_any_other(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert tls.trusted(settings().ca_file) is None
    (tmp_path / ".env").write_text(f"{name}={AUTHORITY}\n")
    assert tls.trusted(settings().ca_file) == str(AUTHORITY)
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    with pytest.raises(StudyError, match=r"MEMTAIL_CA_FILE = .*none\.pem cannot be read: No such"):
        tls.trusted(settings().ca_file)
    (tmp_path / "none.pem").write_text("no certificate")
    with pytest.raises(MemtailError, match="it holds no certificate in PEM"):
        tls.trusted(settings().ca_file)
    assert settings().ca_file
