"""Pages of a dashboard on a given snapshot, and what a browser without scripts reads."""

import time
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from typing import Any

from fastapi.testclient import TestClient
from pydantic import SecretStr

from memtail_core.catalogue import Progress
from memtail_core.catalogue.failures import Kind
from memtail_core.catalogue.reports import Manifest
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services.dashboard.app import create_app
from services.dashboard.dashboard import Dashboard
from services.dashboard.monitor import Monitor
from services.dashboard.snapshot import Snapshot, StudyView
from services.last_errors import LastError
from services.leases import Lease
from services.orders import Device, Order
from services.pace import Stored
from services.status import StudyStatus
from services.submission import Cluster

TOKEN = "a-token-of-the-tests"


class Still(Monitor):
    """Takes no snapshot: it is given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._listeners = {}

    def start(self) -> None: ...

    def close(self) -> None: ...

    def latest(self) -> Snapshot:
        return self.snapshot

    def refresh(self, patience: float = 1.0) -> None: ...

    def on_stored(self, callback: Callable[[str, Sequence[Stored]], None]) -> None: ...


def viewed(
    study: Study,
    state: str = "running",
    *,
    stored: int | None = None,
    failed: int = 0,
    device: Device | None = "cpu",
    workers: int = 1,
    at_work: tuple[Lease, ...] | None = None,
    n_failures: int = 0,
    recent: tuple[Stored, ...] | None = None,
    report: Manifest | None = None,
    errors: tuple[LastError, ...] = (),
) -> StudyView:
    """A study of 400 models in this state, of which so many are stored."""
    every = shards.planned(study, 400)
    if state == "failed":
        stored = 400 - (failed or 20)
    elif stored is None:
        stored = 400 if state == "complete" else 100
    n_stored = stored // study.shard_size
    attempts: dict[Shard, list[tuple[int, Kind]]] = {}
    if n_failures:
        attempts[every[0]] = [(number + 1, "machine") for number in range(n_failures)]
    for shard in every[n_stored:] if state == "failed" else ():
        attempts[shard] = [(1, "last")]
    if state == "stopped":
        attempts[every[-1]] = [(1, "study")]
    if at_work is None:
        trained = every[-1].name
        lease = Lease(study=study.id, shard=trained, worker="w", attempt=1, task="t", since=1.0)
        at_work = (lease,) if state == "running" else ()
    if recent is None:  # 1,200 models an hour
        accuracy = {"held_in": 0.991, "held_out": 0.853, "test": None}
        recent = (Stored(worker="w", when=100.0, seconds=15.0, models=5, accuracy=accuracy),)
    is_ordered = state != "unfinished" and device is not None
    order = Order(device=device or "cpu", cancelled=state == "cancelled") if is_ordered else None
    progress = Progress(study, 400, tuple(every[:n_stored]), attempts)
    status = StudyStatus(progress, order, at_work, workers, recent, errors)
    assert StudyView(status, report).state == state
    return StudyView(status, report, updated=1.0)


def client(store: FilesStore, *studies: StudyView, **more: Any) -> TestClient:
    """Of a dashboard with these studies.

    Keywords: ``token``, ``cluster``, further ``settings``, the client's ``address``, and the fields
    of a snapshot.
    """
    token, has_cluster = more.pop("token", TOKEN), more.pop("cluster", True)
    given = {"dashboard_token": SecretStr(token) if token else None, **more.pop("settings", {})}
    settings = Settings(_env_file=None, **given)
    address = more.pop("address", "testclient")
    cluster = Cluster(store, None, settings) if has_cluster else None  # type: ignore[arg-type]
    snapshot = Snapshot(when=time.time(), number=1, studies=studies, **more)
    dashboard = Dashboard(store, cluster, settings, Still(snapshot))
    return TestClient(create_app(dashboard), base_url="http://127.0.0.1", client=(address, 50000))


class Parsed(HTMLParser):
    """Tags with their attributes, and the visible text."""

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
