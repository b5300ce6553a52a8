from pathlib import Path

import pytest

from memtail_core.errors import TrainingError
from memtail_core.running import machine
from memtail_core.running.parallelism import candidates, next_workers
from tests.conftest import Trained

GIB = 2**30


def test_each_candidate_is_measured_once_and_the_fastest_kept() -> None:
    assert next_workers([8, 4], {}, 100) == (8, True)
    assert next_workers([8, 4], {8: 2.0}, 90) == (4, True)
    assert next_workers([8, 4], {8: 2.0, 4: 1.0}, 80) == (8, False)
    assert next_workers([8, 4], {8: 2.0, 4: 3.0}, 80) == (4, False)


def test_fewer_processes_must_be_clearly_faster() -> None:
    assert next_workers([8, 4], {8: 2.0, 4: 2.05}, 80) == (8, False)


def test_a_short_run_is_not_measured() -> None:
    assert next_workers([8, 4], {}, 20) == (8, False)
    assert next_workers([8], {}, 1000) == (8, False)


@pytest.fixture
def machine_with(monkeypatch: pytest.MonkeyPatch):
    def describe(cores: int, free: float) -> None:
        monkeypatch.setattr(machine, "usable_cores", lambda: cores)
        monkeypatch.setattr(machine, "free_memory", lambda: int(free * GIB))

    return describe


@pytest.mark.parametrize(
    ("cores", "free", "device", "expected"),
    [
        (1, 8, "cpu", [1]),
        (2, 8, "cpu", [2, 1]),
        (64, 256, "cpu", [64, 32]),
        (64, 2, "cpu", [5, 2]),  # some 400 MB a process
        (16, 64, "cuda", [2, 1]),
    ],
)
def test_cores_and_memory_bound_the_processes(
    machine_with, trained: Trained, cores: int, free: float, device: str, expected: list[int]
) -> None:
    machine_with(cores, free)
    assert candidates(trained.study, trained.dataset, device) == expected


def test_a_model_that_does_not_fit_is_refused(machine_with, trained: Trained) -> None:
    machine_with(2, 0.2)
    with pytest.raises(TrainingError, match=r"needs about 0.4 GiB of memory, and 0.2 GiB are free"):
        candidates(trained.study, trained.dataset, "cpu")


def test_as_many_workers_as_asked_for_or_as_memory_holds(machine_with, trained: Trained) -> None:
    machine_with(2, 4)
    assert candidates(trained.study, trained.dataset, "cpu", 8) == [8]
    with pytest.raises(TrainingError, match=r"--workers 1000 need .* 4\.0 GiB .*: use at most 10$"):
        candidates(trained.study, trained.dataset, "cpu", 1000)


def test_the_real_machine_has_cores_and_memory() -> None:
    assert machine.usable_cores() >= 1
    assert machine.free_memory() > GIB / 8


@pytest.mark.parametrize(
    "names",
    [
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ],
)
def test_a_containers_limit_counts_and_its_file_cache_does_not(
    names: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, used, cache = names
    monkeypatch.setattr(machine, "_CONTAINER", ((tmp_path, *names),))
    everything = machine.free_memory()
    (tmp_path / limit).write_text(f"{GIB}\n")
    (tmp_path / used).write_text(f"{GIB - 2**20}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\n{cache} {2**24}\n")
    assert machine.free_memory() == 2**20 + 2**24
    (tmp_path / limit).write_text("max\n")
    assert abs(machine.free_memory() - everything) < GIB / 2
