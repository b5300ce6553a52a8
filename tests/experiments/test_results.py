"""Results are kept beside their study, and what is damaged is said."""

from typing import ClassVar

import pytest

from memtail_core.errors import StoreError
from memtail_core.experiments.results import Result, keep, kept
from memtail_core.store import FilesStore
from memtail_core.study.validation import Number
from tests.conftest import Trained


class Made(Result):
    experiment: ClassVar[str] = "made"
    value: Number
    other: str = ""

    @property
    def name(self) -> str:
        return f"made-with-{self.other}" if self.other else "made"


@pytest.fixture
def store(tmp_path) -> FilesStore:  # type: ignore[no-untyped-def]
    return FilesStore(tmp_path)


def test_a_result_comes_back(trained: Trained, store: FilesStore) -> None:
    one = Made(study=trained.study.id, trials=40, value=0.25)
    keep(store, trained.study, one)
    assert kept(store, trained.study, Made) == [one]
    later = one.model_copy(update={"value": 0.5})
    keep(store, trained.study, later)
    assert kept(store, trained.study, Made) == [later], "one of each name"
    beside = Made(study=trained.study.id, trials=40, value=1, other="x-1")
    keep(store, trained.study, beside)
    assert kept(store, trained.study, Made) == [later, beside]


def test_a_missing_number_is_null_and_never_nan(trained: Trained, store: FilesStore) -> None:
    keep(store, trained.study, Made(study="s", trials=1, value=float("nan")))
    (found,) = kept(store, trained.study, Made)
    assert found.value is None
    (key,) = store.list(f"{trained.study.prefix}experiments/")
    assert b"null" in store.get(key)


def test_a_damaged_result_is_said(trained: Trained, store: FilesStore) -> None:
    key = f"{trained.study.prefix}experiments/made.json"
    store.put(key, b'{"study": "s"}')
    with pytest.raises(StoreError, match=r"made.json is damaged.*run the experiment again"):
        kept(store, trained.study, Made)
    store.put(f"{trained.study.prefix}experiments/another.json", b"no concern of ours")
    store.delete(key)
    assert kept(store, trained.study, Made) == []
