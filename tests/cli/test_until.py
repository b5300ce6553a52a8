"""Stopping when it is good enough, the audit and consistency, from the command line."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from memtail_core import catalogue
from memtail_core.store import FilesStore
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained

STUDY = """
[study]
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
def folder(trained: Trained, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return tmp_path / "runs"


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def goal() -> int:
    (found,) = Path("runs").glob("studies/*/goal.json")
    return int(json.loads(found.read_text())["trials"])


@pytest.mark.slow
def test_a_run_stops_when_it_is_good_enough(memtail: Memtail) -> None:
    Path("odd.toml").write_text(STUDY)
    rules = ("--until", "se<=0.15", "--until", "memorized stable at 0.99", "--workers", "1")
    plan = memtail("run", "odd.toml", *rules, "--dry-run")
    assert "as many as it takes of mlp" in plan.stdout
    assert "until     se<=0.15: about 31 models, 48 at most" in plan.stdout
    assert "memorized stable at 0.99: known after the first 40 models" in plan.stdout
    as_json = json.loads(memtail("run", "odd.toml", *rules, "--dry-run", "--json").stdout)
    assert [each["trials"] for each in as_json["until"]] == [31, None]
    assert not Path("runs").exists()

    first = memtail("run", "odd.toml", *rules, "--trials", "20")
    assert "at 20 models: se<=0.15: 0.1" in first.stderr
    assert "reached" not in first.stderr
    assert goal() == 20
    going_on = memtail("run", "odd.toml", *rules)
    assert "(20 are stored)" in going_on.stderr
    assert "reached: se<=0.15" in going_on.stderr
    assert 25 <= goal() <= 50
    page = Path(going_on.stdout.splitlines()[-1].removeprefix("report: "))
    assert 'id="stopping"' in page.read_text()
    rows = table(page.parent / "experiments" / "stopping.csv")
    assert {row["rule"] for row in rows} == {"se<=0.15", "memorized stable at 0.99"}

    again = memtail("run", "odd.toml", *rules)
    assert "new models" not in again.stderr, "nothing is trained"
    assert memtail("status", "odd").stdout.count("complete") == 1


@pytest.mark.slow
def test_a_run_stops_in_time(memtail: Memtail) -> None:
    Path("odd.toml").write_text(STUDY)
    found = memtail("run", "odd.toml", "--hours", "0.000001", "--workers", "1")
    assert "until     1e-06 h, at most" in found.stderr
    assert "; 5 models" in found.stdout, "one shard is always trained"
    assert goal() == 5
    assert memtail("run", "odd.toml", "--hours", "0").exit_code == 2


def test_what_cannot_be_asked_for_is_said(memtail: Memtail) -> None:
    Path("odd.toml").write_text(STUDY)
    said = refused(memtail("run", "odd.toml", "--until", "good"))
    assert said.startswith("error: --until 'good': write se<=0.05, 'top-1000 stable at 0.9'")
    said = refused(memtail("run", "odd.toml", "--until", "top-300 stable at 0.9"))
    assert "there are 300 training examples" in said
    assert not Path("runs").exists()


def test_the_audit_lists_the_exposed(memtail: Memtail, trained: Trained, folder: Path) -> None:
    result = memtail("privacy", "digits", "--output", "exposed.csv")
    assert result.exit_code == 0, result.output
    assert "detects" in result.stderr
    rows = table(Path("exposed.csv"))
    assert len(rows) == 300
    assert float(rows[0]["found"]) >= float(rows[1]["found"])
    found = json.loads(memtail("privacy", "digits", "--json").stdout)
    assert found["members"] + found["others"] == 300 * 40
    ratio, loss = found["attacks"][1], found["attacks"][2]
    assert ratio["auc"] > loss["auc"]
    page = folder / trained.study.prefix / "report" / "index.html"
    assert 'id="privacy"' in page.read_text()
    assert (page.parent / "figures" / "privacy.svg").exists()
    assert memtail("privacy", "digits", "--output", "x.txt").exit_code == 2


@pytest.mark.slow
def test_consistency_trains_other_ratios_once(
    memtail: Memtail, trained: Trained, folder: Path
) -> None:
    options = ("--ratios", "0.3,0.7", "--trials", "10", "--workers", "1")
    plan = json.loads(memtail("consistency", "digits", *options, "--dry-run", "--json").stdout)
    assert [each["missing"] for each in plan] == [10]
    assert len(list(catalogue.ids(FilesStore(folder)))) == 1
    first = memtail("consistency", "digits", *options, "--output", "scores.csv")
    assert first.exit_code == 0, first.output
    rows = table(Path("scores.csv"))
    assert len(rows) == 300
    assert {"at_0.3", "at_0.7", "consistency", "standard_error"} <= rows[0].keys()
    again = memtail("consistency", "digits", *options)
    assert "to train  nothing" in again.stderr
    assert "accuracy held out" in again.stdout
    found = json.loads(memtail("consistency", "digits", *options, "--json").stdout)
    assert [(at["ratio"], at["trials"]) for at in found["ratios"]] == [(0.3, 10), (0.7, 40)]
    page = folder / trained.study.prefix / "report" / "index.html"
    assert 'id="consistency"' in page.read_text()
    assert memtail("consistency", "digits", "--ratios", "0,0.5").exit_code == 2
    assert "is a subset of 0" in refused(memtail("consistency", "digits", "--ratios", "0.0001"))
