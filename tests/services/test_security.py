"""What a worker runs and what it may do: nothing that was pickled, nothing beyond its policy."""

import base64
import io
import json
import pickle
import uuid
from pathlib import Path

import pytest
from minio import Minio, MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import S3Error

from memtail_core import catalogue
from memtail_core.running import execution, loading
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from services.queue import configuration, queue_of
from tests.services.cluster import Cluster

POLICY = Path(__file__).parents[2] / "services" / "worker" / "policy.json"


class Harmful:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_a_pickled_task_is_not_unpickled(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = cluster.folder / "touched"
    pickle.loads(pickle.dumps(Harmful(touched)))
    assert touched.exists(), "it would do harm"
    touched.unlink()
    message = {
        "body": base64.b64encode(pickle.dumps([[Harmful(touched)], {}, {}])).decode(),
        "content-type": "application/x-python-serialize",
        "content-encoding": "binary",
        "headers": {"task": "memtail.train", "id": "x", "lang": "py"},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": uuid.uuid4().hex,
            "delivery_info": {"exchange": "", "routing_key": queue_of("cpu")},
        },
    }
    cluster.client.lpush(queue_of("cpu"), json.dumps(message))
    worker = cluster.worker()
    cluster.wait_until("it is refused", lambda: "ContentDisallowed" in worker.log.read_text())
    assert not touched.exists()
    cluster.aggregator()
    cluster.memtail("submit", "small.toml", "--trials", "3", "--wait")


def test_no_secret_is_logged_queued_or_stored(cluster: Cluster) -> None:
    cluster.memtail("submit", "small.toml", "--trials", "6", "--stack", "3")
    redis_client = cluster.client
    queued = "".join(redis_client.lrange(queue_of("cpu"), 0, -1))
    assert "memtail.train" in queued
    cluster.worker()
    cluster.aggregator()
    cluster.memtail("watch", "small")
    shown = cluster.memtail("doctor", "--json").stdout + cluster.memtail("workers", "--json").stdout
    logs = "".join(service.log.read_text() for service in cluster.services)
    said = "".join(
        str(redis_client.get(key))
        for key in redis_client.scan_iter("memtail:*")
        if redis_client.type(key) == "string"
    )
    kept = b"".join(cluster.store.get(key) for key in cluster.store.list(""))
    for secret in (cluster.redis.password, cluster.s3.secret_key):
        for where in (queued, shown, logs, said, kept.decode(errors="replace")):
            assert secret not in where


def test_a_worker_does_its_work_with_no_more_than_its_policy(cluster: Cluster) -> None:
    if cluster.s3.kind != "minio":
        pytest.skip("rclone has no users")
    address = cluster.s3.endpoint.rpartition("/")[2]
    credentials = StaticProvider(cluster.s3.access_key, cluster.s3.secret_key)
    admin = MinioAdmin(endpoint=address, credentials=credentials, secure=False)
    policy = POLICY.read_text().replace(":::memtail", f":::{cluster.bucket}")
    (cluster.folder / "policy.json").write_text(policy)
    name, user, secret = f"p{uuid.uuid4().hex[:8]}", f"u{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    admin.policy_add(name, str(cluster.folder / "policy.json"))
    admin.user_add(user, secret)
    admin.policy_set(name, user)

    kept = ("--set", "study.probabilities=true")
    cluster.memtail("submit", "small.toml", "--stack", "3", "--trials", "12", *kept)
    lesser = {"MEMTAIL_S3_ACCESS_KEY": user, "MEMTAIL_S3_SECRET_KEY": secret}
    worker = cluster.worker(**lesser)
    cluster.aggregator()
    cluster.memtail("watch", "small")
    assert "failed" not in worker.log.read_text()
    here = FilesStore(cluster.folder / "here")
    dataset = catalogue.load_dataset(cluster.store, cluster.study)
    execution.run(cluster.study, here, dataset, 12, workers=1, stack=3)
    one, other = (loading.load_held_out(store, cluster.study) for store in (cluster.store, here))
    assert one.mean.tobytes() == other.mean.tobytes()
    assert one.spread.tobytes() == other.spread.tobytes()

    client = Minio(address, user, secret, secure=False, region="us-east-1")
    study = cluster.study.prefix
    for key in (f"{study}study.json", f"{study}order.json", f"{study}report/index.html"):
        assert client.get_object(cluster.bucket, key).read()
        with pytest.raises(S3Error, match="AccessDenied"):
            client.remove_object(cluster.bucket, key)
        with pytest.raises(S3Error, match="AccessDenied"):
            client.put_object(cluster.bucket, key, io.BytesIO(b""), 0)


def test_the_app_takes_json_alone() -> None:
    found = configuration(Settings(broker_url="redis://127.0.0.1:1/0"))
    assert found["accept_content"] == ["json"]
    assert found["task_serializer"] == "json"
    assert found["task_ignore_result"]
