"""Checkpoints of shards: written behind the training, verified, removed; runs that are killed."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.running import loading
from memtail_core.running.checkpoints import ShardCheckpoints
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore, archive
from memtail_core.store.archive import Arrays
from tests.conftest import Trained, digits
from tests.running.test_interruption import Run, finish, scores, wait_for

SHARD = Shard(0, 5)
ABOUT = {"stack": 2, "torch": "1.0"}
STATE: Arrays = {"a": np.arange(3)}
KEY = b"a key of at least 16 characters"


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    return FilesStore(tmp_path / "runs")


def checkpoints(
    store: Any,
    trained: Trained,
    every: float = 1e-6,
    about: dict[str, Any] | None = None,
    key: bytes | None = None,
    shard: Shard = SHARD,
) -> ShardCheckpoints:
    return ShardCheckpoints(store, trained.study, shard, about or ABOUT, every, key)


def written(store: Any, trained: Trained, **options: Any) -> ShardCheckpoints:
    made = checkpoints(store, trained, **options)
    time.sleep(0.001)
    made.reached("epoch 1 of 2", 5, lambda: dict(STATE))
    made.close()
    return made


def test_what_was_kept_is_read_by_the_next(store: FilesStore, trained: Trained) -> None:
    first = written(store, trained)
    time.sleep(0.05)
    again = checkpoints(store, trained)
    state = again.last()
    assert state is not None
    assert state["a"].tolist() == [0, 1, 2]
    assert 0 < again.seconds < first.seconds, "what was lost does not count"
    again.remove()
    assert not list(store.list(trained.study.prefix))
    assert checkpoints(store, trained).last() is None


def test_a_shard_that_takes_less_than_the_interval_writes_nothing(
    store: FilesStore, trained: Trained
) -> None:
    kept = checkpoints(store, trained, every=600)
    for _ in range(1000):
        kept.reached("epoch 1 of 2", 5, lambda: pytest.fail("the state was asked for"))
    kept.remove()
    assert not list(store.list(""))
    assert threading.active_count() == 1 or not [
        each for each in threading.enumerate() if each.name == "checkpoint"
    ]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"about": {"stack": 4, "torch": "1.0"}}, "it is of stack 2, and this is 4"),
        ({"about": {"stack": 2, "torch": "2.0"}}, "it is of torch 1.0, and this is 2.0"),
        ({"key": KEY}, "it is not signed with MEMTAIL_SHARD_KEY"),
    ],
)
def test_a_checkpoint_of_another_training_is_not_used(
    store: FilesStore,
    trained: Trained,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, Any],
    why: str,
) -> None:
    written(store, trained)
    assert checkpoints(store, trained, **options).last() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Warning: the checkpoint of 0000000-0000005 of {trained.study.id}")
    assert why in line
    assert "its training starts again" in line


def test_nor_one_of_another_shard_or_study_or_one_that_is_damaged(
    store: FilesStore, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    written(store, trained)
    key, other = SHARD.checkpoint_key(trained.study), Shard(5, 10)
    whole = store.get(key)
    store.put(other.checkpoint_key(trained.study), whole)
    assert checkpoints(store, trained, shard=other).last() is None
    assert "it is of shard 0000000-0000005, and this is 0000005-0000010" in capsys.readouterr().err
    arrays = archive.unpacked(whole)
    for content, why in (
        (whole[:-100], "its SHA-256 does not match"),
        (whole[:200] + b"x" + whole[201:], "its SHA-256 does not match"),
        (archive.packed({"a": np.zeros(2)}), "it lacks its origin"),
        (archive.packed({**arrays, "about": np.array("[1]")}), "it lacks its origin"),
        (archive.packed({**arrays, "about": np.array('{"seconds": 1}')}), "it is of study None"),
    ):
        store.put(key, content)
        kept = checkpoints(store, trained)
        assert kept.last() is None
        assert why in capsys.readouterr().err
        assert kept.seconds < 60
    kept.remove()
    assert not store.exists(key), "what nobody can use is removed with the others"


def test_signed_shards_have_signed_checkpoints(store: FilesStore, trained: Trained) -> None:
    written(store, trained, key=KEY)
    assert checkpoints(store, trained, key=KEY).last() is not None
    assert checkpoints(store, trained, key=b"another key of 16 characters").last() is None


class Stuck(FilesStore):
    """A store whose puts wait for a test, and then fail if it says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.fails = False

    def put(self, key: str, content: bytes) -> None:
        self.begun.set()
        assert self.go_on.wait(60)
        if self.fails:
            raise StoreError("the store is away")
        super().put(key, content)


def test_training_does_not_wait_for_the_store(tmp_path: Path, trained: Trained) -> None:
    store = Stuck(tmp_path / "runs")
    kept, asked = checkpoints(store, trained), []

    def state() -> Arrays:
        asked.append(1)
        return dict(STATE)

    time.sleep(0.001)
    for _ in range(100):
        kept.reached("epoch 1 of 2", 5, state)
    assert store.begun.wait(60)
    assert len(asked) == 1, "one at a time"
    store.go_on.set()
    kept.close()
    kept.reached("epoch 1 of 2", 5, state)
    assert len(asked) == 2
    kept.remove()


