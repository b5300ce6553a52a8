"""Two runs on one store train no shard at the same time, and a killed run holds up nobody."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from memtail_core.plan.shards import Shard
from memtail_core.running import claims as claims_module
from memtail_core.running.claims import Claims
from memtail_core.store import FilesStore
from tests.conftest import Trained
from tests.running.test_interruption import Run, finish, scores, stored, wait_for

SHARD, OTHER = Shard(0, 5), Shard(5, 10)


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    return FilesStore(tmp_path / "runs")


def of(store: FilesStore, trained: Trained, seconds: float = 30.0) -> Claims:
    return Claims(store, trained.study, seconds)


def names(store: FilesStore, trained: Trained) -> list[str]:
    return [key.rpartition("/")[2] for key in store.list(f"{trained.study.prefix}claims/")]


def test_one_of_two_has_a_shard_until_it_ends_it(store: FilesStore, trained: Trained) -> None:
    one, two = of(store, trained), of(store, trained)
    assert one.take(SHARD)
    assert one.take(SHARD), "it has it already"
    assert not two.take(SHARD)
    assert two.take(OTHER)
    one.end(SHARD)
    assert two.take(SHARD)
    two.close()
    one.close()
    assert names(store, trained) == []


def left_by(store: FilesStore, trained: Trained, change: dict[str, Any] | None = None) -> None:
    """The claim of a run that was killed; with ``change``, of one on another machine."""
    killed = of(store, trained)
    assert killed.take(SHARD)
    killed._ended.set()
    key = killed._key(SHARD, 0)
    owner = json.loads(store.get(key))
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    store.put(key, json.dumps({**owner, "pid": int(child.stdout), **(change or {})}).encode())


def test_the_claim_of_a_killed_run_of_this_machine_counts_no_more(
    store: FilesStore, trained: Trained
) -> None:
    left_by(store, trained)
    next_run, third = of(store, trained), of(store, trained)
    assert next_run.take(SHARD)
    assert not third.take(SHARD)
    assert names(store, trained) == ["0000000-0000005.0.json", "0000000-0000005.1.json"]
    next_run.end(SHARD)
    assert names(store, trained) == []
    next_run.close()


def test_that_of_another_machine_expires(store: FilesStore, trained: Trained) -> None:
    left_by(store, trained, {"host": "elsewhere"})
    next_run = of(store, trained, seconds=0.2)
    assert not next_run.take(SHARD), "nobody knows yet"
    time.sleep(0.3)
    assert next_run.take(SHARD)
    next_run.close()


def test_a_claim_that_is_renewed_does_not_expire(store: FilesStore, trained: Trained) -> None:
    one, two = of(store, trained, seconds=0.3), of(store, trained, seconds=3.0)
    two._owner["host"] = one._owner["host"] = "elsewhere"
    assert one.take(SHARD)
    first = store.get(one._key(SHARD, 0))
    deadline = time.monotonic() + 60
    while store.get(one._key(SHARD, 0)) == first:
        assert time.monotonic() < deadline
        assert not two.take(SHARD)
        time.sleep(0.01)
    assert not two.take(SHARD)
    one.close()
    assert two.take(SHARD)
    two.close()


def test_what_is_no_claim_expires_too(store: FilesStore, trained: Trained) -> None:
    run = of(store, trained, seconds=0.1)
    store.put(run._key(SHARD, 0), b"[" * 10_000)
    store.put(f"{trained.study.prefix}claims/readme", b"hello")
    assert not run.take(SHARD)
    time.sleep(0.2)
    assert run.take(SHARD)
    run.close()


def test_one_that_lost_its_claim_does_not_let_a_third_in(
    store: FilesStore, trained: Trained
) -> None:
    """The first was asleep; the second took over and trains; the first gives up and ends."""
    first, second, third = (of(store, trained, seconds=0.1) for _ in range(3))
    for each in (first, second, third):
        each._owner["host"] = "elsewhere"
    assert first.take(SHARD)
    first._ended.set()
    assert not second.take(SHARD)
    time.sleep(0.2)
    assert second.take(SHARD)
    first.end(SHARD)
    assert not third.take(SHARD)
    second.close()
    assert third.take(SHARD)
    third.close()


def test_a_process_id_that_is_used_again_is_another_process(
    store: FilesStore, trained: Trained
) -> None:
    owner = of(store, trained)._owner
    assert not claims_module._is_of_ended_process(json.dumps(owner).encode())
    before = {**owner, "started": owner["started"] - 1000}
    assert claims_module._is_of_ended_process(json.dumps(before).encode())


STUDY = """
[study]
trials = 24
shard_size = 3
[dataset]
source = "sklearn:digits"
train_limit = 400
[training]
recipe = "mlp"
widths = [64]
epochs = 100
precision = "float32"
"""


@pytest.mark.slow
def test_two_runs_on_one_folder_train_each_shard_once(tmp_path: Path) -> None:
    """A third was killed before; both of the two end with the report."""
    toml, store = tmp_path / "study.toml", tmp_path / "runs"
    toml.write_text(STUDY)
    killed = Run(toml, store)
    wait_for(lambda: list(store.glob("studies/*/claims/*.json")) != [], killed)
    wait_for(lambda: stored(store) >= 1, killed)
    processes = psutil.Process(killed.pid).children(recursive=True)
    os.kill(killed.pid, signal.SIGKILL)
    killed.ended()
    # Its training processes end within a second, and may store a shard until then.
    assert not psutil.wait_procs(processes, timeout=300)[1]
    before = stored(store)
    seconds = time.monotonic()
    folders = [tmp_path / name for name in ("one", "two")]
    runs = []
    for folder in folders:
        folder.mkdir()
        (folder / "study.toml").write_text(STUDY)
        runs.append(Run(folder / "study.toml", store))
    written: dict[str, set[int]] = {}
    while any(run.poll() is None for run in runs) and time.monotonic() - seconds < 600:
        for file in store.glob("studies/*/shards/*.npz"):
            written.setdefault(file.name, set()).add(file.stat().st_ino)
        time.sleep(0.02)
    for run in runs:
        code, said = run.ended()
        assert code == 0, said
    assert before < 8
    assert len(written) == 8
    assert all(len(inodes) == 1 for inodes in written.values()), "each was stored once"
    assert not list(store.glob("studies/*/claims/*.json"))
    finish(toml, tmp_path / "alone")
    assert scores(store) == scores(tmp_path / "alone")
