"""``--device cuda`` is every visible GPU, with one process each; the GPUs are stood for here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from billiard.process import current_process

from memtail_core.running import machine, parallelism, processes
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.worker_pool import WorkerPool
from memtail_core.settings import Settings
from memtail_core.store import FilesStore
from memtail_core.training.device import every_device
from services.worker.state import WorkerState
from tests.conftest import Trained


@pytest.fixture
def three_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(machine, "usable_cores", lambda: 16)
    monkeypatch.setattr(machine, "free_memory", lambda: 64 * 2**30)


@pytest.mark.usefixtures("three_gpus")
def test_cuda_is_every_gpu_and_one_of_them_is_one(trained: Trained) -> None:
    assert every_device("cuda") == ["cuda:0", "cuda:1", "cuda:2"]
    assert every_device("cuda:1") == ["cuda:1"]
    assert every_device("cpu") == ["cpu"]
    study, dataset = trained.study, trained.dataset
    assert parallelism.candidates(study, dataset, "cuda") == [3]
    assert parallelism.candidates(study, dataset, "cuda:1") == [2, 1]
    assert parallelism.candidates(study, dataset, "cuda", 6) == [6]


def test_one_gpu_is_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert every_device("cuda") == ["cuda"]


@pytest.mark.usefixtures("three_gpus")
@pytest.mark.parametrize(
    ("workers", "devices"),
    [
        (1, ["cuda:0"]),
        (3, ["cuda:0", "cuda:1", "cuda:2"]),
        (5, ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]),
    ],
)
def test_processes_are_spread_over_the_gpus(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    devices: list[str],
) -> None:
    started: list[SimpleNamespace] = []

    @contextmanager
    def pool(number: int) -> Iterator[SimpleNamespace]:
        started.append(SimpleNamespace(number=number))
        yield started[-1]

    monkeypatch.setattr(processes, "pool", pool)
    store = FilesStore(tmp_path)
    with WorkerPool(trained.study, store, "cuda", None, list, ProgressListener()) as made:
        made._start(workers)
        places = made._places
        assert [place.train.args[2] for place in places] == devices  # type: ignore[attr-defined]
        assert sum(each.number for each in started) == workers
        of_device = dict(zip(devices, [place.executor for place in places], strict=True))
        assert len(started) == len(of_device), "a device has an executor of its own"
        for place, device in zip(places, devices, strict=True):
            assert place.executor is of_device[device]


@pytest.mark.usefixtures("three_gpus")
def test_each_process_of_a_worker_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    state = WorkerState(Settings(device="cuda"))
    process = current_process()
    for index in range(4):
        monkeypatch.setattr(process, "index", index, raising=False)
        assert state._own_device() == f"cuda:{index % 3}"
    assert WorkerState(Settings(device="cuda:1"))._own_device() == "cuda:1"
