"""Studies that keep held-out class probabilities: the same models, the same bits whoever trains."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memtail_core import catalogue, training
from memtail_core.data import Dataset
from memtail_core.errors import DamagedError, EstimationError, StudyError, TrainingError
from memtail_core.estimation.held_out import HeldOut
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard, planned
from memtail_core.running import execution, loading, shard_files
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore, archive
from memtail_core.study import Spec, Study
from memtail_core.training import Tuning
from tests.conftest import Trained, digits
from tests.texts import reviewed

FIRST = Shard(0, 5)
KEPT = {"probabilities": True, "trials": 20}
FLOAT32 = {"precision": "float32"}  # two stores could measure that another is the fastest


def kept(**study: Any) -> tuple[Study, Dataset]:
    return prepare(digits(study=KEPT | study, training=FLOAT32))


def train(store: FilesStore, study: Study, dataset: Dataset, trials: int, stack: int = 5) -> None:
    """Train in this process."""
    catalogue.register(store, study, dataset, trials)
    trainer = ShardTrainer(store, study, "cpu", stack=stack)
    for shard in planned(study, trials):
        trainer.train(shard)


@pytest.fixture(scope="module")
def trained_with(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Dataset, Path]:
    """20 models in four shards."""
    folder = tmp_path_factory.mktemp("kept") / "runs"
    study, dataset = kept()
    train(FilesStore(folder), study, dataset, 20)
    return study, dataset, folder


@pytest.fixture
def store(trained_with: tuple[Study, Dataset, Path], tmp_path: Path) -> FilesStore:
    shutil.copytree(trained_with[2], tmp_path / "runs")
    return FilesStore(tmp_path / "runs")


def files(store: FilesStore, study: Study) -> dict[str, bytes]:
    return {key: store.get(key) for key in store.list(f"{study.prefix}probabilities/")}


def test_they_are_averages_of_what_the_models_say_of_what_they_held_out(
    trained_with: tuple[Study, Dataset, Path], store: FilesStore
) -> None:
    """Train all models in one call, and average their probabilities as the definition says."""
    study, dataset, _ = trained_with
    found = loading.load_held_out(store, study)
    subset = designs.subsets(study, range(20))
    seeds = designs.training_seeds(study, range(20))
    engine = training.restore(study.training).engine("cpu", Tuning(5))
    p = engine.train(dataset, subset, seeds, probabilities=True).train_probability
    assert p is not None
    for i in (0, 17, 299):
        out = p[~subset[:, i], i].astype(np.float64)
        assert found.n_out[i] == len(out) > 0
        np.testing.assert_allclose(found.mean[i], out.mean(0), atol=2e-3)
        np.testing.assert_allclose(found.spread[i], out.std(0), atol=2e-3)
    right = found.mean.argmax(1) == dataset.y_train
    assert right.mean() > 0.8


def test_they_are_the_same_bits_in_another_order_with_other_workers_and_twice(
    trained_with: tuple[Study, Dataset, Path], tmp_path: Path
) -> None:
    study, dataset, folder = trained_with
    expected = files(FilesStore(folder), study)
    assert len(expected) == 4
    other = FilesStore(tmp_path / "other")
    execution.run(study, other, dataset, 20, workers=2, stack=5)
    trainer = ShardTrainer(other, study, "cpu", stack=5)
    for shard in reversed(planned(study, 20)):
        trainer.train(shard)
    assert files(other, study) == expected
    totals = [loading.load_held_out(each, study).mean for each in (FilesStore(folder), other)]
    assert totals[0].tobytes() == totals[1].tobytes()


def test_the_models_are_those_of_the_study_without_them(
    trained_with: tuple[Study, Dataset, Path], tmp_path: Path
) -> None:
    study, dataset, folder = trained_with
    plain, _ = prepare(digits(training=FLOAT32))
    assert study.id != plain.id
    train(FilesStore(tmp_path), plain, dataset, 5)
    found = loading.load_shard(FilesStore(folder), study, FIRST, values=True)
    without = loading.load_shard(FilesStore(tmp_path), plain, FIRST, values=True)
    for name in ("subset", "train_correct", "test_correct", "train_values", "test_values"):
        assert getattr(found, name).tobytes() == getattr(without, name).tobytes()


def test_a_study_without_them_says_how_to_get_them(trained: Trained) -> None:
    with pytest.raises(EstimationError, match=r"--set study\.probabilities=true"):
        loading.load_held_out(trained.store, trained.study)
    assert "probabilities" not in trained.study.to_json().decode()


def flipped(content: bytes) -> bytes:
    return content[:200] + bytes([content[200] ^ 1]) + content[201:]


@pytest.mark.parametrize("damage", ["flipped", "missing", "another"])
def test_a_damaged_file_is_set_aside_with_its_shard_and_trained_again(
    trained_with: tuple[Study, Dataset, Path], store: FilesStore, damage: str
) -> None:
    study, dataset, _ = trained_with
    key, expected = FIRST.probabilities_key(study), files(store, study)
    if damage == "missing":
        store.delete(key)
    else:
        another = store.get(Shard(5, 10).probabilities_key(study))
        store.put(key, another if damage == "another" else flipped(expected[key]))
    assert not loading.is_whole(store, study, FIRST)
    with pytest.raises(DamagedError):
        loading.load_held_out(store, study)
    _, damaged = loading.load(store, study, check_values=True, set_aside=True)
    assert [each.shard for each in damaged] == [FIRST]
    assert not store.exists(FIRST.key(study)) and not store.exists(key)
    train(store, study, dataset, 5)
    assert files(store, study) == expected


def test_a_forged_file_is_not_taken_where_shards_are_signed(
    trained_with: tuple[Study, Dataset, Path], store: FilesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of others' making whose own SHA-256 is right; without the key nobody can vouch."""
    study = trained_with[0]
    monkeypatch.setenv("MEMTAIL_SHARD_KEY", "a key of at least 16 characters")
    assert not loading.is_whole(store, study, FIRST), "it is not signed"
    ShardTrainer(store, study, "cpu", stack=5).train(FIRST)
    assert loading.is_whole(store, study, FIRST)
    arrays = archive.unpacked(store.get(FIRST.probabilities_key(study)))
    arrays["total"] = arrays["total"][:, ::-1].copy()
    store.put(FIRST.probabilities_key(study), archive.packed(arrays))
    assert not loading.is_whole(store, study, FIRST)


