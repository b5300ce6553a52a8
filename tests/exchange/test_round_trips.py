"""What is exported and imported again is the same study, but for its recipe."""

from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.analysis import analyse
from memtail_core.data import Dataset
from memtail_core.exchange import labels, registry
from memtail_core.exchange.importing import import_bank
from memtail_core.experiments.judge.named import counted
from memtail_core.running import loading
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from memtail_core.study import Study
from tests.exchange.conftest import Exported, datamodeling_scores

WHOLE = ("datamodels", "npz", "privacy-meter")  # with outcomes of test examples


def imported(folder: Path, store: FilesStore) -> tuple[Study, Dataset, Trials]:
    format_ = registry.recognised(folder)
    assert format_.name == folder.name and format_.read is not None
    bank = format_.read(folder, None)
    assert bank.data is not None
    dataset = labels.dataset_of(bank.data, bank.n, bank.n_test)
    study = import_bank(store, bank, dataset, "bank", "here")
    trials, damaged = loading.load(store, study, values=True)
    assert not damaged
    return study, catalogue.load_dataset(store, study), trials


@pytest.mark.parametrize("name", registry.READ)
def test_bits_margins_and_memorization_are_the_same(
    exported: Exported, name: str, tmp_path: Path
) -> None:
    study, dataset, trials = imported(exported.folder(name), FilesStore(tmp_path))
    before = exported.trials
    for part in ("subset", "train_correct"):
        np.testing.assert_array_equal(getattr(trials, part), getattr(before, part))
    assert trials.train_values is not None and trials.train_values.dtype == np.float16
    np.testing.assert_array_equal(trials.train_values, before.train_values)
    assert trials.seconds_per_trial is None
    expected, found = before.counted(), trials.counted()
    np.testing.assert_array_equal(found.memorization, expected.memorization)
    np.testing.assert_array_equal(found.ci_low, expected.ci_low)
    assert study.subsets.model_dump() == {"ratio": 0.7, "design": "balanced"}
    assert study.is_imported and catalogue.Progress.of(FilesStore(tmp_path), study).is_complete
    theirs = exported.trained.dataset
    np.testing.assert_array_equal(dataset.y_train, theirs.y_train)
    assert (dataset.classes, dataset.train_names) == (theirs.classes, theirs.train_names)
    if name in WHOLE:
        np.testing.assert_array_equal(trials.test_correct, before.test_correct)
        np.testing.assert_array_equal(trials.test_values, before.test_values)
        assert dataset.test_names == theirs.test_names
    else:
        assert (trials.n_test, trials.test_values) == (0, None)


@pytest.mark.parametrize("name", WHOLE)
def test_pairs_and_the_datamodeling_score_are_the_same(
    exported: Exported, name: str, tmp_path: Path
) -> None:
    study, dataset, trials = imported(exported.folder(name), FilesStore(tmp_path))
    before = exported.trained
    one, other = (
        analyse(study, dataset, trials),
        analyse(before.study, before.dataset, before.trials),
    )
    np.testing.assert_array_equal(one.pairs.train_index, other.pairs.train_index)
    np.testing.assert_array_equal(one.pairs.influence, other.pairs.influence)
    rho, expected = (
        datamodeling_scores(s, t, counted("counted-margins", t.taken(np.arange(20))), 20)
        for s, t in ((study, trials), (before.study, exported.trials))
    )
    np.testing.assert_array_equal(rho, expected)
    assert np.isfinite(rho).all()


def test_the_same_trials_are_the_same_study_in_any_format(
    exported: Exported, tmp_path: Path
) -> None:
    one, _, _ = imported(exported.folder("datamodels"), FilesStore(tmp_path / "a"))
    other, _, _ = imported(exported.folder("privacy-meter"), FilesStore(tmp_path / "b"))
    again, _, _ = imported(exported.folder("datamodels"), FilesStore(tmp_path / "a"))
    assert one.id == other.id == again.id


def test_plain_arrays_bring_the_examples_with_them(exported: Exported, tmp_path: Path) -> None:
    _, dataset, _ = imported(exported.folder("npz"), FilesStore(tmp_path))
    assert dataset.sha256 == exported.trained.dataset.sha256


def test_an_imported_study_is_exported_like_any_other(exported: Exported, tmp_path: Path) -> None:
    from memtail_core.exchange.exporting import export
    from memtail_core.exchange.stored import StoredStudy

    store = FilesStore(tmp_path / "store")
    study, _, _ = imported(exported.folder("lira"), store)
    export(StoredStudy(store, study), registry.FORMATS["lira"], tmp_path / "lira")
    again, _, _ = imported(tmp_path / "lira", store)
    assert again.id == study.id
