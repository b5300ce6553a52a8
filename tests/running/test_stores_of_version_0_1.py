"""A store that version 0.1 wrote opens, continues and reports; its margins are in its shards."""

import io
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from memtail_core import catalogue
from memtail_core.analysis import analyse
from memtail_core.catalogue import Progress
from memtail_core.errors import DamagedError
from memtail_core.plan.shards import Shard
from memtail_core.report.publication import publish
from memtail_core.report.stored_analysis import analyse_stored
from memtail_core.running import execution, loading
from memtail_core.store import FilesStore

STORED = Path(__file__).parents[1] / "stores" / "v0_1"
STUDY = "wine-69db0f2c76"


@pytest.fixture
def store(tmp_path: Path) -> FilesStore:
    """Six of the models of scikit-learn's wine, by Gaussian naive Bayes."""
    shutil.copytree(STORED, tmp_path / "runs")
    return FilesStore(tmp_path / "runs")


def test_it_opens_with_bits_and_values(store: FilesStore) -> None:
    study = catalogue.find(store, "wine")
    assert study.id == STUDY
    progress = Progress.of(store, study)
    assert progress.is_complete
    assert progress.n_stored == 6
    assert loading.load(store, study)[0].train_values is None
    loaded, damaged = loading.load(store, study, values=True)
    assert damaged == []
    assert loaded.train_values is not None
    assert loaded.test_values is not None
    assert loaded.train_values.shape == (6, 142)
    correct = np.unpackbits(loaded.test_correct, axis=1, count=36).astype(bool)
    assert (correct == (loaded.test_values > 0)).mean() > 0.99


@pytest.mark.slow
def test_it_continues_and_its_scores_are_those_of_fresh_training(
    store: FilesStore, tmp_path: Path
) -> None:
    study = catalogue.find(store, "wine")
    dataset = catalogue.load_dataset(store, study)
    before = {key: store.get(key) for key in store.list(f"{study.prefix}shards/")}
    continued = execution.run(study, store, dataset, 12, workers=1)
    fresh_store = FilesStore(tmp_path / "fresh")
    fresh = execution.run(study, fresh_store, dataset, 12, workers=1)
    assert all(store.get(key) == content for key, content in before.items())
    for name in ("subset", "train_correct", "test_correct", "trials"):
        assert getattr(continued, name).tobytes() == getattr(fresh, name).tobytes(), name
    mine, theirs = (analyse(study, dataset, each).scores for each in (continued, fresh))
    assert mine.memorization.tobytes() == theirs.memorization.tobytes()
    with_values, _ = loading.load(store, study, values=True)
    anew, _ = loading.load(fresh_store, study, values=True)
    assert with_values.train_values is not None
    assert anew.train_values is not None
    np.testing.assert_allclose(with_values.train_values, anew.train_values, rtol=2e-3, atol=1e-2)


def test_it_reports(store: FilesStore) -> None:
    study = catalogue.find(store, "wine")
    scores, pairs = (f"{study.prefix}report/{name}.parquet" for name in ("scores", "pairs"))
    before = store.get(scores)
    written = pq.read_table(io.BytesIO(store.get(pairs)))
    publish(store, analyse_stored(store, study))
    assert store.get(scores) == before
    now = pq.read_table(io.BytesIO(store.get(pairs)))
    assert now.select(written.column_names).equals(written)  # the names of classes are new


def test_its_damaged_shards_are_trained_again(store: FilesStore) -> None:
    study, shard = catalogue.find(store, "wine"), Shard(2, 4)
    key = shard.key(study)
    store.put(key, store.get(key)[:-500])
    with pytest.raises(DamagedError):
        loading.load_shard(store, study, shard)
    dataset = catalogue.load_dataset(store, study)
    assert len(execution.run(study, store, dataset, 6, workers=1)) == 6
    assert store.exists(shard.values_key(study)), "in files of their own now"
    assert list(store.list(f"{study.prefix}damaged/")) == [
        f"{study.prefix}damaged/{shard.name}.npz"
    ]
