"""Which looks a run takes: of what is stored, and with how many processes."""

from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from memtail_core.plan import shards
from memtail_core.running import execution
from memtail_core.running.listeners import StoppingRule
from memtail_core.running.trials import Trials
from memtail_core.running.worker_pool import WorkerPool
from memtail_core.store import FilesStore
from tests.conftest import Trained


class EveryTen:
    def looks(self) -> Iterable[int]:
        return count(10, 10)

    def enough(self, trials: Trials) -> bool:
        raise NotImplementedError


class Sized:
    def __init__(self, size: int | None) -> None:
        self._size = size

    @property
    def size(self) -> int:
        assert self._size is not None, "not asked, where nothing is to be trained"
        return self._size


def aims(
    trained: Trained,
    folder: Path,
    *,
    stored: Iterable[int],
    most: int,
    size: int | None = 1,
    until: StoppingRule | None = None,
) -> list[int]:
    """What a run of shards of five aims at when nothing is ever enough."""
    store = FilesStore(folder)
    for number in stored:
        shard = shards.planned(trained.study, 5 * (number + 1))[-1]
        store.put(shard.key(trained.study), b"")
    pool = cast(WorkerPool, Sized(size))
    return list(execution._aims(store, trained.study, most, until, pool))


@pytest.mark.parametrize(
    ("stored", "most", "size", "expected"),
    [
        ([], 35, 1, [10, 20, 30, 35]),
        ([], 65, 4, [20, 40, 60, 65]),  # four processes, four shards at least
        ([], 8, 1, [8]),
        (range(5), 45, 1, [20, 30, 40, 45]),  # 25 are stored: first those of the last look
        (range(5), 65, 4, [20, 40, 60, 65]),  # as without the interruption
        (range(9), 45, None, [45]),
        (range(9), 30, None, [30]),
        ([0, 1, 3, 4], 30, 1, [10, 20, 30]),  # one was set aside
        ([1, 2, 3], 20, 1, [10, 20]),
    ],
)
def test_looks_are_taken_in_order_and_again_after_an_interruption(
    trained: Trained,
    tmp_path: Path,
    stored: Iterable[int],
    most: int,
    size: int | None,
    expected: list[int],
) -> None:
    found = aims(trained, tmp_path, stored=stored, most=most, size=size, until=EveryTen())
    assert found == expected


@pytest.mark.parametrize("stored", [[], [0, 1], range(20)])
def test_without_rules_there_is_one_aim(
    trained: Trained, tmp_path: Path, stored: Iterable[int]
) -> None:
    assert aims(trained, tmp_path, stored=stored, most=42, size=None) == [42]
