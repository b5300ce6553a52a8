"""The status of a study, by the store alone."""

from pathlib import Path

import pytest

from memtail_core import catalogue
from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure, Kind
from memtail_core.plan.shards import Shard
from memtail_core.store import FilesStore
from memtail_core.study import Study
from services import orders
from services.orders import Order
from services.status import StudyStatus
from tests.conftest import Trained


@pytest.fixture
def store(tmp_path: Path, trained: Trained) -> FilesStore:
    store = FilesStore(tmp_path)
    catalogue.register(store, trained.study, trained.dataset, 20)
    orders.place(store, trained.study, Order(device="cpu"))
    return store


def fail(store: FilesStore, study: Study, first: int, attempt: int, kind: Kind) -> None:
    shard = Shard(first, first + 5)
    failures.record(
        store,
        study.id,
        Failure(shard=shard.name, attempt=attempt, kind=kind, reason="", worker="w", when=1.0),
    )


def state(store: FilesStore, study: Study) -> str:
    return StudyStatus.of(store, study).state


def test_from_waiting_to_complete(store: FilesStore, trained: Trained) -> None:
    study = trained.study
    assert state(store, study) == "waiting"
    store.put(Shard(0, 5).key(study), b"")
    assert StudyStatus.of(store, study).to_train == (Shard(5, 10), Shard(10, 15), Shard(15, 20))
    for first in (5, 10, 15):
        store.put(Shard(first, first + 5).key(study), b"")
    assert state(store, study) == "complete"
    for key in (f"{study.prefix}goal.json", f"{study.prefix}goals/0000020"):
        store.delete(key)
    assert state(store, study) != "complete", "how many there should be is not known"


def test_a_shard_is_given_up_after_its_last_attempt_and_others_are_not(
    store: FilesStore, trained: Trained
) -> None:
    study = trained.study
    fail(store, study, 5, 1, "machine")
    assert Shard(5, 10) in StudyStatus.of(store, study).to_train
    fail(store, study, 5, 2, "last")
    now = StudyStatus.of(store, study)
    assert now.progress.failed == (Shard(5, 10),)
    assert Shard(5, 10) not in now.to_train
    assert len(now.to_train) == 3
    for first in (0, 10, 15):
        store.put(Shard(first, first + 5).key(study), b"")
    assert state(store, study) == "failed"
    store.put(Shard(5, 10).key(study), b"")  # by a worker that was thought lost
    assert state(store, study) == "complete"


def test_an_error_of_the_study_stops_it_unless_it_was_beyond_the_goal(
    store: FilesStore, trained: Trained
) -> None:
    study = trained.study
    fail(store, study, 15, 1, "study")
    assert state(store, study) == "stopped"
    assert StudyStatus.of(store, study).to_train == ()
    catalogue.shrink(store, study, 10)
    assert state(store, study) == "waiting"
    assert StudyStatus.of(store, study).failed == 0


def test_a_cancelled_study_and_one_that_was_not_submitted_miss_nothing(
    store: FilesStore, trained: Trained
) -> None:
    orders.place(store, trained.study, Order(device="cpu", cancelled=True))
    assert StudyStatus.of(store, trained.study).to_train == ()
    assert state(store, trained.study) == "cancelled"
    store.delete(f"{trained.study.prefix}order.json")
    assert StudyStatus.of(store, trained.study).to_train == ()
    assert state(store, trained.study) == "not submitted"
