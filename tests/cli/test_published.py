"""Scores and pairs of a large study come from its report, and are what the trials say."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cli.status
from memtail_core import catalogue
from memtail_core.catalogue import published_results, reports
from memtail_core.report import stored_analysis
from memtail_core.report.publication import publish
from memtail_core.report.stored_analysis import analyse_stored
from memtail_core.store import FilesStore
from tests.cli.conftest import Memtail
from tests.conftest import Trained

USUAL = [
    ("scores", "--format", "csv"),
    ("scores", "--format", "parquet"),
    ("scores", "--format", "json"),
    ("scores", "--format", "npz"),
    ("pairs", "--json"),
    ("pairs", "--format", "csv"),
    ("pairs",),
]


@pytest.fixture(scope="module")
def store(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> FilesStore:
    folder = tmp_path_factory.mktemp("published") / "runs"
    shutil.copytree(trained.folder, folder)
    made = FilesStore(folder)
    publish(made, analyse_stored(made, trained.study))
    return made


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reading any study take long."""
    monkeypatch.setattr(published_results, "_QUICK", 0)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials may not be read."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the trials were read")

    monkeypatch.setattr(stored_analysis.loading, "load", refuse)


@pytest.mark.parametrize("command", USUAL, ids=" ".join)
def test_a_report_says_what_the_trials_say(
    memtail: Memtail, store: FilesStore, command: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    name, *options = command
    counted = memtail(name, "digits", "--store", store.location, *options)
    request.getfixturevalue("large")
    request.getfixturevalue("unread")
    said = memtail(name, "digits", "--store", store.location, *options)
    assert said.exit_code == 0
    assert said.stdout_bytes == counted.stdout_bytes
    if name == "scores":
        assert said.stderr == counted.stderr
    else:  # no search is announced
        assert "from the report of 40 models" in said.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("scores", "--estimator", "calibrated"),
        ("scores", "--measure", "probability"),
        ("pairs", "--train", "3"),
        ("pairs", "--fdr", "0.1"),
        ("pairs", "--min-influence", "0.2"),
        ("pairs", "--any-class"),
        ("pairs", "--top", "3"),  # whose intervals allow for three, not for all
    ],
    ids=" ".join,
)
def test_other_questions_are_answered_from_the_trials(
    memtail: Memtail, store: FilesStore, large: None, unread: None, command: tuple[str, ...]
) -> None:
    name, *options = command
    with pytest.raises(AssertionError, match="the trials were read"):
        memtail(name, "digits", "--store", store.location, *options)


def test_a_report_counts_only_if_it_is_of_the_trials_and_options_of_now(
    trained: Trained, store: FilesStore, tmp_path: Path, large: None
) -> None:
    study = trained.study
    assert catalogue.published(store, study) is not None
    shutil.copytree(store.location, tmp_path / "runs")
    copy = FilesStore(tmp_path / "runs")

    manifest = reports.latest(copy, study)
    assert manifest is not None
    key = f"{study.prefix}report/manifest.json"
    for change in ({"trials": manifest.trials - 1}, {"version": None}, {"version": "0.0.1"}):
        copy.put(key, manifest.model_copy(update=change).model_dump_json().encode())
        assert catalogue.published(copy, study) is None
    copy.put(key, manifest.model_dump_json().encode())
    assert catalogue.published(copy, study) is not None
    catalogue.grow(copy, study, 10 * manifest.trials)
    assert catalogue.published(copy, study) is None, "it is provisional, which it does not say"
    copy.put(f"{study.prefix}report/summary.json", b"{}")
    assert catalogue.published(copy, study) is None


def test_small_studies_are_read_and_verified_each_time(trained: Trained, store: FilesStore) -> None:
    assert catalogue.published(store, trained.study) is None


def test_the_status_of_a_large_study_verifies_some_of_its_shards(
    memtail: Memtail, store: FilesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detail() -> dict[str, int]:
        found = memtail("status", "digits", "--store", store.location, "--json")
        return dict(json.loads(found.stdout))

    whole = detail()
    assert whole["verified"] == whole["stored"]
    monkeypatch.setattr(cli.status, "_QUICK", 0)
    monkeypatch.setattr(cli.status, "_SOME", 1)
    some = detail()
    assert some["stored"] == whole["stored"]
    assert 0 < some["verified"] < some["stored"]


def test_who_only_looks_imports_nothing_slow(store: FilesStore) -> None:
    """Each of these takes a processor a third of a second or more to import."""
    script = f"""
import contextlib, io, sys
from cli.main import main
from memtail_core.catalogue import published_results
published_results._QUICK = 0
for command in ("status digits", "status", "scores digits", "pairs digits --format csv"):
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        main([*command.split(), "--store", {store.location!r}], standalone_mode=False)
    slow = {{"torch", "numba", "scipy", "sklearn", "pandas", "altair"}} & sys.modules.keys()
    assert not slow, (command, slow)
"""
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
