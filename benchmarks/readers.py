"""How the dashboard serves many readers while shards arrive: errors, request rate, latencies.

    python benchmarks/readers.py --readers 200 --seconds 60

A real dashboard process serves a study of digits from a folder, with a real Redis. Meanwhile the
other shards of the study are put into the store one by one and announced in Redis as a worker does,
and the report is published again now and then. Each reader requests one thing after another, with a
pause in between (``--think``); a tenth of them listen to events instead. The first seconds, in
which all readers arrive at a dashboard that has just started, are reported separately. The readers
are separate processes, which share this machine with the dashboard.
"""

import asyncio
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
import httpx
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.table import run, show
from memtail_core import catalogue
from memtail_core.analysis import analyse
from memtail_core.catalogue import reports
from memtail_core.data import Dataset
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.report import table_files, tables
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.running.trials import Trials
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study
from services import broker, orders, pace
from services.orders import Order
from services.pace import Stored
from tests.servers import redis_server
from tests.servers.process import free_port

_SHARD = 5
_PROCESSES = 2  # of readers
_LISTENERS = 0.1  # of the readers
_EXAMPLES = 50  # that the readers request


@click.command()
@click.option("--readers", default=200, show_default=True, help="Who read at once.")
@click.option("--seconds", default=60.0, show_default=True, help="For how long.")
@click.option(
    "--first",
    default=10.0,
    show_default=True,
    help="Seconds at the start that are reported separately.",
)
@click.option("--think", default=1.0, show_default=True, help="Seconds between two requests.")
@click.option("--shards", "per_second", default=1.0, show_default=True, help="Landing a second.")
@click.option("--trials", default=400, show_default=True, help="Models of the study.")
@click.option(
    "--least",
    default=0,
    show_default=True,
    help="Go on until each reader has asked so often after the start.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def main(
    readers: int,
    seconds: float,
    first: float,
    think: float,
    per_second: float,
    trials: int,
    least: int,
    as_json: bool,
) -> None:
    """Measure a dashboard with many readers while shards arrive."""
    with tempfile.TemporaryDirectory() as folder, redis_server() as queue:
        os.environ["MEMTAIL_BROKER_URL"] = queue.url
        study, published, later = _trained(Path(folder), trials)
        store = FilesStore(f"{folder}/runs")
        with _served(f"{folder}/runs") as (address, process):
            ended = threading.Event()
            landed: list[float] = []
            landing = threading.Thread(
                target=_land, args=(store, study, published, later, per_second, ended, landed)
            )
            landing.start()
            before = sum(process.cpu_times()[:2])
            reading = Reading(first, seconds, think, least)
            found = _read(address, study, readers, reading)
            spent = sum(process.cpu_times()[:2]) - before
            ended.set()
            landing.join()
    cold = found.seconds.pop("the first seconds", [float("nan")])
    for name, times in sorted(found.seconds.items()):
        show(
            {
                "what": name,
                "requests": len(times),
                "errors": found.errors[name],
                "p50_ms": 1e3 * float(np.percentile(times, 50)),
                "p99_ms": 1e3 * float(np.percentile(times, 99)),
                "most_ms": 1e3 * max(times),
            },
            as_json,
        )
    every = [each for times in found.seconds.values() for each in times]
    show(
        {
            "what": "all requests",
            "readers": readers,
            "requests": len(every),
            "errors": sum(found.errors.values()),
            "seconds": found.span,
            "requests_a_second": len(every) / found.span,
            "p50_ms": 1e3 * float(np.percentile(every, 50)),
            "p99_ms": 1e3 * float(np.percentile(every, 99)),
            "first_seconds_p50_ms": 1e3 * float(np.percentile(cold, 50)),
            "first_seconds_p99_ms": 1e3 * float(np.percentile(cold, 99)),
            "cpu_ms_of_the_dashboard_a_request": 1e3 * spent / (len(every) + len(cold)),
            "load_of_the_machine": os.getloadavg()[0],
            "readers_late_p99_ms": 1e3 * float(np.percentile(found.late, 99)),
            "shards_landed": len(landed),
            "events": found.events,
            "said": "; ".join(sorted(found.said)[:3]),
        },
        as_json,
    )


