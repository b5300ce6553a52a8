"""A study in one call: trained, kept, continued from the command line, and shown."""

import io
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner

import memtail_core as memtail
from cli.main import main
from memtail_core.errors import MemtailError, StudyError
from memtail_core.notebook import progress, showing
from memtail_core.plan.shards import Shard
from memtail_core.running.shard_training import TrainedShard
from memtail_core.training import UNTUNED
from tests.conftest import Trained, digits


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the trained study's store."""
    return Path(shutil.copytree(trained.folder, tmp_path / "runs"))


@pytest.fixture
def results(trained: Trained, folder: Path) -> memtail.Results:
    return memtail.open_results(trained.study.name, folder)


def test_scores_and_pairs_are_those_of_the_report(
    results: memtail.Results, trained: Trained
) -> None:
    page = Path(results.report())
    assert page.is_file()
    assert pyarrow.parquet.read_table(page.parent / "scores.parquet").equals(results.scores)
    assert pyarrow.parquet.read_table(page.parent / "pairs.parquet").equals(results.pairs)
    assert json.loads((page.parent / "summary.json").read_text()) == results.summary
    np.testing.assert_array_equal(results.memorization, trained.analysis.scores.memorization)
    assert results.trials == 40


def test_the_most_memorized_come_first(results: memtail.Results) -> None:
    scores = results.memorization
    most = results.most_memorized(5)
    assert scores[most].tolist() == sorted(scores[~np.isnan(scores)], reverse=True)[:5]


def test_data_that_are_given_make_the_study_that_their_file_makes(
    trained: Trained, folder: Path
) -> None:
    """The digest of the data is in the id, whoever reads them; nothing is left to train."""
    spec = digits(training={"precision": "float32"})
    tables = spec.model_dump(exclude_unset=True)
    results = memtail.train(
        trained.dataset,
        study=tables["study"],
        training=tables["training"],
        store=folder,
        workers=1,
    )
    assert results.id == trained.study.id


def test_other_data_make_another_study(trained: Trained) -> None:
    x, y = trained.dataset.train.whole().copy(), trained.dataset.y_train

    def study_of(dataset: memtail.Dataset) -> str:
        spec = memtail.Spec.parse({"dataset": {"source": "given"}, "training": {"recipe": "mlp"}})
        return memtail.prepare(spec, dataset).study.id

    before = study_of(memtail.from_arrays(x, y))
    assert study_of(memtail.from_arrays(x, y)) == before
    x[0, 0] += 1
    assert study_of(memtail.from_arrays(x, y)) != before


@pytest.mark.slow
def test_a_study_of_given_data_is_reported_and_grown_from_the_command_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    dataset = memtail.from_arrays(rng.normal(size=(60, 3)) + y[:, None], y)
    store = str(tmp_path / "runs")
    given = {"name": "mine", "training": {"recipe": "linear"}, "store": store, "workers": 1}
    assert memtail.train(dataset, trials=10, **given).trials == 10

    def run(*arguments: str) -> str:
        ran = CliRunner().invoke(main, [*arguments, "--store", store], catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        return ran.output

    assert "given in Python" in run("run", "mine", "--trials", "20", "--workers", "1")
    assert memtail.open_results("mine", store).trials == 20
    assert "report:" in run("report", "mine")
    assert memtail.train(dataset, **given).trials == 20  # its goal is 20 now; nothing is trained


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    ([1, 2], {}, "a list is nothing to train on: give a Dataset"),
    ("no-such-study", {}, "no study 'no-such-study'"),
    ("digits", {"trials": 0}, "trials = 0: give a number"),
    ("digits", {"store": 3}, "store is a int: give a folder"),
    ("digits", {"training": {"recipe": "mlpp"}}, "mlpp"),
    ("digits", {"name": "Not A Name"}, "name = 'Not A Name'"),
]


@pytest.mark.parametrize(("what", "options", "message"), WRONG)
def test_bad_input_is_one_line(
    what: Any, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(MemtailError, match=message) as caught:
        memtail.train(what, **{"store": tmp_path} | options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_name_that_the_command_line_gives_to_another_study_is_refused(
    trained: Trained, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match="name = 'digits' is a study that ships with memtail"):
        memtail.train(trained.dataset, name="digits", store=tmp_path)


def test_a_study_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no study"):
        memtail.open_results("mine", tmp_path)


def test_a_terminal_shows_it_in_a_few_lines(results: memtail.Results, trained: Trained) -> None:
    shown = repr(results).splitlines()
    assert shown[0] == trained.study.id
    assert f"{trained.analysis.n_memorized:,} of 300 scored training examples" in shown[2]
    assert all(len(line) < 200 for line in shown)


class Tags(HTMLParser):
    """Counts tags, which all must be closed, and keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    return tags


def test_a_notebook_shows_a_table_a_figure_and_pictures(results: memtail.Results) -> None:
    tags = read(results._repr_html_())
    assert tags.seen.count("img") == 5
    assert {"table", "svg"} <= set(tags.seen)
    assert not re.findall(r"(?:src|href)='?\"?https?:", results._repr_html_())


def test_names_from_data_are_escaped(trained: Trained) -> None:
    from dataclasses import replace

    evil = "<script>alert(1)</script>"
    dataset = trained.dataset
    named = replace(
        dataset,
        classes=tuple(f"{evil}{i}" for i in range(len(dataset.classes))),
        train_names=tuple(f"{evil}{i}" for i in range(len(dataset.y_train))),
    )
    shown = showing.html(replace(trained.analysis, dataset=named))
    assert "script" not in read(shown).seen
    assert evil in read(shown).text


def trained_shard(first: int, size: int) -> TrainedShard:
    return TrainedShard(Shard(first, first + size), 1.0, {"held_in": 1.0, "test": None}, UNTUNED)


def test_a_bar_counts_models_from_what_is_stored(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[int, int, str]] = []

    class Kept:
        def show(self, done: int, total: int, words: str) -> None:
            shown.append((done, total, words))

        def close(self) -> None:
            shown.append((-1, -1, ""))

    monkeypatch.setattr(progress, "_bar", Kept)
    with progress.TrainingProgress(trained.study, 38, is_shown=True) as bar:
        bar.shards_missing([Shard(30, 35), Shard(35, 40)])
        bar.shard_trained(trained_shard(30, 5), 1)
        bar.shard_stored_elsewhere(Shard(35, 40))
        bar.processes_died(1)
    assert [each[:2] for each in shown] == [(30, 40), (35, 40), (40, 40), (40, 40), (-1, -1)]
    assert "held in 100.0%" in shown[1][2]
    assert "Warning: training processes died" in shown[3][2]


def test_nothing_is_shown_where_nobody_looks(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.TrainingProgress(trained.study, 40, is_shown=True) as bar:
        bar.shards_missing([Shard(0, 5)])
    assert sys.stderr.getvalue() == ""  # type: ignore[attr-defined]
