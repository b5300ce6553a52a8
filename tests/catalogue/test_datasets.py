"""The data of a study: encoded and sent once, replaced where damaged, verified when loaded."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.data import Dataset
from memtail_core.errors import DatasetError, StoreError, StudyError
from memtail_core.plan.arms import Arms
from memtail_core.running import execution
from memtail_core.running.listeners import ProgressListener
from memtail_core.store import FilesStore
from memtail_core.study import ArmsTable
from tests.conftest import Trained


class CountingStore(FilesStore):
    """Counts what is read and written, by operation and key."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.calls: Counter[tuple[str, str]] = Counter()

    def get(self, key: str) -> bytes:
        self.calls["get", key] += 1
        return super().get(key)

    def put(self, key: str, content: bytes) -> None:
        self.calls["put", key] += 1
        super().put(key, content)


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path / "runs")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digest of every dataset that is encoded."""
    digests: list[str] = []
    to_npz = Dataset.to_npz

    def counted(dataset: Dataset) -> bytes:
        digests.append(dataset.sha256)
        return to_npz(dataset)

    monkeypatch.setattr(Dataset, "to_npz", counted)
    return digests


def damage(store: FilesStore, key: str) -> None:
    """Flip one bit of the file, past whoever counts."""
    path = Path(store.location) / key
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)


def test_data_are_encoded_and_sent_once_and_not_read_back(
    trained: Trained, store: CountingStore, encoded: list[str]
) -> None:
    study, dataset = trained.study, trained.dataset
    for trials in (10, 20, 30):
        catalogue.register(store, study, dataset, trials)
    assert len(encoded) == 1
    assert store.calls["put", study.dataset_key] == 1
    assert store.calls["get", study.dataset_key] == 0


@pytest.mark.parametrize("verify", [False, True])
def test_damaged_data_are_replaced(
    trained: Trained, store: CountingStore, encoded: list[str], verify: bool
) -> None:
    study, dataset = trained.study, trained.dataset
    assert catalogue.put_dataset(store, dataset)
    whole = store.get(study.dataset_key)
    damage(store, study.dataset_key)
    assert catalogue.put_dataset(store, dataset, verify=verify)
    assert store.get(study.dataset_key) == whole
    assert len(encoded) == 2
    assert not catalogue.put_dataset(store, dataset, verify=verify)
    store.delete(study.dataset_key)
    assert catalogue.put_dataset(store, dataset, verify=verify)


def test_data_that_version_0_1_stored_are_kept(
    trained: Trained, store: CountingStore, encoded: list[str]
) -> None:
    """It did not write down the digest of the file."""
    key = trained.study.dataset_key
    store.put(key, trained.dataset.to_npz())
    encoded.clear()
    for _ in range(3):
        assert not catalogue.put_dataset(store, trained.dataset)
    assert len(encoded) == 1
    assert store.calls["put", key] == 1
    assert store.calls["get", key] == 0


class Damaging(ProgressListener):
    """Damages the data after a run has registered them, before a process loads them."""

    def __init__(self, store: FilesStore, key: str) -> None:
        self._store, self._key = store, key

    def shards_missing(self, missing: object) -> None:
        damage(self._store, self._key)


def test_a_run_replaces_data_that_turn_out_to_be_damaged(
    trained: Trained, store: CountingStore
) -> None:
    study, dataset = trained.study, trained.dataset
    listener = Damaging(store, study.dataset_key)
    assert len(execution.run(study, store, dataset, 5, workers=1, observer=listener)) == 5
    assert catalogue.load_dataset(store, study).sha256 == dataset.sha256


def test_damaged_and_missing_data_say_what_to_do(trained: Trained, store: CountingStore) -> None:
    study = trained.study
    catalogue.register(store, study, trained.dataset, 10)
    damage(store, study.dataset_key)
    with pytest.raises(DatasetError, match=r"is damaged .* run the study again from its study"):
        catalogue.load_dataset(store, study)
    store.delete(study.dataset_key)
    with pytest.raises(StoreError, match="lacks the dataset of digits-"):
        catalogue.load_dataset(store, study)


def test_a_cache_is_given_the_file_as_it_was_fetched(
    trained: Trained, store: CountingStore, tmp_path: Path, encoded: list[str]
) -> None:
    study, cache = trained.study, CountingStore(tmp_path / "cache")
    catalogue.register(store, study, trained.dataset, 10)
    encoded.clear()
    for _ in range(3):
        loaded = catalogue.load_dataset(store, study, cache)
        assert loaded.sha256 == trained.dataset.sha256
    assert store.calls["get", study.dataset_key] == 1
    assert encoded == []
    damage(cache, study.dataset_key)
    catalogue.load_dataset(store, study, cache)
    assert store.calls["get", study.dataset_key] == 2
    assert catalogue.load_dataset(cache, study).sha256 == trained.dataset.sha256


def test_damaged_arms_are_replaced(trained: Trained, store: CountingStore) -> None:
    left_out = np.zeros((2, trained.trials.n), bool)
    left_out[1, :9] = True
    arms = Arms(left_out, np.zeros(2, np.int64))
    table = ArmsTable(count=2, sha256=arms.sha256)
    study = trained.study.model_copy(update={"subsets": table})
    catalogue.register_arms(store, study, arms)
    catalogue.register_arms(store, study, arms)
    assert store.calls["put", study.arms_key] == 1
    store.put(study.arms_key, store.get(study.arms_key)[:-9])
    with pytest.raises(StudyError, match=r"are damaged.*run the experiment again"):
        catalogue.load_arms(store, study)
    catalogue.register_arms(store, study, arms)
    loaded = catalogue.load_arms(store, study)
    assert loaded is not None
    assert loaded.sha256 == arms.sha256
