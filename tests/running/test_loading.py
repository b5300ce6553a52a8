"""Loading a study: bits without values, values on request, damaged shards set aside."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import StoreError
from memtail_core.plan.shards import Shard
from memtail_core.running import execution, loading
from memtail_core.store import FilesStore
from tests.conftest import Trained

FIRST, THIRD = Shard(0, 5), Shard(10, 15)


class CountingStore(FilesStore):
    """Counts the bytes that are read below each folder of a study."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: Counter[str] = Counter()

    def get(self, key: str) -> bytes:
        content = super().get(key)
        self.read[key.split("/")[2]] += len(content)
        return content


@pytest.fixture
def store(trained: Trained, tmp_path: Path) -> CountingStore:
    """A copy of the trained study, to be damaged."""
    shutil.copytree(trained.folder, tmp_path / "runs")
    return CountingStore(tmp_path / "runs")


def test_values_are_read_on_request_only(trained: Trained, store: CountingStore) -> None:
    loaded, damaged = loading.load(store, trained.study)
    assert damaged == []
    assert loaded.trials.tolist() == list(range(40))
    assert loaded.train_values is None
    assert len(loaded.about) == 1, "one machine, one provenance"
    assert store.read.keys() == {"shards"}
    full, _ = loading.load(store, trained.study, values=True)
    assert store.read["values"] > 40 * 400 * 2
    assert full.train_values is not None
    assert full.test_values is not None
    assert full.train_values.shape == (40, 300)
    assert full.test_values.shape == (40, 100)
    correct = np.unpackbits(full.train_correct, axis=1, count=300).astype(bool)
    assert correct[full.train_values > 0.01].all()


def test_a_study_without_trials_loads_as_none(trained: Trained, tmp_path: Path) -> None:
    loaded, damaged = loading.load(FilesStore(tmp_path), trained.study)
    assert len(loaded) == 0
    assert damaged == []
    assert loaded.subset.shape == (0, 38)


def test_damaged_bits_are_set_aside_and_not_averaged_in(
    trained: Trained, store: CountingStore
) -> None:
    study, key, values_key = (
        trained.study,
        THIRD.key(trained.study),
        THIRD.values_key(trained.study),
    )
    store.put(key, store.get(key)[:-1000])
    loaded, damaged = loading.load(store, study)
    assert len(loaded) == 35
    assert [(d.shard, d.key) for d in damaged] == [(THIRD, key)]
    assert store.exists(key), "reading moves nothing"
    loaded, damaged = loading.load(store, study, set_aside=True)
    assert len(loaded) == 35
    assert not set(loaded.trials) & set(THIRD.trials)
    assert [(d.shard, d.key) for d in damaged] == [(THIRD, key.replace("/shards/", "/damaged/"))]
    assert not store.exists(key)
    assert not store.exists(values_key), "the values go with the bits"
    assert len(list(store.list(f"{study.prefix}damaged/"))) == 2, "kept for inspection"


@pytest.mark.parametrize("how", ["missing", "cut", "another's"])
def test_damaged_values_are_noticed_where_they_are_asked_for(
    trained: Trained, store: CountingStore, how: str
) -> None:
    study, key = trained.study, THIRD.values_key(trained.study)
    content = {"cut": store.get(key)[:-1], "another's": store.get(FIRST.values_key(study))}
    store.delete(key)
    if how != "missing":
        store.put(key, content[how])
    assert loading.load(store, study)[1] == [], "the bits are whole"
    loaded, damaged = loading.load(store, study, values=True)
    assert len(loaded) == 35
    assert [d.shard for d in damaged] == [THIRD]
    assert loading.is_whole(store, study, FIRST)
    assert not loading.is_whole(store, study, THIRD), "a worker trains it again"
    assert THIRD in stored_shards(store, study), "reading moves nothing"


def test_a_run_trains_again_where_values_are_damaged(
    trained: Trained, store: CountingStore
) -> None:
    study, key = trained.study, THIRD.values_key(trained.study)
    before = store.get(key)
    store.put(key, before[:-1])
    execution.run(study, FilesStore(store.location), trained.dataset, 40, workers=1)
    assert store.get(key) == before
    assert loading.load(store, study, values=True)[1] == []
    aside = [name.rpartition("/")[2] for name in store.list(f"{study.prefix}damaged/")]
    assert aside == [f"{THIRD.name}.npz", f"{THIRD.name}.values.npz"]


def test_a_shard_that_cannot_be_read_now_is_not_taken_for_damaged(
    trained: Trained, store: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, key = FilesStore.get, FIRST.key(trained.study)

    def get(self: FilesStore, asked: str) -> bytes:
        if asked == key:
            raise StoreError("Input/output error")
        return whole(self, asked)

    monkeypatch.setattr(FilesStore, "get", get)
    with pytest.raises(StoreError, match="Input/output error"):
        loading.load(store, trained.study, set_aside=True)
    assert store.exists(key)
