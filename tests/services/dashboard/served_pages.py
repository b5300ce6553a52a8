"""A dashboard that is served, on studies of all states, with a real Redis and shards that land."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import redis
from pydantic import SecretStr

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure
from memtail_core.data import Dataset
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services import broker, leases, orders, pace, presence
from services.leases import Lease
from services.orders import Order
from services.pace import Stored
from services.presence import Presence
from tests import programs
from tests.conftest import Trained
from tests.servers import RedisServer
from tests.servers.process import free_port

TOKEN = "a-token-of-the-tests"
WORKER = "cpu-1a2b3c@machine"


@dataclass
class Served:
    """A dashboard at an address, and what tests do behind its back, as workers would.

    Attributes:
        trained: a finished study, whose shards land in another store one by one.
        folder: of that other store.
        server: Redis.
    """

    trained: Trained
    folder: Path
    server: RedisServer
    address: str = ""

    def __post_init__(self) -> None:
        self.store = FilesStore(self.folder)

    @property
    def study(self) -> Study:
        return self.trained.study

    @property
    def client(self) -> redis.Redis:
        url = SecretStr(self.server.url)
        return broker.connect(Settings(_env_file=None, broker_url=url))

    def register(self, study: Study, dataset: Dataset, models: int, order: Order | None) -> None:
        catalogue.register(self.store, study, dataset, models)
        if order is not None:
            orders.place(self.store, study, order)

    def begin(self, models: int = 40) -> None:
        """Ask the cluster for the study; one worker is there, and an aggregator."""
        self.register(self.study, self.trained.dataset, models, Order(device="cpu"))
        now = time.time()
        here = {"host": "machine", "store": str(self.folder), "since": now - 600}
        worker = Presence(name=WORKER, role="worker", device="cpu", **here)  # type: ignore[arg-type]
        presence.announce(self.client, worker)
        aggregator = Presence(name="aggregator@machine", role="aggregator", **here)  # type: ignore[arg-type]
        presence.announce(self.client, aggregator)
        for key in self.client.scan_iter("memtail:presence:*"):
            self.client.persist(key)  # they stay, however slow the tests are

    @property
    def planned(self) -> list[Shard]:
        return shards.planned(self.study, catalogue.goal(self.store, self.study))

    def take(self, number: int, seconds: float = 60) -> Lease:
        """Have the worker train a shard."""
        lease = Lease(
            study=self.study.id,
            shard=self.planned[number].name,
            worker=WORKER,
            attempt=1,
            task=f"task {number}",
            since=time.time(),
        )
        self.client.set(lease.key, lease.model_dump_json(), px=int(seconds * 1000))
        return lease

    def land(self, number: int, when: float | None = None) -> None:
        """Have the worker store a shard."""
        shard = self.planned[number]
        key = f"{self.study.prefix}shards/{shard.name}.npz"
        self.store.put(key, self.trained.store.get(key))
        for lease in leases.current(self.client, self.study.id):
            if lease.shard == shard.name:
                self.client.delete(lease.key)
        accuracy = {"held_in": 0.991, "held_out": 0.853, "test": 0.848}
        done = Stored(
            worker=WORKER,
            when=when or time.time(),
            seconds=1.0,
            models=self.study.shard_size,
            accuracy=accuracy,
        )
        pace.report(self.client, self.study.id, done)

    def fail(self, number: int, reason: str, **more: object) -> None:
        failure = Failure(
            shard=self.planned[number].name,
            attempt=1,
            kind="study",
            reason=reason,
            worker=WORKER,
            when=time.time(),
            traceback='Traceback (most recent call last):\n  File "mine.py", line 3, in fit\n',
        )
        failures.record(self.store, self.study, failure.model_copy(update=more))


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    """Serve it as its container does, in a process of its own."""
    port = free_port()
    served.address = f"http://127.0.0.1:{port}"
    env = {k: v for k, v in os.environ.items() if not k.startswith("MEMTAIL_")} | {
        "MEMTAIL_STORE": str(served.folder),
        "MEMTAIL_BROKER_URL": served.server.url,
        "MEMTAIL_DASHBOARD_TOKEN": TOKEN,
        "MEMTAIL_DASHBOARD_PORT": str(port),
        "MEMTAIL_DASHBOARD_LOOK": "0.2",
    }
    log = served.folder.with_suffix(".log")
    process = programs.Program("services.dashboard", output=log, env=env, folder=served.folder)
    try:
        deadline = time.monotonic() + 120
        while not _answers(port):
            assert process.poll() is None, f"it has ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"it never answers: {log.read_text()}"
            time.sleep(0.05)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False
