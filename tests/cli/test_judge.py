"""``memtail judge``: what it prints, adds to the report, and refuses."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


@pytest.fixture
def report(trained: Trained, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return tmp_path / "runs" / trained.study.prefix / "report"


@pytest.mark.slow
def test_methods_and_a_file_are_judged_by_the_same_models(
    memtail: Memtail, report: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "chance.npy", np.random.default_rng(0).normal(size=(300, 100)))
    judge = ("judge", "digits", "counted-margins", "chance.npy", "--workers", "1")
    printed = memtail(*judge, "--ceiling", "4")
    assert printed.exit_code == 0, printed.output
    assert printed.stdout.startswith("counted-margins predicts the margin of models on other")
    assert "No attribution can score more than about" in printed.stdout
    assert 'id="judge"' in (report / "index.html").read_text()
    assert (report / "figures" / "judge.svg").exists()
    rows = list(csv.DictReader((report / "experiments" / "judge.csv").open()))
    assert {row["scores"] for row in rows} == {"counted-margins", "chance"}
    found = json.loads(memtail(*judge, "--ceiling", "4", "--json").stdout)
    assert found["retrained"] == 4
    assert [each["name"] for each in found["judged"]] == ["counted-margins", "chance"]
    assert found["judged"][1]["score"]["low"] < 0 < found["judged"][1]["score"]["high"]
    plan = memtail(*judge, "--ceiling", "5", "--dry-run", "--json")
    assert json.loads(plan.stdout)["missing"] == 5
    memtail("judge", "digits", "chance.npy", "--output", "judge.csv")
    assert len((tmp_path / "judge.csv").read_text().splitlines()) == 1 + 17


@pytest.mark.slow
def test_the_highest_scores_are_removed_and_wrong_labels_looked_for(
    memtail: Memtail, report: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "wrong.npy", np.arange(3, 9))
    judge = ("judge", "digits", "counted-margins", "--outcome", "probability")
    removal = ("--remove", "9,4", "--tests", "3", "--repeats", "2")
    plan = json.loads(memtail(*judge, *removal, "--dry-run", "--json").stdout)
    assert [each["missing"] for each in plan] == [8] * 2
    ceiling = ("--ceiling", "5", "--dry-run", "--json")
    again, removals = json.loads(memtail(*judge, *removal, *ceiling).stdout)  # one document
    assert (again["missing"], removals) == (5, plan)
    known = (*removal, "--wrong-labels", "wrong.npy", "--workers", "1")
    found = json.loads(memtail(*judge, *known, "--json").stdout)
    assert (found["outcome"], found["tests"], found["repeats"]) == ("probability", 3, 2)
    assert found["wrong_labels"] == 6
    for each in found["judged"]:
        assert [loss["removed"] for loss in each["losses"]] == [4, 9]
        assert [area["by"] for area in each["mislabeled"]] == ["self-influence", "harm"]
        assert all(-1 <= loss["loss"] <= 1 for loss in each["losses"])
        assert all(loss["low"] < loss["loss"] < loss["high"] for loss in each["losses"])
    printed = memtail(*judge, *known)
    assert "Without the 4 training examples that score highest" in printed.stdout
    assert "finds the 6 wrong labels best" in printed.stdout
    assert (report / "figures" / "judge-removal.svg").exists()
    assert not list(tmp_path.glob("runs/studies/*-top-*/report")), "no study of its own to read"


@pytest.mark.slow
def test_an_approximation_is_judged_by_models_it_did_not_train(
    memtail: Memtail, report: Path
) -> None:
    methods = "combined", "projected-gradients", "linearised-retraining", "counted"
    judge = ("judge", "digits", *methods, "--runs", "2")
    plan = memtail(*judge, "--dry-run")
    assert plan.stdout == "2 networks would be trained for combined\n"
    found = json.loads(memtail(*judge, "--json").stdout)
    trainings = {each["name"]: each["trainings"] for each in found["judged"]}
    assert trainings == {
        "combined (20 models, 2 runs)": 20,
        "linearised-retraining (2 runs)": 2,
        "projected-gradients (2 runs)": 2,
        "counted": 20,
    }
    best = found["judged"][0]
    assert best["name"].startswith("combined")
    assert best["score"]["lds"] > 0.1
    assert found["first"] == 20


def test_what_cannot_be_judged_is_refused(memtail: Memtail, report: Path, tmp_path: Path) -> None:
    assert "neither a file of scores" in refused(memtail("judge", "digits", "countd"))
    np.save(tmp_path / "chance.npy", np.zeros((100, 300)))
    assert "transpose it" in refused(memtail("judge", "digits", "chance.npy"))
    assert "the same name" in refused(memtail("judge", "digits", "counted", "counted"))
    assert "raise --from-trials" in refused(
        memtail("judge", "digits", "counted", "--from-trials", "0")
    )
    assert "combined needs at least 4 models" in refused(
        memtail("judge", "digits", "combined", "--from-trials", "0", "--runs", "1")
    )
    assert "at least 3" in refused(memtail("judge", "digits", "counted", "--ceiling", "2"))
    assert "more than half of the 300" in refused(
        memtail("judge", "digits", "counted", "--remove", "10,151")
    )
    assert "No such file" in refused(
        memtail("judge", "digits", "counted", "--wrong-labels", "none.txt")
    )
    assert memtail("judge", "digits", "counted", "--remove", "0").exit_code == 2
    assert memtail("judge", "digits").exit_code == 2
    assert memtail("judge", "digits", "counted", "--outcome", "loss").exit_code == 2
