"""A cluster of real processes: Redis, an S3 server behind a network that can fail, the services."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar, TypeVar

import psutil
from celery import Celery
from redis import Redis

from memtail_core import catalogue
from memtail_core.catalogue import reports
from memtail_core.plan.shards import Shard
from memtail_core.settings import Settings
from memtail_core.store import ObjectStore, open_store
from memtail_core.study import Study
from services import broker, leases, presence
from services.leases import Lease
from services.queue import TASK, queue_of, task_name
from tests import programs
from tests.faults import Faults
from tests.servers import RedisServer, S3Server, redis_server
from tests.servers.process import die_with_parent
from tests.services.gated import GATE, Gate

_TIMEOUT = 600.0  # seconds; far more than any step takes, on a machine with other load too


class Service:
    """A worker or an aggregator, as its container would run it: a fork, or a fresh process."""

    def __init__(self, role: str, log: Path, env: dict[str, str], *, fresh: bool) -> None:
        self.log = log
        self._program: programs.Program | subprocess.Popen[bytes]
        if not fresh:
            self._program = programs.Program(f"services.{role}", output=log, env=env)
            return
        with log.open("w") as file:
            self._program = subprocess.Popen(
                [sys.executable, "-m", f"services.{role}"],
                env=env,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, signal.SIGKILL),  # noqa: PLW1509
            )

    @property
    def pid(self) -> int:
        return self._program.pid

    @property
    def name(self) -> str:
        """What a worker calls itself; nothing until it has said so."""
        said = re.match(r"memtail worker (\S+):", self.log.read_text())
        return said[1] if said else ""

    @property
    def processes(self) -> list[psutil.Process]:
        """It, and what it started."""
        parent = psutil.Process(self.pid)
        return [parent, *parent.children(recursive=True)]

    def signal(self, number: signal.Signals) -> None:
        """As ``docker stop`` and ``docker pause`` do: to the first process alone."""
        self._program.send_signal(number)

    def kill(self) -> None:
        """As when the machine loses power: every process at once."""
        for process in self.processes:
            process.kill()
        self._program.wait(_TIMEOUT)

    def pause(self) -> None:
        for process in self.processes:
            process.suspend()

    def resume(self) -> None:
        for process in self.processes:
            process.resume()

    def wait(self) -> int:
        """Wait until it has ended; return its exit code."""
        return self._program.wait(_TIMEOUT)

    @property
    def has_ended(self) -> bool:
        return self._program.poll() is not None

    def close(self) -> None:
        if not self.has_ended:
            self.resume()
            self.kill()


@dataclass
class Cluster:
    """A Redis and a bucket for one test; services and commands that find both."""

    fresh: ClassVar[bool] = False
    """Whether services start as new processes, as containers do, and not as forks."""

    redis: RedisServer
    s3: S3Server
    faults: Faults
    folder: Path
    bucket: str = field(default_factory=lambda: f"cluster-{uuid.uuid4().hex[:12]}")
    services: list[Service] = field(default_factory=list)
    commands: list[programs.Program] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """As a user's .env would say it, with times that suit shards of a second."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMTAIL_")}
        return clean | {
            "MEMTAIL_BROKER_URL": self.redis.url_without_password,
            "MEMTAIL_BROKER_PASSWORD": self.redis.password,
            "MEMTAIL_STORE": f"s3://{self.bucket}",
            "MEMTAIL_S3_ENDPOINT": self.faults.endpoint,
            "MEMTAIL_S3_ACCESS_KEY": self.s3.access_key,
            "MEMTAIL_S3_SECRET_KEY": self.s3.secret_key,
            "MEMTAIL_CACHE": str(self.folder / "cache"),
            "MEMTAIL_LEASE": "4",  # renewed three times as often, on a busy machine too
            "MEMTAIL_SCAN": "0.5",
            "MEMTAIL_PUBLISH_EVERY": "600",  # the final report alone
            "MEMTAIL_DEVICE": "cpu",
        }

    @property
    def settings(self) -> Settings:
        names = {k.removeprefix("MEMTAIL_").lower(): v for k, v in self.env.items()}
        return Settings.model_validate(
            {k: v for k, v in names.items() if k in Settings.model_fields}
        )

    @cached_property
    def store(self) -> ObjectStore:
        """The bucket, by a way that does not fail."""
        before = dict(os.environ)
        os.environ.update(self.env, MEMTAIL_S3_ENDPOINT=self.s3.endpoint)
        try:
            return open_store(f"s3://{self.bucket}")
        finally:
            os.environ.clear()
            os.environ.update(before)

    @cached_property
    def client(self) -> Redis:
        return broker.connect(self.settings)

    def start(self, role: str, **env: str) -> Service:
        log = self.folder / f"{role}-{len(self.services)}.log"
        self.services.append(Service(role, log, self.env | env, fresh=self.fresh))
        return self.services[-1]

    def worker(self, **env: str) -> Service:
        return self.start("worker", **env)

    def aggregator(self, **env: str) -> Service:
        return self.start("aggregator", **env)

    def started(self, program: str, *arguments: str, output: Path) -> programs.Program:
        """Start a command as a user does; it ends with the cluster, whatever the test does."""
        env = self.env | {"PYTHONUNBUFFERED": "1"}
        ran = programs.Program(program, *arguments, output=output, env=env, folder=self.folder)
        self.commands.append(ran)
        return ran

    def memtail(self, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        """Run a command as a user does, and expect its exit code."""
        ran = programs.run("cli.main", *arguments, env=self.env, folder=self.folder)
        assert ran.returncode == code, f"{arguments}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        assert "Traceback" not in ran.stderr, ran.stderr
        return ran

    @property
    def study(self) -> Study:
        """The one study that was submitted."""
        (study_id,) = catalogue.ids(self.store)
        return catalogue.read(self.store, study_id)

    def stored(self) -> list[str]:
        """The names of the shards in the bucket."""
        return [key for key in self.store.list("studies/") if "/shards/" in key]

    def send(self, study: Study, shard: Shard, attempt: int = 1) -> None:
        """Put a task into the queue, as one that Redis hands out again."""
        with Celery(broker=broker.url(self.settings)) as app:
            task = f"{task_name(study, shard)}/again"
            arguments = [study.id, shard.first, shard.last, attempt]
            app.send_task(TASK, arguments, task_id=task, queue=queue_of("cpu"))

    def leases(self) -> list[Lease]:
        return leases.current(self.client)

    def lease(self) -> Lease:
        """One that holds, waited for: between two shards a worker has none."""
        self.wait_until("a shard is under way", self.leases)
        return next(iter(self.leases()), None) or self.lease()

    def wait_for_looks(self, number: int = 4) -> None:
        """Wait until the aggregator has said again, so often, that it is there: at each look."""
        for _ in range(number):
            for key in self.client.scan_iter("memtail:presence:aggregator:*"):
                self.client.delete(key)
            self.wait_until("it is there", lambda: presence.running(self.client, "aggregator"))

    def wait_until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait for a condition; if it never holds, show the logs."""
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            begun = time.monotonic()
            if condition():
                return
            time.sleep(max(0.05, 4 * (time.monotonic() - begun)))  # a fifth of the time at most
        logs = "\n".join(f"--- {s.log.name}\n{s.log.read_text()[-4000:]}" for s in self.services)
        raise AssertionError(f"never: {what}\n{logs}")

    def published(self) -> int:
        """The number of models that the published report is of; 0 if it is not whole."""
        manifest = reports.whole(self.store, self.study)
        return manifest.trials if manifest else 0

    def finish(self) -> bytes:
        """Watch the study to its end; return the published scores.

        On a busy machine an aggregator that was just started may come after what is watched.
        """
        self.memtail("watch", self.study.id)
        n = len(self.stored()) * self.study.shard_size
        self.wait_until("the report is published", lambda: self.published() == n)
        return self.store.get(f"{self.study.prefix}report/scores.parquet")


class GatedCluster(Cluster):
    """A cluster whose study trains nothing and gets as far as a test lets it."""

    @property
    def gate(self) -> Gate:
        return Gate(self.folder / "gate")

    @property
    def env(self) -> dict[str, str]:
        return super().env | {
            "MEMTAIL_ALLOW_PYTHON_RECIPES": "1",
            GATE: str(self.gate.folder),
        }

    def mid_shard(self, worker: Service, stored: int = 0) -> None:
        """Let it train until so many shards are stored and this worker is about to train a model.

        A worker that has its lease may still have to read what it trains.
        """

        def is_there() -> bool:
            if len(self.stored()) < stored:
                self.gate.let_one_through()
                return False
            return any(
                lease.worker == worker.name for lease in self.leases()
            ) and self.gate.is_waited_at_by(worker.processes)

        self.wait_until(f"a shard under way, {stored} stored", is_there)

    def finish(self) -> bytes:
        self.gate.open()
        return super().finish()


C = TypeVar("C", bound=Cluster)


@contextmanager
def running(
    s3: S3Server,
    folder: Path,
    kind: Callable[..., C] = Cluster,  # type: ignore[assignment]
) -> Iterator[C]:
    """A cluster without services yet; whatever is started in it ends with it."""
    with redis_server() as server, Faults(s3.endpoint) as faults:
        cluster = kind(server, s3, faults, folder)
        try:
            yield cluster
        finally:
            for command in cluster.commands:
                command.kill()
            for service in cluster.services:
                service.close()
