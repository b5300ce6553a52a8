"""What arrives from outside, by REST, through Redis or in the bucket: no page fails for it."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from fastapi.testclient import TestClient
from pydantic import SecretStr

from memtail_core.catalogue import reports
from memtail_core.data import Dataset
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services import broker
from services.dashboard.app import create_app
from services.dashboard.dashboard import Dashboard
from services.dashboard.monitor import Monitor
from services.pace import Stored
from services.submission import Cluster
from tests.servers import redis_server
from tests.services.dashboard.still import TOKEN, client, parsed, viewed

BEARER = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
NUMBERS = ["NaN", "Infinity", "-Infinity", "1e18", "-1", "1e999", "9" * 5000, '"x"', "null", "[]"]


def strictly(text: str) -> Any:
    """JSON as browsers read it: without NaN."""

    def refused(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refused)


@dataclass
class WithRedis:
    client: TestClient
    redis: redis.Redis
    dashboard: Dashboard
    study: Study

    def look_at_all(self) -> None:
        self.dashboard.monitor.wake()
        self.dashboard.monitor.look()
        path = f"/api/v1/studies/{self.study.id}"
        for page in ("/", "/workers", f"/studies/{self.study.id}", "/metrics"):
            answer = self.client.get(page)
            assert answer.status_code == 200, answer.text
        for asked in (path, f"{path}/shards", "/api/v1/studies", "/api/v1/workers"):
            answer = self.client.get(asked)
            assert answer.status_code == 200, answer.text
            strictly(answer.text)
        snapshot = self.dashboard.monitor.latest()
        assert snapshot.trouble is None
        strictly(snapshot.overview)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with redis_server() as running:
        yield running.url


@pytest.fixture
def with_redis(
    server: str, folder: FilesStore, prepared: tuple[Study, Dataset]
) -> Iterator[WithRedis]:
    settings = Settings(_env_file=None, broker_url=SecretStr(server), dashboard_look=600.0)
    connection = broker.connect(settings)
    connection.flushall()
    cluster = Cluster(folder, connection, settings)
    dashboard = Dashboard(folder, cluster, settings, Monitor(folder, cluster, 600.0))
    with TestClient(create_app(dashboard), base_url="http://127.0.0.1") as opened:
        yield WithRedis(opened, connection, dashboard, prepared[0])


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_no_number_that_a_worker_reports_breaks_a_page(with_redis: WithRedis, number: str) -> None:
    """Prefect: NaN in what runs report is "out of range", not JSON, and an error of the server.

    https://github.com/PrefectHQ/prefect/issues/6439
    """
    now, study = time.time(), with_redis.study.id
    stored = {"worker": '"w"', "when": now, "seconds": 1.0, "models": 5, "accuracy": "{}"}
    lease = {"study": f'"{study}"', "shard": '"0000000-0000010"', "worker": '"w"', "attempt": 1,
             "task": '"t"', "since": now}  # fmt: skip
    there = {"name": '"w"', "role": '"worker"', "store": '"s"', "since": now, "idle_since": now}

    def written(parts: dict[str, Any], name: str) -> str:
        pairs = {**parts, name: number}.items()
        return "{" + ", ".join(f'"{key}": {value}' for key, value in pairs) + "}"

    for name in ("when", "seconds", "models"):
        with_redis.redis.lpush(f"memtail:pace:{study}", written(stored, name))
    accuracy = written({**stored, "accuracy": f'{{"test": {number}}}'}, "models").replace(
        f'"models": {number}', '"models": 5'
    )
    with_redis.redis.lpush(f"memtail:pace:{study}", accuracy)
    for name in ("since", "attempt"):
        with_redis.redis.set(f"memtail:lease:{study}:{name}", written(lease, name))
    for name in ("since", "idle_since"):
        with_redis.redis.set("memtail:presence:worker:w", written(there, name))
        with_redis.look_at_all()


@pytest.mark.parametrize("when", [0.0, 1e12])
@pytest.mark.parametrize("seconds", [0.0, 1e12])
@pytest.mark.parametrize("models", [1, 10**9])
def test_the_largest_numbers_that_count_are_shown(
    folder: FilesStore, prepared: tuple[Study, Dataset], when: float, seconds: float, models: int
) -> None:
    last = Stored(worker="w", when=when, seconds=seconds, models=models, accuracy={"test": 1.0})
    first = last.model_copy(update={"when": 0.0})
    found = client(folder, viewed(prepared[0], recent=(last, first)))
    for page in ("/", f"/studies/{prepared[0].id}"):
        assert parsed(found, page).text
    strictly(found.get("/api/v1/studies").text)


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_no_number_in_a_report_breaks_a_page(
    folder: FilesStore, prepared: tuple[Study, Dataset], number: str
) -> None:
    study = prepared[0]
    for summary in (
        f'{{"memorization": {{"memorized": {number}, "scored": {number}}}, "pairs": {{"pairs": 1}},'
        ' "accuracy": {}}',
        '{"memorization": {"memorized": 1, "scored": 2}, "pairs": {"pairs": 1}, "accuracy": '
        f'{{"test": {{"mean": {number}}}}}}}',
        "[" * 100_000,
    ):
        reports.write(folder, study, {"summary.json": summary.encode()}, 400)
        report = reports.whole(folder, study)
        found = client(folder, viewed(study, "complete", report=report))
        assert parsed(found, f"/studies/{study.id}").text


def test_a_forged_manifest_is_none(folder: FilesStore, prepared: tuple[Study, Dataset]) -> None:
    study = prepared[0]
    reports.write(folder, study, {"summary.json": b"{}"}, 400)
    key = next(key for key in folder.list(study.prefix) if key.endswith("manifest.json"))
    for number in ("-1", "1e18", "9" * 4000, "NaN"):
        folder.put(key, folder.get(key).replace(b"400", number.encode()))
        assert reports.whole(folder, study) is None
        folder.put(key, folder.get(key).replace(number.encode(), b"400"))
    assert reports.whole(folder, study) is not None


HALF = "\\ud800"  # a lone surrogate, as JSON has it


@pytest.mark.parametrize(
    "body",
    [
        f'{{"{HALF}": 1}}',
        f'{{"shipped": "{HALF}"}}',
        f'{{"dataset": {{"source": "{HALF}"}}}}',
        f'{{"dataset": {{"source": "sklearn:iris", "{HALF}": 1}}}}',
        f'{{"dataset": {{"source": "sklearn:iris"}}, "training": {{"recipe": "{HALF}"}}}}',
        '{"dataset": {"source": "sklearn:iris", "n": ' + "9" * 4000 + "}}",
        '{"dataset": {"source": "sklearn:iris"}, "trials": ' + "9" * 5000 + "}",
        '{"dataset": {"source": "sklearn:iris", "n": ' + "[" * 50 + "]" * 50 + "}}",
        "[" * 60_000,
    ],
    ids=range(9),
)
def test_no_study_that_is_sent_breaks_the_api(folder: FilesStore, body: str) -> None:
    answer = client(folder).post("/api/v1/studies", content=body.encode(), headers=BEARER)
    assert answer.status_code in (400, 422), answer.text
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        '{"text": "[dataset]", "dataset": "' + HALF + '"}',
        '{"text": "[dataset]", "device": "' + HALF + '"}',
        '{"text": "' + HALF + '"}',
        '{"text": "a = 1", "trials": ' + "9" * 5000 + "}",
        '{"text": "a = 1", "' + HALF + '": 1}',
    ],
    ids=range(5),
)
def test_no_form_that_is_sent_breaks_the_page(folder: FilesStore, body: str) -> None:
    answer = client(folder).post("/submit/read", content=body.encode(), headers=BEARER)
    assert answer.status_code in (400, 422), answer.text
    assert "\n" not in answer.json()["detail"]
