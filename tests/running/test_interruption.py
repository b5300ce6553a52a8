"""Whatever ends ``memtail run``, nothing is lost and the numbers are the same bits."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests import programs, texts

_TIMEOUT = 600.0  # seconds; far more than any step takes, on a machine with other load too
STUDY = """
[study]
trials = 60
shard_size = 3
[dataset]
source = "sklearn:digits"
train_limit = 400
test_limit = 100
[training]
recipe = "mlp"
widths = [64]
epochs = 30
precision = "float32"
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "killed.toml"
    path.write_text(STUDY)
    return path


class Run:
    """``memtail run``, as its own session: a fork, or a fresh process as users start it."""

    def __init__(self, toml: Path, store: Path, *, fresh: bool = False, workers: int = 2) -> None:
        arguments = ("run", str(toml), "--store", str(store))
        arguments += ("--workers", str(workers))
        arguments += ("--stack", "3")  # two stores could measure otherwise
        self._said = toml.parent / "said"
        self._run: programs.Program | subprocess.Popen[bytes]
        if not fresh:
            self._run = programs.Program("cli.main", *arguments, output=self._said)
            return
        with self._said.open("wb") as file:
            self._run = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *arguments],
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._run.pid

    def poll(self) -> int | None:
        return self._run.poll()

    def ended(self) -> tuple[int, str]:
        """Wait for its end; return the exit code and all that it has printed."""
        return self._run.wait(_TIMEOUT), self._said.read_text()


def finish(toml: Path, store: Path, workers: int = 2) -> None:
    code, said = Run(toml, store, workers=workers).ended()
    assert code == 0, said


def scores(store: Path) -> bytes:
    (found,) = store.glob("studies/*/report/scores.parquet")
    return found.read_bytes()


def stored(store: Path) -> int:
    return len(list(store.glob("studies/*/shards/*.npz")))


def wait_for_shards(process: Run, store: Path, count: int) -> None:
    """Wait until ``count`` shards are stored, however fast this machine is."""
    wait_for(lambda: len(list(store.glob("studies/*/shards/*.npz"))) >= count, process)


def wait_for(condition: Callable[[], bool], process: Run) -> None:
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"the run did not get so far: {process.poll()}")


def descendants(process: Run) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["mlp", "bag", "gpt"])
def test_five_sigkills_in_a_row_change_no_bit_of_the_scores(
    toml: Path, tmp_path: Path, recipe: str
) -> None:
    """Digits, texts and documents, whose scores are of real values; one worker, then two."""
    trials = 150 if recipe == "bag" else 60  # in shards of 3; bags train fast
    if recipe != "mlp":
        toml.write_text(texts.study_file(recipe, tmp_path, trials))
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish(toml, undisturbed, workers=1)
    rng = random.Random()  # a different moment each time the test is run
    counts = []
    for attempt in range(5):
        process = Run(toml, killed, fresh=attempt == 0)
        if attempt == 0:  # while the training processes are still starting
            wait_for(lambda p=process: len(descendants(p)) >= 3, process)
        else:
            wait_for_shards(process, killed, 3 * attempt)
        time.sleep(rng.uniform(0, 0.4))
        children = descendants(process)
        os.kill(process.pid, signal.SIGKILL)
        process.ended()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert not alive, "a killed run leaves no process behind"
        counts.append(stored(killed))
    assert counts == sorted(counts)
    assert counts[-1] < trials // 3, "the kills came before the end"
    finish(toml, killed)
    assert scores(killed) == scores(undisturbed)


def test_ctrl_c_before_the_first_shard_shows_no_traceback(toml: Path, tmp_path: Path) -> None:
    process = Run(toml, tmp_path / "runs", fresh=True)
    wait_for(lambda: len(descendants(process)) >= 3, process)
    os.killpg(process.pid, signal.SIGINT)
    code, errors = process.ended()
    assert code == 130
    assert "Traceback" not in errors
    assert "0 of 60 models are stored" in errors


def test_sigterm_stops_as_ctrl_c_does(toml: Path, tmp_path: Path) -> None:
    process = Run(toml, tmp_path / "runs")
    wait_for_shards(process, tmp_path / "runs", 1)
    os.kill(process.pid, signal.SIGTERM)
    code, errors = process.ended()
    assert code == 130
    assert "of 60 models are stored" in errors


@pytest.mark.slow
def test_ctrl_c_stops_at_once_and_says_how_to_continue(toml: Path, tmp_path: Path) -> None:
    store = tmp_path / "runs"
    process = Run(toml, store, fresh=True)
    wait_for_shards(process, store, 2)
    children = psutil.Process(process.pid).children(recursive=True)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    code, errors = process.ended()
    assert time.monotonic() - begun < 20
    assert code == 130
    assert "Traceback" not in errors
    assert "of 60 models are stored" in errors
    assert (
        f"the same command continues, or: memtail run {next((store / 'studies').iterdir()).name}"
        in errors
    )
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert 2 <= stored(store) < 20
    finish(toml, store)
    assert stored(store) == 20
