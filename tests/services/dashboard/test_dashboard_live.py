"""The dashboard as a process beside a real Redis, a real bucket, a worker and an aggregator."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from memtail_core.errors import StudyError
from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from services.dashboard import __main__ as starting
from services.dashboard.connections import Places
from tests.servers.process import free_port
from tests.services.cluster import Cluster
from tests.services.dashboard.conftest import BEARER, TOKEN, Show, Shown, serving

TABLES = {
    "study": {"name": "small", "trials": 12, "shard_size": 3},
    "dataset": {"source": "sklearn:digits", "train_limit": 300},
    "training": {"recipe": "mlp", "widths": [32], "epochs": 20, "precision": "float32"},
    "device": "cpu",
    "stack": 3,
}


@contextmanager
def dashboard(cluster: Cluster, **env: str) -> Iterator[httpx.Client]:
    """``python -m services.dashboard``, and a client of it."""
    port = free_port()
    given = {"MEMTAIL_DASHBOARD_PORT": str(port), "MEMTAIL_DASHBOARD_TOKEN": TOKEN}
    service = cluster.start("dashboard", **given, MEMTAIL_DASHBOARD_LOOK="0.2", **env)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:

        def answers() -> bool:
            try:
                return client.get("/healthz").status_code in (200, 503)
            except httpx.TransportError:
                return False

        cluster.wait_until("the dashboard answers", answers)
        yield client
    service.signal(signal.SIGTERM)
    assert service.wait() in (0, -signal.SIGTERM)


def events_of(client: httpx.Client, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events as a browser reads them."""
    with client.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        name = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


def listen_to_the_end(address: str) -> None:
    with httpx.Client(base_url=address, timeout=60) as client:
        assert list(events_of(client, "/api/v1/events"))


def metrics(client: httpx.Client) -> dict[tuple[str, ...], float]:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_study_from_submission_to_its_report(cluster: Cluster) -> None:
    cluster.aggregator()
    cluster.worker()
    with dashboard(cluster) as client:
        submitted = client.post("/api/v1/studies", json=TABLES, headers=BEARER)
        assert submitted.status_code == 202, submitted.text
        study_id = submitted.json()["id"]
        path = f"/api/v1/studies/{study_id}"
        cluster.wait_until("it is seen", lambda: client.get(path).status_code == 200)
        stored = []
        for name, data in events_of(client, f"{path}/events"):
            assert (name, data["id"]) == ("study", study_id)
            stored.append(data["stored"])
            if data["state"] == "complete" and data["report"] == {"models": 12}:
                break
        assert stored == sorted(stored)
        assert stored[-1] == 12
        for name, data in events_of(client, "/api/v1/events"):
            if name == "overview":
                assert (data["studies"], data["workers"], data["aggregators"]) == ([study_id], 1, 1)
                break
        scores = client.get(f"{path}/scores").json()
        assert (scores["total"], scores["models"]) == (300, 12)
        assert client.get(f"{path}/train/0/influence").json()["models"] == 12
        shards = client.get(f"{path}/shards").json()["items"]
        assert sorted(each["models"] for each in shards) == [3, 3, 3, 3]
        workers = client.get("/api/v1/workers").json()
        assert [each["device"] for each in workers["workers"]] == ["cpu"]
        found = metrics(client)
        assert found["memtail_shards", study_id, "stored"] == 4
        assert found["memtail_shards", study_id, "waiting"] == 0
        assert found["memtail_shard_seconds_count", study_id] == 4
        taken = sum(each["seconds"] for each in shards)
        assert found["memtail_shard_seconds_sum", study_id] == pytest.approx(taken)
        assert found["memtail_workers", "cpu"] == 1
        assert found["memtail_queue_depth", "cpu"] == 0
        requests = "memtail_dashboard_requests_total"
        assert found[requests, "/api/v1/studies", "202", "POST"] == 1
        listening = threading.Thread(target=listen_to_the_end, args=(str(client.base_url),))
        listening.start()
        cluster.wait_until(
            "one listens", lambda: metrics(client)[("memtail_dashboard_listeners",)] == 1
        )
    listening.join(20)
    assert not listening.is_alive(), "who listens is let go when the dashboard ends"
    log = cluster.services[-1].log.read_text()
    assert "Traceback" not in log, log
    assert TOKEN not in log
    assert cluster.redis.password not in log


