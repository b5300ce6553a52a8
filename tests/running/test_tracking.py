"""A run in an experiment tracker: what is logged, what is not, and a tracker that is away."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import memtail_core as memtail
from cli.main import main
from memtail_core.errors import MachineError
from memtail_core.plan.shards import Shard
from memtail_core.running import tracking
from memtail_core.running.listeners import ProgressListener, together
from memtail_core.running.shard_training import TrainedShard
from memtail_core.running.tracking import Tracking, described, in_mlflow
from memtail_core.training import UNTUNED
from tests.conftest import Trained, digits

ACCURACY = {"held_in": 1.0, "held_out": 0.5, "test": None}
SHARD = TrainedShard(Shard(20, 30), 4.0, ACCURACY, UNTUNED)


class Recorder:
    """A tracker that keeps what it is told, as MLflow names it."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.params: dict[str, str] = {}
        self.metrics: list[tuple[int, dict[str, float]]] = []
        self.runs: list[str] = []

    def start_run(self, *, run_name: str) -> None:
        self.runs.append(run_name)

    def end_run(self, status: str) -> None:
        self.runs.append(status)

    def set_tags(self, tags: dict[str, str]) -> None:
        self.tags |= tags

    def log_params(self, params: dict[str, str]) -> None:
        self.params |= params

    def log_metrics(self, metrics: dict[str, float], *, step: int) -> None:
        self.metrics.append((step, metrics))


class Away(Recorder):
    """A tracker whose server does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def set_tags(self, tags: dict[str, str]) -> None:
        self.calls += 1
        raise OSError("no answer from http://ann:geheim@tracker:5000/api\nwhatever follows")


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """In place of MLflow."""
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "mlflow", recorder)
    monkeypatch.setattr(tracking, "_PATIENCE", {})  # the environment stays as it is
    return recorder


def test_a_shard_and_the_results_are_logged(trained: Trained) -> None:
    tracker = Recorder()
    log = Tracking(tracker, trained.study)
    assert not tracker.tags, "nothing was trained yet"
    log.shard_trained(SHARD, workers=2)
    log.shard_stored_elsewhere(Shard(30, 40))
    summary = trained.analysis.summary()
    log.analysed(summary)
    assert tracker.tags == {"memtail.study": trained.study.id}
    (first, shard), (last, results) = tracker.metrics
    assert (first, last) == (10, 20)
    assert shard == {
        "accuracy_held_in": 1.0,
        "accuracy_held_out": 0.5,
        "models_per_second": pytest.approx(2 * 10 / 4.0),
    }
    assert results["models"] == len(trained.trials)
    assert results["memorized"] == summary["memorization"]["memorized"]
    assert results["accuracy_held_out"] == summary["accuracy"]["held_out"]["mean"]


def test_the_settings_are_flat_short_and_without_passwords(trained: Trained) -> None:
    study = trained.study
    options = study.training | {"file": "https://ann:geheim@host/x", "long": "x" * 9000}
    data = study.dataset.model_copy(update={"source": "hf:https://ann:geheim@host/y"})
    found = described(study.model_copy(update={"training": options, "dataset": data}))
    assert found["training.recipe"] == "mlp"
    assert found["subsets.ratio"] == str(study.subsets.ratio)
    assert found["classes"] == str(len(study.dataset.classes))
    assert found["dataset.source"] == "hf:https://host/y"
    assert found["training.file"] == "https://host/x"
    assert len(found["training.long"]) == 500
    assert not any("geheim" in value for value in found.values())


def test_a_tracker_that_is_away_is_reported_once(
    trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker = Away()
    log = Tracking(tracker, trained.study)
    for _ in range(3):
        log.shard_trained(SHARD, workers=1)
    assert (tracker.calls, tracker.metrics, tracker.params) == (1, [], {})
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "Warning: the tracker failed, and nothing more of this run is logged: no answer from "
        "http://tracker:5000/api"
    )


def test_a_run_of_mlflow_ends_as_the_block_ends(mlflow: Recorder, trained: Trained) -> None:
    with in_mlflow(trained.study):
        pass
    with pytest.raises(KeyboardInterrupt), in_mlflow(trained.study):
        raise KeyboardInterrupt
    assert mlflow.runs == [trained.study.id, "FINISHED", trained.study.id, "FAILED"]


def test_the_command_and_python_log_what_was_found(
    mlflow: Recorder, trained: Trained, tmp_path: Path
) -> None:
    folder = str(shutil.copytree(trained.folder, tmp_path / "runs"))
    command = ["run", trained.study.id, "--store", folder, "--log", "mlflow"]
    ran = CliRunner().invoke(main, command, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    assert mlflow.runs == [trained.study.id, "FINISHED"]
    tables = digits(training={"precision": "float32"}).model_dump(exclude_unset=True)
    given = {name: tables[name] for name in ("study", "training")}
    memtail.train(trained.dataset, **given, store=folder, workers=1, callback=mlflow)
    (step, results), by_python = mlflow.metrics
    assert (step, results["models"]) == (0, 40)
    assert by_python == (step, results)


def test_without_mlflow_the_message_says_what_to_install(
    mlflow: Recorder, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(MachineError, match=r"pip install 'memtail\[mlflow\]'"):
        in_mlflow(trained.study).__enter__()


def test_mlflow_itself_keeps_what_is_logged(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setattr(tracking, "_PATIENCE", {})
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    with in_mlflow(trained.study) as log:
        log.shard_trained(SHARD, workers=1)
        log.analysed(trained.analysis.summary())
        run = mlflow.active_run().info.run_id
    kept = mlflow.get_run(run)
    assert (kept.info.run_name, kept.info.status) == (trained.study.id, "FINISHED")
    assert kept.data.tags["memtail.study"] == trained.study.id
    assert kept.data.params["training.recipe"] == "mlp"
    assert kept.data.metrics["models"] == 40
    (step,) = mlflow.MlflowClient().get_metric_history(run, "models_per_second")
    assert (step.step, step.value) == (10, 2.5)


def test_listeners_together_each_hear_everything_in_order() -> None:
    heard: list[tuple[str, str, tuple[Any, ...]]] = []

    class Listener(ProgressListener):
        def __init__(self, name: str) -> None:
            self.goal_changed = lambda *told: heard.append((name, "goal", told))
            self.processes_died = lambda *told: heard.append((name, "died", told))

    one = together(Listener("a"), Listener("b"))
    one.goal_changed(30)
    one.processes_died(1)
    one.features_computed(1, 2)
    assert heard == [
        ("a", "goal", (30,)), ("b", "goal", (30,)), ("a", "died", (1,)), ("b", "died", (1,))
    ]  # fmt: skip
