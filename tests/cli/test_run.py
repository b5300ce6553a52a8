"""The whole way: run, run again, grow, status, scores, report."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained

STUDY = """
[study]
trials = 20
shard_size = 5
[dataset]
source = "sklearn:digits"
train_limit = 300
test_limit = 100
[training]
recipe = "mlp"
widths = [32]
epochs = 20
"""


@pytest.fixture
def study(memtail: Memtail) -> str:
    Path("odd.toml").write_text(STUDY)
    return "odd.toml"


def test_a_study_is_run_continued_and_grown(memtail: Memtail, study: str) -> None:
    first = memtail("run", study, "--workers", "1")
    assert first.exit_code == 0
    assert "data      sklearn:digits: 300 training and 100 test images, 10 classes" in first.stderr
    assert "to train  20 models, 1 process on cpu" in first.stderr
    assert "5/20 models" in first.stderr
    assert "new models: held in" in first.stderr
    assert "of 300 scored training examples" in first.stdout
    page = Path(first.stdout.splitlines()[-1].removeprefix("report: "))
    assert page.is_file()

    again = memtail("run", study, "--workers", "1")
    assert "nothing: all models are stored" in again.stderr
    assert again.stdout == first.stdout

    grown = memtail("run", study, "--workers", "1", "--trials", "23")
    assert "to train  5 models (20 are stored)" in grown.stderr
    assert "; 25 models" in grown.stdout

    by_id = memtail("run", "odd", "--workers", "1")
    assert "; 25 models" in by_id.stdout, "the goal is remembered"


def test_a_dry_run_says_the_cost_and_does_nothing(memtail: Memtail, study: str) -> None:
    result = memtail("run", study, "--dry-run")
    assert "to train  20 models" in result.stdout
    assert "time: known after the first shard" in result.stdout
    assert not Path("runs").exists()
    cost = json.loads(memtail("run", study, "--dry-run", "--json").stdout)
    assert (cost["trials"], cost["stored"], cost["missing"]) == (20, 0, 20)
    assert cost["seconds"] is None
    memtail("run", study, "--workers", "1")
    later = json.loads(
        memtail("run", study, "--dry-run", "--json", "--trials", "40", "--workers", "1").stdout
    )
    assert (later["stored"], later["missing"]) == (20, 20)
    assert later["seconds"] == pytest.approx(20 * later["seconds_per_model"])
    before = size(Path("runs"))
    memtail("run", study, "--workers", "1", "--trials", "40")
    written = size(Path("runs") / "studies") - size(Path("runs") / "studies", "report")
    assert later["store_bytes"] == pytest.approx(written / 2, rel=0.2)
    assert size(Path("runs")) > before


def test_a_plan_says_how_images_grow(memtail: Memtail) -> None:
    Path("odd.toml").write_text(STUDY.replace("widths = [32]\n", ""))
    table = ("recipe=resnet9", "width=2", "epochs=8", "resized_crop=8", "first_size=4")
    options = [each for option in table for each in ("--set", f"training.{option}")]
    planned = memtail("run", "odd.toml", *options, "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert "  pixels    4 in epochs 1 to 5, 8 in epochs 6 to 8\n" in planned.stdout


def size(folder: Path, within: str = "") -> int:
    return sum(
        path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and within in path.as_posix()
    )


def test_json_is_the_only_thing_on_stdout(memtail: Memtail, study: str) -> None:
    summary = json.loads(memtail("run", study, "--workers", "1", "--json").stdout)
    assert summary["trials"] == 20
    assert Path(summary["report"]).is_file()
    assert summary["memorization"]["examples"] == 300


def test_a_setting_makes_another_study(memtail: Memtail, study: str) -> None:
    ids = {
        json.loads(memtail("run", study, "--dry-run", "--json", *options).stdout)["study"]
        for options in ([], ["--set", "training.epochs=21"], ["--set", "study.seed=1"])
    }
    assert len(ids) == 3


@pytest.mark.slow
def test_a_changed_study_under_an_old_name_says_what_changed(memtail: Memtail, study: str) -> None:
    memtail("run", study, "--workers", "1", "--set", "study.trials=5")
    changed = memtail("run", study, "--dry-run", "--set", "training.epochs=21")
    assert "this is a new study, not odd-" in changed.stdout
    assert ": training.epochs: 20 → 21" in changed.stdout


def test_status_lists_and_details(memtail: Memtail, trained: Trained) -> None:
    store = ["--store", str(trained.folder)]
    assert "holds no study" in memtail("status").stdout
    rows = json.loads(memtail("status", "--json", *store).stdout)
    assert [(r["id"], r["stored"], r["goal"]) for r in rows] == [(trained.study.id, 40, 40)]
    assert trained.study.id in memtail("status", *store).stdout
    detail = memtail("status", "digits", *store).stdout
    assert "models    40 of 40, complete" in detail
    assert "accuracy  held in" in detail
    as_json = json.loads(memtail("status", "digits", "--json", *store).stdout)
    assert as_json["accuracy"]["held_in"] == trained.trials.accuracies().held_in.mean()


@pytest.mark.slow
def test_status_warns_when_models_do_not_fit(memtail: Memtail, study: str) -> None:
    setting = ["--set", "training.epochs=1"]
    ran = memtail("run", study, "--workers", "1", *setting)
    assert "Warning: held-in accuracy is only" in ran.stdout
    assert "held-in accuracy is only" in memtail("status", "odd").stdout
    assert "use a model that fits better" in memtail("report", "odd").stdout


@pytest.mark.parametrize("format_", ["csv", "parquet", "npz", "json"])
def test_scores_in_every_format_are_the_same_numbers(
    memtail: Memtail, trained: Trained, format_: str
) -> None:
    expected = trained.analysis.scores.memorization
    store = ("--store", str(trained.folder))
    result = memtail("scores", "digits", *store, "--format", format_, "-o", "scores")
    assert result.exit_code == 0
    if format_ == "npz":
        with np.load("scores") as file:
            assert sorted(file.files) == ["tr_labels", "tr_mem", "tt_labels"]
            found = file["tr_mem"]
            assert (file["tr_labels"] == trained.dataset.y_train).all()
    elif format_ == "json":
        rows = json.loads(Path("scores").read_text())
        found = np.array([row["memorization"] for row in rows], float)
    else:
        read = pyarrow.csv.read_csv if format_ == "csv" else pyarrow.parquet.read_table
        table = read("scores")
        assert table.column_names[:10] == [
            *("index", "label", "memorization", "standard_error", "ci_low", "ci_high"),
            *("n_in", "n_out", "accuracy_in", "accuracy_out"),
        ]
        found = table["memorization"].to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_scores_go_to_stdout_too(memtail: Memtail, trained: Trained) -> None:
    result = memtail("scores", "digits", "--store", str(trained.folder))
    assert result.stdout.splitlines()[0].startswith('"index","label","memorization"')
    assert len(result.stdout.splitlines()) == 301


def test_scores_that_cannot_be_written_are_said(memtail: Memtail, trained: Trained) -> None:
    store = ("--store", str(trained.folder))
    assert "cannot write 'no/where'" in refused(
        memtail("scores", "digits", *store, "-o", "no/where")
    )


@pytest.mark.slow
def test_a_report_of_an_unfinished_study_is_provisional(memtail: Memtail, study: str) -> None:
    memtail("run", study, "--workers", "1")
    next(Path("runs").glob("studies/*/shards/*.npz")).unlink()
    result = memtail("report", "odd")
    assert "provisional: 15 of 20 models are trained" in result.stdout
    summary = json.loads(memtail("report", "odd", "--json").stdout)
    assert summary["provisional"] is True


@pytest.mark.slow
def test_report_thresholds_are_options(memtail: Memtail, study: str) -> None:
    memtail("run", study, "--workers", "1")
    strict = json.loads(memtail("report", "odd", "--json", "--theta-mem", "0.9").stdout)
    loose = json.loads(memtail("report", "odd", "--json", "--any-class").stdout)
    assert strict["memorization"]["threshold"] == 0.9
    assert strict["memorization"]["memorized"] < loose["memorization"]["memorized"]
    assert loose["pairs"]["pairs"] > strict["pairs"]["pairs"]


def test_doctor_looks_at_machine_and_store(memtail: Memtail) -> None:
    Path("runs").mkdir()
    Path("runs/doctor.txt").write_text("the user's own")
    checks = json.loads(memtail("doctor", "--json").stdout)
    assert {"python", "torch", "memory", "gpu", "store", "disk"} <= {c["what"] for c in checks}
    assert "ok" in memtail("doctor").stdout
    assert [f.read_text() for f in Path("runs").iterdir()] == ["the user's own"]
    Path("file").write_text("")
    assert memtail("doctor", "--store", "file").exit_code == 2


def test_every_command_and_option_is_explained(memtail: Memtail) -> None:
    from cli.main import main

    assert memtail("--version").stdout.startswith("memtail, version")
    for name, command in main.commands.items():
        shown = memtail(name, "--help").stdout
        assert command.help
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert getattr(parameter, "help", None), f"{name} --{parameter.name}"
        assert "Usage" in shown


def test_a_study_that_cannot_be_read_does_not_hide_the_others(
    memtail: Memtail, trained: Trained
) -> None:
    shutil.copytree(trained.folder, "runs")
    for name in ("a-copy", "no id of a study"):
        shutil.copytree(f"runs/studies/{trained.study.id}", f"runs/studies/{name}")
    Path("runs/studies/damaged").mkdir()
    Path("runs/studies/damaged/study.json").write_text("{")
    found = memtail("status", "--json")
    assert [row["id"] for row in json.loads(found.stdout)] == [trained.study.id]
    assert found.stderr.count("Warning:") == 2


def test_a_finished_study_is_reported_however_little_memory_is_free(
    memtail: Memtail, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memtail_core.running import machine

    shutil.copytree(trained.folder, "runs")
    monkeypatch.setattr(machine, "free_memory", lambda: 2**20)
    found = memtail("run", trained.study.id, "--trials", "40")
    assert found.exit_code == 0
    assert "nothing: all models are stored" in found.stderr


def test_what_the_users_code_prints_is_no_part_of_the_json(memtail: Memtail) -> None:
    Path("noisy_data.py").write_text(
        "import numpy as np\nprint('imported')\n"
        "def read():\n    print('read')\n"
        "    return np.arange(40.0).reshape(20, 2), np.arange(20) % 2\n"
    )
    Path("s.toml").write_text('[dataset]\nsource = "python:noisy_data:read"\n')
    found = memtail("run", "s.toml", "--dry-run", "--json")
    assert json.loads(found.stdout)["missing"] == 200
    assert "read" in found.stderr


@pytest.mark.slow
def test_a_study_that_was_to_grow_goes_on_growing(memtail: Memtail, study: str) -> None:
    memtail("run", study, "--workers", "1", "--trials", "10")
    (goal,) = Path("runs").glob("studies/*/goal.json")
    goal.write_text('{"trials": 40}')  # as a run with --trials 40 that was stopped leaves it
    planned = json.loads(memtail("run", study, "--dry-run", "--json").stdout)
    assert (planned["trials"], planned["missing"]) == (40, 30)
    kept = memtail("run", study, "--workers", "1", "--trials", "15")
    assert "is to have 40 models, as was asked for before" in kept.stderr
    assert json.loads(memtail("status", "--json").stdout)[0]["goal"] == 40
    lowered = memtail("run", study, "--workers", "1", "--trials", "15", "--shrink")
    assert "provisional" not in lowered.stdout
    assert json.loads(memtail("status", "--json").stdout)[0]["state"] == "complete"


@pytest.mark.slow
def test_a_study_file_names_its_own_study_among_several(memtail: Memtail, study: str) -> None:
    memtail("run", study, "--workers", "1")
    memtail("run", study, "--workers", "1", "--set", "study.seed=1", "--trials", "5")
    assert "give more of the id" in refused(memtail("status", "odd"))
    found = json.loads(memtail("status", study, "--json").stdout)
    assert found["stored"] == 20


def test_scores_are_written_as_the_file_ends(memtail: Memtail, trained: Trained) -> None:
    memtail("scores", "digits", "--store", str(trained.folder), "-o", "scores.parquet")
    assert pyarrow.parquet.read_table("scores.parquet").num_rows == 300


def test_damage_is_not_called_complete(memtail: Memtail, trained: Trained) -> None:
    shutil.copytree(trained.folder, "runs")
    first = sorted(Path("runs").glob("studies/*/shards/*.npz"))[0]
    first.write_bytes(first.read_bytes()[:-5])
    shown = memtail("status", "digits").stdout
    assert "35 of 40, unfinished" in shown
    assert "continue  memtail run digits-" in shown
    for shard in Path("runs").glob("studies/*/shards/*.npz"):
        shard.write_bytes(b"")
    assert "0 of 40, unfinished" in memtail("status", "digits").stdout


@pytest.mark.slow
def test_how_many_train_at_once_is_measured_or_asked_for(memtail: Memtail, study: str) -> None:
    measured = memtail("run", study, "--workers", "1", "--trials", "5")
    assert "  trains    " in measured.stderr
    asked = memtail("run", study, "--workers", "1", "--trials", "10", "--stack", "2")
    assert "trains    2 networks at once, in " in asked.stderr
    assert "trained by different machines" not in asked.output
    assert memtail("run", study, "--stack", "0").exit_code == 2
    alone = 'training={recipe="sklearn:svm.SVC"}'
    line = refused(memtail("run", study, "--set", alone, "--stack", "2", "--dry-run"))
    assert line == "error: --stack 2: 'sklearn:svm.SVC' trains one model at a time"


def test_fewer_at_once_for_lack_of_memory_is_told(
    trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    from cli.run_progress import RunProgress
    from memtail_core.data import NO_ACCOUNT
    from memtail_core.plan.shards import Shard
    from memtail_core.running import cost
    from memtail_core.running.shard_training import TrainedShard
    from memtail_core.training import Tuning

    plan = cost.estimate(trained.store, trained.study, trained.dataset, 60, "cpu", 1)
    progress = RunProgress(
        trained.study, trained.store, plan, NO_ACCOUNT, quiet=False, only_plan=False
    )
    for first, stack in ((40, 5), (45, 5), (50, 3)):
        accuracy = {"held_in": 1.0, "held_out": None, "test": 0.9}
        done = TrainedShard(Shard(first, first + 5), 1.0, accuracy, Tuning(stack, "bfloat16"))
        progress.shard_trained(done, workers=1)
    told = capsys.readouterr().err
    assert "new models: held in 100.0%, test 90.0%" in told
    assert told.count("trains    5 networks at once, in bfloat16") == 1
    assert told.count("Warning: memory is short: 3 networks at once, not 5") == 1


def test_what_is_under_way_here_and_elsewhere_is_told(
    trained: Trained, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli import progress as bars
    from cli.run_progress import RunProgress
    from memtail_core.data import NO_ACCOUNT
    from memtail_core.plan.shards import Shard
    from memtail_core.running import cost
    from memtail_core.running.under_way import UnderWay

    monkeypatch.setattr(bars, "_LINE_EVERY", 0.0)
    plan = cost.estimate(trained.store, trained.study, trained.dataset, 60, "cpu", 1)
    progress = RunProgress(
        trained.study, trained.store, plan, NO_ACCOUNT, quiet=False, only_plan=False
    )
    far = [UnderWay(Shard(i, i + 5).name, "epoch 7 of 16", 2810.2) for i in range(40, 70, 5)]
    progress.shards_under_way(far)
    told = capsys.readouterr().err
    assert (
        "training: 40/60 models · models 40 to 44: epoch 7 of 16, 2,810 examples/s; models 45"
        in told
    )
    assert told.endswith("; and 2 more\n")
    for _ in range(2):
        progress.shards_elsewhere([Shard(50, 55), Shard(55, 60)])
    told = capsys.readouterr().err
    assert told == "  waiting for other runs, which train the last 10 models\n"
    progress.shard_stored_elsewhere(Shard(50, 55))
    assert "training: 45/60 models" in capsys.readouterr().err
