"""The last layer alone: one representation, the study's own subsets, and what it memorizes."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from memtail_core.errors import TrainingError
from memtail_core.experiments.last_layer import representations
from memtail_core.experiments.last_layer.plan import analyse, study_of
from memtail_core.experiments.last_layer.representations import represented
from memtail_core.experiments.last_layer.result import THRESHOLDS, LastLayer
from memtail_core.plan import designs
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from tests.conftest import Trained, digits


@pytest.fixture
def store(trained: Trained, tmp_path: Path) -> FilesStore:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return FilesStore(tmp_path / "runs")


def test_the_representation_is_computed_once(
    trained: Trained, store: FilesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = represented(store, trained.study, trained.dataset, "cpu")["last"]
    assert first.dataset.train.whole().shape == (trained.trials.n, 32)
    assert (first.dataset.y_train == trained.dataset.y_train).all()
    assert first.train > 0.98
    monkeypatch.setattr(representations.training, "restore", None)  # nothing can be trained now
    again = represented(store, trained.study, trained.dataset, "cpu")["last"]
    assert again.dataset.sha256 == first.dataset.sha256
    assert (again.train, again.test) == (first.train, first.test)


def test_every_layer_can_be_asked_for_later(trained: Trained, store: FilesStore) -> None:
    last = represented(store, trained.study, trained.dataset, "cpu")["last"]
    every = represented(store, trained.study, trained.dataset, "cpu", every_layer=True)
    assert list(every) == ["input", "last"]
    assert every["last"].dataset.sha256 == last.dataset.sha256
    assert list(represented(store, trained.study, trained.dataset, "cpu")) == ["last"]


def test_a_damaged_representation_is_made_again(trained: Trained, store: FilesStore) -> None:
    first = represented(store, trained.study, trained.dataset, "cpu")["last"]
    store.put(f"datasets/{first.dataset.sha256}.npz", b"damaged")
    again = represented(store, trained.study, trained.dataset, "cpu")["last"]
    assert again.dataset.sha256 == first.dataset.sha256
    store.put(f"{trained.study.prefix}representations.json", b"{}")
    assert represented(store, trained.study, trained.dataset, "cpu")["last"].train == first.train


def test_what_has_no_layers_is_refused(trained: Trained, store: FilesStore) -> None:
    forest = {"recipe": "sklearn:ensemble.RandomForestClassifier", "widths": None, "epochs": None}
    spec = digits().model_copy(update={"training": {"recipe": forest["recipe"]}})
    study, dataset = prepare(spec)
    with pytest.raises(TrainingError, match="is not a network"):
        represented(store, study, dataset, "cpu")


@pytest.mark.slow
def test_the_last_layer_is_trained_on_the_subsets_of_the_study(
    trained: Trained, store: FilesStore
) -> None:
    of = represented(store, trained.study, trained.dataset, "cpu")
    study, features = study_of(trained.study, "last", of["last"], 1e-3)
    assert study.name == "digits-last-layer"
    assert study.shard_size == 100
    rows = range(40)
    assert (designs.subsets(study, rows) == designs.subsets(trained.study, rows)).all()
    found = execution.run(study, store, features, 40, workers=1)
    result = analyse(
        trained.study, trained.trials, trained.dataset, {"last": (study, found)}, of, 1e-3
    )
    assert result.trials == 40
    used = found.taken(rows_of(40))  # of the 100 of its shard, those that the study has too
    scores = used.counted().memorization
    (last,) = result.layers
    assert last.memorized == [int((scores >= t - 1e-9).sum()) for t in THRESHOLDS]
    network = trained.analysis.scores.memorization
    assert result.network.memorized[THRESHOLDS.index(0.25)] == int((network >= 0.25 - 1e-9).sum())
    assert result.network.pearson == pytest.approx(1)
    assert last.pearson == pytest.approx(np.corrcoef(scores, network)[0, 1])
    assert last.memorized[3] < result.network.memorized[3] / 3, "it is below the last layer"
    assert last.features == 32
    assert LastLayer.model_validate_json(result.model_dump_json()) == result


def rows_of(n: int) -> np.ndarray:
    return np.arange(n)
