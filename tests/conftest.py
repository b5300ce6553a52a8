"""Which tests are slow, and what many tests need: training processes, a small trained study."""

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings

from memtail_core.analysis import Analysis, analyse
from memtail_core.data import Dataset
from memtail_core.running import execution, processes
from memtail_core.running.preparation import prepare
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study
from memtail_core.training.device import use_one_core
from tests import drawn_once, programs

_HEAVY = [{"cluster", "s3"}, {"gated"}, {"served"}, {"browser"}]  # fixtures of a test

# A runner in the background may ignore Ctrl-C, and every program started from it would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("busy", deadline=None)  # a busy machine is slow, not wrong
settings.load_profile("busy")
use_one_core()  # as every training process does; two test processes on two threads each would crawl


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave clusters, browsers and benchmarks to make test-all, but for what is marked smoke.

    That begins, and then what is slow: one process does it, the others what is fast, and in the end
    they share what is left.
    """
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        is_heavy = item.path.parent.name == "benchmarks" or any(h <= fixtures for h in _HEAVY)
        if is_heavy and not item.get_closest_marker("smoke"):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_is_fast)


def _is_fast(item: pytest.Item) -> int:
    """0 for smoke, 1 for slow, 2 for all others."""
    markers = ("smoke", "slow")
    return next((i for i, name in enumerate(markers) if item.get_closest_marker(name)), 2)


def digits(**tables: dict[str, Any]) -> Spec:
    """A study of 300 digits that trains a model in a few hundredths of a second."""
    return Spec.parse(
        {
            "study": {"name": "digits", "trials": 40, "shard_size": 5} | tables.get("study", {}),
            "dataset": {"source": "sklearn:digits", "train_limit": 300, "test_limit": 100}
            | tables.get("dataset", {}),
            "subsets": tables.get("subsets", {}),
            "training": {"recipe": "mlp", "widths": [32], "epochs": 20}
            | tables.get("training", {}),
        }
    )


@dataclass(frozen=True)
class Trained:
    """A finished study in its store."""

    study: Study
    dataset: Dataset
    trials: Trials
    folder: Path

    @property
    def store(self) -> FilesStore:
        return FilesStore(self.folder)

    @property
    def analysis(self) -> Analysis:
        return analyse(self.study, self.dataset, self.trials)


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run of pytest have."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _processes_and_charts_start_at_once(common: Path) -> Iterator[None]:
    """Training processes, and what draws charts: in this process, and in the programs it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "pool", programs.pool)
        patch.setenv("MEMTAIL_CACHE", str(common / "cache"))  # not the user's
        patch.setenv(drawn_once.FOLDER, str(common / "drawn"))
        drawn_once.keep_in(common / "drawn")
        yield


@pytest.fixture(autouse=True)
def _one_thread_each() -> Iterator[None]:
    """Whoever takes more threads gives them back: they would slow each test that comes later."""
    yield
    taken = torch.get_num_threads()
    use_one_core()
    assert taken == 1, f"this test leaves {taken} threads to the next"


Shared = Callable[[str], AbstractContextManager[Path]]


@pytest.fixture(scope="session")
def shared(common: Path) -> Shared:
    """Open a folder that all processes of this run of pytest have, one process at a time.

    What the first has put there the others find: memtail trains only what is missing.
    """

    @contextmanager
    def opened(name: str) -> Iterator[Path]:
        with (common / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder = common / f"shared-{name}"
            folder.mkdir(exist_ok=True)
            yield folder

    return opened


@pytest.fixture(scope="session")
def trained(shared: Shared) -> Trained:
    """40 models, trained once, in float32 on any machine. Do not write into its folder: copy it."""
    study, dataset = prepare(digits(training={"precision": "float32"}))
    with shared("trained") as folder:
        trials = execution.run(study, FilesStore(folder / "runs"), dataset, 40, workers=1)
    return Trained(study, dataset, trials, folder / "runs")
