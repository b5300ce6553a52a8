import shutil
from pathlib import Path

import pytest

from memtail_core.catalogue.stored import stored_shards
from memtail_core.errors import OutOfMemoryError, TrainingError
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.running import execution, loading
from memtail_core.running.listeners import ProgressListener
from memtail_core.running.loading import Damaged
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import TrainedShard
from memtail_core.running.trials import Trials
from memtail_core.store import FilesStore
from tests.conftest import Trained, digits


class Recorder(ProgressListener):
    def __init__(self) -> None:
        self.missing: list[Shard] = []
        self.done: list[Shard] = []
        self.elsewhere: list[Shard] = []
        self.at: list[int] = []
        self.damaged: list[Damaged] = []
        self.measured: tuple[int, dict[int, float]] | None = None

    def shards_missing(self, missing: list[Shard]) -> None:
        self.missing = missing

    def shard_trained(self, done: TrainedShard, workers: int) -> None:
        self.done.append(done.shard)
        self.at.append(workers)

    def shard_stored_elsewhere(self, shard: Shard) -> None:
        self.elsewhere.append(shard)

    def workers_measured(self, workers: int, rates: dict[int, float]) -> None:
        self.measured = (workers, rates)

    def shard_damaged(self, damaged: Damaged) -> None:
        self.damaged.append(damaged)


def assert_same_numbers(one: Trials, other: Trials) -> None:
    for name in ("subset", "train_correct", "test_correct", "trials"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


@pytest.mark.usefixtures("new_processes")
@pytest.mark.parametrize("workers", [2, None])
def test_the_bits_do_not_depend_on_the_number_of_workers(
    trained: Trained, tmp_path: Path, workers: int | None
) -> None:
    """``trained`` was trained by one."""
    recorder = Recorder()
    store = FilesStore(tmp_path)
    for key in trained.store.list(f"{trained.study.prefix}tuning/"):
        store.put(key, trained.store.get(key))
    found = execution.run(
        trained.study, store, trained.dataset, 40, workers=workers, observer=recorder
    )
    assert_same_numbers(found, trained.trials)
    with_margins = [
        loading.load(each, trained.study, values=True)[0] for each in (store, trained.store)
    ]
    margins = [loaded.train_values for loaded in with_margins]
    assert margins[0] is not None
    assert margins[1] is not None
    assert margins[0].tobytes() == margins[1].tobytes()
    assert sorted(recorder.done) == shards.planned(trained.study, 40)


def test_a_study_grows_and_nothing_is_trained_twice(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")
    store = FilesStore(tmp_path / "runs")
    before = {key: store.get(key) for key in store.list(f"{trained.study.prefix}shards/")}
    recorder = Recorder()
    found = execution.run(trained.study, store, trained.dataset, 48, workers=1, observer=recorder)
    assert len(found) == 50, "whole shards"
    assert sorted(recorder.done) == [Shard(40, 45), Shard(45, 50)]
    assert all(store.get(key) == content for key, content in before.items())
    again = Recorder()
    execution.run(trained.study, store, trained.dataset, 20, workers=1, observer=again)
    assert again.done == []


def test_damaged_shards_are_trained_again_to_the_same_bits(
    trained: Trained, tmp_path: Path
) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")
    store = FilesStore(tmp_path / "runs")
    for shard, content in ((Shard(0, 5), b""), (Shard(5, 10), b"not a shard" * 1000)):
        store.put(shard.key(trained.study), content)
    recorder = Recorder()
    found = execution.run(trained.study, store, trained.dataset, 40, workers=1, observer=recorder)
    assert [d.shard for d in recorder.damaged] == [Shard(0, 5), Shard(5, 10)]
    assert sorted(recorder.done) == [Shard(0, 5), Shard(5, 10)]
    assert_same_numbers(found, trained.trials)


@pytest.mark.usefixtures("new_processes")
@pytest.mark.slow
def test_the_fastest_number_of_workers_is_measured_on_real_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memtail_core.running import machine

    monkeypatch.setattr(machine, "usable_cores", lambda: 2)
    study, dataset = prepare(digits(study={"shard_size": 1}, training={"epochs": 2}))
    recorder = Recorder()
    execution.run(study, FilesStore(tmp_path), dataset, 12, observer=recorder)
    assert recorder.measured is not None
    workers, rates = recorder.measured
    assert rates.keys() == {1, 2}
    assert workers in rates
    assert recorder.at[:3] == [2, 2, 1]
    assert set(recorder.at[3:]) == {workers}
    assert len(recorder.done) == 12, "nothing was trained only to be measured"


def test_a_failing_recipe_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    recipe = {"recipe": "python:tests.training.user_recipe:fails"}
    spec = digits().model_copy(update={"training": recipe})
    study, dataset = prepare(spec)
    with pytest.raises(TrainingError, match="ValueError: the user's own mistake"):
        execution.run(study, FilesStore(tmp_path), dataset, 40, workers=2)
    assert stored_shards(FilesStore(tmp_path), study) == []


@pytest.mark.slow
def test_processes_that_keep_dying_end_the_run(tmp_path: Path) -> None:
    recipe = {"recipe": "python:tests.training.user_recipe:dies"}
    study, dataset = prepare(digits().model_copy(update={"training": recipe}))
    with pytest.raises(TrainingError, match="keep dying, most likely for lack of memory"):
        execution.run(study, FilesStore(tmp_path), dataset, 40, workers=2)


@pytest.mark.usefixtures("new_processes")
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
def test_a_recipe_out_of_memory_continues_in_half_as_many_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setenv("MEMTAIL_TEST_DIED", str(tmp_path / "died"))
    recipe = {"recipe": "python:tests.training.user_recipe:out_of_memory_once"}
    study, dataset = prepare(digits().model_copy(update={"training": recipe}))
    store, recorder = FilesStore(tmp_path / "runs"), Recorder()
    if workers == 1:  # there is no half of it
        with pytest.raises(OutOfMemoryError, match="use fewer --workers, or a smaller"):
            execution.run(study, store, dataset, 40, workers=workers)
        return
    found = execution.run(study, store, dataset, 40, workers=workers, observer=recorder)
    assert len(found) == 40
    assert recorder.at[-1] == 1
    # The other process may have stored its shard when both end, and cannot say so any more.
    told = recorder.done + recorder.elsewhere
    assert len(told) == len(set(told)) == 8
    assert len(recorder.elsewhere) <= 1


@pytest.mark.usefixtures("new_processes")
@pytest.mark.slow
def test_a_process_that_dies_once_costs_its_shard_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMTAIL_TEST_DIED", str(tmp_path / "died"))
    recipe = {"recipe": "python:tests.training.user_recipe:dies_once"}
    study, dataset = prepare(digits().model_copy(update={"training": recipe}))
    recorder = Recorder()
    found = execution.run(
        study, FilesStore(tmp_path / "runs"), dataset, 40, workers=2, observer=recorder
    )
    assert (tmp_path / "died").exists()
    assert len(found) == 40
    # The other process may have stored its shard when both end, and cannot say so any more.
    told = recorder.done + recorder.elsewhere
    assert len(told) == len(set(told)) == 8
    assert len(recorder.elsewhere) <= 1
