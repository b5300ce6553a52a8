"""A dashboard on a copy of a small trained study, without a cluster and with one."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from celery import Celery
from fastapi.testclient import TestClient

from memtail_core import catalogue
from memtail_core.analysis import Analysis
from memtail_core.catalogue import reports
from memtail_core.data import Dataset
from memtail_core.report import table_files, tables
from memtail_core.running.preparation import prepare
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services import broker, queue, submission
from services.dashboard import __main__ as starting
from services.dashboard.app import Dashboard, create_app
from services.dashboard.connections import Patience
from services.dashboard.limits import Rates
from services.dashboard.monitor import Monitor
from services.queue import configuration
from services.submission import Cluster
from tests.conftest import Trained, digits
from tests.servers import redis_server
from tests.servers.process import free_port

TOKEN = "a token of the tests"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True)
class Shown:
    """A study in a store that may be written to, and the dashboard that shows it."""

    study: Study
    store: FilesStore
    dashboard: Dashboard
    client: Any

    @property
    def path(self) -> str:
        return f"/api/v1/studies/{self.study.id}"

    def get(self, what: str = "", **query: Any) -> httpx.Response:
        found: httpx.Response = self.client.get(f"{self.path}{what}", params=query)
        return found


@pytest.fixture(scope="session")
def published_folder(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the study's data, goal, shards and report. Do not write into it: copy it."""
    folder = tmp_path_factory.mktemp("published") / "runs"
    shutil.copytree(trained.folder, folder)
    store = FilesStore(folder)
    catalogue.register(store, trained.study, trained.dataset, 40)
    publish(store, trained.study, trained.analysis)
    return folder


def publish(store: FilesStore, study: Study, analysis: Analysis) -> None:
    """The report but for its figures, which take their time, and a page that would do harm."""
    pairs = tables.pairs_table(analysis.pairs, analysis.dataset, analysis.scores.memorization)
    files = {
        "scores.parquet": table_files.to_parquet(tables.scores_table(analysis)),
        "pairs.parquet": table_files.to_parquet(pairs),
        "summary.json": json.dumps(analysis.summary()).encode(),
        "index.html": b"<script>alert(1)</script>",
        "figures/memorization.svg": b"<svg onload='alert(1)'/>",
    }
    reports.write(store, study, files, len(analysis.trials))


@pytest.fixture
def store(published_folder: Path, tmp_path: Path) -> FilesStore:
    return FilesStore(shutil.copytree(published_folder, tmp_path / "runs"))


Show = Callable[..., Shown]


@pytest.fixture
def show(store: FilesStore, trained: Trained) -> Iterator[Show]:
    """Open a dashboard without a cluster; keywords are its settings."""
    opened = []

    def opening(**given: Any) -> Shown:
        settings = Settings(_env_file=None, **{"dashboard_look": 0.05, **given})
        monitor = Monitor(store, None, settings.dashboard_look)
        dashboard = Dashboard(store, None, settings, monitor)
        client = TestClient(create_app(dashboard), base_url="http://127.0.0.1:8080")
        opened.append(client)
        client.__enter__()
        return Shown(trained.study, store, dashboard, client)

    yield opening
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def shown(show: Show) -> Shown:
    return show(dashboard_token=TOKEN)


@contextmanager
def serving(dashboard: Dashboard, patience: Patience | None = None) -> Iterator[str]:
    """A real server in a thread; its address."""
    port = free_port()
    server = uvicorn.Server(starting.configuration(dashboard, "127.0.0.1", port, patience))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            thread.join(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        dashboard.monitor.end()
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def on_cluster(
    published_folder: Path, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    """A dashboard with a real Redis, on a folder, served by a real server; nobody trains."""
    folder = shutil.copytree(published_folder, tmp_path_factory.mktemp("shown") / "runs")
    store = FilesStore(folder)
    with redis_server() as server, pytest.MonkeyPatch.context() as patch:
        settings = Settings(
            _env_file=None, broker_url=server.url, dashboard_token=TOKEN, dashboard_look=0.1
        )
        app = Celery("memtail")  # its own: that of the process keeps the first Redis it has met
        app.conf.update(configuration(settings))
        patch.setattr(queue, "app", app)
        patch.setattr(submission, "app", app)
        cluster = Cluster(store, broker.connect(settings), settings)
        monitor = Monitor(store, cluster, settings.dashboard_look)
        dashboard = Dashboard(store, cluster, settings, monitor)
        vars(dashboard)["rates"] = Rates(10**6, 10**6)
        with serving(dashboard) as address, httpx.Client(base_url=address, timeout=60) as client:
            yield Shown(trained.study, store, dashboard, client)
        app.close()


@pytest.fixture(scope="session")
def prepared() -> tuple[Study, Dataset]:
    study, dataset = prepare(digits())
    return study, dataset


@pytest.fixture
def folder(prepared: tuple[Study, Dataset], tmp_path: Path) -> FilesStore:
    store = FilesStore(tmp_path / "runs")
    catalogue.register(store, *prepared, 400)
    return store
