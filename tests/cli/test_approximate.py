"""``memtail approximate`` from the command line: what it prints, writes, keeps and refuses."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from memtail_core.approximations import METHODS, named
from memtail_core.store import FilesStore
from memtail_core.study import ArmsTable
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    shutil.copytree(trained.folder, tmp_path / "runs")
    return tmp_path / "runs"


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open() as file:
        return list(csv.DictReader(file))


def test_scores_come_as_a_table(memtail: Memtail, trained: Trained, folder: Path) -> None:
    result = memtail("approximate", "digits", "-o", "scores.csv", "--pairs", "pairs.csv")
    assert result.exit_code == 0, result.output
    rows = table("scores.csv")
    assert len(rows) == 300
    for method in METHODS:
        values = [float(row[method.name.replace("-", "_")]) for row in rows]
        assert np.isfinite(values).all()
        assert method.name in result.stdout
    memorized = trained.analysis.scores.memorization
    combined = [float(row["combination"]) for row in rows]
    assert np.corrcoef(combined, memorized)[0, 1] > 0.5
    pairs = table("pairs.csv")
    assert {row["method"] for row in pairs} == {m.name for m in named([]).of_influence}
    y, y_test = trained.dataset.y_train, trained.dataset.y_test
    assert all(y[int(row["train_index"])] == y_test[int(row["test_index"])] for row in pairs)
    kept = sorted(p.name for p in (folder / trained.study.prefix / "signals").iterdir())
    assert "0000000.npz" in kept
    assert "to train: nothing (1 stored)" in memtail("approximate", "digits", "--dry-run").stdout


def test_a_study_file_that_nothing_was_trained_of(memtail: Memtail) -> None:
    Path("study.toml").write_text(
        '[dataset]\nsource = "sklearn:iris"\n[training]\nepochs = 3\nwidths = [4]\n'
    )
    plan = memtail("approximate", "study.toml", "--runs", "2", "--dry-run", "--json")
    assert json.loads(plan.stdout)["missing"] == 2
    assert not Path("runs").exists(), "a dry run does nothing"
    result = memtail("approximate", "study.toml", "--method", "confidence", "--json")
    found = json.loads(result.stdout)
    assert len(found["scores"]["confidence"]) == 120
    assert found["costs"]["confidence"]["trainings"] > 1
    assert "0 of 200" in memtail("status", "study").stdout.replace("/", " of ")
    whole = memtail("approximate", "study", "--whole", "--method", "confidence", "--dry-run")
    assert "to train: 1 network on 120 examples" in whole.stdout


@pytest.mark.slow
def test_evaluated_beside_the_studys_own_scores(memtail: Memtail, folder: Path) -> None:
    result = memtail("approximate", "digits", "--evaluate", "--runs", "2")
    assert result.exit_code == 0, result.output
    assert "compared with 38 other models" in result.stdout
    found = json.loads(memtail("approximate", "digits", "--evaluate", "--json").stdout)
    assert found["reference"] == 39
    by_name = {each["method"]: each for each in found["methods"]}
    assert by_name["confidence"]["auroc"]["value"] > 0.9
    assert by_name["combination"]["cost"]["trainings"] > by_name["confidence"]["cost"]["trainings"]
    few = refused(memtail("approximate", "digits", "--evaluate", "--runs", "30"))
    assert "10 models of the study are left to compare with: train at least 50" in few


def test_methods_that_do_not_apply_are_left_out(memtail: Memtail) -> None:
    Path("study.toml").write_text(
        '[dataset]\nsource = "sklearn:iris"\n[training]\n'
        'recipe = "sklearn:ensemble.RandomForestClassifier"\nn_estimators = 5\n'
    )
    result = memtail("approximate", "study.toml", "-o", "scores.csv")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("left out")]
    assert "confidence" in line
    assert "does not train networks by epochs and gradients" in line
    (header, *_) = Path("scores.csv").read_text().splitlines()
    assert header == '"index","label","input_neighbours","class","name"'
    message = refused(memtail("approximate", "study.toml", "--method", "forgetting"))
    assert "no method applies: 'sklearn:ensemble.RandomForestClassifier' does not train" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--method", "forgeting"), "--method forgeting is no approximation (did you mean 'forg"),
        (("--pairs", "p.csv", "--method", "confidence"), "none of --method approximates influence"),
        (("--device", "cuda:7"), "--device cuda:7"),
    ],
)
def test_what_makes_no_sense(
    memtail: Memtail, folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert message in refused(memtail("approximate", "digits", *arguments))


@pytest.mark.parametrize(
    "arguments",
    [
        ("-o", "scores.txt"),
        ("--runs", "0"),
        ("--evaluate", "-o", "scores.csv"),
        ("--format", "xml"),
    ],
)
def test_options_that_do_not_go_together(
    memtail: Memtail, folder: Path, arguments: tuple[str, ...]
) -> None:
    assert memtail("approximate", "digits", *arguments).exit_code == 2
    assert not list(folder.glob("studies/*/signals")), "and nothing was trained"


def test_studies_that_are_not_there(memtail: Memtail, folder: Path) -> None:
    assert "no study 'nothing'" in refused(memtail("approximate", "nothing"))
    assert "holds no study" in refused(memtail("approximate", "nothing", "--evaluate"))


def test_an_experiments_study_is_refused(memtail: Memtail, trained: Trained, folder: Path) -> None:
    arms = ArmsTable(count=2, sha256="0" * 64)
    of = trained.study.model_copy(update={"name": "digits-removal", "subsets": arms})
    FilesStore(folder).put(f"{of.prefix}study.json", of.to_json())
    for option in ("--evaluate", "--dry-run"):
        assert "an experiment trained it" in refused(memtail("approximate", of.id, option))