@dataclass(frozen=True)
class Reading:
    """How long and how fast each reader reads; see the options."""

    first: float
    seconds: float
    think: float
    least: int


@dataclass
class Found:
    """What the readers measured.

    Attributes:
        span: the seconds after the start.
        seconds: the time of each request, by what was requested.
        errors: the number of answers other than 200, or without an answer, by what was requested.
        said: what the errors were.
        events: the number of events received.
        late: seconds by which the readers themselves woke too late, on a shared machine.
    """

    span: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    said: set[str] = field(default_factory=set)
    events: int = 0
    late: list[float] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        """Add the measurements of another reader."""
        for name, times in other.seconds.items():
            self.seconds.setdefault(name, []).extend(times)
        self.span = max(self.span, other.span)
        self.errors += other.errors
        self.said |= other.said
        self.events += other.events
        self.late += other.late


def _trained(
    folder: Path, n_trials: int
) -> tuple[Study, dict[int, dict[str, bytes]], dict[Shard, bytes]]:
    """A study of digits with half of its shards stored; two reports, and the other half."""
    spec = {
        "study": {"trials": n_trials, "shard_size": _SHARD},
        "dataset": {"source": "sklearn:digits"},
        "training": {"recipe": "mlp", "widths": [16], "epochs": 10},
    }
    study, dataset = prepare(Spec.parse(spec))
    store = FilesStore(folder / "runs")
    trials = execution.run(study, store, dataset, n_trials, workers=2)
    catalogue.register(store, study, dataset, n_trials)
    orders.place(store, study, Order(device="cpu"))
    published = {
        n: _report(study, dataset, trials.taken(np.arange(n)))
        for n in (n_trials, n_trials * 3 // 4)
    }
    reports.write(store, study, published[n_trials], n_trials)
    later = {}
    for shard in shards.planned(study, n_trials)[n_trials // _SHARD // 2 :]:
        later[shard] = store.get(shard.key(study))
        store.delete(shard.key(study))
    return study, published, later


def _report(study: Study, dataset: Dataset, trials: Trials) -> dict[str, bytes]:
    """The files of a report without its figures."""
    analysis = analyse(study, dataset, trials)
    pairs = tables.pairs_table(analysis.pairs, analysis.dataset, analysis.scores.memorization)
    return {
        "scores.parquet": table_files.to_parquet(tables.scores_table(analysis)),
        "pairs.parquet": table_files.to_parquet(pairs),
    }


def _land(
    store: FilesStore,
    study: Study,
    published: dict[int, dict[str, bytes]],
    later: dict[Shard, bytes],
    per_second: float,
    ended: threading.Event,
    landed: list[float],
) -> None:
    """Store one shard after another, and all of them again when there are no more."""
    client = broker.connect(Settings())
    most, fewer = published
    for number in range(10**6):
        shard = list(later)[number % len(later)]
        if number and number % len(later) == 0:
            for each in later:
                store.delete(each.key(study))
        store.put(shard.key(study), later[shard])
        now = time.time()
        done = Stored(worker="w", when=now, seconds=1.0, models=_SHARD, accuracy={"test": 0.9})
        pace.report(client, study.id, done)
        landed.append(now)
        if number % 20 == 10:
            n_trials = fewer if number % 40 == 10 else most
            reports.write(store, study, published[n_trials], n_trials)
        if ended.wait(1 / per_second):
            return


@contextmanager
def _served(store: str) -> Iterator[tuple[str, psutil.Process]]:
    """Start a dashboard process; yield its address and the process."""
    port = free_port()
    env = os.environ | {"MEMTAIL_STORE": store, "MEMTAIL_DASHBOARD_PORT": str(port)}
    command = [sys.executable, "-m", "services.dashboard"]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                if httpx.get(f"{address}/healthz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _read(address: str, study: Study, readers: int, reading: Reading) -> Found:
    """Run all readers in a few processes."""
    context = multiprocessing.get_context("spawn")
    share = [len(range(each, readers, _PROCESSES)) for each in range(_PROCESSES)]
    with context.Pool(_PROCESSES) as pool:
        asked = [(address, study.id, n, reading, i) for i, n in enumerate(share)]
        found = Found()
        for each in pool.starmap(_readers, asked):
            found.add(each)
    return found


def _readers(address: str, study: str, readers: int, reading: Reading, seed: int) -> Found:
    """Run the readers of one process."""
    return asyncio.run(_all(address, study, readers, reading, seed))


async def _all(address: str, study: str, readers: int, reading: Reading, seed: int) -> Found:
    found, started = Found(), time.monotonic() + reading.first
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client:
        n_listeners = round(readers * _LISTENERS)
        lateness = asyncio.create_task(_measure_lateness(found))
        listening = [asyncio.create_task(_listen(client, study, found)) for _ in range(n_listeners)]
        await asyncio.gather(
            *(
                _reader(client, study, reading, started, random.Random(f"{seed} {each}"), found)
                for each in range(readers - n_listeners)
            )
        )
        found.span = time.monotonic() - started
        for each in (*listening, lateness):
            each.cancel()
        await asyncio.gather(*listening, lateness, return_exceptions=True)
    return found


async def _reader(
    client: httpx.AsyncClient,
    study: str,
    reading: Reading,
    started: float,
    rng: random.Random,
    found: Found,
) -> None:
    """Ask, pause, ask for something else."""
    await asyncio.sleep(rng.uniform(0, reading.think))
    n_asked = 0
    while time.monotonic() < started + reading.seconds or n_asked < reading.least:
        name, path = _asked(study, rng)
        begun, is_first = time.perf_counter(), time.monotonic() < started
        try:
            answer = await client.get(path)
            if answer.status_code != 200:
                found.errors[name] += 1
                found.said.add(f"{answer.status_code} {answer.text[:100]}")
        except httpx.TransportError as error:
            found.errors[name] += 1
            found.said.add(repr(error))
        taken = time.perf_counter() - begun
        found.seconds.setdefault("the first seconds" if is_first else name, []).append(taken)
        n_asked += not is_first
        await asyncio.sleep(reading.think * rng.uniform(0.5, 1.5))


def _asked(study: str, rng: random.Random) -> tuple[str, str]:
    """What a reader requests next."""
    path, index = f"/api/v1/studies/{study}", rng.randrange(_EXAMPLES)
    choices = {
        "studies": "/api/v1/studies",
        "one study": path,
        "scores, sorted": f"{path}/scores?sort=-memorization&offset={100 * rng.randrange(14)}",
        "scores, csv": f"{path}/scores?format=csv&limit=1000",
        "pairs": f"{path}/pairs?offset={20 * rng.randrange(10)}&limit=20",
        "influence of a training example": f"{path}/train/{index}/influence",
        "influence on a test example": f"{path}/test/{index}/influence",
        "workers": "/api/v1/workers",
        "metrics": "/metrics",
    }
    name = rng.choice(list(choices))
    return name, choices[name]


async def _measure_lateness(found: Found) -> None:
    """How long this process waits for its turn, which is in every latency that it measures."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(0.02)
        found.late.append(time.perf_counter() - begun - 0.02)


async def _listen(client: httpx.AsyncClient, study: str, found: Found) -> None:
    """Listen to the events of one study until the end."""
    try:
        async with client.stream("GET", f"/api/v1/studies/{study}/events", timeout=None) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    json.loads(line.removeprefix("data: "))
                    found.events += 1
    except httpx.TransportError as error:
        found.errors["events"] += 1
        found.seconds.setdefault("events", []).append(0.0)
        found.said.add(repr(error))


if __name__ == "__main__":
    run(main)