def test_a_store_that_is_away_costs_the_checkpoint_alone(
    tmp_path: Path, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Stuck(tmp_path / "runs")
    store.fails = True
    store.go_on.set()
    written(store, trained).remove()
    assert "Warning: no checkpoint was stored: the store is away" in capsys.readouterr().err


def test_too_little_memory_costs_the_checkpoint_alone(
    store: FilesStore, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine that heard of it would train fewer networks at a time."""

    def state() -> Arrays:
        raise MemoryError

    kept = checkpoints(store, trained)
    time.sleep(0.001)
    kept.reached("epoch 1 of 2", 5, state)
    kept.remove()
    assert "no checkpoint was stored: there is not enough memory" in capsys.readouterr().err


def test_the_phase_is_reported_every_few_seconds(
    store: FilesStore, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memtail_core.running.under_way.EVERY", 0.05)
    heard: list[tuple[str, float]] = []
    kept = ShardCheckpoints(
        store, trained.study, SHARD, ABOUT, 600, None, lambda *said: heard.append(said)
    )
    kept.reached("epoch 1 of 2", 10, dict)
    assert not heard
    time.sleep(0.1)
    kept.reached("epoch 2 of 2", 10, dict)
    ((phase, rate),) = heard
    assert phase == "epoch 2 of 2"
    assert 0 < rate <= 20 / 0.1


def test_a_shard_is_continued_by_another_trainer_and_its_checkpoint_removed(
    tmp_path: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As training processes do it; the checkpoint counts as no shard."""
    store, study = FilesStore(tmp_path / "runs"), trained.study
    catalogue.register(store, study, trained.dataset, 10)
    stack = int(trained.trials.about[0]["stack"])
    monkeypatch.setenv("MEMTAIL_CHECKPOINT_EVERY", "0.0001")

    class Killed(BaseException):
        pass

    counted: Iterator[int] = iter(range(10**9))
    original = ShardCheckpoints.reached

    def reached(self: ShardCheckpoints, *arguments: Any) -> None:
        original(self, *arguments)
        if next(counted) == 40:
            raise Killed

    monkeypatch.setattr(ShardCheckpoints, "reached", reached)
    with pytest.raises(Killed):
        ShardTrainer(store, study, "cpu", stack).train(SHARD)
    assert store.exists(SHARD.checkpoint_key(study))
    assert catalogue.Progress.of(store, study).n_stored == 0
    done = ShardTrainer(store, study, "cpu", stack).train(SHARD)
    assert done.seconds > 0
    assert not store.exists(SHARD.checkpoint_key(study))
    ours, theirs = (
        loading.load_shard(each, study, SHARD, values=True) for each in (store, trained.store)
    )
    assert ours.train_values is not None
    assert theirs.train_values is not None
    assert ours.train_values.tobytes() == theirs.train_values.tobytes()


def test_what_is_left_of_stored_shards_is_removed(tmp_path: Path, trained: Trained) -> None:
    store, study = FilesStore(tmp_path / "runs"), trained.study
    first, second = Shard(0, 5), Shard(5, 10)
    store.put(first.key(study), b"stored")
    for shard in (first, second):
        store.put(shard.checkpoint_key(study), b"left")
        store.put(f"{study.prefix}claims/{shard.name}.0.json", b"{}")
    catalogue.leftovers.remove(store, study)
    assert sorted(store.list(study.prefix)) == sorted(
        [
            second.checkpoint_key(study),
            f"{study.prefix}claims/{second.name}.0.json",
            first.key(study),
        ]
    )
    catalogue.leftovers.remove_checkpoints(store, study)
    assert not store.exists(second.checkpoint_key(study))


LONG = """
[study]
trials = 1
shard_size = 1
[dataset]
source = "sklearn:digits"
[training]
recipe = "cnn"
channels = [16, 32]
hidden = 64
epochs = 100
flip = true
precision = "float32"
"""
EVERY = 0.2  # seconds


@pytest.mark.slow
def test_five_sigkills_inside_one_trial_change_no_bit_and_lose_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = tmp_path / "long.toml"
    toml.write_text(LONG)
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish(toml, undisturbed)
    monkeypatch.setenv("MEMTAIL_CHECKPOINT_EVERY", str(EVERY))
    rng = np.random.default_rng()  # a different moment each time the test is run
    progress = [0.0]
    for _ in range(5):
        process = Run(toml, killed)
        wait_for(lambda: spent(killed) > progress[-1], process)
        time.sleep(rng.uniform(0, 2 * EVERY))
        os.kill(process.pid, signal.SIGKILL)
        process.ended()
        assert not list(killed.glob("studies/*/shards/*.npz")), "killed inside the trial"
        progress.append(spent(killed))
    assert progress == sorted(progress), "no interruption loses what was kept"
    code, said = Run(toml, killed).ended()
    assert code == 0, said
    assert "is not used" not in said
    assert scores(killed) == scores(undisturbed)
    left = [*killed.glob("studies/*/checkpoints/*.npz"), *killed.glob("studies/*/claims/*.json")]
    assert not left


def spent(store: Path) -> float:
    """The seconds of training that the checkpoints hold."""
    total = 0.0
    for file in store.glob("studies/*/checkpoints/*.npz"):
        about = str(archive.unpacked(file.read_bytes())["about"])
        total += float(about.partition('"seconds": ')[2].partition(",")[0])
    return total


def test_prepared_studies_do_not_know_of_checkpoints() -> None:
    """A study's id is as before: how often checkpoints are written is a setting of a machine."""
    study, _ = prepare(digits())
    assert "checkpoint" not in study.to_json().decode()