@pytest.mark.parametrize(
    "table",
    [
        {"recipe": "linear"},
        {"recipe": "sklearn:naive_bayes.GaussianNB"},
        {"recipe": "python:tests.training.user_recipe:nearest", "power": 1},
    ],
    ids=lambda table: table["recipe"],
)
def test_every_kind_of_recipe_gives_them(table: dict[str, Any], tmp_path: Path) -> None:
    spec = digits(study=KEPT).model_copy(update={"training": table})
    study, dataset = prepare(spec)
    store = FilesStore(tmp_path)
    train(store, study, dataset, 5, stack=1)
    found = loading.load_held_out(store, study)
    out = found.n_out > 0
    np.testing.assert_allclose(found.mean[out].sum(1), 1, atol=2e-3)
    assert (found.mean.argmax(1) == dataset.y_train)[out].mean() > 0.7


def test_texts_have_them() -> None:
    spec = Spec.parse(
        {
            "study": {"probabilities": True, "shard_size": 2},
            "dataset": {"source": "here"},
            "training": {"recipe": "bag", "buckets": 256, "epochs": 2},
        }
    )
    study, dataset = prepare(spec, reviewed())
    assert study.probabilities
    engine = training.restore(study.training).engine("cpu", Tuning(2))
    subset = designs.subsets(study, range(2))
    p = engine.train(dataset, subset, np.array([1, 2]), probabilities=True).train_probability
    assert p is not None
    assert HeldOut.of(subset, p).mean.shape == (len(dataset.y_train), len(dataset.classes))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"recipe": "sklearn:svm.LinearSVC"}, "has no predict_proba"),
        ({"recipe": "sklearn:svm.SVC", "probability": False}, "has no predict_proba"),
    ],
)
def test_what_has_none_is_refused_in_one_line(table: dict[str, Any], message: str) -> None:
    spec = digits(study=KEPT).model_copy(update={"training": table})
    with pytest.raises(StudyError, match=message) as caught:
        prepare(spec)
    assert "\n" not in str(caught.value)


def test_more_than_memory_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memtail_core.running.preparation._MOST_BYTES", 2 * 300 * 10 * 4)
    with pytest.raises(StudyError, match="shard_size = 4 or less"):
        kept()
    kept(shard_size=4)


def test_a_user_recipe_of_labels_alone_is_refused_when_it_trains(tmp_path: Path) -> None:
    spec = digits(study=KEPT).model_copy(
        update={"training": {"recipe": "python:tests.training.user_recipe:labels_only"}}
    )
    study, dataset = prepare(spec)
    with pytest.raises(TrainingError, match="gives labels alone"):
        train(FilesStore(tmp_path), study, dataset, 5, stack=1)


def test_the_bits_say_whether_there_are_any(
    trained: Trained, trained_with: tuple[Study, Dataset, Path]
) -> None:
    bits = FilesStore(trained_with[2]).get(FIRST.key(trained_with[0]))
    said = shard_files.decode(bits, trained_with[0], FIRST)
    assert said.probabilities is not None and said.values is not None
    arrays = archive.unpacked(bits)
    del arrays["probabilities"]
    with pytest.raises(DamagedError, match="whether there are probabilities"):
        shard_files.decode(archive.packed(arrays), trained_with[0], FIRST)
