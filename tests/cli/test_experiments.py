"""Every experiment from the command line: what it prints, adds to the report, and refuses."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from memtail_core import catalogue
from memtail_core.data.near_duplicates import in_test_set
from memtail_core.report.publication import publish
from memtail_core.running import execution
from memtail_core.running.preparation import prepare
from memtail_core.store import FilesStore
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained, digits

Ask = Callable[..., str]


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def page(trained: Trained, folder: Path) -> Path:
    return folder / trained.study.prefix / "report" / "index.html"


@pytest.mark.slow
def test_removal_retrains_once_and_reports(
    memtail: Memtail, trained: Trained, folder: Path, page: Path
) -> None:
    options = ("--thresholds", "0.25,0.6", "--repeats", "2", "--workers", "1")
    plan = memtail("removal", "digits", *options, "--dry-run", "--json")
    assert json.loads(plan.stdout)["missing"] > 0
    assert [p.name for p in (folder / "studies").iterdir()] == [trained.study.id]
    first = memtail("removal", "digits", *options)
    assert first.exit_code == 0, first.output
    assert "percentage points" in first.stdout
    assert "at 5%, corrected for the number of cuts" in first.stdout.replace("\n", " ")
    assert first.stdout.splitlines()[-1].endswith("report/index.html#removal")
    again = memtail("removal", "digits", *options, "--json")
    assert "to train  nothing" in memtail("removal", "digits", *options).stderr
    found = json.loads(again.stdout)
    assert found["repeats"] == 2
    assert len(found["whole"]["each"]) == 2
    more = json.loads(memtail("removal", "digits", *options[:2], "--repeats", "3", "--json").stdout)
    assert more["whole"]["each"][:2] == found["whole"]["each"], "grown, not trained again"
    assert more["trained"] == found["trained"]
    assert 'id="removal"' in page.read_text()
    rows = list(csv.DictReader((page.parent / "experiments" / "removal.csv").open()))
    assert [int(row["removed"]) for row in rows] == [cut["removed"] for cut in more["cuts"]]
    assert (page.parent / "figures" / "removal.svg").exists()


@pytest.mark.slow
def test_an_experiments_own_study_has_no_scores(
    memtail: Memtail, trained: Trained, folder: Path
) -> None:
    memtail("removal", "digits", "--thresholds", "0.25", "--repeats", "2", "--workers", "1")
    for command in ("report", "scores", "pairs", "stability"):
        assert "an experiment trained it" in refused(memtail(command, "digits-removal"))
    assert "fetch the report of its study" in refused(memtail("fetch", "digits-removal"))
    status = memtail("status", "digits-removal").stdout
    assert "test 9" in status
    assert "none: the results are in the report of the study" in status
    assert memtail("run", "digits-removal", "--workers", "1").exit_code == 0


def test_stability_says_how_many_models_it_takes(memtail: Memtail, folder: Path) -> None:
    result = memtail("stability", "digits", "--agreement", "0.5")
    assert result.exit_code == 0, result.output
    assert "Two halves of 20 models each agree" in result.stdout
    found = json.loads(memtail("stability", "digits", "--splits", "3", "--json").stdout)
    assert found["splits"] == 3
    assert found["growth"][0]["sizes"] == [20]
    assert found["memorized"][4]["threshold"] == 0.25
    assert found["pearson"] > 0.5


def test_halves_agree_by_a_measure(memtail: Memtail, folder: Path) -> None:
    said = memtail("stability", "digits", "--splits", "2", "--measure", "probability").stdout
    assert "Memorization and influence are of the mean probability of the label." in said
    by = ("--splits", "2", "--measure", "margin", "--json")
    found = json.loads(memtail("stability", "digits", *by).stdout)
    assert (found["measure"], found["theta_mem"], found["theta_infl"]) == ("margin", 1.0, 0.6)
    assert found["pearson"] > 0.5
    assert len([*folder.glob("studies/*/experiments/stability-with-margin.json")]) == 1
    wrong = memtail("stability", "digits", "--measure", "accuracy")
    assert "choose correctness or probability or margin" in refused(wrong)


@pytest.mark.slow
def test_experiments_stay_in_the_report(memtail: Memtail, folder: Path, page: Path) -> None:
    memtail("stability", "digits")
    memtail("report", "digits")
    assert 'id="stability"' in page.read_text()
    assert "Would another study say the same?" in page.read_text()


@pytest.mark.slow
def test_the_last_layer_memorizes_less(memtail: Memtail, folder: Path, page: Path) -> None:
    plan = memtail("last-layer", "digits", "--dry-run")
    assert "one network on all 300 examples, then 40 linear models" in plan.stdout
    assert not list((folder / "studies").glob("*/representations.json")), "nothing is done"
    result = memtail("last-layer", "digits", "--every-layer", "--workers", "1", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert [layer["name"] for layer in found["layers"]] == ["input", "last"]
    assert found["layers"][1]["memorized"][3] < found["network"]["memorized"][3]
    said = memtail("last-layer", "digits", "--workers", "1")
    assert "to train  nothing" in said.stderr
    assert "The last layer alone" in said.stdout
    assert 'id="last-layer"' in page.read_text()


def test_subgroups_make_a_list_to_act_on(
    memtail: Memtail, trained: Trained, folder: Path, page: Path, tmp_path: Path
) -> None:
    result = memtail("subgroups", "digits", "--output", str(tmp_path / "groups.csv"))
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "groups.csv").open()))
    counts = json.loads(memtail("subgroups", "digits", "--json").stdout)["counts"]
    assert len(rows) == sum(counts.values()) - counts["typical"]
    memorized = trained.analysis.scores.memorization >= 0.25
    assert {"atypical-useful", "likely-mislabeled"} & {row["category"] for row in rows}
    for row in rows:
        if row["category"] in ("atypical-useful", "likely-mislabeled"):
            assert memorized[int(row["index"])] or row["duplicate_has_other_label"] == "true"
        assert row["class"] == trained.dataset.classes[trained.dataset.y_train[int(row["index"])]]
    assert 'id="subgroups"' in page.read_text()
    assert result.stdout == "", "a file was asked for"
    assert "are likely mislabeled" in result.stderr
    printed = memtail("subgroups", "digits", "--format", "csv").stdout
    assert printed == (tmp_path / "groups.csv").read_text()
    assert memtail("subgroups", "digits", "--output", "groups.txt").exit_code == 2


@pytest.fixture
def narrower(folder: Path) -> str:
    """Another network on the same data."""
    study, dataset = prepare(digits(study={"name": "narrow"}, training={"widths": [12]}))
    store = FilesStore(folder)
    execution.run(study, store, dataset, 40, workers=1)
    return study.id


@pytest.mark.slow
def test_studies_of_the_same_data_are_compared(
    memtail: Memtail, trained: Trained, folder: Path, page: Path, narrower: str
) -> None:
    result = memtail("compare", "digits", "narrow", "--splits", "2")
    assert result.exit_code == 0, result.output
    assert "agrees with itself" in result.stdout
    assert "training.widths" in result.stdout
    found = json.loads(memtail("compare", "digits", "narrow", "--splits", "2", "--json").stdout)
    assert found["other"] == narrower
    assert found["shares_subsets"] is True
    assert found["half"] == [20, 20]
    assert f'id="comparison-with-{narrower}"' in page.read_text()
    by = ("--measure", "probability", "--splits", "1", "--json")
    measured = json.loads(memtail("compare", "digits", "narrow", *by).stdout)
    assert (measured["measure"], measured["theta_mem"]) == ("probability", 0.25)
    assert measured["pearson"] > 0.5


def test_other_data_cannot_be_compared(memtail: Memtail, folder: Path) -> None:
    study, dataset = prepare(digits(study={"name": "fewer"}, dataset={"test_limit": 90}))
    execution.run(study, FilesStore(folder), dataset, 5, workers=1)
    said = refused(memtail("compare", "digits", "fewer"))
    assert "have different data" in said
    assert "only studies of the same dataset" in said
    assert "named twice" in refused(memtail("compare", "digits", "digits"))
    assert memtail("compare", "digits").exit_code == 2


@pytest.mark.parametrize(
    "command", [("removal",), ("last-layer",), ("subgroups",), ("compare", "digits")]
)
def test_an_unfinished_study_is_said(
    memtail: Memtail, trained: Trained, folder: Path, command: tuple[str, ...]
) -> None:
    goal = folder / trained.study.prefix / "goal.json"
    goal.write_text('{"trials": 60}')
    said = refused(memtail(*command, "digits"))
    assert "40 of 60 models are trained; memtail run digits-" in said


def test_too_few_models_and_empty_thresholds_are_said(
    memtail: Memtail, trained: Trained, folder: Path
) -> None:
    said = refused(memtail("removal", "digits", "--thresholds", "-1"))
    assert "leaves 10% of every class" in said
    assert "choose other --thresholds" in said
    for shard in sorted((folder / trained.study.prefix / "shards").iterdir())[2:]:
        shard.unlink()
    catalogue.shrink(FilesStore(folder), trained.study, 10)
    assert "has 10 models, too few to split" in refused(memtail("removal", "digits"))
    assert "two halves to compare take 4 complete blocks" in refused(memtail("stability", "digits"))
    assert "held out by only 3 of 10 models" in refused(memtail("subgroups", "digits"))


@pytest.mark.slow
def test_duplicates_of_test_examples_can_be_left_out(
    memtail: Memtail, trained: Trained, folder: Path, page: Path
) -> None:
    options = ("--thresholds", "0.25", "--repeats", "2", "--workers", "1", "--deduplicate")
    found = json.loads(memtail("removal", "digits", *options, "--json").stdout)
    assert found["deduplicated"] == in_test_set(trained.dataset).is_duplicate.sum()
    without = json.loads(memtail("removal", "digits", *options[:-1], "--json").stdout)
    assert without["deduplicated"] is None
    assert 'id="removal"' in page.read_text()
    assert 'id="removal-with-deduplication"' in page.read_text(), "both are reported"


def test_wrong_options_are_refused(memtail: Memtail, folder: Path) -> None:
    for thresholds in ("a,b", "2", "nan", ","):
        assert memtail("removal", "digits", "--thresholds", thresholds).exit_code == 2
    assert memtail("removal", "digits", "--repeats", "1").exit_code == 2
    assert memtail("last-layer", "digits", "--l2", "0").exit_code == 2
    assert "holds no study 'nothing'" in refused(memtail("stability", "nothing"))


@pytest.mark.slow
def test_a_damaged_result_is_said_and_can_be_made_again(
    memtail: Memtail, trained: Trained, folder: Path
) -> None:
    memtail("stability", "digits", "--splits", "2")
    (folder / trained.study.prefix / "experiments" / "stability.json").write_text("{")
    said = refused(memtail("report", "digits"))
    assert "stability.json is damaged" in said
    assert memtail("stability", "digits", "--splits", "2").exit_code == 0
    publish(FilesStore(folder), trained.analysis)
