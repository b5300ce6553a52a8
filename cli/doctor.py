"""``memtail doctor``: check this machine, the store and the cluster."""

import platform
import shutil
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Literal

import click

from cli import formatting
from cli.options import json_option, print_json, store_option
from memtail_core.errors import MemtailError
from memtail_core.settings import ambiguities


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    what: str
    state: Literal["ok", "note", "wrong"]
    found: str


@click.command()
@store_option
@json_option
@click.pass_context
def doctor(context: click.Context, location: str, as_json: bool) -> None:
    """Check this machine, the store and the cluster.

    The exit code is 2 if anything is wrong.
    """
    checks = list(_checks(location))
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        colours = {"ok": "green", "note": "yellow", "wrong": "red"}
        for check in checks:
            state = click.style(f"{check.state:5}", fg=colours[check.state])
            click.echo(f"{state}  {check.what:10} {check.found}")
    if any(check.state == "wrong" for check in checks):
        context.exit(2)


def _checks(location: str) -> Iterator[Check]:
    import psutil
    import torch

    from memtail_core.running.machine import free_memory, usable_cores

    version = platform.python_version()
    yield Check("python", "ok" if sys.version_info >= (3, 11) else "wrong", version)
    vision = metadata.version("torchvision")  # importing it takes seconds
    yield Check("torch", "ok", f"{torch.__version__}, torchvision {vision}")
    free, total = free_memory() / 2**30, psutil.virtual_memory().total / 2**30
    yield Check("cores", "ok", f"{usable_cores()} usable")
    yield Check(
        "memory",
        "ok" if free > 1 else "wrong",
        f"{free:.1f} of {total:.1f} GiB free" + ("" if free > 1 else ": too little"),
    )
    yield _gpu()
    yield from (Check(".env", "wrong", each) for each in ambiguities().values())
    yield from _store(location)
    yield from _cluster(location)


def _gpu() -> Check:
    import torch

    if not torch.cuda.is_available():
        return Check("gpu", "note", "none: models train on the CPU")
    properties = torch.cuda.get_device_properties(0)
    try:
        torch.ones(8, device="cuda").sum().item()
    except RuntimeError as error:
        return Check("gpu", "wrong", f"{properties.name} cannot compute: {error}")
    memory = f"{properties.total_memory / 2**30:.0f} GiB"
    return Check("gpu", "ok", f"{torch.cuda.device_count()} × {properties.name}, {memory}")


def _store(location: str) -> Iterator[Check]:
    from memtail_core.store import FilesStore, open_store

    try:
        store = open_store(location)
        key = f"doctor-{uuid.uuid4().hex}"
        try:
            store.put(key, b"memtail doctor wrote this")
            store.get(key)
        finally:
            store.delete(key)
        studies = sum(1 for _ in store.folders("studies/"))
    except (MemtailError, KeyError) as error:
        yield Check("store", "wrong", str(error))
        return
    yield Check(
        "store",
        "ok",
        f"'{location}' can be read and written; {formatting.count(studies, 'study', 'studies')}",
    )
    if not isinstance(store, FilesStore):
        return
    free = shutil.disk_usage(store.location).free / 2**30
    yield Check("disk", "ok" if free > 1 else "wrong", f"{free:.0f} GiB free in the store")


def _cluster(location: str) -> Iterator[Check]:
    """Check every part of the cluster, if one is configured."""
    from memtail_core.settings import settings as read_settings

    settings = read_settings()
    if settings.broker_url is None:
        yield Check(
            "cluster", "note", "none: MEMTAIL_BROKER_URL is not set; memtail run needs no cluster"
        )
        return
    if not location.startswith("s3://"):
        yield Check("bucket", "note", f"'{location}' is a folder: every worker must mount it")
    try:
        from services import broker, presence
    except ModuleNotFoundError as error:
        yield Check("broker", "wrong", f"needs {error.name}: pip install 'memtail[cluster]'")
        return
    try:
        with broker.reached(settings):
            client = broker.connect(settings)
            memory = broker.memory_policy(client)
            there = presence.running(client, "worker")
            aggregators = presence.running(client, "aggregator")
    except MemtailError as error:
        yield Check("broker", "wrong", str(error))
        return
    yield Check("broker", "ok", f"Redis at {broker.address(settings)} answers")
    if memory != "noeviction":
        policy = f"maxmemory-policy is {memory}: Redis may drop tasks; set it to noeviction"
        yield Check("broker", "note", policy)
    devices = Counter(each.device for each in there)
    listed = ", ".join(f"{count} × {device}" for device, count in sorted(devices.items()))
    yield Check(
        "workers",
        "ok" if there else "wrong",
        listed or "none: start some, docker compose up -d --scale worker=2",
    )
    for store in sorted({e.store for e in there if e.store.rstrip("/") != location.rstrip("/")}):
        yield Check("workers", "wrong", f"some use another store, {formatting.plain(store)}")
    yield Check(
        "aggregator",
        "ok" if aggregators else "wrong",
        "running" if aggregators else "none: no shard is enqueued again, and no report published",
    )
