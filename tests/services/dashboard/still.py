"""Pages of a dashboard that sees what it is given, and what a browser without scripts reads."""

import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr

from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard.app import create_app
from services.dashboard.dashboard import Dashboard
from services.dashboard.observer import Observer
from services.dashboard.snapshot import Snapshot, StudySeen
from services.submission import Cluster

TOKEN = "a-token-of-the-tests"


class Still(Observer):
    """Looks at nothing: what is seen is given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def start(self) -> None: ...

    def close(self) -> None: ...

    def latest(self) -> Snapshot:
        return self.snapshot


def seen(study: Study, state: str = "running", **more: Any) -> StudySeen:
    found = StudySeen(
        study=study,
        state=state,
        models=400,
        stored=100,
        running=10,
        waiting=290,
        failed=0,
        device="cpu",
        workers=1,
        models_per_hour=1234.0 if state == "running" else None,
        seconds_left=875.0 if state == "running" else None,
        shard_seconds=3.0,
        accuracy={"held_in": 0.991, "held_out": 0.853, "test": None},
        at_work=(),
        n_failures=0,
        report=None,
        is_experiment=False,
        updated=1.0,
    )
    return replace(found, **more)


def client(store: FilesStore, *studies: StudySeen, **more: Any) -> TestClient:
    """Of a dashboard that sees these studies; ``token``, ``cluster`` and what a snapshot has."""
    token, has_cluster = more.pop("token", TOKEN), more.pop("cluster", True)
    settings = Settings(_env_file=None, dashboard_token=SecretStr(token) if token else None)
    cluster = Cluster(store, None, settings) if has_cluster else None  # type: ignore[arg-type]
    snapshot = Snapshot(when=time.time(), number=1, studies=studies, **more)
    dashboard = Dashboard(store, cluster, settings, Still(snapshot))
    return TestClient(create_app(dashboard), base_url="http://127.0.0.1")


class Parsed(HTMLParser):
    """Tags with their attributes, and the text that is seen."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " " * (tag in ("td", "dt", "dd", "div", "li", "p", "small"))

    def handle_data(self, data: str) -> None:
        self.text += data

    def buttons(self) -> list[str]:
        return [str(a["data-action"]) for _, a in self.tags if "data-action" in a]


def parsed(client: TestClient, path: str, status: int = 200) -> Parsed:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Parsed(answer.text)
