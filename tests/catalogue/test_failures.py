from pathlib import Path

import pytest

from memtail_core.catalogue import failures
from memtail_core.catalogue.failures import Failure, Kind
from memtail_core.errors import (
    DatasetError,
    OutOfMemoryError,
    StoreError,
    StudyError,
    TrainingError,
)
from memtail_core.plan.shards import Shard
from memtail_core.store import FilesStore
from tests.conftest import Trained


def failed(error: Exception, first: int = 0, attempt: int = 1) -> Failure:
    try:
        raise error
    except Exception as raised:
        return Failure.of(raised, Shard(first, first + 5), attempt, 3, "some worker")


@pytest.mark.parametrize(
    ("error", "attempt", "kind", "reason"),
    [
        (StudyError("no such\nrecipe"), 1, "study", "no such recipe"),
        (DatasetError("damaged"), 3, "study", "damaged"),
        (TrainingError("diverged"), 1, "study", "diverged"),
        (OutOfMemoryError("too large"), 1, "machine", "too large"),
        (OutOfMemoryError("too large"), 3, "last", "too large"),
        (StoreError("away"), 2, "machine", "StoreError: away"),
        (StoreError("away"), 3, "last", "StoreError: away"),
        (RuntimeError(), 1, "machine", "RuntimeError: RuntimeError"),
    ],
)
def test_whose_fault_it_is(error: Exception, attempt: int, kind: Kind, reason: str) -> None:
    found = failed(error, attempt=attempt)
    assert (found.kind, found.reason, found.shard) == (kind, reason, "0000000-0000005")
    assert "raise error" in found.traceback
    assert found.when > 0


def test_what_is_recorded_is_found_by_shard_until_it_is_forgotten(
    trained: Trained, tmp_path: Path
) -> None:
    store, study = FilesStore(tmp_path), trained.study
    assert failures.attempts(store, study) == {}
    ten = failed(StoreError("away"), 10, 1)
    for failure in (failed(StudyError("no"), 5, 1), failed(StoreError("x"), 10, 3), ten, ten):
        failures.record(store, study.id, failure)
    store.put(f"{study.prefix}failures/0000010-0000015/notes.txt", b"")
    store.put(f"{study.prefix}failures/0000011-0000016/1-machine.json", b"")
    assert failures.attempts(store, study) == {
        Shard(5, 10): [(1, "study")],
        Shard(10, 15): [(1, "machine"), (3, "last")],
    }
    assert failures.read(store, study, Shard(10, 15))[0] == ten
    assert [each.when for each in failures.read(store, study)] == sorted(
        each.when for each in failures.read(store, study)
    )
    assert len(failures.read(store, study)) == 3
    failures.forget(store, study, [Shard(10, 15)])
    assert failures.attempts(store, study) == {Shard(5, 10): [(1, "study")]}
