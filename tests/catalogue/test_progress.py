"""How far a study is, by the listing of its store."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from memtail_core import catalogue
from memtail_core.catalogue import Progress, failures
from memtail_core.catalogue.failures import Failure, Kind
from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.store import FilesStore
from tests.plan.test_designs import study as make_study

STUDY = make_study().model_copy(update={"shard_size": 10})


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    return FilesStore(tmp_path)


def put(store: FilesStore, *firsts: int) -> None:
    for first in firsts:
        store.put(Shard(first, first + 10).key(STUDY), b"")


def fail(store: FilesStore, first: int, attempt: int, kind: Kind) -> None:
    name = Shard(first, first + 10).name
    failure = Failure(shard=name, attempt=attempt, kind=kind, reason="", worker="w", when=1.0)
    failures.record(store, STUDY.id, failure)


def test_what_is_listed_is_stored_and_the_rest_is_missing(store: FilesStore) -> None:
    put(store, 10, 40)
    progress = Progress.of(store, STUDY, 25)
    assert progress.planned == (Shard(0, 10), Shard(10, 20), Shard(20, 30))
    assert progress.stored == (Shard(10, 20), Shard(40, 50))
    assert progress.missing == progress.to_train == (Shard(0, 10), Shard(20, 30))
    assert (progress.n_planned, progress.n_stored, progress.n_missing) == (30, 20, 20)
    assert not progress.is_complete


@pytest.mark.parametrize("name", ["notes.txt", "0000000-0000007.npz", "0000005-0000015.npz"])
def test_other_objects_among_the_shards_are_not_shards(store: FilesStore, name: str) -> None:
    store.put(f"{STUDY.prefix}shards/{name}", b"")
    assert stored_shards(store, STUDY) == []


def test_the_goal_is_the_stored_one_unless_another_is_given(store: FilesStore) -> None:
    assert Progress.of(store, STUDY).goal == 0
    assert not Progress.of(store, STUDY).is_complete, "how many there should be is not known"
    catalogue.grow(store, STUDY, 20)
    put(store, 0, 10)
    assert Progress.of(store, STUDY).is_complete
    assert not Progress.of(store, STUDY, 30).is_complete
    store.put(f"{STUDY.prefix}goal.json", b"{}")
    with pytest.raises(StoreError, match="damaged: delete it, and give --trials"):
        Progress.of(store, STUDY)


@pytest.mark.parametrize(
    ("firsts", "without_gap"), [((), 0), ((10, 20), 0), ((0, 10, 30), 20), ((0, 10), 20)]
)
def test_the_first_models_without_a_gap(
    store: FilesStore, firsts: tuple[int, ...], without_gap: int
) -> None:
    put(store, *firsts)
    assert Progress.of(store, STUDY, 40).n_without_gap == without_gap


def test_a_shard_is_given_up_after_its_last_attempt_and_others_are_not(store: FilesStore) -> None:
    fail(store, 10, 1, "machine")
    progress = Progress.of(store, STUDY, 30)
    assert progress.last_attempt(Shard(10, 20)) == 1
    assert progress.last_attempt(Shard(0, 10)) == 0
    assert progress.to_train == progress.planned
    fail(store, 10, 2, "last")
    progress = Progress.of(store, STUDY, 30)
    assert progress.failed == (Shard(10, 20),)
    assert progress.n_failed == 10
    assert progress.to_train == (Shard(0, 10), Shard(20, 30))
    assert progress.missing == progress.planned, "it is missing all the same"
    assert not progress.is_stopped
    assert not progress.is_wanted(Shard(10, 20))
    put(store, 10)  # by a worker that was thought lost
    progress = Progress.of(store, STUDY, 30)
    assert progress.failed == ()
    assert progress.is_wanted(Shard(10, 20)), "stored, but perhaps damaged"


def test_an_error_of_the_study_stops_it_unless_it_was_beyond_the_goal(store: FilesStore) -> None:
    fail(store, 20, 1, "study")
    stopped = Progress.of(store, STUDY, 30)
    assert stopped.is_stopped
    assert stopped.to_train == ()
    assert not stopped.is_wanted(Shard(0, 10))
    assert not Progress.of(store, STUDY, 20).is_stopped
    assert replace(stopped, attempts={}).to_train == stopped.planned


@pytest.mark.parametrize("shard", [Shard(30, 40), Shard(5, 15), Shard(0, 20)])
def test_shards_outside_the_plan_are_not_wanted(store: FilesStore, shard: Shard) -> None:
    assert not Progress.of(store, STUDY, 30).is_wanted(shard)


def test_the_json_counts_models(store: FilesStore) -> None:
    put(store, 0)
    fail(store, 10, 3, "last")
    assert json.loads(json.dumps(Progress.of(store, STUDY, 25).as_dict())) == {
        "id": STUDY.id,
        "state": "unfinished",
        "goal": 30,
        "models": 30,
        "stored": 10,
        "missing": 20,
        "failed": 10,
    }
