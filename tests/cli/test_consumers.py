"""Lists for other tools, corrected labels and checks in CI, as a user types them."""

import json
import shutil
from pathlib import Path

import pytest

from memtail_core.data import load
from memtail_core.study import DatasetTable
from tests.cli.conftest import Memtail, refused
from tests.conftest import Trained


@pytest.fixture(autouse=True)
def _figures_are_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are defined all the same; turning them into pixels takes most of the time."""
    for name in ("png", "svg"):
        monkeypatch.setattr(f"memtail_core.report.publication.{name}", lambda _: b"")


@pytest.fixture
def memtail_there(memtail: Memtail, trained: Trained) -> Memtail:
    """The command line in a folder with a copy of the trained study."""
    shutil.copytree(trained.folder, "runs")
    return memtail


def test_a_list_is_corrected_and_makes_the_next_study(
    memtail_there: Memtail, trained: Trained
) -> None:
    said = memtail_there("export", "digits", "--to", "csv", "-o", "list")
    assert said.exit_code == 0, said.output
    assert "300 examples by 40 models" in said.stdout and "examples.csv in list" in said.stdout
    assert "--set study.probabilities=true" in said.stderr
    before = trained.dataset.classes[trained.dataset.y_train[7]]
    after = trained.dataset.classes[(trained.dataset.y_train[7] + 1) % 10]
    Path("fixed.csv").write_text(f"index,label\n7,{after}\n8,", encoding="utf-8")
    assert "has no label" in refused(memtail_there("relabel", "digits", "fixed.csv", "-o", "next"))
    Path("fixed.csv").write_text(f"index,label\n7,{after}\n", encoding="utf-8")
    done = memtail_there("relabel", "digits", "fixed.csv", "-o", "next")
    assert done.exit_code == 0, done.output
    assert f"{trained.dataset.train_name(7)}: {before} → {after}" in done.stdout
    assert "1 of 300 labels changed; next: memtail run next/study.toml" in done.stdout
    again = load(DatasetTable(source="npz:next/data.npz"))
    changed = again.y_train != trained.dataset.y_train
    assert changed.nonzero()[0].tolist() == [7]
    assert "not empty" in refused(memtail_there("relabel", "digits", "fixed.csv", "-o", "next"))
    as_json = memtail_there("relabel", "digits", "fixed.csv", "-o", "other", "--json")
    assert json.loads(as_json.stdout)["changes"][0]["after"] == after


def test_cleanlab_without_probabilities_and_unknown_formats_are_refused(
    memtail_there: Memtail,
) -> None:
    line = refused(memtail_there("export", "digits", "--to", "cleanlab", "-o", "out"))
    assert "--set study.probabilities=true" in line
    assert "did you mean 'fiftyone'" in refused(
        memtail_there("export", "digits", "--to", "fiftyon", "-o", "out")
    )
    assert not Path("out").exists()


@pytest.mark.slow
def test_the_exit_code_says_whether_data_are_good_enough(memtail_there: Memtail) -> None:
    passed = memtail_there("subgroups", "digits", "--fail-if", "likely-mislabeled > 99%")
    assert passed.exit_code == 0, passed.output
    failed = memtail_there("subgroups", "digits", "--fail-if", "typical > 0")
    assert failed.exit_code == 1
    assert "are typical: failed, since that is more than 0" in failed.stderr
    assert "--fail-if" in refused(memtail_there("subgroups", "digits", "--fail-if", "bad"))
    said = memtail_there("report", "digits", "--format", "markdown")
    assert said.exit_code == 0, said.output
    assert said.stdout.startswith("## memtail: digits-")
    assert "### " in said.stdout, "what subgroups found"
