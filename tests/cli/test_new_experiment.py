"""A new experiment costs a folder and a line: its command and its section are there."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from cli.experiment import commands
from cli.main import main
from memtail_core.experiments import registry
from memtail_core.experiments.experiment import Experiment
from memtail_core.experiments.results import Result
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Experiment[Result]:
    """The toy experiment, after the one line that adds it."""
    folders = (*registry.FOLDERS, "tests.experiments.toy")
    monkeypatch.setattr(registry, "FOLDERS", folders)
    (command,) = (each for each in commands() if each.name == "toy")
    monkeypatch.setitem(main.commands, "toy", command)
    return registry.experiments()[-1]


@pytest.mark.slow
def test_a_new_experiment_is_a_folder_and_a_line(
    memtail: Memtail,
    toy: Experiment[Result],
    trained: Trained,
    tmp_path: Path,
) -> None:
    shutil.copytree(trained.folder, tmp_path / "runs")
    folder = tmp_path / "runs" / trained.study.prefix
    memorized = int((trained.analysis.scores.memorization >= 0.25).sum())
    usage = memtail("toy", "--help").stdout
    assert "Count the memorized examples of STUDY." in usage
    assert "--at-least" in usage
    assert "[default: 0.25,0.5]" in usage
    printed = memtail("toy", "digits", "--at-least", "0.25,0.5,0.9")
    assert printed.exit_code == 0, printed.output
    assert printed.stdout.startswith(f"{memorized} examples are memorized.\n")
    assert "This is a toy." in printed.stdout
    assert 'id="toy"' in (folder / "report" / "index.html").read_text()
    rows = list(csv.DictReader((folder / "report" / "experiments" / "toy.csv").open()))
    assert [row["threshold"] for row in rows] == ["0.25", "0.5", "0.9"]
    kept = toy.result.model_validate_json((folder / "experiments" / "toy.json").read_text())
    as_json = json.loads(memtail("toy", "digits", "--at-least", "0.25,0.5,0.9", "--json").stdout)
    assert as_json.pop("report").endswith("report/index.html")
    assert as_json == kept.model_dump(mode="json")
    to_file = memtail("toy", "digits", "--output", "toy.csv")
    assert to_file.stdout == ""
    assert len((tmp_path / "toy.csv").read_text().splitlines()) == 3
    assert memtail("toy", "digits", "--at-least", "2").exit_code == 2
    assert "holds no study 'nothing'" in refused(memtail("toy", "nothing"))
    (folder / "experiments" / "toy.json").write_text("{}")
    assert "toy.json is damaged" in refused(memtail("report", "digits"))
