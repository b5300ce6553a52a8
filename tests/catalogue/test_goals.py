"""The number of trials wanted: what anyone asks for grows it, and only --shrink lowers it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from memtail_core.catalogue import goals
from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.store import FilesStore
from tests.plan.test_designs import study as make_study

STUDY = make_study().model_copy(update={"shard_size": 5})
FILE = f"{STUDY.prefix}goal.json"


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    return FilesStore(tmp_path)


class Interrupted(FilesStore):
    """Lets somebody else act just before the n-th write of this process."""

    def __init__(self, root: str, n: int, meanwhile: Callable[[], object]) -> None:
        super().__init__(root)
        self._n, self._meanwhile = n, meanwhile

    def put(self, key: str, content: bytes) -> None:
        self._n -= 1
        if self._n == 0:
            self._meanwhile()
        super().put(key, content)


def test_the_largest_number_asked_for_counts(store: FilesStore) -> None:
    assert goals.goal(store, STUDY) == 0
    assert [goals.grow(store, STUDY, n) for n in (40, 20_000, 100)] == [40, 20_000, 20_000]
    assert len(list(store.list(STUDY.prefix))) == 2, "smaller numbers leave nothing behind"


@pytest.mark.parametrize("moment", [1, 2])
@pytest.mark.parametrize(("mine", "theirs"), [(45, 60), (60, 45)])
def test_of_two_who_grow_a_study_at_once_the_larger_number_stays(
    store: FilesStore, moment: int, mine: int, theirs: int
) -> None:
    goals.grow(store, STUDY, 40)
    between = Interrupted(store.location, moment, lambda: goals.grow(store, STUDY, theirs))
    goals.grow(between, STUDY, mine)
    assert goals.goal(store, STUDY) == 60


def test_of_many_who_grow_a_study_at_once_the_largest_number_stays(store: FilesStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: goals.grow(store, STUDY, n), [7 * n % 101 for n in range(1, 101)]))
    assert goals.goal(store, STUDY) == 100


def test_shrinking_has_to_be_asked_for_and_keeps_what_is_stored(store: FilesStore) -> None:
    goals.grow(store, STUDY, 60)
    assert goals.shrink(store, STUDY, 45) == goals.goal(store, STUDY) == 45
    store.put(Shard(25, 30).key(STUDY), b"")
    assert goals.shrink(store, STUDY, 10) == 30
    assert goals.shrink(store, STUDY, 50) == 50, "a larger number grows it"


def test_a_run_that_ends_early_takes_back_only_what_it_asked_for(store: FilesStore) -> None:
    goals.grow(store, STUDY, 60)
    goals.take_back(store, STUDY, asked=60, before=0, trials=20)
    assert goals.goal(store, STUDY) == 20
    goals.grow(store, STUDY, 60)
    goals.take_back(store, STUDY, asked=60, before=50, trials=20)
    assert goals.goal(store, STUDY) == 50, "asked for before the run"
    goals.grow(store, STUDY, 80)
    goals.take_back(store, STUDY, asked=60, before=50, trials=20)
    assert goals.goal(store, STUDY) == 80, "asked for since by somebody else"


def test_the_file_of_older_versions_counts_and_is_kept_up_to_date(store: FilesStore) -> None:
    store.put(FILE, b'{"trials": 70}')
    assert goals.grow(store, STUDY, 60) == 70
    assert goals.grow(store, STUDY, 90) == 90
    assert store.get(FILE) == b'{"trials": 90}'


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"trials": 0}', b'{"trials": 1e999}'])
def test_a_damaged_file_is_named(store: FilesStore, content: bytes) -> None:
    store.put(FILE, content)
    with pytest.raises(StoreError, match=r"goal.json is damaged: delete it, and give --trials"):
        goals.goal(store, STUDY)


def test_other_objects_among_the_goals_do_not_count(store: FilesStore) -> None:
    goals.grow(store, STUDY, 40)
    for name in ("notes.txt", "9999999", "60", "0000000"):
        store.put(f"{STUDY.prefix}goals/{name}", b"")
    assert goals.goal(store, STUDY) == 40
