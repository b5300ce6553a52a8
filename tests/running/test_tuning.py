"""How a study is trained is measured once for each kind of machine, and kept with the study."""

import json
import shutil
from pathlib import Path

import pytest

from memtail_core.errors import StoreError, TrainingError
from memtail_core.plan.shards import Shard
from memtail_core.running import execution, tuning
from memtail_core.running.loading import load_shard
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.training import Tuning, restore
from memtail_core.training.device import machine_kind
from memtail_core.training.gradient.recipe import GradientRecipe
from tests.conftest import Trained, digits


def kept(store: FilesStore) -> list[str]:
    return [key for key in store.list("studies/") if "/tuning/" in key]


def test_what_is_measured_first_is_kept(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, measured = FilesStore(tmp_path), []

    def tuned(*arguments: object) -> Tuning:
        measured.append(arguments)
        return Tuning(5 - len(measured), "bfloat16")

    monkeypatch.setattr(GradientRecipe, "tuned", tuned)
    arguments = store, trained.study, trained.dataset, "cpu"
    assert tuning.settled(*arguments) == Tuning(4, "bfloat16")
    assert tuning.settled(*arguments) == Tuning(4, "bfloat16")
    assert len(measured) == 1
    assert measured[0][2:] == (210, "cpu", [1, 2, 3, 5]), "examples a model sees, device, stacks"
    monkeypatch.setattr(tuning, "machine_kind", lambda device: "NVIDIA H200")
    assert tuning.settled(*arguments) == Tuning(3, "bfloat16"), "another kind of machine"
    assert {key.rpartition("/")[2] for key in kept(store)} >= {"nvidia-h200.json"}


def test_of_two_who_measure_at_once_both_use_what_was_kept_first(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FilesStore(tmp_path)

    def slower(*arguments: object) -> Tuning:
        monkeypatch.setattr(GradientRecipe, "tuned", lambda *_: Tuning(2, "float32"))
        assert tuning.settled(store, trained.study, trained.dataset, "cpu").stack == 2
        return Tuning(5, "bfloat16")

    monkeypatch.setattr(GradientRecipe, "tuned", slower)
    found = tuning.settled(store, trained.study, trained.dataset, "cpu")
    assert found == Tuning(2, "float32")


def test_memory_limits_the_stack(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        GradientRecipe, "tuned", lambda *arguments: seen.append(arguments[-1]) or Tuning()
    )
    monkeypatch.setattr(tuning.machine, "usable_cores", lambda: 4)
    need = restore(trained.study.training).model_bytes(trained.dataset)
    for models, stacks in ((1000, [1, 2, 3, 5]), (8, [1]), (24, [1, 2, 3])):
        monkeypatch.setattr(tuning.machine, "free_memory", lambda models=models: models * need)
        store = FilesStore(tmp_path / str(models))
        tuning.settled(store, trained.study, trained.dataset, "cpu")
        assert seen[-1] == stacks, "half of the memory, shared by four"


def test_a_damaged_choice_is_told(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")
    store = FilesStore(tmp_path / "runs")
    (key,) = kept(store)
    for content in (
        b"",
        b"[]",
        b'{"stack": 2}',
        b'{"stack": "2", "precision": "float32"}',
        b'{"stack": 0, "precision": "float32"}',
        b'{"stack": 2, "precision": "float8"}',
    ):
        store.put(key, content)
        with pytest.raises(StoreError, match=r"tuning/.* is damaged: delete it"):
            tuning.settled(store, trained.study, trained.dataset, "cpu")


def test_every_shard_says_how_it_was_trained(trained: Trained) -> None:
    (key,) = kept(trained.store)
    found = json.loads(trained.store.get(key))
    (about,) = trained.trials.about
    assert found == {name: about[name] for name in ("machine", "stack", "precision")}
    assert found["machine"] == machine_kind("cpu")


def test_a_retried_shard_is_trained_as_the_first_time(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if this machine would now measure something else."""
    shutil.copytree(trained.folder, tmp_path / "runs")
    store = FilesStore(tmp_path / "runs")
    key = Shard(0, 5).key(trained.study)
    before = load_shard(store, trained.study, Shard(0, 5), values=True)
    store.delete(key)
    monkeypatch.setattr(GradientRecipe, "tuned", lambda *_: pytest.fail("measured again"))
    ShardTrainer(store, trained.study, "cpu").train(Shard(0, 5))
    again = load_shard(store, trained.study, Shard(0, 5), values=True)
    for name in ("train_correct", "test_correct", "train_values", "test_values"):
        assert getattr(before, name).tobytes() == getattr(again, name).tobytes(), name


@pytest.mark.slow
def test_what_the_user_asks_for_is_used(tmp_path: Path) -> None:
    study, dataset = prepare(digits(training={"epochs": 2}))
    store = FilesStore(tmp_path)
    found = execution.run(study, store, dataset, 10, workers=1, stack=2)
    assert [about["stack"] for about in found.about] == [2]
    (key,) = kept(store)
    assert key.endswith("-stack-2.json"), "not what others are to use"
    found = execution.run(study, store, dataset, 20, workers=1, stack=1000)
    assert {about["stack"] for about in found.about} == {2, 5}, "a shard's at the most"
    with pytest.raises(TrainingError, match="at least one network"):
        execution.run(study, store, dataset, 20, stack=0)


@pytest.mark.parametrize("recipe", ["torchvision:resnet18", "sklearn:svm.SVC"])
def test_models_that_train_alone_cannot_be_stacked(tmp_path: Path, recipe: str) -> None:
    study, dataset = prepare(digits().model_copy(update={"training": {"recipe": recipe}}))
    with pytest.raises(TrainingError, match=f"--stack 2: '{recipe}' trains one model at a time"):
        execution.run(study, FilesStore(tmp_path), dataset, 10, stack=2)


def test_recipes_without_networks_have_nothing_to_tune(tmp_path: Path) -> None:
    spec = digits().model_copy(update={"training": {"recipe": "sklearn:svm.SVC"}})
    study, dataset = prepare(spec)
    store = FilesStore(tmp_path)
    assert tuning.settled(store, study, dataset, "cpu") == Tuning()