def test_what_is_away_is_told_and_comes_back(cluster: Cluster) -> None:
    with dashboard(cluster) as client:
        body = {**TABLES, "trials": 3}
        study_id = client.post("/api/v1/studies", json=body, headers=BEARER).json()["id"]
        path = f"/api/v1/studies/{study_id}"
        cluster.wait_until("it is seen", lambda: client.get(path).status_code == 200)
        cluster.redis.stop()
        cluster.wait_until("it is told", lambda: client.get("/healthz").status_code == 503)
        found = client.post(f"{path}/submit", headers=BEARER)
        assert (found.status_code, "cannot reach Redis" in found.text) == (503, True), found.text
        assert cluster.redis.password not in found.text
        assert client.get(path).json()["state"] == "waiting"
        cluster.redis.start()
        cluster.wait_until("Redis is back", lambda: client.get("/healthz").status_code == 200)
        cluster.faults.refuse()
        try:
            cluster.wait_until("it is told", lambda: client.get("/healthz").status_code == 503)
            assert client.get(path).json()["state"] == "waiting"
            assert client.get(f"{path}/train/0/influence").status_code == 503
        finally:
            cluster.faults.heal()
        cluster.wait_until("S3 is back", lambda: client.get("/healthz").status_code == 200)
    assert "Traceback" not in cluster.services[-1].log.read_text()


def test_a_short_token_is_refused_and_not_shown() -> None:
    with pytest.raises(StudyError, match="TOKEN is too short") as refused:
        starting.open_dashboard(Settings(_env_file=None, store="nowhere", dashboard_token="hush"))
    assert "hush" not in str(refused.value)


def test_many_listen_and_hold_no_thread(shown: Shown) -> None:
    """More than there are threads for requests; each is told of a change."""
    shown.dashboard.monitor.close()
    told: list[int] = []

    def listen(address: str) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            for _, data in events_of(client, f"{shown.path}/events"):
                if data["stored"] == 35:
                    told.append(1)
                    return

    with serving(shown.dashboard) as address:
        threads = [threading.Thread(target=listen, args=(address,)) for _ in range(60)]
        for each in threads:
            each.start()
        while shown.dashboard.monitor.n_listeners < 60:
            time.sleep(0.02)
        with httpx.Client(base_url=address) as client:
            assert client.get(f"{shown.path}/scores").status_code == 200
            assert metrics(client)[("memtail_dashboard_listeners",)] == 60
        shown.store.delete(Shard(0, 5).key(shown.study))
        shown.dashboard.monitor.wake()
        for each in threads:
            each.join(30)
        deadline = time.monotonic() + 10
        while shown.dashboard.monitor.n_listeners and time.monotonic() < deadline:
            time.sleep(0.02)
        assert shown.dashboard.monitor.n_listeners == 0
    assert len(told) == 60


def test_too_many_who_listen_are_told(shown: Shown) -> None:
    vars(shown.dashboard)["places"] = Places(listeners=0)
    for path in ("/api/v1/events", f"{shown.path}/events"):
        assert shown.client.get(path).status_code == 503


def test_a_removed_study_is_gone(shown: Shown) -> None:
    shown.dashboard.monitor.close()
    with serving(shown.dashboard) as address, httpx.Client(base_url=address) as client:
        names = []
        for name, _ in events_of(client, f"{shown.path}/events"):
            names.append(name)
            if name == "study":
                shown.dashboard.monitor._reader._known.clear()
                # Described first: a look in between would see a study with fewer models.
                whole = shown.store.list(shown.study.prefix)
                for key in sorted(whole, key=lambda key: not key.endswith("/study.json")):
                    shown.store.delete(key)
        assert names == ["study", "gone"]


def test_labels_of_metrics_are_bounded(show: Show) -> None:
    shown = show(dashboard_token=TOKEN)
    for index in range(5):
        shown.client.request(f"METHOD{index}", f"/nothing/{index}")
        shown.client.get(f"/api/v1/studies/digits-{index:010d}")
    found = [key for key in metrics(shown.client) if "requests_total" in key[0]]
    assert len(found) == 2
    assert not [key for key in found if "digits" in str(key)]


def test_settings_open_a_dashboard_with_and_without_redis() -> None:
    alone = starting.open_dashboard(Settings(_env_file=None, store="nowhere"))
    assert alone.cluster is None
    with_redis = starting.open_dashboard(
        Settings(_env_file=None, store="nowhere", broker_url="redis://127.0.0.1:1/0")
    )
    assert with_redis.cluster is not None
